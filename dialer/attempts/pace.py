"""How fast an account's calls depart: never above a limit in any sliding window, and up to it.

`LocalPace` paces one process that has an account for itself, `LinePace` one of several workers that
share the account's line of time in the database. Both answer `await take()` at the moment at which one
call may depart; the caller sends it at once. Decision 0004 tells why it is built like this.

What a limit means, exactly: no sliding second with more than `calls_per_second` departures. A limit
that is not whole cannot be read so and be reached too (1.5 a second would be 1), so it means: no more
than the next whole number in any sliding second, and no more than the limit in any sliding window long
enough to make it whole: 1.5 a second is at most 2 in any second and 3 in any two.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from aiolimiter import AsyncLimiter

from dialer.base.clock import Clock

GUARD_S = 0.008
"""Each second of a window is longer by this: what departs evenly may arrive unevenly by so much."""

LINE_GUARD_S = 0.010
"""The same over several workers, whose slots may be `LATE_S_MAX` late and whose clocks are compared."""

LATE_S_MAX = 0.005
"""A slot of the line that is missed by more is given up: used later it would crowd another's."""

LATE_S_MIN = 0.001
"""A call that leaves within this of its moment left in time."""

BLOCK_S = 0.25
"""Seconds of slots that a worker reserves at a time."""

BURST_S = 0.1
"""Seconds of pace that may depart at once after a stall."""

HEADROOM = 1.05
"""How much faster than the limit departures may follow each other while catching up."""

FACTOR_MIN = 0.05
"""However often the provider says `too fast`, this part of the limit is tried."""

RECOVERY_PER_S = 0.01
"""The pace regains this part of the limit every second: half of it in 50 s."""

SLOW_AGAIN_S = 1.0
"""Refusals within this long are one event: they answer calls that left at the same pace."""


class Window(NamedTuple):
    """At most `limit` departures in any sliding `seconds`."""

    limit: float
    seconds: float


class Rule(NamedTuple):
    """A window in whole departures: at most `departures` in any sliding `seconds`."""

    departures: int
    seconds: float


class Pace(Protocol):
    """What whoever sends calls asks of a pace; `LocalPace` and `LinePace` both answer."""

    @property
    def rate(self) -> float:
        """Departures per second now."""
        ...

    async def take(self) -> float:
        """Wait until one call may depart; return that moment by `clock.monotonic()`."""
        ...

    def departed(self, granted_at: float, left_at: float) -> None:
        """Count a call when it left, where that was later than it was granted."""
        ...

    def hold(self, seconds: float) -> None:
        """Let nobody depart for `seconds` from now (Retry-After)."""
        ...

    def slow(self, factor: float = 0.5) -> None:
        """Multiply the pace (429); it climbs back by `RECOVERY_PER_S`."""
        ...


