"""A lane: one account's way out, from leased calls to written answers.

Two kinds of task share it. `_keep_books` runs one ledger transaction after another: it writes the answers
that have come in, opens the attempts that leave next and claims calls. Each slot in flight is a task that
takes the next opened attempt when it holds the account's token, POSTs it at once and waits for its answer.
Slot, then token, then POST: the other order bursts to 1.6 times the limit after a stall.

Only a few attempts are open ahead of their departure (`_ahead`), because each of them becomes `unknown`
if the process is killed just then.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

import anyio
import anyio.to_thread
import structlog

from dialer.attempts import ledger
from dialer.attempts.ahead import Ahead
from dialer.attempts.answers import answer_for, retry_wait, withdrawal
from dialer.attempts.dialing import Dialing, LaneCounts
from dialer.attempts.ledger import Answer, Desk, Exchanged, Opening, Wanted
from dialer.attempts.ledger_clock import LedgerClock
from dialer.attempts.pace import Pace
from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, NotReady, SubmitError
from dialer.calls.claim import START, Call, Returned
from dialer.providers.provider import Accepted, Provider

log = structlog.get_logger()

LINGER_S = 0.01
"""Ledger transactions begin at least this far apart, so that answers share a commit."""
RECHECK_S = 0.5
"""How often a lane without work looks for new calls, pauses and cancellations."""
DATABASE_PATIENCE_S = 60.0
"""How long a lane keeps unwritten answers while the database cannot take them."""
NUMBER_BUSY_S = 60.0
"""When to ask again for a number that another campaign has an open attempt for."""
HELD_LONG_S = 1.0
"""Attempts that would wait longer than this for a held account are withdrawn."""
DEPARTURE_LATE_S = 0.0005
"""A request that leaves later than this after its token is counted when it left."""
THROTTLE_FACTOR = 0.75
"""What a 429 leaves of the pace; it climbs back by itself."""
LEASE_MARGIN_S = 3.0
"""A request never leaves in the last seconds of the worker's lease."""


class _Opened(NamedTuple):
    """An attempt that is committed as `sending` and has not left."""

    opening: Opening
    call: Call
    dialing: Dialing


