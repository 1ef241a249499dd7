"""A request on its way out: what is asked at the moment before its first byte leaves, and how it is counted.

Between its token and that moment a request may have had to connect. What was true when it took the token
is looked at again then: the worker's lease, the contact's window, the account's pace.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from dialer.attempts.books import Books
from dialer.attempts.dialing import Dialing, Opened
from dialer.attempts.pace.windows import Slowed
from dialer.base.clock import Clock
from dialer.base.errors import NotDialled, NotReady

DEPARTURE_LATE_S = 0.0005
"""A request that leaves later than this after its token is counted when it left."""


class Pace(Protocol):
    """What a lane asks of its account's pace."""

    @property
    def rate(self) -> float:
        """Departures per second now; infinite where nothing limits them."""
        ...

    async def take(self) -> float:
        """Wait until one call may depart; return that moment by `clock.monotonic()`. Raises NotReady."""
        ...

    def departed(self, granted_at: float, left_at: float) -> float | None:
        """Count a call when it left, where that was later than granted; return when it is counted.

        None where it may not leave so late: it must `take` another moment.
        """
        ...

    def answered(self, counted_at: float, answered_at: float) -> None:
        """Learn from an answer when its call had arrived."""
        ...

    def hold(self, seconds: float) -> None:
        """Let nobody depart for `seconds` from now (Retry-After)."""
        ...

    def slow(self, factor: float) -> None:
        """Multiply the pace (429); it climbs back by itself."""
        ...

    def follow(self, held_s: float, slowed: Slowed) -> None:
        """Take over how the account is held and slowed by others."""
        ...


class Door(NamedTuple):
    """What every request of a lane passes: its clock, the account's pace, the books, the worker's lease."""

    clock: Clock
    pace: Pace
    books: Books
    lease_until: Callable[[], float]


class Leaving:
    """One request that leaves; it is called when its first byte does (`Submission.departing`).

    `sent_at_us` is when it left, by the database's clock; `granted_at` the moment of its token, None where
    nothing limits the pace; `began` when it was chosen, and counted by its campaign's own pace. A process may
    stand still at any moment after these two: what was true then is looked at again.
    """

    __slots__ = ("_began", "_counted_at", "_dialing", "_door", "_left_at", "_missed", "_own_counted_at",
                 "_until_us", "sent_at_us")  # fmt: skip

    def __init__(self, door: Door, opened: Opened, granted_at: float | None, began: float) -> None:
        self.sent_at_us = door.books.time.now_us()
        self._door = door
        self._dialing: Dialing = opened.dialing
        self._until_us = opened.opening.until_us
        self._began = began if granted_at is None else granted_at
        self._left_at = self._own_counted_at = began
        self._counted_at = granted_at
        self._missed = False

    @property
    def stayed(self) -> bool:
        """Whether it surely has not left: it waits, connected, for another token."""
        return self._missed

    def __call__(self) -> Awaitable[None] | None:
        """Count the call; where it may not leave any more, wait for another token or raise NotDialled."""
        door = self._door
        left_at = self._left_at = door.clock.monotonic()
        if left_at - self._began < DEPARTURE_LATE_S:
            if self._counted_at is not None:
                door.pace.departed(self._counted_at, self._counted_at)
            return None
        self._check()
        if self._counted_at is not None:
            on_time_at = door.pace.departed(self._counted_at, left_at)
            if on_time_at is None:
                self._missed = True
                return self._leave_by_another_token()
            self._counted_at = on_time_at
        self._count_own()
        return None

    def answered(self, answered_at: float | None) -> None:
        """Settle the counts when the submission is over; None where no answer came."""
        pace, own_pace = self._door.pace, self._dialing.own_pace
        if self._counted_at is not None:
            # Where it never left, it will not any more; and a provider need not tell when it did.
            pace.departed(self._counted_at, self._counted_at)
            if answered_at is not None:
                pace.answered(self._counted_at, answered_at)
        if own_pace is not None and answered_at is not None:
            own_pace.answered(self._own_counted_at, answered_at)

    async def _leave_by_another_token(self) -> None:
        """Wait for another token: the first was for a moment that is over."""
        door, books, dialing = self._door, self._door.books, self._dialing
        try:
            self._counted_at = await door.pace.take()
        except NotReady as error:
            raise NotDialled(str(error), code="withdrawn") from error
        self._left_at = door.clock.monotonic()
        self._check()
        if books.stopping or not dialing.dials or self._left_at < books.held_until:
            raise NotDialled("it was stopped or held before its turn came", code="withdrawn")
        door.pace.departed(self._counted_at, self._counted_at)
        self._count_own()
        self._missed = False

    def _check(self) -> None:
        books = self._door.books
        if not (books.alive and self._left_at < self._door.lease_until()):
            raise NotDialled("the worker's lease ended before the request left", code="lease_over")
        self.sent_at_us = books.time.now_us()
        if self.sent_at_us >= self._until_us:
            raise NotDialled("the window closed before the request left", code="window_closed")

    def _count_own(self) -> None:
        own_pace = self._dialing.own_pace
        if own_pace is not None:
            self._own_counted_at = own_pace.departed(self._own_counted_at, self._left_at)