class LocalPace:
    """The pace of one process that has the account for itself; without windows only holds count.

    A leaky bucket (aiolimiter) spreads departures and lets a stalled event loop catch up; the log of
    the last departures behind it is exact: whatever the bucket lets through, no window is exceeded.
    The bucket goes by the event loop's time, the log by `clock`.
    """

    def __init__(self, windows: Sequence[Window], clock: Clock, guard_s: float = GUARD_S) -> None:
        self._clock = clock
        self._rules = [
            (rule.departures, rule.seconds + guard_s * max(1.0, rule.seconds))
            for window in windows
            for rule in rules(window)
        ]
        self._rate = full_rate(windows)
        self._log: deque[float] = deque(maxlen=max((count for count, _ in self._rules), default=0))
        burst = 1 + BURST_S * self._rate
        self._bucket = AsyncLimiter(burst, burst / (HEADROOM * self._rate)) if windows else None
        self._turn = asyncio.Lock()
        self._held_until = -math.inf
        self._slowed = Slowed(1.0, -math.inf)

    @property
    def rate(self) -> float:
        """Departures per second now."""
        return self._rate * factor_at(self._slowed, self._clock.monotonic())

    async def take(self) -> float:
        """Wait until one call may depart; return that moment, which is counted. First come, first served."""
        async with self._turn:
            await self._spread()
            return await _depart_when_free((self,), self._clock)

    def departed(self, granted_at: float, left_at: float) -> None:
        """Correct the log: the call granted at one moment left at a later one (it had to connect first)."""
        if left_at > granted_at + LATE_S_MIN and granted_at in self._log:
            self._log.remove(granted_at)
            self.remember([left_at])

    def remember(self, departures: Iterable[float]) -> None:
        """Count departures of before, by `clock.monotonic()`: a restart does not open a new window."""
        kept = sorted([*self._log, *departures])
        self._log.clear()
        self._log.extend(kept)

    def hold(self, seconds: float) -> None:
        """Let nobody depart for `seconds` from now (Retry-After)."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    def slow(self, factor: float = 0.5) -> None:
        """Multiply the pace (429); it climbs back by `RECOVERY_PER_S`."""
        self._slowed = slowed(self._slowed, factor, self._clock.monotonic())

    async def _spread(self) -> None:
        """Wait for the bucket; at a slower pace a call fills it more."""
        if self._bucket is None:
            return
        units = 1.0
        if self._slowed.factor < 1.0:
            factor = factor_at(self._slowed, self._clock.monotonic())
            units = HEADROOM / factor if factor < 1.0 else 1.0
        while units > 0:
            await self._bucket.acquire(min(units, 1.0))
            units -= 1.0

    def _free_at(self) -> float:
        """Return the earliest moment at which the log and the hold allow a departure."""
        at = self._held_until
        for count, seconds in self._rules:
            if len(self._log) >= count:
                at = max(at, self._log[-count] + seconds)
        return at

    def _count(self, at: float) -> None:
        if self._log and at < self._log[-1]:
            self.remember([at])
        else:
            self._log.append(at)


async def take_together(*paces: LocalPace) -> float:
    """Wait until one call may depart by every pace; return the moment, counted in each.

    For a call that is under two limits: its account's calls per second and, with the polls, the
    account's requests per minute. Taken one after the other, the first would count it too early.
    """
    clock = paces[0]._clock
    async with AsyncExitStack() as turns:
        for pace in sorted(paces, key=id):  # one order, so that two calls never wait for each other
            await turns.enter_async_context(pace._turn)
        for pace in paces:
            await pace._spread()
        return await _depart_when_free(paces, clock)


async def _depart_when_free(paces: Sequence[LocalPace], clock: Clock) -> float:
    others_ran = False
    while True:
        at = clock.monotonic()
        wait_s = max(pace._free_at() for pace in paces) - at
        if wait_s > 0:
            await clock.sleep(max(wait_s, 1e-6))
        elif not others_ran:
            # The call granted before this one is written first. Otherwise all of a burst would be
            # granted at one moment and written over the next 10 ms, later than the log says.
            await asyncio.sleep(0)
        else:
            for pace in paces:
                pace._count(at)
            return at
        others_ran = True


@dataclass(frozen=True, slots=True)
class Reservation:
    """Consecutive slots of one worker on the account's line of time, by the database's clock."""

    first_slot_us: int
    step_us: int
    count: int
    database_now_us: int


class LinePace:
    """The pace of one of several workers: slots of the account's line of time, a block at a time.

    `reserve(count)` moves the line's end in the database and returns the slots; `database_now_us` is
    read when the row's lock is held (`clock_timestamp()`), and `step_us` holds the account's present
    pace. `hold` and `slow` act at once in this worker; whoever calls them tells the database too.
    """

    def __init__(
        self, windows: Sequence[Window], reserve: Callable[[int], Awaitable[Reservation]], clock: Clock
    ) -> None:
        self.slots_given_up = 0
        self._clock = clock
        self._reserve = reserve
        self._rate = full_rate(windows)
        self._slots: deque[float] = deque()
        self._ahead: asyncio.Task[None] | None = None
        self._offsets: deque[tuple[float, float]] = deque(maxlen=16)
        self._turn = asyncio.Lock()
        self._held_until = -math.inf

    @property
    def rate(self) -> float:
        """Departures per second of the whole account, as of the last reservation."""
        return self._rate

    async def take(self) -> float:
        """Wait for the next slot of ours; return the moment. First come, first served.

        Raises:
            Whatever `reserve` raises; the next call tries again.
        """
        async with self._turn:
            while True:
                await self._wait_out_hold()
                slot = await self._next_slot()
                await self._sleep_until(slot)
                late_s = (at := self._clock.monotonic()) - slot
                if late_s <= LATE_S_MAX and at >= self._held_until:
                    return at
                self.slots_given_up += 1

    def departed(self, granted_at: float, left_at: float) -> None:
        """Do nothing: the slot is spent whenever the call leaves, and no later slot can make room."""

    def hold(self, seconds: float) -> None:
        """Let nobody depart for `seconds` from now (Retry-After); slots in hand are given up."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)
        self._give_up_slots()

    def slow(self, factor: float = 0.5) -> None:
        """Give up the slots in hand; the next block has the pace that the database then says."""
        self._give_up_slots()

    async def aclose(self) -> None:
        """Stop reserving."""
        if self._ahead is not None:
            self._ahead.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._ahead

    async def _next_slot(self) -> float:
        while not self._slots:
            if self._ahead is None:
                self._reserve_ahead()
            assert self._ahead is not None
            # A caller who leaves does not take the block from those behind it.
            await asyncio.shield(self._ahead)
        slot = self._slots.popleft()
        if self._ahead is None and len(self._slots) <= block_size(self._rate) // 2:
            self._reserve_ahead()
        return slot

    def _reserve_ahead(self) -> None:
        self._ahead = asyncio.ensure_future(self._reserve_block())

    async def _reserve_block(self) -> None:
        try:
            asked_at = self._clock.monotonic()
            reservation = await self._reserve(block_size(self._rate))
            answered_at = self._clock.monotonic()
        finally:
            self._ahead = None
        self._rate = 1e6 / reservation.step_us
        offset_s = self._compare_clocks(reservation.database_now_us / 1e6, asked_at, answered_at)
        self._slots.extend(slot_us / 1e6 - offset_s for slot_us in slots(reservation))

    def _compare_clocks(self, database_now_s: float, asked_at: float, answered_at: float) -> float:
        """Return database clock less ours, from the quickest of the last answers.

        The database read its clock at some moment between question and answer: the quicker the
        answer, the less there is to guess. An answer that contradicts the others means that somebody
        has set the database's clock.
        """
        doubt_s = (answered_at - asked_at) / 2
        offset_s = database_now_s - (asked_at + answered_at) / 2
        if self._offsets:
            known_doubt_s, known_s = min(self._offsets)
            if abs(offset_s - known_s) > doubt_s + known_doubt_s + LATE_S_MAX:
                self._offsets.clear()
        self._offsets.append((doubt_s, offset_s))
        return min(self._offsets)[1]

    def _give_up_slots(self) -> None:
        self.slots_given_up += len(self._slots)
        self._slots.clear()

    async def _wait_out_hold(self) -> None:
        while self._clock.monotonic() < self._held_until:
            self._give_up_slots()
            await self._sleep_until(self._held_until)

    async def _sleep_until(self, at: float) -> None:
        while (wait_s := at - self._clock.monotonic()) > 0:
            await self._clock.sleep(max(wait_s, 1e-6))


