"""The pace of a worker that has a part of its account's line: an exact log of its own, over that part.

A gate like `LocalPace`; how the line is divided says `dialer.attempts.pace.parts`.
A call that leaves late, because it had to connect, crowds nobody else's: it is counted when it leaves. Only
where its place was given up or lost meanwhile it needs another one.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from dialer.attempts.pace.departures import GUARD_S
from dialer.attempts.pace.line import Blocks
from dialer.attempts.pace.local import LocalPace, take_together
from dialer.attempts.pace.parts import PartAsk, PartGrant
from dialer.attempts.pace.slots import ASK_AGAIN_US, window_us
from dialer.attempts.pace.windows import Slowed, Window
from dialer.base.clock import Clock

MARGIN_S = 0.1
"""Nothing leaves so long before the worker's part is over."""
AGAIN_S = 0.25
"""How often a worker says that it is there: as soon does it hear that another needs a part."""
HUNGRY = 0.85
"""Whoever uses as much of its part could use more."""
SPARE = 1.2
"""What a worker is left with beyond what it used, so that a bit more work finds a place."""
GROWN_S = 2.0
"""So long after its part has grown a worker cannot know yet how much of it it uses."""


class PartPace:
    """One of several workers' pace; `limit` is the account's, a whole number of calls in any second.

    `reserve(ask)` is one transaction on the account's row. `hold` and `slow` act at once in this worker;
    whoever calls them tells the database too.
    """

    def __init__(
        self,
        limit: int,
        worker: Callable[[], str],
        reserve: Callable[[PartAsk], Awaitable[PartGrant]],
        clock: Clock,
        guard_s: float = GUARD_S,
        *,
        cold: bool = False,
        confirmed: bool = False,
    ) -> None:
        self.clock = clock
        self.turn = asyncio.Lock()
        self.places = 0
        whole = [Window(limit, 1.0)]
        self._limit = limit
        self._window_us = window_us(whole)
        self._local = LocalPace(whole, clock, guard_s, cold=cold, confirmed=confirmed)
        self._worker = worker
        self._reserve = reserve
        self._blocks = Blocks(self._ask)
        self._asked_at = self._until = -math.inf
        self._shrunk_at = self._told_shrunk_at = -math.inf
        self._grown_at = clock.monotonic()
        self._used: deque[int] = deque(maxlen=math.ceil(GROWN_S / AGAIN_S))

    @property
    def rate(self) -> float:
        """Departures per second of the whole account."""
        return self._limit * self._local.factor

    @property
    def holds(self) -> bool:
        """This worker has a part of the line now."""
        return self.places > 0 and self.clock.monotonic() < self._until - MARGIN_S

    async def take(self) -> float:
        """Wait until one call may depart; return that moment. First come, first served.

        Raises:
            Whatever `reserve` raises; the next call tries again.
        """
        return await take_together(self)

    async def ready(self) -> None:
        """Wait until there is a part of ours, and for its pace."""
        while True:
            if self.holds:
                if self.clock.monotonic() > self._asked_at + AGAIN_S:
                    self._blocks.ahead()
                await self._local.ready()
                if self.holds:
                    return
            else:
                await self._blocks.next()

    def free_at(self) -> float:
        """Return the moment of the next departure by our own log."""
        return self._local.free_at() if self.holds else math.inf

    def count(self, at: float) -> None:
        """Count a departure."""
        self._local.count(at)

    def departed(self, granted_at: float, left_at: float) -> float | None:
        """Count a call when it left; None where it may not leave any more: its place is another's by now."""
        if left_at > granted_at and not (self.holds and granted_at >= self._told_shrunk_at):
            self._local.departed(granted_at, granted_at)
            return None
        return self._local.departed(granted_at, left_at)

    def answered(self, counted_at: float, answered_at: float) -> None:
        """Correct our own log by the call's answer."""
        self._local.answered(counted_at, answered_at)

    def remember(self, departures: Iterable[float]) -> None:
        """Count departures of before."""
        self._local.remember(departures)

    def hold(self, seconds: float) -> None:
        """Let nobody depart for `seconds` from now (Retry-After)."""
        self._local.hold(seconds)

    def slow(self, factor: float = 0.5) -> None:
        """Multiply the pace (429); it climbs back by itself."""
        self._local.slow(factor)

    def follow(self, slowed: Slowed) -> None:
        """Take over the pace that another worker lowered, where it is lower."""
        self._local.follow(slowed)

    async def aclose(self) -> None:
        """Ask for no more; the part ends by itself."""
        await self._blocks.aclose()

    async def _ask(self) -> None:
        asked_at = self._asked_at = self.clock.monotonic()
        self._told_shrunk_at = self._shrunk_at  # until we say that we gave places up they were still ours
        ask = PartAsk(self._worker(), self._limit, self.places, self._needs(asked_at), self._window_us)
        grant = await self._reserve(ask)
        if not self.holds:
            self._shrunk_at = self._told_shrunk_at = self.clock.monotonic()
        self._until = asked_at + grant.for_us / 1e6
        self._take_over(grant.places)
        if grant.places == 0:
            await self.clock.sleep(ASK_AGAIN_US / 1e6)

    def _take_over(self, places: int) -> None:
        if places > self.places:
            self._grown_at = self.clock.monotonic()
        elif places < self.places:
            self._shrunk_at = self.clock.monotonic()
        if places and places != self.places:
            self._local.keep([Window(places, 1.0)])
        self.places = places

    def _needs(self, now: float) -> int:
        """Return how many places we could use: any number, while nearly all of ours are used."""
        self._used.append(self._local.log.since(now - 1.0))
        used = max(self._used)
        if now - self._grown_at < GROWN_S or used >= HUNGRY * self.places:
            return self._limit
        return min(self._limit, math.ceil(SPARE * used) + 1)
