"""How much of its limit does an account reach, and what does the provider see in its worst second?

One process takes its pace, sends a POST over our transport for every departure and records nothing. A
provider in a process of its own notes when each request arrives; the figures are from its notes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

import httpx

from dialer.attempts.pace.local import LocalPace
from dialer.attempts.pace.windows import Window
from dialer.base.clock import SystemClock
from dialer.providers.transport import LeanClient, open_client

CLOCK = SystemClock()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Stall(NamedTuple):
    """How the event loop is blocked."""

    name: str
    seconds: float
    every_s: float


NONE = Stall("none", 0.0, 0.0)
SHORT = Stall("100 ms twice a second", 0.1, 0.5)
LONG = Stall("3 s once", 3.0, 3.0)

ROUNDS: list[tuple[tuple[int, ...], Stall, float]] = [
    # limits that share the event loop, each with a pace of its own; seconds
    ((1, 10, 50), NONE, 13.0),
    ((200,), NONE, 6.0),
    ((500,), NONE, 6.0),
    ((1, 10, 50), SHORT, 13.0),
    ((200,), SHORT, 6.0),
    ((500,), SHORT, 6.0),
    ((1, 10, 50, 200), LONG, 9.0),
]


def main() -> None:
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    pin(0)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores\n")
    print(f"{'limit/s':>8} {'event loop blocked':24}{'reached':>9}{'worst second':>14}{'CPU us/call':>13}")
    for limits, stall, seconds in ROUNDS:
        cpu_us = asyncio.run(send(port, limits, stall, seconds))
        here.send("notes")
        arrivals: dict[int, list[float]] = here.recv()
        for limit in limits:
            noted = arrivals[limit]
            share = "" if stall is LONG else f"{reached(noted, limit):.3f}"
            print(f"{limit:8} {stall.name:24}{share:>9}{worst(noted) / limit:14.3f}{cpu_us:13.0f}")
    server.terminate()


def reached(arrivals: Sequence[float], limit: int) -> float:
    """Return the rate over the limit, from the first arrival to the one some whole windows later."""
    last = (len(arrivals) - 1) // limit * limit
    return last / (arrivals[last] - arrivals[0]) / limit


def worst(arrivals: Sequence[float]) -> int:
    """Return the most arrivals in any sliding second."""
    most = first = 0
    for last, moment in enumerate(arrivals):
        while moment - arrivals[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def send(port: int, limits: Sequence[int], stall: Stall, seconds: float) -> float:
    """Send at every limit for some seconds; return CPU microseconds per call."""
    async with open_client(f"http://127.0.0.1:{port}", connections_max=64, timeout_s=10.0) as client:
        await client.warm(8)
        blocking = asyncio.ensure_future(block(stall)) if stall.seconds else None
        cpu = time.process_time()
        until = CLOCK.monotonic() + seconds
        calls = sum(await asyncio.gather(*(dispatch(client, limit, until) for limit in limits)))
        cpu = time.process_time() - cpu
        if blocking:
            blocking.cancel()
        return cpu / calls * 1e6


async def dispatch(client: LeanClient, limit: int, until: float) -> int:
    pace = LocalPace([Window(limit, 1.0)], CLOCK)
    url = f"{client.base_url}/{limit}"
    calls: set[asyncio.Task[None]] = set()
    count = 0
    while (granted_at := await pace.take()) < until:
        task = asyncio.create_task(call(client, url, pace, granted_at))
        calls.add(task)
        task.add_done_callback(calls.discard)
        count += 1
    await asyncio.gather(*calls)
    return count


async def call(client: LeanClient, url: str, pace: LocalPace, granted_at: float) -> None:
    counted_at = granted_at

    def left() -> None:
        nonlocal counted_at
        counted_at = pace.departed(granted_at, CLOCK.monotonic())

    await client.send(httpx.Request("POST", url, extensions={"departure": left}))
    pace.answered(counted_at, CLOCK.monotonic())


async def block(stall: Stall) -> None:
    while True:
        await asyncio.sleep(stall.every_s - (stall.seconds if stall is SHORT else 0.0))
        time.sleep(stall.seconds)  # noqa: ASYNC251 - what this measures
        if stall is LONG:
            return


def serve(pipe: Connection) -> None:
    """Answer at once and note the arrivals by path, on the second core."""
    pin(1)
    arrivals: dict[int, list[float]] = {}

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport

        def data_received(self, data: bytes) -> None:
            moment = time.monotonic()
            arrivals.setdefault(int(data[6 : data.index(b" ", 6)]), []).append(moment)
            self._transport.write(ANSWER)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Noting, "127.0.0.1", 0)
        loop.add_reader(pipe.fileno(), answer)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    def answer() -> None:
        pipe.recv()
        pipe.send(arrivals)
        arrivals.clear()

    asyncio.run(run())


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    main()
