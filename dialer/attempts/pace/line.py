"""Paces of workers that share an account: calls by its line of time in the database, requests by another.

`LinePace` and `RequestPace` are gates like `LocalPace`; which slots a worker gets says
`dialer.attempts.pace.slots`. A block is asked for ahead of need, so that a departure does not wait for the
database.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from dialer.attempts.pace.departures import GUARD_S
from dialer.attempts.pace.local import LocalPace, take_together
from dialer.attempts.pace.slots import (
    LATE_S_MAX,
    SOLE_US,
    Ask,
    Grant,
    RequestRule,
    block_size,
    leaves_late_s,
    step_us,
    window_us,
)
from dialer.attempts.pace.windows import Slowed, Window, full_rate
from dialer.base.clock import Clock

SOLE_MARGIN_S = 0.1
"""Whoever has the line alone stops so long before that is over, and says so again in good time."""
SOLE_AGAIN_S = 0.25
"""How often it says so: as soon does it hear that somebody else wants slots."""
REQUEST_BLOCK_S = 0.25
"""Seconds of requests that a worker takes at a time."""


def _heard(task: asyncio.Task[None]) -> None:
    """Take a failed question's error, which whoever waits for the next block hears too."""
    if not task.cancelled():
        task.exception()


class Blocks:
    """One block after the other from the database, asked for ahead, one question at a time."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[None] | None = None

    @property
    def asking(self) -> bool:
        """A question is on its way."""
        return self._asking is not None

    def ahead(self) -> None:
        """Ask for the next block, unless a question is on its way."""
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._ask_once())
            self._asking.add_done_callback(_heard)

    async def next(self) -> None:
        """Wait for the next block. Raises whatever asking raises; the next call tries again."""
        self.ahead()
        assert self._asking is not None
        # A caller who leaves does not take the block from those behind it.
        await asyncio.shield(self._asking)

    async def aclose(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._asking

    async def _ask_once(self) -> None:
        try:
            await self._ask()
        finally:
            self._asking = None


class DatabaseTime:
    """The database's clock less ours, from the quickest of the last answers.

    The database read its clock at some moment between question and answer: the quicker the answer, the
    less there is to guess. An answer that contradicts the others means that somebody has set the
    database's clock.
    """

    def __init__(self) -> None:
        self._offsets: deque[tuple[float, float]] = deque(maxlen=16)

    @property
    def offset_s(self) -> float | None:
        """Return the difference; None before the first answer."""
        return min(self._offsets)[1] if self._offsets else None

    def follow(self, database_now_us: int, asked_at: float, answered_at: float) -> float:
        """Take in an answer; return the difference."""
        doubt_s = (answered_at - asked_at) / 2
        offset_s = database_now_us / 1e6 - (asked_at + answered_at) / 2
        if self._offsets:
            known_doubt_s, known_s = min(self._offsets)
            if abs(offset_s - known_s) > doubt_s + known_doubt_s + LATE_S_MAX:
                self._offsets.clear()
        self._offsets.append((doubt_s, offset_s))
        return min(self._offsets)[1]


class LinePace:
    """The pace of one of several workers: its slots of the account's line, or the whole line for a while.

    `reserve(ask)` is one transaction on the account's row. `hold` and `slow` act at once in this worker;
    whoever calls them tells the database too.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        worker: Callable[[], str],
        reserve: Callable[[Ask], Awaitable[Grant]],
        clock: Clock,
        guard_s: float = GUARD_S,
        *,
        cold: bool = False,
        confirmed: bool = False,
        sole: bool = True,
    ) -> None:
        self.clock = clock
        self.turn = asyncio.Lock()
        self.slots_given_up = 0
        self._local = LocalPace(windows, clock, guard_s, cold=cold, confirmed=confirmed)
        self._windows = windows
        self._rate = full_rate(windows)
        self._worker = worker
        self._reserve = reserve
        self._may_be_sole = sole
        self._slots: deque[float] = deque()
        self._blocks = Blocks(self._ask)
        self._time = DatabaseTime()
        self._sole_until = -math.inf
        self._factor = 1.0
        self._granted: dict[float, float] = {}
        self._late_s = leaves_late_s(step_us(windows)) if windows else math.inf

    @property
    def rate(self) -> float:
        """Departures per second of the whole account."""
        return self._local.rate

    @property
    def alone(self) -> bool:
        """This worker has the line for itself now."""
        return self.clock.monotonic() < self._sole_until - SOLE_MARGIN_S

    async def take(self) -> float:
        """Wait until one call may depart; return that moment. First come, first served.

        Raises:
            Whatever `reserve` raises; the next call tries again.
        """
        return await take_together(self)

    async def ready(self) -> None:
        """Wait until the line is ours, or a slot is."""
        while True:
            if self.alone:
                if self.clock.monotonic() > self._sole_until - SOLE_US / 1e6 + SOLE_AGAIN_S:
                    self._blocks.ahead()
                await self._local.ready()
                if self.alone:
                    return
            elif self._next_slot() is not None:
                if len(self._slots) <= block_size(self._rate) // 2:
                    self._blocks.ahead()
                return
            else:
                await self._blocks.next()

    def free_at(self) -> float:
        """Return the moment of the next slot; the log of our own departures is asked too."""
        free_at = self._local.free_at()
        if self.alone:
            return free_at
        slot = self._next_slot()
        return math.inf if slot is None else max(slot, free_at)

    def count(self, at: float) -> None:
        """Count a departure."""
        if self._slots:
            self._granted[at] = self._slots.popleft()
        self._local.count(at)

    def departed(self, granted_at: float, left_at: float) -> float | None:
        """Correct our own log; None where the call may not leave now, because it missed its slot.

        Later than its slot it would crowd another worker's; and what we granted while the line was ours
        alone must not leave once it is not.
        """
        slot = self._granted.pop(granted_at, None)
        if left_at > granted_at and (left_at > slot + self._late_s if slot is not None else not self.alone):
            self._local.departed(granted_at, granted_at)
            self.slots_given_up += 1
            return None
        return self._local.departed(granted_at, left_at)

    def answered(self, counted_at: float, answered_at: float) -> None:
        """Correct our own log by the call's answer."""
        self._granted.pop(counted_at, None)
        self._local.answered(counted_at, answered_at)

    def remember(self, departures: Iterable[float]) -> None:
        """Count departures of before."""
        self._local.remember(departures)

    def hold(self, seconds: float) -> None:
        """Let nobody depart for `seconds` from now (Retry-After); slots in hand are given up."""
        self._local.hold(seconds)
        self._give_up_slots()

    def slow(self, factor: float = 0.5) -> None:
        """Multiply the pace; slots in hand are given up, the next block is as slow as the row says."""
        self._local.slow(factor)
        self._give_up_slots()

    def follow(self, slowed: Slowed) -> None:
        """Take over the pace that another worker lowered, where it is lower."""
        self._local.follow(slowed)

    async def aclose(self) -> None:
        """Ask for no more slots."""
        await self._blocks.aclose()

    async def _ask(self) -> None:
        factor = self._local.rate / self._rate
        step = step_us(self._windows, factor)
        offset_s = self._time.offset_s
        asked_at = self.clock.monotonic()
        free_from = self._local.log.line_start(asked_at, step / 1e6)
        free_from_us = 0 if offset_s is None else round((free_from + offset_s) * 1e6)
        ask = Ask(
            self._worker(),
            block_size(self._rate * factor),
            step,
            window_us(self._windows),
            free_from_us,
            self._may_be_sole,
        )
        # While the line may be taken from us nothing departs that it would not know of.
        handing_over = self.alone
        grant = await self._reserve(ask)
        answered_at = self.clock.monotonic()
        offset_s = self._time.follow(grant.now_us, asked_at, answered_at)
        if grant.sole_us:
            self._sole_until = asked_at + grant.sole_us / 1e6
            self._slots.clear()
            return
        self._sole_until = -math.inf
        if handing_over:
            # What left since we asked is not in `free_from_us`: so many slots are spent already.
            later = self._local.log.line_start(asked_at, step / 1e6) - free_from
            skipped = min(len(grant.slots_us), math.ceil(later * 1e6 / step))
            grant = grant._replace(slots_us=grant.slots_us[skipped:])
        self._slots.extend(slot_us / 1e6 - offset_s for slot_us in grant.slots_us)
        if grant.again_us:
            await self.clock.sleep(grant.again_us / 1e6)

    def _next_slot(self) -> float | None:
        """Return the first slot that is not missed yet."""
        given_up_before = self.clock.monotonic() - LATE_S_MAX
        while self._slots:
            if self._slots[0] >= given_up_before:
                return self._slots[0]
            self._slots.popleft()
            self.slots_given_up += 1
        return None

    def _give_up_slots(self) -> None:
        self.slots_given_up += len(self._slots)
        self._slots.clear()


