"""httpx over a transport of ours: fast, and exact about whether a byte of the request left.

`open_client` is all that others need, and `bytes_left` for what it raises. The transport never sends
a request a second time, follows no redirect, keeps no cookie and heeds no proxy of the environment.
Decision 0003 has the figures.

Two extensions of a request are ours and httpx's:
    timeout     httpx's own: connect, pool, write; `read` is the time for the whole answer
    departure   a function that is called at the moment before the first byte is handed over; where it
                returns something to await, the request waits for that, with its connection in hand
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

import httpx

from dialer.providers.connection import Answer, encode_request
from dialer.providers.pool import Origin, Pool, bytes_left, mark_nothing_left

__all__ = ["BODY_BYTES_MAX", "LeanClient", "LeanTransport", "bytes_left", "open_client", "shared_trust"]

BODY_BYTES_MAX = 32 * 1024 * 1024
"""An answer's body as it comes over the wire, at most; more is a protocol error."""

CONNECT_S_MAX = 10.0
"""A connection that takes longer fails, however long the answer may take."""


def open_client(
    base_url: str,
    *,
    connections_max: int,
    timeout_s: float,
    keepalive_s: float = 3.0,
    headers: Mapping[str, str] | None = None,
    trust: ssl.SSLContext | None = None,
) -> LeanClient:
    """Return an httpx client for one account: `connections_max` connections, no surprises.

    `keepalive_s` is shorter than servers wait (5 s is Node's default), so that a request hardly ever
    meets a connection that is being closed. `trust` brings certificates of one's own; it must verify.
    """
    if trust is None and base_url.lower().startswith("https:"):
        trust = shared_trust()  # here and not at the first call: it takes 70 ms
    return LeanClient(
        LeanTransport(connections_max=connections_max, keepalive_s=keepalive_s, trust=trust),
        base_url=base_url,
        timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S_MAX)),
        headers=headers,
    )


@cache
def shared_trust() -> ssl.SSLContext:
    """Return the one TLS context of the process; making one takes 70 ms."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class LeanClient(httpx.AsyncClient):
    """An httpx client that keeps no cookies and can open connections ahead of need."""

    def __init__(
        self,
        transport: LeanTransport,
        *,
        base_url: str,
        timeout: httpx.Timeout,
        headers: Mapping[str, str] | None,
    ) -> None:
        self._no_cookies = _NoCookies()
        self._lean = transport
        super().__init__(
            transport=transport,
            base_url=base_url,
            timeout=timeout,
            headers=headers,
            trust_env=False,
            follow_redirects=False,
        )

    @property
    def cookies(self) -> httpx.Cookies:
        """Return a jar that stays empty: no answer may change later requests."""
        return self._no_cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        """Refuse cookies; a Cookie header says the same openly."""
        raise AttributeError("this client keeps no cookies; send a Cookie header instead")

    async def warm(self, count: int = 1) -> None:
        """Open connections until `count` stand idle, so that no call waits for one after its slot.

        A connection that would soon be closed for its age does not count. Does nothing where every
        place is taken.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: the server cannot be reached.
        """
        await self._lean.warm(self.base_url, count, connect_s=self.timeout.connect)


class LeanTransport(httpx.AsyncBaseTransport):
    """Connections per origin, the last one used first, over asyncio and httptools."""

    def __init__(
        self,
        *,
        connections_max: int,
        keepalive_s: float = 3.0,
        body_bytes_max: int = BODY_BYTES_MAX,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        if connections_max < 1:
            raise ValueError(f"connections_max = {connections_max}, expected at least 1")
        if trust is not None and (trust.verify_mode != ssl.CERT_REQUIRED or not trust.check_hostname):
            raise ValueError("the TLS context does not verify the server: set CERT_REQUIRED, check_hostname")
        self._connections_max = connections_max
        self._keepalive_s = keepalive_s
        self._body_bytes_max = body_bytes_max
        self._trust = trust
        self._pools: dict[tuple[str, bytes, int | None], Pool] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request once; return the whole answer.

        Raises:
            httpx.TransportError: see `bytes_left`.
        """
        pool = self._pool(request.url)
        outgoing = await _encode(request)
        limits = request.extensions.get("timeout", {})
        connection = await pool.check_out(limits.get("pool"), limits.get("connect"))
        try:
            if await _tell_departure(request) and not connection.is_usable():
                error = httpx.ConnectError("the connection was closed while the request waited for its turn")
                mark_nothing_left(error)
                connection.abort()
                raise error
            answer = await connection.exchange(
                outgoing,
                without_body=request.method == "HEAD",
                write_s=limits.get("write"),
                read_s=limits.get("read"),
            )
        finally:
            pool.check_in(connection)
        return _response(answer)

    async def warm(self, url: httpx.URL, count: int, connect_s: float | None) -> None:
        """Open connections to the origin of `url` until `count` stand idle."""
        await self._pool(url).warm(count, connect_s)

    async def aclose(self) -> None:
        """Close every connection; requests in the air end with an error."""
        self._closed = True
        for pool in self._pools.values():
            await pool.close()

    def _pool(self, url: httpx.URL) -> Pool:
        key = (url.scheme, url.raw_host, url.port)
        pool = self._pools.get(key)
        if pool is None or self._closed:
            pool = self._pools[key] = self._new_pool(*key)
        return pool

    def _new_pool(self, scheme: str, host: bytes, port: int | None) -> Pool:
        if self._closed:
            raise httpx.ConnectError("the client is closed")
        if scheme not in ("http", "https") or not host:
            raise httpx.UnsupportedProtocol(
                f"the address starts with {scheme!r}, expected http:// or https://"
            )
        trust = (self._trust or shared_trust()) if scheme == "https" else None
        origin = Origin(host.decode("ascii"), port or (443 if trust else 80), trust)
        return Pool(origin, self._connections_max, self._keepalive_s, self._body_bytes_max)


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep nothing."""

    def set_cookie_header(self, request: httpx.Request) -> None:
        """Send nothing."""


async def _encode(request: httpx.Request) -> bytes:
    try:
        try:
            body = request.content
        except httpx.RequestNotRead:
            body = await request.aread()
        return encode_request(request.method, request.url.raw_path, _headers(request), body)
    except BaseException as error:
        mark_nothing_left(error)
        raise


async def _tell_departure(request: httpx.Request) -> bool:
    """Say that the request could leave now; return whether it had to wait."""
    departure: Callable[[], Awaitable[None] | None] | None = request.extensions.get("departure")
    if departure is not None:
        try:
            waiting = departure()
            if isinstance(waiting, Awaitable):
                await waiting
                return True
        except BaseException as error:
            mark_nothing_left(error)
            raise
    return False


def _headers(request: httpx.Request) -> list[tuple[bytes, bytes]]:
    raw = request.headers.raw
    if "host" in request.headers:
        return raw
    return [(b"Host", request.url.netloc), *raw]


def _response(answer: Answer) -> httpx.Response:
    return httpx.Response(
        answer.status,
        headers=answer.headers,
        stream=httpx.ByteStream(answer.body),
        extensions={"http_version": answer.version, "reason_phrase": answer.reason},
    )
