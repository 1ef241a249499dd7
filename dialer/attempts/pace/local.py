"""How fast calls depart from one process: never above a limit in any sliding window, and up to it.

`LocalPace` paces a process that has the account for itself; `line.py` has the pace of workers that share an
account. Both are gates: `take_together` waits for all gates of a call and counts it in each at
the moment at which it may depart; the caller sends it at once. Decision 0004 tells why it is built like this.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from aiolimiter import AsyncLimiter

from dialer.attempts.pace.departures import GUARD_S, Departures
from dialer.attempts.pace.windows import FULL, Slowed, Window, factor_at, full_rate, slowed
from dialer.base.clock import Clock

BURST_S = 0.1
"""Seconds of pace that may depart at once after a stall."""

HEADROOM = 1.05
"""How much faster than the limit departures may follow each other while catching up."""

COLD_FOR_S = 0.25
COLD_LATE_S = 0.05
"""The first calls meet cold servers and new connections: they are counted as leaving so much later."""


class Gate(Protocol):
    """One limit that a departure passes; `turn` serves its callers in the order they came."""

    clock: Clock
    turn: asyncio.Lock

    async def ready(self) -> None:
        """Wait for whatever comes before the exact moment; called again while waiting for other gates."""
        ...

    def free_at(self) -> float:
        """Return the earliest moment of the next departure; infinite where `ready` must be awaited again."""
        ...

    def count(self, at: float) -> None:
        """Count a departure at this moment."""
        ...


async def take_together(*gates: Gate) -> float:
    """Wait until one call may depart by every gate; return the moment, counted in each.

    For a call that is under two limits: its account's calls per second and, with the polls, the
    account's requests per minute. Taken one after the other, the first would count it too early.
    """
    clock = gates[0].clock
    if len(gates) == 1:
        async with gates[0].turn:
            return await _depart_when_free(gates, clock)
    async with AsyncExitStack() as turns:
        for gate in sorted(gates, key=id):  # one order, so that two calls never wait for each other
            await turns.enter_async_context(gate.turn)
        return await _depart_when_free(gates, clock)


async def _depart_when_free(gates: Sequence[Gate], clock: Clock) -> float:
    others_ran = False
    while True:
        for gate in gates:
            await gate.ready()
        free_at = max(gate.free_at() for gate in gates)
        at = clock.monotonic()
        if free_at == math.inf:
            await asyncio.sleep(0)
        elif free_at > at:
            await clock.sleep(max(free_at - at, 1e-6))
        elif not others_ran:
            # The call granted before this one is written first. Otherwise all of a burst would be
            # granted at one moment and written over the next 10 ms, later than the log says.
            await asyncio.sleep(0)
        else:
            for gate in gates:
                gate.count(at)
            return at
        others_ran = True


class LocalPace:
    """The pace of one process that has the account for itself; without windows only holds count.

    A leaky bucket (aiolimiter) spreads departures and lets a stalled event loop catch up; the log of
    the last departures behind it is exact: whatever the bucket lets through, no window is exceeded.
    The bucket goes by the event loop's time, the log by `clock`.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        clock: Clock,
        guard_s: float = GUARD_S,
        *,
        cold: bool = False,
        confirmed: bool = False,
    ) -> None:
        self.clock = clock
        self.turn = asyncio.Lock()
        self.log = Departures(windows, guard_s, confirmed=confirmed)
        self._rate = full_rate(windows)
        self._bucket = _bucket(self._rate) if windows else None
        self._spread = False
        self._cold_until = -math.inf if not cold else None
        self._held_until = -math.inf
        self._slowed = FULL

    @property
    def rate(self) -> float:
        """Departures per second now."""
        return self._rate * self.factor

    @property
    def factor(self) -> float:
        """What refusals have left of the pace."""
        return factor_at(self._slowed, self.clock.monotonic())

    def keep(self, windows: Sequence[Window]) -> None:
        """Keep other windows from now on, narrower ones or as narrow as those at the beginning."""
        self.log.keep(windows)
        self._rate = full_rate(windows)
        self._bucket = _bucket(self._rate)

    async def take(self) -> float:
        """Wait until one call may depart; return that moment, which is counted. First come, first served."""
        return await take_together(self)

    def departed(self, granted_at: float, left_at: float) -> float:
        """Confirm that the call granted at one moment left at another: it may have had to connect first.

        Returns the moment at which it is counted.
        """
        return self.log.left(granted_at, left_at)

    def answered(self, counted_at: float, answered_at: float) -> None:
        """Correct the log by the answer of the call that is counted at this moment."""
        self.log.answered(counted_at, answered_at)

    def remember(self, departures: Iterable[float]) -> None:
        """Count departures of before, by `clock.monotonic()`: a restart does not open a new window."""
        self.log.remember(departures)

    def hold(self, seconds: float) -> None:
        """Let nobody depart for `seconds` from now (Retry-After)."""
        self._held_until = max(self._held_until, self.clock.monotonic() + seconds)

    def slow(self, factor: float = 0.5) -> None:
        """Multiply the pace (429); it climbs back by itself."""
        self._slowed = slowed(self._slowed, factor, self.clock.monotonic())

    def follow(self, slowed: Slowed) -> None:
        """Take over the pace that another worker lowered, where it is lower."""
        now = self.clock.monotonic()
        if factor_at(slowed, now) < factor_at(self._slowed, now):
            self._slowed = slowed

    async def ready(self) -> None:
        """Wait for the bucket; at a slower pace a call fills it more."""
        if self._bucket is None or self._spread:
            return
        units = 1.0
        if self._slowed.factor < 1.0:
            factor = factor_at(self._slowed, self.clock.monotonic())
            units = HEADROOM / factor if factor < 1.0 else 1.0
        while units > 0:
            await self._bucket.acquire(min(units, 1.0))
            units -= 1.0
        self._spread = True

    def free_at(self) -> float:
        """Return the earliest moment at which the log and the hold allow a departure."""
        return max(self._held_until, self.log.free_at(self.clock.monotonic()))

    def count(self, at: float) -> None:
        """Count a departure."""
        self._spread = False
        if self._cold_until is None:
            self._cold_until = at + COLD_FOR_S
        self.log.add(at, COLD_LATE_S if at < self._cold_until else None)


def _bucket(rate: float) -> AsyncLimiter:
    burst = 1 + BURST_S * rate
    return AsyncLimiter(burst, burst / (HEADROOM * rate))