class RequestPace:
    """An account's requests per minute, over all workers, polls, look-ups and restarts.

    `reserve(count)` is one transaction on the account's row; it returns the database's clock and the
    moments of the next requests.
    """

    def __init__(
        self,
        requests_per_minute: int,
        rule: RequestRule,
        reserve: Callable[[int], Awaitable[tuple[int, list[int]]]],
        clock: Clock,
    ) -> None:
        self.clock = clock
        self.turn = asyncio.Lock()
        self._rate = requests_per_minute / 60
        self._late_s = rule.late_us / 1e6
        self._reserve = reserve
        self._moments: deque[float] = deque()
        self._blocks = Blocks(self._ask)
        self._time = DatabaseTime()

    @property
    def rate(self) -> float:
        """Requests per second in the long run."""
        return self._rate

    async def take(self) -> float:
        """Wait until one request may leave; return that moment. First come, first served."""
        return await take_together(self)

    async def ready(self) -> None:
        """Wait for the moment of a request that is not missed yet."""
        while self._next() is None:
            await self._blocks.next()

    def free_at(self) -> float:
        """Return the moment of the next request."""
        moment = self._next()
        return math.inf if moment is None else moment

    def count(self, at: float) -> None:
        """Count a request."""
        self._moments.popleft()

    async def aclose(self) -> None:
        """Ask for no more."""
        await self._blocks.aclose()

    async def _ask(self) -> None:
        asked_at = self.clock.monotonic()
        now_us, moments_us = await self._reserve(max(1, round(REQUEST_BLOCK_S * self._rate)))
        offset_s = self._time.follow(now_us, asked_at, self.clock.monotonic())
        self._moments.extend(moment_us / 1e6 - offset_s for moment_us in moments_us)

    def _next(self) -> float | None:
        missed_before = self.clock.monotonic() - self._late_s
        while self._moments:
            if self._moments[0] >= missed_before:
                return self._moments[0]
            self._moments.popleft()
        return None
