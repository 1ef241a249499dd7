"""Every way in which a provider misbehaves: which error comes, whether a byte left, how often it was sent."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialer.providers.connection import Connection
from dialer.providers.pool import Origin, Pool
from dialer.providers.transport import LeanClient, LeanTransport, bytes_left, open_client

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A server that does on its n-th connection what the n-th behaviour says; the last one repeats."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.posts = 0
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.hung_up = asyncio.Event()
        self._behaviours = list(behaviours)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def replace(self, behaviour: Behaviour) -> None:
        """Let every further connection behave like this."""
        self._behaviours = [behaviour]

    async def stop(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behave = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
        self.connections += 1
        task = asyncio.ensure_future(self._serve(behave, reader, writer))
        self._tasks.add(task)

    async def _serve(
        self, behave: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await behave(self, reader, writer)
        finally:
            self.hung_up.set()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Read one request."""
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            body = await reader.readuntil(b"0\r\n\r\n")
        else:
            length = lower.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length or b"0"))
        self.posts += head.startswith(b"POST ")
        self.heads.append(head)
        self.bodies.append(body)


Behaviour = Callable[[Server, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answers(raw: bytes = OK, *, times: int = 1_000) -> Behaviour:
    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(times):
            await server.read(reader)
            writer.write(raw)
            await writer.drain()

    return behave


async def hangs(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)
    await reader.read()  # until the client has had enough


async def trickles(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)
    for number in range(1000):
        writer.write(b"HTTP/1.1 200 OK\r\n" if number == 0 else b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def resets(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)
    reset(writer)


async def closes_at_once(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def never_reads(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(60)


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    started: list[Server] = []

    async def start(*behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> Server:
        server = Server(*behaviours)
        await server.start(tls)
        started.append(server)
        return server

    yield start
    for server in started:
        await server.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., LeanClient]]:
    opened: list[LeanClient] = []

    def open_one(server: Server | str, **options: Any) -> LeanClient:
        url = server if isinstance(server, str) else server.url
        client = open_client(url, **{"connections_max": 4, "timeout_s": 5.0, **options})
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        await client.aclose()


Serve = Callable[..., Awaitable[Server]]
Connect = Callable[..., LeanClient]


async def failure(client: httpx.AsyncClient, **options: Any) -> Exception:
    with pytest.raises(httpx.HTTPError) as caught:
        await client.post("/calls", json={"to": "x"}, **options)
    return caught.value


# What goes well


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (OK, 200, b"ok"),
        (CHUNKED + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: z\r\n\r\n", 200, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nretry-after: 2\r\n\r\n", 503, b""),
    ],
    ids=["length", "chunked", "204", "304", "interim", "503"],
)  # fmt: skip
async def test_an_answer_comes_whole_and_its_connection_is_used_again(
    serve: Serve, connect: Connect, raw: bytes, status: int, body: bytes
) -> None:
    server = await serve(answers(raw))
    client = connect(server)
    for _ in range(3):
        answer = await client.post("/calls", json={})
        assert (answer.status_code, answer.content) == (status, body)
    assert (server.posts, server.connections) == (3, 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot asked",
        OK + b"garbage",
    ],
    ids=["says close", "ends by closing", "HTTP/1.0", "second answer", "garbage after"],
)
async def test_a_connection_without_a_clean_end_is_not_used_again(
    serve: Serve, connect: Connect, raw: bytes
) -> None:
    server = await serve(answers(raw, times=1))
    client = connect(server)
    for _ in range(3):
        assert (await client.post("/calls", json={})).text == "ok"
    assert (server.posts, server.connections) == (3, 3)


async def test_a_request_is_what_the_caller_built(serve: Serve, connect: Connect) -> None:
    server = await serve(answers())
    client = connect(server, headers={"Authorization": "Bearer secret"})
    await client.post("/calls?a=b c", content=b"body", headers={"X-Id": "7"})
    head, body = server.heads[0].decode(), server.bodies[0]
    assert head.startswith("POST /calls?a=b%20c HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert "Authorization: Bearer secret\r\n" in head
    assert "X-Id: 7\r\n" in head
    assert head.lower().count("content-length: 4\r\n") == 1
    assert body == b"body"


async def test_a_body_of_unknown_length_goes_out_in_a_chunk(serve: Serve, connect: Connect) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    server = await serve(answers())
    await connect(server).post("/calls", content=pieces())
    assert server.bodies == [b"4\r\nabcd\r\n0\r\n\r\n"]


async def test_a_request_without_a_host_header_gets_one(serve: Serve, connect: Connect) -> None:
    server = await serve(answers())
    request = httpx.Request("GET", server.url + "/")
    del request.headers["host"]
    assert (await connect(server).send(request)).text == "ok"
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in server.heads[0]


async def test_the_answer_to_head_ends_with_its_headers(serve: Serve, connect: Connect) -> None:
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
    answer = await connect(server).head("/calls")
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_compressed_answer_is_unpacked(serve: Serve, connect: Connect) -> None:
    packed = gzip.compress(b"many words")
    server = await serve(
        answers(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
        )
    )
    assert (await connect(server).post("/calls")).text == "many words"


async def test_a_redirect_is_returned_and_not_followed(serve: Serve, connect: Connect) -> None:
    server = await serve(answers(b"HTTP/1.1 307 Moved\r\nLocation: /calls\r\nContent-Length: 0\r\n\r\n"))
    assert (await connect(server).post("/calls", json={})).status_code == 307
    assert server.posts == 1


async def test_cookies_are_not_kept(serve: Serve, connect: Connect) -> None:
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    client = connect(server)
    assert (await client.get("/")).headers["set-cookie"] == "a=b"
    await client.get("/")
    assert b"cookie" not in server.heads[1].lower()
    with pytest.raises(AttributeError, match="keeps no cookies"):
        client.cookies = {"a": "b"}


async def test_the_environment_names_no_proxy(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server = await serve(answers())
    assert (await connect(server).post("/calls")).text == "ok"


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_an_answer_may_come_in_pieces_of_any_size(serve: Serve, connect: Connect, size: int) -> None:
    raw = b"HTTP/1.1 201 Quite Good\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"

    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        for start in range(0, len(raw), size):
            writer.write(raw[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)

    server = await serve(behave)
    answer = await connect(server).post("/calls")
    assert (answer.status_code, answer.reason_phrase, answer.headers["x-a"]) == (201, "Quite Good", "1")
    assert answer.text == "body"


# What goes wrong once bytes have left


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (answers(b"", times=1), httpx.RemoteProtocolError),
        (resets, httpx.ReadError),
        (hangs, httpx.ReadTimeout),
        (trickles, httpx.ReadTimeout),
        (answers(b"SMTP ready\r\n\r\n"), httpx.RemoteProtocolError),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", times=1), httpx.RemoteProtocolError),
        (answers(CHUNKED + b"9\r\nshort", times=1), httpx.RemoteProtocolError),
        (answers(b"HTTP/1.1 200 OK\r\nContent-", times=1), httpx.RemoteProtocolError),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + OK[17:]), httpx.RemoteProtocolError),
        (answers(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"), httpx.RemoteProtocolError),
        (answers(b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyy\r\n" * 7_000 + b"\r\n"), httpx.RemoteProtocolError),
        (answers(b"HTTP/1.1 100 Continue\r\n\r\n", times=1), httpx.RemoteProtocolError),
        (
            answers(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
            httpx.RemoteProtocolError,
        ),
    ],
    ids=["close", "reset", "hang", "slow headers", "garbage", "short body", "short chunk", "short head",
         "two lengths", "huge header", "many headers", "only interim", "upgrade"],
)  # fmt: skip
async def test_a_failure_after_the_request_left_says_so(
    serve: Serve, connect: Connect, behaviour: Behaviour, error: type[Exception]
) -> None:
    """And the request is not sent again, and the connection's place is free for the next."""
    server = await serve(behaviour, answers())
    client = connect(server, connections_max=1, timeout_s=0.15)
    caught = await failure(client)
    assert type(caught) is error
    assert bytes_left(caught)
    assert (server.posts, server.connections) == (1, 1)
    assert (await client.post("/calls", timeout=5)).text == "ok"
    assert (server.posts, server.connections) == (2, 2)


async def test_a_body_beyond_the_limit_is_a_protocol_error(serve: Serve) -> None:
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000))
    transport = LeanTransport(connections_max=1, body_bytes_max=1000)
    async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
        caught = await failure(client)
    assert type(caught) is httpx.RemoteProtocolError
    assert bytes_left(caught)


async def test_a_server_that_does_not_read_is_a_write_timeout(serve: Serve, connect: Connect) -> None:
    server = await serve(never_reads)
    client = connect(server, timeout_s=0.1)
    with pytest.raises(httpx.WriteTimeout) as caught:
        await client.post("/calls", content=b"x" * 20_000_000)
    assert bytes_left(caught.value)


async def test_a_close_that_meets_the_request_counts_as_sent(serve: Serve, connect: Connect) -> None:
    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers(times=1)(server, reader, writer)
        await server.read(reader)

    server = await serve(behave)
    client = connect(server)
    await client.post("/calls", json={})
    caught = await failure(client)
    assert type(caught) is httpx.RemoteProtocolError
    assert bytes_left(caught)
    assert (server.posts, server.connections) == (2, 1)


async def test_a_cancelled_request_closes_its_connection(serve: Serve, connect: Connect) -> None:
    server = await serve(hangs, answers())
    client = connect(server, connections_max=1)
    sending = asyncio.create_task(client.post("/calls", json={}))
    while not server.posts:
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await sending
    assert bytes_left(caught.value)
    await server.hung_up.wait()
    assert (await client.post("/calls", json={})).text == "ok"
    assert server.connections == 2


@pytest.mark.parametrize("end", [None, ConnectionResetError(104, "reset")])
async def test_an_answer_cut_anywhere_is_never_taken_for_a_whole_one(end: Exception | None) -> None:
    for raw in (OK, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"):
        for cut in range(len(raw)):
            connection = Connection(body_bytes_max=1000)
            connection.connection_made(Wire())
            exchange = asyncio.create_task(
                connection.exchange(b"POST", without_body=False, write_s=None, read_s=5.0)
            )
            await asyncio.sleep(0)
            connection.data_received(raw[:cut])
            if end is None:
                connection.eof_received()
            connection.connection_lost(end)
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await exchange


class Wire(asyncio.Transport):
    """A transport that leads nowhere."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        pass

    def abort(self) -> None:
        pass


# What goes wrong before a byte has left


async def test_a_refused_connection_has_sent_nothing(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        caught = await failure(connect(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert type(caught) is httpx.ConnectError
    assert not bytes_left(caught)


async def test_an_unknown_host_has_sent_nothing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_such_host(*args: Any, **options: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_such_host)
    caught = await failure(connect("http://provider.invalid"))
    assert type(caught) is httpx.ConnectError
    assert not bytes_left(caught)
    assert "provider.invalid:80" in str(caught)


async def test_a_connection_that_takes_too_long_has_sent_nothing(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*args: Any, **options: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    client = connect("http://provider.invalid", timeout_s=0.05, connections_max=1)
    for _ in range(2):  # the second finds the place of the first
        caught = await failure(client)
        assert type(caught) is httpx.ConnectTimeout
        assert not bytes_left(caught)


async def test_a_call_cancelled_while_connecting_has_sent_nothing(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking_up = asyncio.Event()

    async def never(*args: Any, **options: Any) -> None:
        looking_up.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    sending = asyncio.create_task(connect("http://provider.invalid").post("/calls"))
    await looking_up.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await sending
    assert not bytes_left(caught.value)


async def test_a_server_that_hangs_up_first_has_seen_no_post(serve: Serve, connect: Connect) -> None:
    """Whether the request had left by then depends on the moment; the answer never contradicts it."""
    server = await serve(closes_at_once)
    client = connect(server)
    for _ in range(10):
        caught = await failure(client)
        assert bytes_left(caught) is not isinstance(caught, httpx.ConnectError)
        assert isinstance(caught, httpx.ConnectError | httpx.ReadError | httpx.RemoteProtocolError)
    assert (server.posts, server.connections) == (0, 10)


async def test_waiting_for_a_place_ends_in_time_and_has_sent_nothing(serve: Serve, connect: Connect) -> None:
    server = await serve(hangs)
    client = connect(server, connections_max=1)
    sending = asyncio.create_task(client.post("/calls", json={}))
    while not server.posts:
        await asyncio.sleep(0)
    caught = await failure(client, timeout=httpx.Timeout(5.0, pool=0.02))
    assert type(caught) is httpx.PoolTimeout
    assert not bytes_left(caught)
    waiting = asyncio.create_task(client.post("/calls", json={}))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await waiting
    assert not bytes_left(cancelled.value)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    assert (server.posts, server.connections) == (1, 1)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "unix://x/"])
async def test_an_unknown_scheme_has_sent_nothing(connect: Connect, url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol) as caught:
        await connect("http://127.0.0.1").post(url)
    assert not bytes_left(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Id": "1\r\nX-Evil: 2"},
        {"X-Id": "1\nX-Evil: 2"},
        {"X-Id": "a\0b"},
        {"X Id": "1"},
        {"X-Id\r\nX-Evil": "1"},
        {"Content-Length": "3"},
        {"Transfer-Encoding": "chunked"},
    ],
)
async def test_a_request_that_could_hide_another_is_refused(
    serve: Serve, connect: Connect, headers: dict[str, str]
) -> None:
    server = await serve(answers())
    caught = await failure(connect(server), headers=[("Content-Length", "10"), *headers.items()])
    assert type(caught) is httpx.LocalProtocolError
    assert not bytes_left(caught)
    assert server.connections == 0


async def test_a_closed_client_sends_nothing(serve: Serve) -> None:
    server = await serve(answers())
    transport = LeanTransport(connections_max=1)
    await transport.aclose()
    with pytest.raises(httpx.ConnectError, match="closed") as caught:
        await transport.handle_async_request(httpx.Request("POST", server.url))
    assert not bytes_left(caught.value)


def test_an_error_of_unknown_kind_may_have_sent_everything() -> None:
    assert bytes_left(RuntimeError("?"))
    assert bytes_left(httpx.DecodingError("?"))
    assert not bytes_left(httpx.ConnectError("?"))


# Connections that wait between requests


async def test_a_connection_closed_while_idle_is_replaced_before_writing(
    serve: Serve, connect: Connect
) -> None:
    server = await serve(answers(times=1), answers())
    client = connect(server)
    await client.post("/calls", json={})
    await server.hung_up.wait()
    assert (await client.post("/calls", json={})).text == "ok"
    assert (server.posts, server.connections) == (2, 2)


async def test_a_connection_closed_while_the_event_loop_was_blocked_is_not_used(connect: Connect) -> None:
    """No event has told our side that the server hung up when the next call goes out: the kernel is asked."""
    hung_up = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(5)
    seen: list[bytes] = []

    def serve_two() -> None:
        for _ in range(2):
            accepted, _ = listening.accept()
            with accepted:
                accepted.settimeout(5)
                seen.append(accepted.recv(65536))
                accepted.sendall(OK)
            hung_up.set()

    thread = threading.Thread(target=serve_two, daemon=True)
    thread.start()
    client = connect(f"http://127.0.0.1:{listening.getsockname()[1]}")
    await client.post("/calls", content=b"first")
    hung_up.wait()  # blocks the event loop
    time.sleep(0.01)  # noqa: ASYNC251 - and stays blocked until the kernel has the FIN
    assert (await client.post("/calls", content=b"second")).text == "ok"
    thread.join()
    listening.close()
    assert [part[-6:].lstrip() for part in seen] == [b"first", b"second"]


async def test_an_idle_connection_is_closed_before_the_server_would(serve: Serve, connect: Connect) -> None:
    server = await serve(answers())
    client = connect(server, keepalive_s=0.03)
    await client.post("/calls", json={})
    await server.hung_up.wait()  # it is our side that hangs up
    await client.post("/calls", json={})
    assert (server.posts, server.connections) == (2, 2)


async def test_no_more_connections_than_allowed_and_every_request_is_sent_once(
    serve: Serve, connect: Connect
) -> None:
    server = await serve(answers())
    client = connect(server, connections_max=3)
    sent = await asyncio.gather(*(client.post("/calls", content=b"%03d" % n) for n in range(100)))
    assert {answer.text for answer in sent} == {"ok"}
    assert sorted(server.bodies) == [b"%03d" % n for n in range(100)]
    assert server.connections == 3


async def test_faults_and_cancelled_tasks_lose_no_place_and_repeat_no_request(
    serve: Serve, connect: Connect
) -> None:
    chance = random.Random(4)
    closes = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    faults = [answers(), answers(times=2), answers(closes, times=1), resets, closes_at_once, hangs]
    server = await serve(*(chance.choice(faults) for _ in range(150)), answers())
    client = connect(server, connections_max=5, timeout_s=0.05)

    async def call(number: int) -> None:
        with suppress(httpx.TransportError):
            await client.post("/calls", content=b"%04d" % number)

    tasks = [asyncio.create_task(call(number)) for number in range(300)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.002)
        chance.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(server.bodies) == len(set(server.bodies))

    server.replace(answers())
    last = await asyncio.gather(*(client.post("/calls", timeout=5) for _ in range(50)))
    assert {answer.text for answer in last} == {"ok"}


async def test_warm_connections_are_there_before_the_first_request(serve: Serve, connect: Connect) -> None:
    server = await serve(answers())
    client = connect(server, connections_max=3)
    await client.warm(2)
    await client.warm(2)
    await asyncio.gather(*(client.post("/calls") for _ in range(2)))
    assert server.connections == 2
    await client.warm(10)
    assert server.connections == 3


async def test_warming_a_server_that_is_away_says_so_and_keeps_the_places(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = connect(f"http://127.0.0.1:{unused.getsockname()[1]}", connections_max=1)
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await client.warm()


async def test_departure_is_told_once_and_only_when_the_request_leaves(
    serve: Serve, connect: Connect
) -> None:
    departures: list[str] = []
    server = await serve(answers())
    await connect(server).post("/calls", extensions={"departure": lambda: departures.append("left")})
    assert departures == ["left"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = connect(f"http://127.0.0.1:{unused.getsockname()[1]}")
        await failure(away, extensions={"departure": lambda: departures.append("never")})
    assert departures == ["left"]


async def test_a_request_may_wait_for_its_departure_with_its_connection_in_hand(
    serve: Serve, connect: Connect
) -> None:
    server = await serve(answers())
    turn = asyncio.Event()
    client = connect(server)
    sending = asyncio.ensure_future(client.post("/calls", extensions={"departure": turn.wait}))
    while not server.connections:
        await asyncio.sleep(0)
    assert server.posts == 0
    turn.set()
    assert (await sending).text == "ok"
    assert server.connections == 1


async def test_a_connection_that_died_while_its_request_waited_is_not_written_to(
    serve: Serve, connect: Connect
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Server) -> None:
        writer.close()

    server = await serve(hang_up)

    async def wait() -> None:
        await asyncio.sleep(0.05)

    caught = await failure(connect(server), extensions={"departure": wait})
    assert isinstance(caught, httpx.ConnectError)
    assert not bytes_left(caught)
    assert server.posts == 0


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "localhost.pem"
    file.write_text(LOCALHOST)
    return file


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


CLOSES = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


@pytest.mark.parametrize("over_tls", [False, True])
async def test_a_connection_that_ends_with_its_answer_is_replaced_before_the_next_request(
    serve: Serve, connect: Connect, server_tls: ssl.SSLContext, certificate: Path, over_tls: bool
) -> None:
    server = await serve(answers(CLOSES, times=1), tls=server_tls if over_tls else None)
    trust = ssl.create_default_context(cafile=certificate) if over_tls else None
    client = connect(server, trust=trust)
    await client.post("/calls")
    for number in range(1, 6):
        await client.post("/calls")
        await until(lambda opened=number + 2: server.connections == opened)  # type: ignore[misc]
        assert server.posts == number + 1  # nothing was asked of the new one yet
    assert server.connections == server.posts + 1


async def test_a_connection_that_the_server_closed_while_idle_is_replaced_at_once(
    serve: Serve, connect: Connect
) -> None:
    may_close = asyncio.Event()

    async def answers_then_closes(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await answers(times=2)(server, reader, writer)
        await may_close.wait()

    server = await serve(answers_then_closes, answers())
    client = connect(server)
    await client.post("/calls")
    await client.post("/calls")
    may_close.set()
    await until(lambda: server.connections == 2)
    await client.post("/calls")
    assert (server.connections, server.posts) == (2, 3)


async def test_what_never_answered_is_not_opened_again_and_again(serve: Serve, connect: Connect) -> None:
    """The replacement meets a server that hangs up on idle connections: the next request opens its own."""
    server = await serve(answers(CLOSES, times=1), answers(CLOSES, times=1), closes_at_once, answers())
    client = connect(server)
    await client.post("/calls")
    await client.post("/calls")
    await until(lambda: server.connections == 3)
    for _ in range(50):
        await asyncio.sleep(0)
    assert server.connections == 3
    await client.post("/calls")
    assert (server.connections, server.posts) == (4, 3)


async def test_a_request_takes_the_connection_that_is_being_opened(serve: Serve, connect: Connect) -> None:
    server = await serve(answers(CLOSES, times=1))
    client = connect(server)
    for _ in range(5):
        await client.post("/calls")
    await until(lambda: server.connections == 6)
    assert server.posts == 5


async def test_nothing_is_replaced_where_requests_are_far_apart(serve: Serve, connect: Connect) -> None:
    server = await serve(answers(CLOSES, times=1))
    client = connect(server, keepalive_s=0.0)
    for _ in range(3):
        await client.post("/calls")
        await server.hung_up.wait()
    assert server.connections == 3


async def test_a_client_that_closes_leaves_no_connection_behind(serve: Serve, connect: Connect) -> None:
    server = await serve(answers(CLOSES, times=1))
    client = connect(server)
    await client.post("/calls")
    await client.post("/calls")  # its connection is being replaced
    await client.aclose()
    with pytest.raises(httpx.ConnectError):
        await client._lean.handle_async_request(httpx.Request("POST", f"{server.url}/calls"))
    assert server.posts == 2


async def test_a_certificate_that_nobody_vouches_for_ends_it_before_a_byte(
    serve: Serve, connect: Connect, server_tls: ssl.SSLContext
) -> None:
    server = await serve(answers(), tls=server_tls)
    caught = await failure(connect(server))
    assert type(caught) is httpx.ConnectError
    assert not bytes_left(caught)
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught)
    assert server.posts == 0


async def test_an_own_certificate_authority_can_be_trusted(
    serve: Serve, connect: Connect, server_tls: ssl.SSLContext, certificate: Path
) -> None:
    server = await serve(answers(), tls=server_tls)
    client = connect(server, trust=ssl.create_default_context(cafile=certificate))
    for _ in range(3):
        assert (await client.post("/calls", json={})).text == "ok"
    assert (server.posts, server.connections) == (3, 1)


async def test_session_tickets_right_after_the_handshake_are_no_close(certificate: Path) -> None:
    """The server runs in a thread of its own, so that its tickets lie unread when the handshake is over."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    answered = 0

    def serve_in_thread(listening: socket.socket) -> None:
        nonlocal answered
        for _ in range(20):
            with context.wrap_socket(listening.accept()[0], server_side=True) as server:
                if server.recv(4096).startswith(b"GET "):
                    server.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
                    answered += 1

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve_in_thread, args=(listening,), daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        trust = ssl.create_default_context(cafile=certificate)
        async with open_client(url, connections_max=2, timeout_s=5.0, trust=trust) as client:
            for _ in range(20):
                assert (await client.get("/")).text == "ok"
        thread.join()
    assert answered == 20


async def test_a_tls_server_that_hangs_up_right_after_the_handshake_has_seen_no_post(
    certificate: Path,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    opened, closed = threading.Event(), threading.Event()

    def hang_up(listening: socket.socket) -> None:
        server = context.wrap_socket(listening.accept()[0], server_side=True)
        opened.wait(10)
        server.close()
        closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=hang_up, args=(listening,), daemon=True)
        thread.start()
        trust = ssl.create_default_context(cafile=certificate)
        pool = Pool(Origin("127.0.0.1", listening.getsockname()[1], trust), 1, 3.0, 1024)
        connection = await pool.check_out(5.0, 5.0)
        opened.set()
        assert closed.wait(10)  # the event loop has not looked since
        assert not connection.is_usable(fresh=True)
        pool.check_in(connection)
        await pool.close()
        thread.join()


async def test_a_reset_over_tls_counts_as_sent(
    serve: Serve, connect: Connect, server_tls: ssl.SSLContext, certificate: Path
) -> None:
    server = await serve(resets, tls=server_tls)
    caught = await failure(connect(server, trust=ssl.create_default_context(cafile=certificate)))
    assert isinstance(caught, httpx.ReadError | httpx.RemoteProtocolError)
    assert bytes_left(caught)
    assert server.posts == 1


async def test_a_server_that_speaks_no_tls_has_seen_nothing(serve: Serve, connect: Connect) -> None:
    server = await serve(answers())
    caught = await failure(connect(server.url.replace("http:", "https:"), timeout_s=0.2))
    assert isinstance(caught, httpx.ConnectError | httpx.ConnectTimeout)
    assert not bytes_left(caught)
    assert server.posts == 0


def test_verification_cannot_be_switched_off() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(ValueError, match="does not verify"):
        open_client("https://127.0.0.1", connections_max=1, timeout_s=1.0, trust=context)


LOCALHOST = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeN+Rc+gkxJtYaRME
coJ2J4hEwcidgWQiK4d1fbk5pb6hRANCAASoCQbU6YcGyOqgGoFRYTYefMSluqPh
jSwZ6IBtLeyNfqodJvUFQ/E72aFRjvcBq7jhKV05PsfJpZIdV/+4gs9L
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBnDCCAUKgAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtkaWFsZXIg
dGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UE
AwwLZGlhbGVyIHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASoCQbU6YcG
yOqgGoFRYTYefMSluqPhjSwZ6IBtLeyNfqodJvUFQ/E72aFRjvcBq7jhKV05PsfJ
pZIdV/+4gs9Lo38wfTAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDwYDVR0T
AQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAoQwHQYDVR0OBBYEFKBQeQFpQ2i5Mk9N
gTvpM1ov5D8nMB8GA1UdIwQYMBaAFKBQeQFpQ2i5Mk9NgTvpM1ov5D8nMAoGCCqG
SM49BAMCA0gAMEUCIQC1VtQX8G5Quid/ZGTgW3HKwakW04kTVAtYFSBCoyPW7gIg
PEXJsmyPP5y22hbMTB2NKGLPMDeeIetmeXbVbL4mihk=
-----END CERTIFICATE-----
"""
"""A key and its self-signed certificate for localhost, made for this file and used nowhere else."""
