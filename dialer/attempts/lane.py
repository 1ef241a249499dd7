"""A lane: one account's way out, from leased calls to written answers.

Two kinds of task share it. The books (`dialer.attempts.books`) run one ledger transaction after another.
Each slot in flight is a task that takes the next opened attempt when it holds the account's token, POSTs it
at once and waits for its answer. Slot, then token, then POST: the other order bursts to 1.6 times the limit
after a stall. Which campaign's attempt that is, `dialer.attempts.shares` decides at that moment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

import anyio
import structlog

from dialer.attempts.ahead import Ahead
from dialer.attempts.answers import answer_for, retry_wait
from dialer.attempts.books import DATABASE_PATIENCE_S, Books
from dialer.attempts.dialing import Dialing, LaneCounts, Opened
from dialer.attempts.leaving import Door, Leaving, Pace
from dialer.attempts.ledger import Desk
from dialer.attempts.shares import Shares
from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, NotReady, SubmitError
from dialer.base.trouble import Trouble
from dialer.providers.provider import Accepted, Provider

log = structlog.get_logger()

THROTTLE_FACTOR = 0.75
"""What a 429 leaves of the pace; it climbs back by itself."""
LEASE_MARGIN_S = 3.0
"""A request never leaves in the last seconds of the worker's lease."""
UNSURE_S = 0.1
"""How often a lane looks whether its lease is certain again, or its line of time can be reached."""


