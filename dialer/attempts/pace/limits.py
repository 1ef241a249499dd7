"""An account's limits: calls per second, and requests of any kind per minute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from math import inf
from typing import TypeVar

import anyio
import anyio.to_thread

from dialer.attempts.pace import account_row
from dialer.attempts.pace.line import LinePace, RequestPace
from dialer.attempts.pace.local import Gate, LocalPace, take_together
from dialer.attempts.pace.part import PartPace
from dialer.attempts.pace.parts import PARTS_FROM, PartAsk, PartGrant
from dialer.attempts.pace.slots import Ask, Grant, request_rule
from dialer.attempts.pace.windows import Slowed, Window
from dialer.base.clock import Clock
from dialer.base.settings import Account
from dialer.store.database import Store

T = TypeVar("T")


class AccountPace:
    """Paces submissions by both limits, and every other request (polls, look-ups) by the minute's.

    A limit that is None is no limit. Without gates given, the limits are kept for this process alone.
    """

    def __init__(
        self,
        calls_per_second: float | None,
        requests_per_minute: int | None,
        clock: Clock,
        *,
        calls: LocalPace | LinePace | PartPace | None = None,
        requests: RequestPace | LocalPace | None = None,
    ) -> None:
        if calls is None and calls_per_second:
            calls = LocalPace([Window(calls_per_second, 1.0)], clock, cold=True, confirmed=True)
        if requests is None and requests_per_minute:
            requests = LocalPace([Window(requests_per_minute, 60.0)], clock)
        self._calls, self._requests = calls, requests
        self._both: list[Gate] = [gate for gate in (calls, requests) if gate is not None]
        self._clock = clock
        self._held_until = 0.0
        per_second = [calls_per_second, requests_per_minute and requests_per_minute / 60]
        self.limit = min((limit for limit in per_second if limit), default=None)
        """Submissions per second that can be reached, None where nothing limits them."""

    @property
    def rate(self) -> float:
        """Submissions per second now: 0 while held, infinite where nothing limits them."""
        if self._both:
            return min(pace.rate for pace in (self._calls, self._requests) if pace is not None)
        return 0.0 if self._clock.monotonic() < self._held_until else inf

    async def take(self) -> float:
        """Wait until one submission may leave; return the moment at which it is counted (monotonic).

        Raises:
            NotReady: the account's line in the database cannot be reached now.
        """
        await self._wait_out_hold()
        if self._both:
            return await take_together(*self._both)
        await anyio.lowlevel.checkpoint()
        return self._clock.monotonic()

    def departed(self, granted_at: float, left_at: float) -> float | None:
        """Count a submission when it left, where that was later than granted; return when it is counted.

        None where that is too late: it must take another moment.
        """
        return self._calls.departed(granted_at, left_at) if self._calls is not None else granted_at

    def answered(self, counted_at: float, answered_at: float) -> None:
        """Learn from an answer when its submission had arrived."""
        if self._calls is not None:
            self._calls.answered(counted_at, answered_at)

    async def request(self) -> None:
        """Wait until one request that is no submission may leave.

        Raises:
            NotReady: the account's line in the database cannot be reached now.
        """
        await self._wait_out_hold()
        if self._requests is not None:
            await self._requests.take()

    def remember(self, departures: Iterable[float]) -> None:
        """Count departures of before this process began, by the monotonic clock."""
        departures = list(departures)
        for pace in (self._calls, self._requests):
            if isinstance(pace, LocalPace | LinePace | PartPace):
                pace.remember(departures)

    def hold(self, seconds: float) -> None:
        """Let nothing leave for so long: the provider asked for it."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)
        if self._calls is not None:
            self._calls.hold(seconds)

    def slow(self, factor: float = 0.5) -> None:
        """Lower the pace; it climbs back by itself."""
        if self._calls is not None:
            self._calls.slow(factor)

    def follow(self, held_s: float, slowed: Slowed) -> None:
        """Take over what the database says of the account: held for so long, and how it was slowed."""
        if held_s > 0:
            self.hold(held_s)
        if self._calls is not None:
            self._calls.follow(slowed)

    async def aclose(self) -> None:
        """Ask the database for no more slots."""
        for pace in (self._calls, self._requests):
            if isinstance(pace, LinePace | PartPace | RequestPace):
                await pace.aclose()

    async def _wait_out_hold(self) -> None:
        while (wait_s := self._held_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait_s)


def shared_pace(
    store: Store,
    account: Account,
    clock: Clock,
    worker: Callable[[], str],
    database: anyio.CapacityLimiter,
) -> AccountPace:
    """Return the account's pace over everybody who uses this database.

    Requests of any kind have their line in the database, on SQLite too: `dialer reconcile` may run beside
    a dialer. Calls have one on PostgreSQL; a SQLite file has one dialer at a time.
    """

    def in_database(work: Callable[[], T]) -> Awaitable[T]:
        return anyio.to_thread.run_sync(work, limiter=database)

    def take_slots(ask: Ask) -> Awaitable[Grant]:
        return in_database(partial(account_row.take_slots, store, account.name, ask))

    def take_part(ask: PartAsk) -> Awaitable[PartGrant]:
        return in_database(partial(account_row.take_part, store, account.name, ask))

    calls: LinePace | PartPace | None = None
    requests = None
    limit = account.calls_per_second
    if limit and not store.is_sqlite:
        if limit >= PARTS_FROM and limit == int(limit):
            calls = PartPace(int(limit), worker, take_part, clock, cold=True, confirmed=True)
        else:
            calls = LinePace([Window(limit, 1.0)], worker, take_slots, clock, cold=True, confirmed=True)
    if account.requests_per_minute:
        rule = request_rule(account.requests_per_minute, account.calls_per_second)

        def take_requests(count: int) -> Awaitable[tuple[int, list[int]]]:
            return in_database(partial(account_row.take_requests, store, account.name, rule, count))

        requests = RequestPace(account.requests_per_minute, rule, take_requests, clock)
    return AccountPace(limit, account.requests_per_minute, clock, calls=calls, requests=requests)
