"""The connections to one origin: the one used last is used first, and none that may be dying is used.

What fails in here fails before a byte of a request has left, and its error says so.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections import deque
from typing import NamedTuple

import httpx

from dialer.providers.connection import Connection

NOTHING_LEFT = "dialer_nothing_left"
CLOSING_S = 0.5
"""How long a pool that closes waits for connections that are being opened."""


class Origin(NamedTuple):
    """Where a request goes; `trust` says that it goes over TLS."""

    host: str
    port: int
    trust: ssl.SSLContext | None


class Pool:
    """The connections to one origin: a stack of idle ones, a queue of tasks that wait for a place.

    `open` counts places: connections in use, idle and being opened. A place goes from hand to hand:
    whoever waits gets either a connection or, as None, the right to open one.

    A connection that the server closes after an answer is replaced at once while requests keep coming, so
    that where every answer ends its connection no request has to connect in its own time. What stands idle
    too long is not replaced: there come to be as many as are needed.
    """

    def __init__(self, origin: Origin, connections_max: int, keepalive_s: float, body_bytes_max: int) -> None:
        self.open = 0
        self._origin = origin
        self._connections_max = connections_max
        self._keepalive_s = keepalive_s
        self._body_bytes_max = body_bytes_max
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._connections: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._opening: set[asyncio.Task[None]] = set()
        self._connect_s: float | None = None
        self._asked_s = self._asked_before_s = -math.inf
        self._closed = False

    async def check_out(self, pool_s: float | None, connect_s: float | None) -> Connection:
        """Return a connection that can take a request now.

        Raises:
            httpx.PoolTimeout, httpx.ConnectError, httpx.ConnectTimeout: nothing was sent.
        """
        self._connect_s = connect_s
        self._asked_before_s, self._asked_s = self._asked_s, asyncio.get_running_loop().time()
        connection = await self._take_idle()
        if connection is not None:
            return connection
        being_opened = len(self._opening) > len(self._waiters)
        if self.open < self._connections_max and not being_opened:
            self.open += 1
        else:
            connection = await self._wait_for_place(pool_s)
            if connection is not None:
                if connection.is_usable():
                    return connection
                connection.abort()
                self._connections.discard(connection)
        return await self._connect(connect_s)

    def check_in(self, connection: Connection) -> None:
        """Take a connection back: to the next task that waits, to the stack, or out of the count."""
        if connection.closed:
            self._connections.discard(connection)
            self._pass_on(None)
            self._replace(connection)
        else:
            self._pass_on(connection)

    async def warm(self, count: int, connect_s: float | None) -> None:
        """Open connections until `count` stand idle or every place is taken."""
        young_s = asyncio.get_running_loop().time() - self._keepalive_s / 2
        ready = 0
        for connection in reversed(self._idle):
            if ready == count or connection.idle_since_s < young_s:
                break
            ready += connection.is_usable()
        missing = min(count - ready, self._connections_max - self.open)
        if missing > 0:
            results = await asyncio.gather(
                *(self._open_idle(connect_s) for _ in range(missing)), return_exceptions=True
            )
            for result in results:
                if result is not None:
                    raise result

    async def close(self) -> None:
        """Close every connection and wait until the sockets are gone."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(httpx.PoolTimeout("the client was closed"))
        if self._opening:  # asyncio may lose the socket of a connection that is cancelled while it is opened
            await asyncio.wait(self._opening, timeout=CLOSING_S)
        for task in list(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        for connection in list(self._connections):
            if not connection.closed:
                connection.abort()
            await connection.lost.wait()

    async def _take_idle(self) -> Connection | None:
        """Return the connection used last if it is fresh and open; drop those that are not."""
        oldest_s = asyncio.get_running_loop().time() - self._keepalive_s
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since_s > oldest_s and await self._usable(connection):
                return connection
            self._drop(connection)
        return None

    async def _usable(self, connection: Connection) -> bool:
        """Tell whether a request may be written, once TLS has read its tickets: they lie there a while."""
        if connection.is_usable():
            return True
        try:
            await connection.settle()
        except asyncio.CancelledError as error:
            self._drop(connection)
            mark_nothing_left(error)
            raise
        return connection.is_usable()

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self._connections.discard(connection)
        self.open -= 1

    def _pass_on(self, connection: Connection | None) -> None:
        """Hand a place to the task that waits longest, or keep it."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self.open -= 1
        else:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
            self._sweep_later()

    async def _wait_for_place(self, pool_s: float | None) -> Connection | None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiters.append(waiter)
        timer = None if pool_s is None else loop.call_later(pool_s, _give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())  # the place came in the same moment
            mark_nothing_left(error)
            raise
        finally:
            if timer is not None:
                timer.cancel()

    async def _open_idle(self, connect_s: float | None) -> None:
        self.open += 1
        self.check_in(await self._connect(connect_s))

    def _replace(self, gone: Connection) -> None:
        """Open another connection in the place of one that was closed after an answer, if it will be used."""
        if not gone.answered or self._closed or self.open >= self._connections_max:
            return
        if asyncio.get_running_loop().time() - self._asked_before_s > self._keepalive_s:
            return
        self.open += 1
        task = asyncio.ensure_future(self._open_replacement())
        self._opening.add(task)

    async def _open_replacement(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            connection = await self._connect(self._connect_s)
        except httpx.TransportError:
            return  # whoever needs one tries by itself, and says what failed
        finally:
            self._opening.discard(task)
        self.check_in(connection)

    def _lost(self, connection: Connection) -> None:
        """Take a connection that the server closed while it was idle out of the stack, and replace it."""
        if connection in self._idle:
            self._idle.remove(connection)
            self._drop(connection)
            self._replace(connection)

    async def _connect(self, connect_s: float | None) -> Connection:
        """Open a connection in a place that is counted already; give the place back on failure."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(connect_s):
                connection = await _dial(self._origin, self._body_bytes_max)
                await connection.settle()
            if self._closed or not connection.is_usable(fresh=True):
                raise httpx.ConnectError("the connection was closed before the request")
        except BaseException as error:
            if connection is not None:
                connection.abort()
            self._pass_on(None)
            translated = _as_connect_error(error, self._origin)
            if translated is None:
                mark_nothing_left(error)
                raise
            raise translated from error
        self._connections.add(connection)
        connection.when_lost = self._lost
        return connection

    def _sweep_later(self) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._keepalive_s, self._close_expired)

    def _close_expired(self) -> None:
        """Close idle connections before the server does."""
        self._sweep = None
        oldest_s = asyncio.get_running_loop().time() - self._keepalive_s
        expired = [c for c in self._idle if c.closed or c.idle_since_s <= oldest_s]
        if expired:
            self._idle = [c for c in self._idle if not (c.closed or c.idle_since_s <= oldest_s)]
            for connection in expired:
                self._drop(connection)
        if self._idle:
            self._sweep_later()


