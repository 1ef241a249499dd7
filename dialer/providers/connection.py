"""One HTTP/1.1 connection: a request's bytes go out once, one whole answer comes back, or an httpx error.

Bytes of the request leave in exactly one place, `Connection.exchange`. Whatever fails before it has
sent nothing; whatever fails in it may have sent everything. Decision 0003 tells why this is ours.
"""

from __future__ import annotations

import asyncio
import re
import select
from collections.abc import Callable
from typing import NamedTuple

import httptools
import httpx

HEAD_BYTES_MAX = 64 * 1024
"""Status line and headers of an answer, at most."""

SETTLE_TURNS = 4
"""How often the event loop is let read what comes right after a handshake."""

_HUNG_UP = getattr(select, "POLLRDHUP", 0)  # Linux tells the end of a stream even behind unread bytes

_HEAD = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [!-~]+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\x00\r\n]*\r\n)+\r\n"
)


class Answer(NamedTuple):
    """A whole answer of the server; the body as it came, content encoding and all."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    version: bytes


def encode_request(method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Return the bytes of a request: a head that cannot smuggle another one, and its framed body.

    Raises:
        httpx.LocalProtocolError: a line break in a header, a length that is not the body's.
    """
    lines = [b"%s %s HTTP/1.1\r\n" % (method.encode("ascii", "replace"), target)]
    length = chunked = None
    for name, value in headers:
        lines.append(b"%s: %s\r\n" % (name, value))
        lower = name.lower()
        if lower == b"content-length":
            length = value if length is None else b"twice"
        elif lower == b"transfer-encoding":
            chunked = value
    lines.append(b"\r\n")
    head = b"".join(lines)
    if _HEAD.fullmatch(head) is None or head.count(b"\n") != len(lines):
        raise httpx.LocalProtocolError("a header, the method or the path holds a character that HTTP forbids")
    if chunked is not None:
        if chunked.lower() != b"chunked" or length is not None:
            raise httpx.LocalProtocolError("Transfer-Encoding is not the single word chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif (length is None and body) or (length is not None and length != b"%d" % len(body)):
        raise httpx.LocalProtocolError(f"Content-Length is not the body's {len(body)} bytes")
    return head + body


class Connection(asyncio.Protocol):
    """One connection to one origin, for one request at a time.

    `closed` is True from the moment that no further request may use it, `answered` once a whole answer came.
    `lost` is set when the socket is gone; `when_lost` is called then.
    """

    def __init__(self, body_bytes_max: int) -> None:
        self.closed = False
        self.answered = False
        self.lost = asyncio.Event()
        self.when_lost: Callable[[Connection], None] | None = None
        self.idle_since_s = 0.0
        self._loop = asyncio.get_running_loop()
        self._bytes_max = body_bytes_max + HEAD_BYTES_MAX
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._over_tls = False
        self._waiting: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_s: float | None = None
        self._writing = False
        self._without_body = False
        self._status = 0
        self._reason = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._received = 0
        self._head_complete = False
        self._complete = False
        self._reusable = True

    # What the pool and the transport ask of it

    def is_usable(self, *, fresh: bool = False) -> bool:
        """Tell whether a request may be written: open, and nothing to read, not even the end.

        Asks the kernel, because the event loop may not have looked since the server hung up. On a `fresh`
        connection over TLS bytes may wait that are no answer: session tickets. There only the end counts.
        """
        if self.closed or self._transport is None or self._transport.is_closing():
            return False
        if self._poll is None:
            return True
        tickets = select.POLLIN if fresh and self._over_tls else 0
        return not any(events & ~tickets for _, events in self._poll.poll(0))

    async def settle(self) -> None:
        """Let TLS read what the server sends right after the handshake: tickets, or that it hangs up."""
        for _ in range(SETTLE_TURNS):
            if not self._over_tls or self._poll is None or not self._poll.poll(0):
                return
            await asyncio.sleep(0)

    async def exchange(
        self, request: bytes, *, without_body: bool, write_s: float | None, read_s: float | None
    ) -> Answer:
        """Write the request, once, and return the whole answer. Anything but a clean end closes it.

        `read_s` counts from the moment the request is written until the last byte of the answer.

        Raises:
            httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.RemoteProtocolError: bytes of
                the request may have left in each case.
        """
        assert self._transport is not None
        assert self._waiting is None
        self._without_body = without_body
        self._read_s = read_s
        waiting: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting = waiting
        self._transport.write(request)
        self._set_timer(write_s if self._writing else read_s)
        try:
            return await waiting
        except BaseException:  # above all a cancelled task: the answer may still come, to nobody
            self.abort()
            raise
        finally:
            self._set_timer(None)

    def close(self) -> None:
        """Close an idle connection politely."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()
            if self._over_tls:
                self._transport.abort()  # TLS has said goodbye; waiting for theirs may take 30 s

    def abort(self) -> None:
        """Close the socket now, whatever was on its way."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; asyncio has switched Nagle's delay off already."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # So that we hear whether everything was handed over. asyncio's TLS takes 0 for always paused.
        self._over_tls = transport.get_extra_info("ssl_object") is not None
        transport.set_write_buffer_limits(high=1 if self._over_tls else 0, low=0)
        socket = transport.get_extra_info("socket")
        if socket is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN | _HUNG_UP)

    def data_received(self, data: bytes) -> None:
        """Parse; an answer nobody asked for ends the connection."""
        if self._waiting is None:
            self.abort()
            return
        self._received += len(data)
        if self._received > self._bytes_max:
            self._fail(httpx.RemoteProtocolError("the answer is larger than allowed"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._reusable = False
            if not self._complete:
                self._fail(httpx.RemoteProtocolError(f"the answer is not HTTP/1.1: {error!r}"))
                return
        if self._complete:
            self._deliver()
        elif not self._head_complete and self._received > HEAD_BYTES_MAX:
            self._fail(httpx.RemoteProtocolError("the answer's headers are larger than allowed"))

    def eof_received(self) -> None:
        """End an answer that has no length of its own; any other end is too early."""
        if self._waiting is not None and self._head_complete and not self._is_framed():
            self._reusable = False
            self._deliver()
        else:
            self._fail(httpx.RemoteProtocolError("the server closed the connection before the answer's end"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits, and the pool."""
        if exc is None:
            self._fail(httpx.RemoteProtocolError("the connection closed before the answer's end"))
        else:
            self._fail(httpx.ReadError(f"the connection broke before the answer's end: {exc}"))
        self.lost.set()
        if self.when_lost is not None:
            self.when_lost(self)

    def pause_writing(self) -> None:
        """Remember that part of the request is still ours."""
        self._writing = True

    def resume_writing(self) -> None:
        """Start the time for the answer: the whole request is handed over."""
        self._writing = False
        if self._waiting is not None:
            self._set_timer(self._read_s)

    # What the parser tells

    def on_message_begin(self) -> None:
        """Stop at a second answer to one request."""
        if self._complete:
            raise httpx.RemoteProtocolError("a second answer to one request")

    def on_status(self, reason: bytes) -> None:
        """Keep the reason phrase, which may come in pieces."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers after a body are dropped."""
        if not self._head_complete:
            self._headers.append((name, value))
            self._head_bytes += len(name) + len(value) + 4
            if self._head_bytes > HEAD_BYTES_MAX:
                raise httpx.RemoteProtocolError("the answer's headers are larger than allowed")

    def on_headers_complete(self) -> None:
        """Note the status; an answer to HEAD ends here, whatever length it names."""
        self._status = self._parser.get_status_code()
        self._head_complete = True
        if self._without_body and self._status >= 200:
            self._reusable = False  # the parser would wait for the body that never comes
            self._complete = True

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        if not self._complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Note the end, or go on after an interim answer (1xx)."""
        if self._status < 200:
            received = self._received
            self._start_answer()
            self._received = received
        elif not self._complete:
            self._complete = True
            self._reusable = self._reusable and self._parser.should_keep_alive()

    # How an exchange ends

    def _start_answer(self) -> None:
        self._status = 0
        self._reason = b""
        self._headers = []
        self._head_bytes = 0
        self._body = []
        self._received = 0
        self._head_complete = False
        self._complete = False
        self._reusable = True

    def _is_framed(self) -> bool:
        """Tell whether the answer says itself where it ends."""
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._headers)

    def _deliver(self) -> None:
        waiting, self._waiting = self._waiting, None
        self.answered = True
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        version = b"HTTP/" + self._parser.get_http_version().encode()
        answer = Answer(self._status, self._reason, self._headers, body, version)
        if self._writing or not self._reusable:
            self.abort()
        self._start_answer()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _fail(self, error: httpx.TransportError) -> None:
        waiting, self._waiting = self._waiting, None
        self.abort()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, self._time_out)

    def _time_out(self) -> None:
        if self._writing:
            self._fail(httpx.WriteTimeout("the server did not take the whole request in time"))
        else:
            self._fail(httpx.ReadTimeout("no whole answer in time"))
