"""A provider that accepts every call and notes when each one arrived; it may hang up after each, or stall."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple


class Stall(NamedTuple):
    """No answer leaves for `seconds`, once, so long after the first call; then all do."""

    after_s: float = float("inf")
    seconds: float = 0.0


class Noted:
    """A running provider: its `url`, and when calls arrived."""

    def __init__(self, url: str, pipe: Connection) -> None:
        self.url = url
        self._pipe = pipe

    def arrivals(self) -> list[float]:
        """Return the moments of all calls since the last time."""
        self._pipe.send("arrivals")
        return self._pipe.recv()


@contextmanager
def noting(*, hangs_up: bool = False, stall: Stall | None = None, latency_s: float = 0.0) -> Iterator[Noted]:
    """Serve in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    words = (there, hangs_up, stall or Stall(), latency_s)
    server = context.Process(target=serve, args=words, daemon=True)
    server.start()
    yield Noted(f"http://127.0.0.1:{here.recv()}", here)
    server.terminate()
    server.join()


def serve(pipe: Connection, hangs_up: bool, stall: Stall, latency_s: float) -> None:
    """Accept every call and note its moment as soon as it is read."""
    arrivals: list[float] = []
    began = count = 0
    closing = b"Connection: close\r\n" if hangs_up else b""

    def answer_in(now: float) -> float:
        nonlocal began
        began = began or now
        stalls_at = began + stall.after_s
        if stalls_at <= now < stalls_at + stall.seconds:
            return stalls_at + stall.seconds - now
        return latency_s

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport
            self._received = b""

        def data_received(self, data: bytes) -> None:
            nonlocal count
            now = time.monotonic()
            self._received += data
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._received[:end].lower()
            found = head.find(b"content-length:")
            length = int(head[found + 15 :].split(b"\r\n", 1)[0]) if found >= 0 else 0
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            body = b'{"success":true,"data":[]}'
            if head.startswith(b"post"):
                arrivals.append(now)
                count += 1
                body = b'{"success":true,"data":{"execution_id":"%032x","call_status":"initiated"}}' % count
            answer = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (closing, len(body), body)
            wait_s = answer_in(now)
            if wait_s:
                asyncio.get_running_loop().call_later(wait_s, self._say, answer)
            else:
                self._say(answer)

        def _say(self, answer: bytes) -> None:
            self._transport.write(answer)
            if hangs_up:
                self._transport.close()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Noting, "127.0.0.1", 0, backlog=1024)
        loop.add_reader(pipe.fileno(), tell)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    def tell() -> None:
        try:
            pipe.recv()
        except EOFError:
            os._exit(0)
        pipe.send(arrivals[:])
        arrivals.clear()

    asyncio.run(run())
