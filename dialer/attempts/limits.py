"""An account's limits inside this process: calls per second, and requests of any kind per minute."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import anyio

from dialer.attempts.pace import LocalPace, Window, take_together
from dialer.base.clock import Clock

ARRIVAL_GUARD_S = 0.016
"""How unevenly a busy server may take in what left evenly; it costs 1.6 % of the limit. With 8 ms, a server
that paused for its garbage collection counted 41 calls in a second at a limit of 40."""
COLD_FOR_S = 0.25
COLD_LATE_S = 0.05
"""The first calls meet cold servers and new connections: they are counted as leaving so much later."""


class AccountPace:
    """Paces submissions by both limits, and every other request (polls, look-ups) by the second.

    `calls_per_second` may be the account's or, lower, the campaign's; None means no limit.
    """

    def __init__(self, calls_per_second: float | None, requests_per_minute: int | None, clock: Clock) -> None:
        self._calls = LocalPace([Window(calls_per_second, 1.0)], clock) if calls_per_second else None
        self._requests = (
            LocalPace([Window(requests_per_minute, 60.0)], clock) if requests_per_minute else None
        )
        self._both = [pace for pace in (self._calls, self._requests) if pace is not None]
        self._clock = clock
        self._held_until = 0.0
        self._first_at = 0.0
        per_second = [calls_per_second, requests_per_minute and requests_per_minute / 60]
        self.limit = min((limit for limit in per_second if limit), default=None)
        """Submissions per second that can be reached, None where nothing limits them."""

    @property
    def rate(self) -> float:
        """Submissions per second now: 0 while held, infinite where nothing limits them."""
        if not self._both and self._clock.monotonic() < self._held_until:
            return 0.0
        return min((pace.rate for pace in self._both), default=inf)

    async def take(self) -> float:
        """Wait until one submission may leave; return the moment at which it is counted (monotonic)."""
        if self._both:
            at = await take_together(*self._both)
            self._first_at = self._first_at or at
            if at - self._first_at < COLD_FOR_S:
                self.departed(at, at + COLD_LATE_S)
                at += COLD_LATE_S
            return at
        wait_s = self._held_until - self._clock.monotonic()
        await (self._clock.sleep(wait_s) if wait_s > 0 else anyio.lowlevel.checkpoint())
        return self._clock.monotonic()

    def departed(self, granted_at: float, left_at: float) -> None:
        """Count a submission when it left, where that was later than its token said."""
        for pace in self._both:
            pace.departed(granted_at, left_at)

    async def request(self) -> None:
        """Wait until one request that is no submission may leave."""
        if self._requests is not None:
            await self._requests.take()

    def remember(self, departures: Iterable[float]) -> None:
        """Count departures of before this process began, by the monotonic clock."""
        for pace in self._both:
            pace.remember(departures)

    def hold(self, seconds: float) -> None:
        """Let nothing leave for so long: the provider asked for it."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)
        for pace in self._both:
            pace.hold(seconds)

    def slow(self, factor: float = 0.5) -> None:
        """Lower the pace; it climbs back by itself."""
        for pace in self._both:
            pace.slow(factor)