class Lane:
    """One account's way out; `run` returns when `stop` was called and everything is written down.

    `requests_in_flight_max` bounds the requests waiting for an answer, `pace_limit` (calls per second,
    None: no limit) tells how far ahead attempts need to be open. `lease_until` gives the end of the
    worker's lease on the monotonic clock.
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
    ) -> None:
        self.desk = desk
        self.dialings = list(dialings)
        self.counts = LaneCounts()
        self.failed: NotReady | None = None
        self.alive = True
        self._provider = provider
        self._pace = pace
        self._clock = clock
        self._in_flight_max = requests_in_flight_max
        self._drain_s = drain_s
        self._lease_until = lease_until
        self._database = database
        self._retry_wait_s = retry_wait(random)
        self._opened: deque[_Opened] = deque()
        self._answers: list[Answer] = []
        self._returned: list[Returned] = []
        self._in_flight = 0
        self._turning = False
        self._ahead = Ahead(clock, pace_limit, requests_in_flight_max)
        self._throttles = 0
        self._held_until = 0.0
        self._stopping = False
        self._finished = False
        self._queue = anyio.Lock()
        self._waiting = anyio.CancelScope()
        self._in_air = anyio.CancelScope()
        self._time = LedgerClock(clock)
        self._full_until = 0.0
        self._books = anyio.Event()
        self._turn = anyio.Event()

    @property
    def idle(self) -> bool:
        """Nothing is due, open, in the air or unwritten just now."""
        return (
            not (self._opened or self._answers or self._returned or self._in_flight or self._turning)
            and all(not one.calls for one in self.dialings)
            and all(not one.dials or one.dry_until > 0 for one in self.dialings)
        )

    def stop(self) -> None:
        """Claim and open no more; answers in the air are waited for up to `drain_s`."""
        self._stopping = True
        self._waiting.cancel()
        self._in_air.deadline = anyio.current_time() + self._drain_s
        self._wake()

    def cut_off(self) -> None:
        """Wait for no more answers: what is in the air becomes `unknown`."""
        self._in_air.cancel()

    async def run(self) -> None:
        """Dial until stopped, then drain and write everything down.

        Raises:
            NotReady: the database took nothing for DATABASE_PATIENCE_S. What was in the air is `sending`
                there and will be found.
        """
        async with anyio.create_task_group() as books:
            books.start_soon(self._keep_books)
            with self._in_air:
                async with anyio.create_task_group() as senders:
                    for _ in range(self._in_flight_max):
                        senders.start_soon(self._send_one_after_another)
            self._finished = True
            self._wake()
        if self.failed:
            raise self.failed

    # -- departures ---------------------------------------------------------------------------------

    async def _send_one_after_another(self) -> None:
        """Be one slot in flight: take the next attempt that may leave, wait for its answer, again."""
        while not self._stopping:
            opened = self._next_at_once()
            if opened is not None:
                await self._send(opened, None)
                continue
            opened, granted_at = await self._next()
            if opened is not None:
                await self._send(opened, granted_at)

    def _next_at_once(self) -> _Opened | None:
        return self._leaving() if self._opened and self._pace.rate == math.inf else None

    async def _next(self) -> tuple[_Opened | None, float]:
        """Wait for an attempt and for the account's token; only whoever has the token takes an attempt."""
        async with self._queue:
            with anyio.CancelScope() as self._waiting:
                while not self._opened and not self._stopping:
                    self._ahead.starve()
                    self._turn = anyio.Event()
                    await self._turn.wait()
                granted_at = 0.0 if self._stopping else await self._pace.take()
                # While we waited for the token, a pause or a hold may have withdrawn what was open.
                return self._leaving() if self._opened else None, granted_at
        return None, 0.0

    def _leaving(self) -> _Opened | None:
        if self._clock.monotonic() > self._lease_until() - LEASE_MARGIN_S:
            self.alive = False
            self.stop()
        if self._stopping:
            return None
        self._in_flight += 1
        self._books.set()
        return self._opened.popleft()

    async def _send(self, opened: _Opened, granted_at: float | None) -> None:
        opening, call, dialing = opened
        now = self._clock.monotonic()
        sent_at_us = self._time.now_us()

        def leave() -> None:
            """Count the call when its first byte leaves: it may have had to connect after its token."""
            nonlocal sent_at_us
            sent_at_us = self._time.now_us()
            left_at = self._clock.monotonic()
            if granted_at is not None and left_at - granted_at > DEPARTURE_LATE_S:
                self._pace.departed(granted_at, left_at)

        departing = None if granted_at is None else leave
        self.counts.submitted += 1
        self.counts.first_sent_at = self.counts.first_sent_at or now
        self.counts.last_sent_at = now
        result: Accepted | SubmitError
        try:
            result = await self._provider.submit(dialing.submission(opening, call, departing))
        except SubmitError as error:
            result = error
        except anyio.get_cancelled_exc_class():
            cut = MaybeDialled("stopped before the answer came", code="cut_off")
            self._note(opened, cut, sent_at_us)
            raise
        except Exception as error:
            # A bug in a provider must not turn into a second call, or take the others down.
            log.exception("submit.failed", attempt_id=opening.attempt_id)
            result = MaybeDialled(
                f"the provider's code failed: {type(error).__name__}", code="internal_error"
            )
        self._note(opened, result, sent_at_us)

    def _note(self, opened: _Opened, result: Accepted | SubmitError, sent_at_us: int) -> None:
        opening, call, dialing = opened
        answer = answer_for(
            opening.attempt_id,
            call,
            result,
            sent_at_us=sent_at_us,
            answered_at_us=max(self._time.now_us(), sent_at_us),
            retry_wait_s=self._retry_wait_s,
        )
        self._answers.append(answer)
        self._in_flight -= 1
        self._count(answer.state)
        self._react(dialing, result)
        self._wake()

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
            self._pace.slow(THROTTLE_FACTOR)
            return
        if isinstance(result, AccountStopped):
            dialing.halt(str(result))
            return
        dialing.breaker.note(failed=True)
        dialing.halt(dialing.breaker.reason())

    def _hold(self, seconds: float) -> None:
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)
        self._pace.hold(seconds)
        log.info("account.held", account=self.desk.account, seconds=round(seconds, 3))

    def _count(self, state: str) -> None:
        counts = self.counts
        counts.accepted += state == "accepted"
        counts.refused += state == "refused"
        counts.not_dialled += state == "not_dialled"
        counts.unknown += state == "unknown"

    # -- the books ----------------------------------------------------------------------------------

    async def _keep_books(self) -> None:
        failing_since: float | None = None
        while True:
            began = self._clock.monotonic()
            finished = self._finished
            try:
                worked = await self._turn_page()
                failing_since = None
            except NotReady as error:
                failing_since = failing_since or began
                log.warning("ledger.failed", account=self.desk.account, error=str(error))
                if self._clock.monotonic() - failing_since > DATABASE_PATIENCE_S:
                    self.failed = error
                    self.stop()
                    return
                await self._clock.sleep(0.5)
                continue
            if finished and not self._answers and not self._returned:
                return
            self._turn.set()
            if worked:
                await self._clock.sleep(began + LINGER_S - self._clock.monotonic())
            else:
                await self._await_books()

    async def _turn_page(self) -> bool:
        """Run one ledger transaction if there is anything for it; return whether there was."""
        self._withdraw_what_must_not_leave()
        openings = self._choose_openings()
        wanted = self._choose_claims()
        answers, self._answers = self._answers, []
        returned, self._returned = self._returned, []
        if not (answers or openings or returned or wanted):
            return False
        before = self._clock.monotonic()
        self._turning = True  # what the transaction carries is in no list meanwhile
        try:
            exchanged = await anyio.to_thread.run_sync(
                partial(
                    ledger.exchange,
                    self.desk,
                    [one.campaign_id for one in self.dialings],
                    answers=answers,
                    openings=[one.opening for one in openings],
                    returned=returned,
                    wanted=[wish for wish, _ in wanted],
                ),
                limiter=self._database,
            )
        except BaseException:
            # Answers are said again. Openings may have been committed: whichever were, never left.
            self._answers = answers + self._answers
            self._returned = returned + self._returned
            now_us = self._time.now_us()
            for one in openings:
                self._answers.append(withdrawal(one.opening.attempt_id, one.call, now_us))
                self._returned.append(Returned(one.call.contact_id))
            raise
        finally:
            self._turning = False
        self._take_in(exchanged, openings, wanted, before)
        return True

    def _take_in(
        self,
        exchanged: Exchanged,
        openings: Sequence[_Opened],
        wanted: Sequence[tuple[Wanted, Dialing]],
        before: float,
    ) -> None:
        self._time.follow(exchanged.now_us, before)
        if not exchanged.alive and not self._finished:
            self.alive = False
            self.stop()
        for dialing in self.dialings:
            dialing.state = exchanged.states.get(dialing.campaign_id, dialing.state)
        for number, one in enumerate(openings):
            if one.opening.attempt_id in exchanged.opened:
                self._opened.append(one)
            else:
                self._turned_away(number, one, exchanged)
        for (wish, dialing), calls in zip(wanted, exchanged.claimed, strict=True):
            dialing.calls.extend(calls)
            if calls:
                dialing.cursor = wish.after.after(calls)
                dialing.dry_until = 0.0
            elif wish.after != START:
                dialing.cursor = START  # what returned lies before the cursor
            else:
                dialing.dry_until = self._clock.monotonic() + RECHECK_S

    def _turned_away(self, number: int, one: _Opened, exchanged: Exchanged) -> None:
        """The database did not open the attempt: too many open calls, a pause, or a busy number."""
        if exchanged.alive and number >= exchanged.considered:
            one.dialing.calls.append(one.call)
            self._full_until = self._clock.monotonic() + RECHECK_S
        elif exchanged.alive and one.dialing.state == "running":
            again_at_us = exchanged.now_us + round(NUMBER_BUSY_S * 1e6)
            self._returned.append(Returned(one.call.contact_id, "number_busy", again_at_us))
        else:
            self._returned.append(Returned(one.call.contact_id))

    def _withdraw_what_must_not_leave(self) -> None:
        """Take back what is open or leased and will not leave soon: a stop, a pause, a long hold."""
        held = self._held_until - self._clock.monotonic() > HELD_LONG_S
        kept: deque[_Opened] = deque()
        for one in self._opened:
            if self._stopping or held or not one.dialing.dials:
                self._answers.append(withdrawal(one.opening.attempt_id, one.call, self._time.now_us()))
            else:
                kept.append(one)
        self._opened = kept
        for dialing in self.dialings:
            if self._stopping or not dialing.dials:
                self._returned.extend(Returned(call.contact_id) for call in dialing.calls)
                dialing.calls.clear()

    # -- how much ahead -----------------------------------------------------------------------------

    def _choose_openings(self) -> list[_Opened]:
        now = self._clock.monotonic()
        if self._stopping or now < self._full_until or self._held_until - now > HELD_LONG_S:
            return []
        chosen: list[_Opened] = []
        room = self._ahead.openings(self.counts.submitted) - len(self._opened)
        with_calls = deque(one for one in self.dialings if one.calls and one.dials)
        while with_calls and len(chosen) < room:
            dialing = with_calls[0]
            call = dialing.calls.popleft()
            chosen.append(_Opened(dialing.opening(call, self._time.now_us()), call, dialing))
            with_calls.rotate(-1)
            if not dialing.calls:
                with_calls.remove(dialing)
        return chosen

    def _choose_claims(self) -> list[tuple[Wanted, Dialing]]:
        if self._stopping:
            return []
        now = self._clock.monotonic()
        block = self._ahead.claims()
        return [
            (Wanted(one.campaign_id, block - len(one.calls), one.cursor), one)
            for one in self.dialings
            if one.dials and len(one.calls) <= block // 2 and now >= one.dry_until
        ]

    # -- turns --------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self._turn.set()
        self._books.set()

    async def _await_books(self) -> None:
        self._books = anyio.Event()
        with anyio.move_on_after(RECHECK_S):
            await self._books.wait()