def bytes_left(error: BaseException) -> bool:
    """Tell whether a byte of the request may have left; False only where that is certain."""
    if NOTHING_LEFT in getattr(error, "__dict__", {}):
        return False
    return not isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol
    )


def mark_nothing_left(error: BaseException) -> None:
    """Mark an error that was raised before any byte of the request left."""
    vars(error)[NOTHING_LEFT] = True


async def _dial(origin: Origin, body_bytes_max: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(body_bytes_max),
        origin.host,
        origin.port,
        ssl=origin.trust,
        server_hostname=origin.host if origin.trust else None,
        happy_eyeballs_delay=0.25,
    )
    return connection


def _as_connect_error(error: BaseException, origin: Origin) -> httpx.TransportError | None:
    """Return what failed while connecting as httpx says it; None for what is not about the network."""
    where = f"{origin.host}:{origin.port}"
    if isinstance(error, TimeoutError):
        return httpx.ConnectTimeout(f"no connection to {where} in time")
    if isinstance(error, socket.gaierror):
        return httpx.ConnectError(f"no address known for {where}: {error}")
    if isinstance(error, OSError | UnicodeError):  # ssl's errors are OSErrors
        return httpx.ConnectError(f"no connection to {where}: {error}")
    return None


def _give_up(waiter: asyncio.Future[Connection | None]) -> None:
    if not waiter.done():
        waiter.set_exception(httpx.PoolTimeout("every connection is in use"))