class Lane:
    """One account's way out; `run` returns when `stop` was called and everything is written down.

    `requests_in_flight_max` bounds the requests waiting for an answer, `pace_limit` (calls per second,
    None: no limit) tells how far ahead attempts need to be open. `lease_until` gives the end of the
    worker's lease on the monotonic clock: near it nothing leaves, until it is later or `rejoin` is called.
    `patience_s` is how long the database may take nothing before the lane gives up.
    """

    def __init__(
        self,
        desk: Desk,
        provider: Provider,
        pace: Pace,
        dialings: Sequence[Dialing],
        *,
        clock: Clock,
        requests_in_flight_max: int,
        pace_limit: float | None,
        drain_s: float,
        lease_until: Callable[[], float],
        database: anyio.CapacityLimiter,
        random: Random,
        patience_s: float = DATABASE_PATIENCE_S,
    ) -> None:
        self.dialings = list(dialings)
        self.counts = LaneCounts()
        self._provider = provider
        self._pace = pace
        self._clock = clock
        self._in_flight_max = requests_in_flight_max
        self._drain_s = drain_s
        self._lease_until = lease_until
        self._retry_wait_s = retry_wait(random)
        self._in_flight = 0
        self._ahead = Ahead(clock, pace_limit, requests_in_flight_max)
        self._shares = Shares(self.dialings)
        self._throttles = 0
        self._no_slots = Trouble("slots.not_taken", "slots.taken", clock, account=desk.account)
        self._queue = anyio.Lock()
        self._waiting = anyio.CancelScope()
        self._in_air = anyio.CancelScope()
        self._books = Books(
            desk,
            self.dialings,
            self.counts,
            self._shares,
            pace,
            self._ahead,
            clock=clock,
            database=database,
            random=random,
            patience_s=patience_s,
        )
        self._door = Door(clock, pace, self._books, lease_until)

    @property
    def alive(self) -> bool:
        """The database has not said that our lease is lost."""
        return self._books.alive

    @property
    def failed(self) -> NotReady | None:
        """Why the lane gave the database up."""
        return self._books.failed

    @property
    def now_us(self) -> int:
        """The database's time."""
        return self._books.time.now_us()

    @property
    def idle(self) -> bool:
        """Nothing is due, open, in the air or unwritten just now."""
        return (
            not self._in_flight
            and self._books.settled
            and all(not one.busy and self._nothing_due(one) for one in self.dialings)
        )

    def _nothing_due(self, one: Dialing) -> bool:
        return not one.dials or self._clock.monotonic() < one.reserved_until or one.dry(self.now_us)

    def add(self, dialing: Dialing) -> None:
        """Dial one more campaign."""
        self.dialings.append(dialing)
        self._books.wake()

    def drop_ended(self) -> list[Dialing]:
        """Forget the campaigns that do not run any more and have nothing under way; return them."""
        if not self._books.settled:
            return []
        ended = [one for one in self.dialings if one.state != "running" and not one.busy]
        for one in ended:
            self.dialings.remove(one)
        return ended

    def rejoin(self, worker: str) -> None:
        """Go on as another worker, after the lease was lost."""
        self._books.rejoin(worker)

    def stop(self) -> None:
        """Claim and open no more; answers in the air are waited for up to `drain_s`."""
        if not self._books.stopping:
            self._books.stopping = True
            self._waiting.cancel()
            self._in_air.deadline = anyio.current_time() + self._drain_s
        self._wake()

    def cut_off(self) -> None:
        """Wait for no more answers: what is in the air becomes `unknown`."""
        self._in_air.cancel()

    async def run(self) -> None:
        """Dial until stopped, then drain and write everything down.

        Raises:
            NotReady: the database took nothing for `patience_s`. What was in the air is `sending`
                there and will be found.
        """
        async with anyio.create_task_group() as books:
            books.start_soon(self._keep_books)
            with self._in_air:
                async with anyio.create_task_group() as senders:
                    for _ in range(self._in_flight_max):
                        senders.start_soon(self._send_one_after_another)
            self._books.finished = True
            self._wake()
        if self.failed:
            raise self.failed

    async def _keep_books(self) -> None:
        await self._books.keep()
        if self.failed:
            self.stop()

    # -- departures ---------------------------------------------------------------------------------

    async def _send_one_after_another(self) -> None:
        """Be one slot in flight: take the next attempt that may leave, wait for its answer, again."""
        while not self._books.stopping:
            if self._pace.rate == math.inf:
                chosen = self._leaving()
                if chosen is not None:
                    await self._send(*chosen, None)
                    continue
                if self._shares.free_at() == math.inf:
                    # Without a token to wait for nobody has to queue: all slots wait for the next page.
                    self._ahead.starve()
                    await self._turn(math.inf)
                    continue
            next_one = await self._next()
            if next_one is not None:
                await self._send(*next_one)

    async def _next(self) -> tuple[Opened, float, float] | None:
        """Wait for an attempt and for the account's token; only whoever has the token takes an attempt.

        Returns it with the moments at which it was chosen and the token granted.
        """
        async with self._queue:
            with anyio.CancelScope() as self._waiting:
                while not self._books.stopping and (wait_s := self._ready_in()) > 0:
                    await self._turn(wait_s)
                granted_at = None if self._books.stopping else await self._token()
                # While we waited for the token, a pause or a hold may have withdrawn what was open.
                if granted_at is not None and (chosen := self._leaving()) is not None:
                    return *chosen, granted_at
        return None

    def _ready_in(self) -> float:
        """Return in how many seconds something opened may leave; infinite while nothing is open."""
        if not self._certain():
            return UNSURE_S
        free_at = self._shares.free_at()
        if free_at == math.inf:
            self._ahead.starve()
            if (opens_in_s := self._ahead.opens_in()) > 0:
                return opens_in_s
        return free_at - self._clock.monotonic()

    async def _turn(self, seconds: float) -> None:
        """Wait until the books have turned a page, or for so long."""
        if seconds != math.inf:
            await self._clock.sleep(seconds)
            self._books.wake()
            return
        if self._books.turned.is_set():
            self._books.turned = anyio.Event()
        await self._books.turned.wait()

    async def _token(self) -> float | None:
        try:
            token = await self._pace.take()
        except NotReady as error:  # how long that may last is for the books to decide
            self._no_slots.failed(error)
            await self._clock.sleep(5 * UNSURE_S)
            return None
        self._no_slots.over()
        return token

    def _certain(self) -> bool:
        """Return whether this worker surely holds its lease, for as long as a request takes to leave."""
        return self._books.alive and self._clock.monotonic() < self._lease_until() - LEASE_MARGIN_S

    def _leaving(self) -> tuple[Opened, float] | None:
        """Return what leaves now, and the moment at which nothing spoke against that."""
        if self._books.stopping:
            return None
        now = self._clock.monotonic()
        if now < self._books.held_until:
            return None  # a page that was on its way when the hold came may have opened more
        dialing = self._shares.next_to_leave(now)
        if dialing is None or not self._certain():
            return None
        if self._books.time.now_us() >= dialing.opened[0].opening.until_us:
            self._books.wake()  # which takes it back: its window closed
            return None
        self._shares.charge(dialing)
        self._ahead.leaves(self._pace.rate)
        if dialing.own_pace is not None:
            dialing.own_pace.count(now)
        dialing.in_air += 1
        self._in_flight += 1
        self._books.wake()
        return dialing.opened.popleft(), now

    async def _send(self, opened: Opened, began: float, granted_at: float | None) -> None:
        opening, call, dialing = opened
        leaving = Leaving(self._door, opened, granted_at, began)
        self.counts.submitted += 1
        self.counts.first_sent_at = self.counts.first_sent_at or began
        self.counts.last_sent_at = began
        result: Accepted | SubmitError
        try:
            result = await self._provider.submit(dialing.submission(opening, call, leaving))
        except SubmitError as error:
            result = error
        except anyio.get_cancelled_exc_class():
            cut: SubmitError = MaybeDialled("stopped before the answer came", code="cut_off")
            if leaving.stayed:
                cut = NotDialled("stopped before its turn came", code="withdrawn")
            self._note(opened, cut, leaving.sent_at_us)
            raise
        except Exception as error:
            # A bug in a provider must not turn into a second call, or take the others down.
            log.exception("submit.failed", attempt_id=opening.attempt_id)
            result = MaybeDialled(
                f"the provider's code failed: {type(error).__name__}", code="internal_error"
            )
        leaving.answered(None if result.http_status is None else self._clock.monotonic())
        self._note(opened, result, leaving.sent_at_us)

    def _note(self, opened: Opened, result: Accepted | SubmitError, sent_at_us: int) -> None:
        opening, call, dialing = opened
        answer = answer_for(
            opening.attempt_id,
            call,
            result,
            sent_at_us=sent_at_us,
            answered_at_us=max(self._books.time.now_us(), sent_at_us),
            retry_wait_s=self._retry_wait_s,
        )
        self._in_flight -= 1
        dialing.in_air -= 1
        self._count(answer.state)
        self._react(dialing, result)
        self._books.note(answer)

    def _react(self, dialing: Dialing, result: Accepted | SubmitError) -> None:
        """Slow the account down, or stop the campaign, where the result asks for it."""
        if isinstance(result, Accepted):
            self._throttles = 0
            dialing.breaker.note(failed=False)
            return
        if isinstance(result, NotDialled) and result.throttled:
            self._throttles += 1
            self.counts.throttled += 1
            self._hold(result.retry_after_s or min(60.0, 0.5 * 2 ** min(self._throttles, 7)))
            return
        if result.code in ("window_closed", "withdrawn"):
            return  # ours to decide, and no failure of anybody
        if isinstance(result, AccountStopped):
            dialing.halt(str(result))
            return
        dialing.breaker.note(failed=True)
        dialing.halt(dialing.breaker.reason())

    def _hold(self, seconds: float) -> None:
        """Hold the account: here at once, everywhere with the next page of the books."""
        self._books.held_until = max(self._books.held_until, self._clock.monotonic() + seconds)
        self._pace.hold(seconds)
        self._pace.slow(THROTTLE_FACTOR)
        self._books.refused(seconds, THROTTLE_FACTOR)
        log.info("account.held", account=self._books.desk.account, seconds=round(seconds, 3))

    def _count(self, state: str) -> None:
        counts = self.counts
        counts.accepted += state == "accepted"
        counts.refused += state == "refused"
        counts.not_dialled += state == "not_dialled"
        counts.unknown += state == "unknown"

    def _wake(self) -> None:
        self._books.turned.set()
        self._books.wake()
