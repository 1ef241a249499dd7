"""A provider that accepts every call, far faster than any client here, and notes when calls arrived."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple


class Seen(NamedTuple):
    """What arrived since it was last asked: how many calls, and the moments of the first and the last."""

    calls: int
    first_at: float
    last_at: float

    @property
    def per_second(self) -> float:
        return (self.calls - 1) / (self.last_at - self.first_at)


class Served:
    """A running server: its `url`, and what it has seen."""

    def __init__(self, url: str, pipe: Connection) -> None:
        self.url = url
        self._pipe = pipe

    def seen(self) -> Seen:
        """Return what arrived since the last time."""
        self._pipe.send("seen")
        return Seen(*self._pipe.recv())


@contextmanager
def serving(latency_s: float = 0.0) -> Iterator[Served]:
    """Serve in a process of its own, on the last core where there are several."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there, latency_s), daemon=True)
    server.start()
    yield Served(f"http://127.0.0.1:{here.recv()}", here)
    server.terminate()
    server.join()


def serve(pipe: Connection, latency_s: float) -> None:
    """Accept every call, after a while."""
    Accepting.latency_s = latency_s

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Accepting, "127.0.0.1", 0, backlog=1024)
        loop.add_reader(pipe.fileno(), tell)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    def tell() -> None:
        try:
            pipe.recv()
        except EOFError:
            os._exit(0)
        pipe.send((Accepting.calls, Accepting.first_at, Accepting.last_at))
        Accepting.calls, Accepting.first_at = 0, 0.0

    asyncio.run(run())


class Accepting(asyncio.Protocol):
    """One HTTP request after another, each POST answered with an execution id of its own."""

    count = calls = 0
    first_at = last_at = 0.0
    latency_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            found = head.find(b"content-length:")
            length = int(head[found + 15 :].split(b"\r\n", 1)[0]) if found >= 0 else 0
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            self._answer(head.startswith(b"post"))

    def _answer(self, call: bool) -> None:
        if call:
            now = time.monotonic()
            Accepting.count += 1
            Accepting.calls += 1
            Accepting.first_at = Accepting.first_at or now
            Accepting.last_at = now
            body = (
                b'{"success":true,"message":"Call initiated successfully","data":{"execution_id":'
                b'"%032x","call_status":"initiated"}}' % Accepting.count
            )
        else:
            body = b'{"success":true,"data":[]}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(body),
            body,
        )
        if self.latency_s:
            asyncio.get_running_loop().call_later(self.latency_s, self._transport.write, answer)
        else:
            self._transport.write(answer)
