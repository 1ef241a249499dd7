"""How many calls does one process send: one shared httpx pool, a free list of httpcore connections, ours?

64 in flight, a provider that answers at once, client and provider each on a core of its own. Every side
sends the same request through `httpx.AsyncClient.send`. Read the ratios, and rather those of CPU time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import httpcore
import httpx

from dialer.providers.transport import open_client

IN_FLIGHT = 64
ROUNDS = 5
BODY = b'{"agent_id": 962, "to": "+10000000000", "metadata": {"attempt_id": "0199-0000-7000-8000"}}'
ANSWER_BODY = b'{"success": true, "data": {"execution_id": "3f0c6a3e-8a5e-4c55-9c3b-1f1f6f0b8f11"}}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(ANSWER_BODY), ANSWER_BODY)
)


def main() -> None:
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}"
    pin(0)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores,")
    print(f"{IN_FLIGHT} in flight, latency 0, median of {ROUNDS} rounds\n")
    sides: dict[str, tuple[Callable[[], httpx.AsyncClient], int, int]] = {
        # name: client, calls a round, rounds
        "httpx, one shared pool": (lambda: shared_pool(url), 2 * IN_FLIGHT, 1),
        "httpx over a free list of httpcore": (lambda: httpcore_list(url), 600, ROUNDS),
        "httpx over ours": (lambda: ours(url), 2000, ROUNDS),
        "httpx over nothing (the floor)": (lambda: httpx.AsyncClient(transport=Nothing()), 2000, ROUNDS),
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(ROUNDS):
        for name, (client, calls, rounds) in sides.items():
            if turn < rounds:
                figures[name].append(asyncio.run(measure(client(), url, calls)))
    server.terminate()
    report(figures)


def report(figures: dict[str, list[tuple[float, float]]]) -> None:
    base_rate, base_cpu = middle(figures["httpx over a free list of httpcore"])
    print(f"{'':36}{'calls/s':>9}{'CPU us':>9}{'x calls/s':>11}{'x CPU':>8}")
    for name, rounds in figures.items():
        rate, cpu = middle(rounds)
        print(f"{name:36}{rate:9.0f}{cpu:9.0f}{rate / base_rate:11.2f}{base_cpu / cpu:8.2f}")
    rate, cpu = middle(figures["httpx over ours"])
    print(f"\nours / free list of httpcore, by CPU: {base_cpu / cpu:.2f} (to reach: 2.50)")


def middle(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(rate for rate, _ in rounds), statistics.median(cpu for _, cpu in rounds)


async def measure(client: httpx.AsyncClient, url: str, calls: int) -> tuple[float, float]:
    """Return calls per second and CPU microseconds per call, connections open already."""
    async with client:
        await send(client, url, IN_FLIGHT)
        started, cpu = time.perf_counter(), time.process_time()
        await send(client, url, calls)
        return calls / (time.perf_counter() - started), (time.process_time() - cpu) / calls * 1e6


async def send(client: httpx.AsyncClient, url: str, calls: int) -> None:
    left = iter(range(calls))
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json", "User-Agent": "dialer"}
    extensions = {"timeout": {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 30.0}}

    async def sender() -> None:
        for _ in left:
            request = httpx.Request(
                "POST", url + "/calls", headers=headers, content=BODY, extensions=extensions
            )
            answer = await client.send(request)
            assert answer.content == ANSWER_BODY

    await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))


def shared_pool(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    return httpx.AsyncClient(limits=limits, trust_env=False)


def ours(url: str) -> httpx.AsyncClient:
    return open_client(url, connections_max=IN_FLIGHT, timeout_s=30.0)


def httpcore_list(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=FreeList(url), trust_env=False)


class FreeList(httpx.AsyncBaseTransport):
    """The last connection first, as `httpcore.AsyncHTTPConnection`s: the best that httpcore gives."""

    def __init__(self, url: str) -> None:
        self._origin = httpcore.URL(url).origin
        self._idle: list[httpcore.AsyncHTTPConnection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = self._idle.pop() if self._idle else httpcore.AsyncHTTPConnection(self._origin)
        answer = await connection.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(str(request.url)),
                headers=request.headers.raw,
                content=request.content,
                extensions=request.extensions,
            )
        )
        body = await answer.aread()
        await answer.aclose()
        self._idle.append(connection)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=httpx.ByteStream(body), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        for connection in self._idle:
            await connection.aclose()


class Nothing(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(ANSWER_BODY))


def serve(pipe: Connection) -> None:
    """Answer every request at once, on the second core."""
    pin(1)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._data.endswith(BODY):  # httpcore sends head and body one after the other
            self._data = b""
            self._transport.write(ANSWER)


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    main()