# The arithmetic, without any waiting, so that a statement in SQL can say the same.


def rules(window: Window) -> list[Rule]:
    """Return what a window means in whole departures; see the top of this file.

    The second rule is over the shortest multiple of the window in which whole departures come within
    a thousandth of the limit.
    """
    limit, seconds = window
    if limit <= 0 or seconds <= 0:
        raise ValueError(f"{limit} departures in {seconds} s, expected more than 0 of both")
    found = [Rule(math.ceil(limit - 1e-9), seconds)]
    if not math.isclose(limit, found[0].departures, rel_tol=1e-9):
        times = 1
        while math.floor(limit * times + 1e-9) < 0.999 * limit * times:
            times += 1
        found.append(Rule(math.floor(limit * times + 1e-9), seconds * times))
    return found


def full_rate(windows: Sequence[Window]) -> float:
    """Return the departures per second that all windows together allow in the long run."""
    return min((limit / seconds for limit, seconds in windows), default=math.inf)


class Slowed(NamedTuple):
    """A pace that was lowered: its part of the full pace, and when."""

    factor: float
    at_s: float


def slowed(before: Slowed, factor: float, now_s: float) -> Slowed:
    """Return the pace after a refusal; refusals within `SLOW_AGAIN_S` of one another are one."""
    if now_s - before.at_s < SLOW_AGAIN_S:
        return before
    return Slowed(max(FACTOR_MIN, factor_at(before, now_s) * factor), now_s)


def factor_at(slow: Slowed, now_s: float) -> float:
    """Return the part of the full pace at a moment: the lowered part, and what was regained since."""
    if slow.factor >= 1.0:
        return 1.0
    return min(1.0, slow.factor + RECOVERY_PER_S * (now_s - slow.at_s))


def step_us(windows: Sequence[Window], factor: float = 1.0, guard_s: float = LINE_GUARD_S) -> int:
    """Return the microseconds between two slots of an account's line."""
    return math.ceil(1e6 * (1 + guard_s) / (full_rate(windows) * factor))


def reserve_slots(line_end_us: int, now_us: int, count: int, step_us: int) -> tuple[Reservation, int]:
    """Return the next `count` slots of a line and its new end: what the one UPDATE does.

    The line never starts in the past: what nobody reserved in time is gone.
    """
    first_us = max(line_end_us, now_us)
    return Reservation(first_us, step_us, count, now_us), first_us + count * step_us


def slots(reservation: Reservation) -> list[int]:
    """Return the moments of the slots, UTC microseconds by the database's clock."""
    first_us, step = reservation.first_slot_us, reservation.step_us
    return [first_us + index * step for index in range(reservation.count)]


def block_size(rate: float) -> int:
    """Return how many slots to reserve at a time."""
    return max(1, round(BLOCK_S * rate))
