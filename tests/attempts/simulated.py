"""Simulated time for paces: the event loop's own clock, so that the real aiolimiter runs in these tests.

Time stands still while anything is ready to run, then jumps to the next timer. A stall of the loop is a jump
in the middle of a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from dialer.attempts.pace.windows import Window, rules

Result = TypeVar("Result")


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits: when nothing is ready, its clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        ask = self._selector.select  # type: ignore[attr-defined]

        def select(timeout: float | None) -> Any:
            if timeout is None:
                raise RuntimeError("every task waits for ever")
            self.now_s += max(timeout, 1e-6)  # whatever runs takes a moment
            return ask(0)

        self._selector.select = select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self.now_s


class LoopClock:
    """The clock of the loop, as a worker sees it whose own clock is `ahead_s` of the others."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self._ahead_s = ahead_s
        self._loop = asyncio.get_running_loop()

    def now_us(self) -> int:
        return round(self.monotonic() * 1e6)

    def monotonic(self) -> float:
        return self._loop.time() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def simulate(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(work())


def now() -> float:
    return asyncio.get_running_loop().time()


def stall(seconds: float) -> None:
    """Block the event loop."""
    asyncio.get_running_loop().now_s += seconds  # type: ignore[attr-defined]


async def stalling(seconds: float, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s - seconds)
        stall(seconds)


def worst(departures: Sequence[float], seconds: float) -> int:
    """Return the most departures in any sliding window."""
    most = first = 0
    ordered = sorted(departures)
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


async def depart(take: Callable[[], Awaitable[float]], until: float) -> list[float]:
    departures = []
    while True:
        await take()
        if now() >= until:
            return departures
        departures.append(now())


def reached(departures: Sequence[float], limit: float, seconds: float) -> float:
    """Return the long-run rate over the limit, from a departure to the one some whole windows later."""
    whole = rules(Window(limit, seconds))[-1].departures
    last = (len(departures) - 1) // whole * whole
    return last / (departures[last] - departures[0]) / (limit / seconds)
