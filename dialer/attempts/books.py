"""A lane's books: one ledger transaction after another, for as long as there is anything to write or to open.

A page writes the answers that have come in, opens the attempts that leave next and claims calls. Only a few
attempts are open ahead of their departure (`dialer.attempts.ahead`), because each of them becomes `unknown`
if the process is killed just then.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Protocol

import anyio
import anyio.to_thread

from dialer.attempts import ledger
from dialer.attempts.ahead import OPEN_AHEAD_S, Ahead
from dialer.attempts.answered import Answer
from dialer.attempts.answers import withdrawal
from dialer.attempts.dialing import Dialing, LaneCounts, Opened
from dialer.attempts.ledger import Desk, Exchanged, Refusal, Stop, Wanted
from dialer.attempts.ledger_clock import LedgerClock
from dialer.attempts.pace.windows import FULL, Slowed
from dialer.attempts.shares import Shares
from dialer.base.clock import Clock
from dialer.base.errors import NotReady
from dialer.base.trouble import Trouble
from dialer.calls.claim import Returned
from dialer.calls.limits import Kept

RECHECK_S = 0.5
"""How often a lane without work looks for new calls."""
STATES_S = 1.0
"""How often a lane looks for pauses and cancellations, whatever else it has to do."""
DATABASE_PATIENCE_S = 60.0
"""How long a run keeps unwritten answers while the database cannot take them."""
RETRY_S_MAX = 5.0
"""The longest pause before the database is tried again."""
NUMBER_BUSY_S = 60.0
"""When to ask again for a number that another campaign has an open attempt for."""
HELD_LONG_S = 1.0
"""Attempts that would wait longer than this for a held account are withdrawn."""


class Followed(Protocol):
    """What is told how the account is held and slowed."""

    def follow(self, held_s: float, slowed: Slowed) -> None:
        """Take it over."""
        ...


class Books:
    """Keeps the books of one lane: `dialings`, `counts` and `shares` are the lane's own."""

    def __init__(
        self,
        desk: Desk,
        dialings: list[Dialing],
        counts: LaneCounts,
        shares: Shares,
        pace: Followed,
        ahead: Ahead,
        *,
        clock: Clock,
        database: anyio.CapacityLimiter,
        random: Random,
        patience_s: float,
    ) -> None:
        self.desk = desk
        self.time = LedgerClock(clock)
        self.answers: list[Answer] = []
        self.alive = True
        self.stopping = self.finished = False
        self.failed: NotReady | None = None
        self.held_until = 0.0
        self.full_until = 0.0
        self.refusal: Refusal | None = None
        self.turned = anyio.Event()
        self._dialings = dialings
        self._counts = counts
        self._shares = shares
        self._pace = pace
        self._ahead = ahead
        self._clock = clock
        self._database = database
        self._random = random
        self._patience_s = patience_s
        self._returned: list[Returned] = []
        self._turned_at = 0.0
        self._turning = False
        self._woken = anyio.Event()

    @property
    def settled(self) -> bool:
        """Everything that is known is written down."""
        return not (self.answers or self._returned or self._turning)

    def wake(self) -> None:
        """Say that there is something to write or to open."""
        self._woken.set()

    def note(self, answer: Answer) -> None:
        """Write an answer down with the next page."""
        self.answers.append(answer)
        self._woken.set()

    def refused(self, hold_s: float, factor: float) -> None:
        """Tell every worker that the provider found the account too fast."""
        longest = max(hold_s, self.refusal.hold_s) if self.refusal else hold_s
        self.refusal = Refusal(longest, factor)

    def rejoin(self, worker: str) -> None:
        """Go on under another worker's id: what was leased under the old one is gone, nothing of it left."""
        self.desk = self.desk._replace(worker=worker)
        for dialing in self._dialings:
            self._withdraw(dialing)
            dialing.calls.clear()
            dialing.look_again()
        self.alive = True
        self._woken.set()

    async def keep(self) -> None:
        """Turn page after page until everything is finished and written down."""
        failing_since: float | None = None
        trouble = Trouble("ledger.failed", "ledger.works", self._clock, account=self.desk.account)
        pause_s = RECHECK_S
        while True:
            began = self._clock.monotonic()
            finished = self.finished
            try:
                worked = await self._turn_page()
                failing_since, pause_s = None, RECHECK_S
                if worked:
                    trouble.over()
            except NotReady as error:
                failing_since = failing_since or began
                trouble.failed(error)
                if self._clock.monotonic() - failing_since > self._patience_s or (
                    finished and self._given_up()
                ):
                    self.failed = error
                    return
                await self._clock.sleep(pause_s * self._random.uniform(0.75, 1.25))
                pause_s = min(RETRY_S_MAX, 1.5 * pause_s)
                continue
            if finished and self.settled:
                return
            self.turned.set()
            if worked:
                await self._clock.sleep(began + self._ahead.linger_s() - self._clock.monotonic())
            else:
                await self._wait()

    def _given_up(self) -> bool:
        return self._clock.monotonic() - self._turned_at > DATABASE_PATIENCE_S

    async def _turn_page(self) -> bool:
        """Run one ledger transaction if there is anything for it; return whether there was."""
        began = self._clock.monotonic()
        self._withdraw_what_must_not_leave()
        openings = self._choose_openings(began)
        wanted = self._choose_claims(began)
        stops = [
            Stop(one.campaign_id, one.stopped)
            for one in self._dialings
            if one.stopped is not None and one.state == "running"
        ]
        answers, self.answers = self.answers, []
        returned, self._returned = self._returned, []
        refusal, self.refusal = self.refusal, None
        looking = bool(self._dialings) and began - self._turned_at > STATES_S
        if not (answers or openings or returned or wanted or stops or refusal or looking):
            return False
        rooms = {
            one.campaign_id: one.calls_open_max for one in self._dialings if one.calls_open_max is not None
        }
        self._turning = True
        for one in openings:
            one.dialing.being_opened += 1
        try:
            exchanged = await anyio.to_thread.run_sync(
                partial(
                    ledger.exchange,
                    self.desk,
                    [one.campaign_id for one in self._dialings],
                    answers=answers,
                    openings=[one.opening for one in openings],
                    returned=returned,
                    wanted=[wish for wish, _ in wanted],
                    stops=stops,
                    refusal=refusal,
                    rooms=rooms,
                    budgets={one.campaign_id: one.budget for one in self._dialings if one.budget is not None},
                ),
                limiter=self._database,
            )
        except BaseException:
            # Answers are said again. Openings may have been committed: whichever were, never left.
            self.answers = answers + self.answers
            self._returned = returned + self._returned
            self.refusal = refusal
            now_us = self.time.now_us()
            for one in openings:
                self.answers.append(withdrawal(one.opening.attempt_id, one.call, now_us))
                self._returned.append(Returned(one.call.contact_id))
            raise
        finally:
            self._turning = False
            for one in openings:
                one.dialing.being_opened -= 1
        self._turned_at = self._clock.monotonic()
        self._take_in(exchanged, openings, wanted, began)
        return True

    def _take_in(
        self,
        exchanged: Exchanged,
        openings: Sequence[Opened],
        wanted: Sequence[tuple[Wanted, Dialing]],
        began: float,
    ) -> None:
        self.time.follow(exchanged.now_us, began)
        if not exchanged.alive:
            self.alive = False
        self._follow(exchanged)
        for dialing in self._dialings:
            dialing.state = exchanged.states.get(dialing.campaign_id, dialing.state)
            if dialing.own_pace is not None:
                paced_by = exchanged.paced_by.get(dialing.campaign_id)
                dialing.paces = paced_by == self.desk.worker or (dialing.paces and paced_by is None)
        for one in openings:
            if one.opening.attempt_id in exchanged.opened:
                one.dialing.opened.append(one)
            else:
                self._turned_away(one, exchanged)
        dry_until = self._clock.monotonic() + RECHECK_S
        for (wish, dialing), calls in zip(wanted, exchanged.claimed, strict=True):
            dialing.claimed(wish.groups, wish.how_many, calls, dry_until)

    def _follow(self, exchanged: Exchanged) -> None:
        """Hold and slow the account as the database says, in the words of our own clock."""
        until_us, slowed = exchanged.held
        held_s = (until_us - exchanged.now_us) / 1e6
        if held_s <= 0 and slowed is FULL:
            return
        now = self._clock.monotonic()
        self.held_until = max(self.held_until, now + held_s)
        self._pace.follow(held_s, Slowed(slowed.factor, now + slowed.at_s - exchanged.now_us / 1e6))

    def _turned_away(self, one: Opened, exchanged: Exchanged) -> None:
        """The database did not open the attempt: too many open calls, a cap, a pause, or a busy number."""
        if one.opening.attempt_id in exchanged.full:
            one.dialing.calls.append(one.call)
            full_until = self._clock.monotonic() + RECHECK_S
            if one.dialing.calls_open_max is not None:
                one.dialing.full_until = full_until
            else:
                self.full_until = full_until
        elif (kept := exchanged.kept.get(one.opening.attempt_id)) is not None:
            if kept.reason == "budget":
                self._wait_for_budget(one.dialing, kept, exchanged.now_us)
            put_off = kept.again_at_us if kept.reason == "cap" else None
            self._returned.append(Returned(one.call.contact_id, kept.reason, put_off))
        elif exchanged.alive and one.dialing.dials:
            again_at_us = exchanged.now_us + round(NUMBER_BUSY_S * 1e6)
            self._returned.append(Returned(one.call.contact_id, "number_busy", again_at_us))
        else:
            self._returned.append(Returned(one.call.contact_id))

    def _wait_for_budget(self, dialing: Dialing, kept: Kept, now_us: int) -> None:
        """Claim and open nothing of the campaign until its budget may have room again, or at all."""
        if kept.again_at_us is None:
            dialing.spent = True
            return
        dialing.reserved_until = self._clock.monotonic() + (kept.again_at_us - now_us) / 1e6
        self._returned.extend(Returned(call.contact_id) for call in dialing.calls)
        dialing.calls.clear()

    def _withdraw_what_must_not_leave(self) -> None:
        """Take back what is open or leased and will not leave soon: a stop, a pause, a long hold."""
        held = self.held_until - self._clock.monotonic() > HELD_LONG_S
        for dialing in self._dialings:
            if self.stopping or held or not dialing.dials:
                self._withdraw(dialing)
            if (self.stopping or not dialing.dials) and dialing.calls:
                self._returned.extend(Returned(call.contact_id) for call in dialing.calls)
                dialing.calls.clear()
            self._withdraw_closed(dialing)

    def _withdraw_closed(self, dialing: Dialing) -> None:
        """Take back what may not be launched any more, because its window closed."""
        now_us = self.time.now_us()
        if any(now_us >= one.opening.until_us for one in dialing.opened):
            kept = [one for one in dialing.opened if now_us < one.opening.until_us]
            for one in dialing.opened:
                if now_us >= one.opening.until_us:
                    self.answers.append(withdrawal(one.opening.attempt_id, one.call, now_us))
            dialing.opened.clear()
            dialing.opened.extend(kept)
        if dialing.calls and not dialing.allowed.always:
            is_open = {one.group_id for one in dialing.allowed.open_groups(now_us)}
            closed = [call for call in dialing.calls if call.window_group not in is_open]
            if closed:
                self._returned.extend(Returned(call.contact_id) for call in closed)
                left = [call for call in dialing.calls if call.window_group in is_open]
                dialing.calls.clear()
                dialing.calls.extend(left)

    def _withdraw(self, dialing: Dialing) -> None:
        for one in dialing.opened:
            self.answers.append(withdrawal(one.opening.attempt_id, one.call, self.time.now_us()))
        dialing.opened.clear()

    def _choose_openings(self, now: float) -> list[Opened]:
        held = self.held_until - now > HELD_LONG_S
        if self.stopping or not self.alive or held or now < self.full_until:
            return []
        room = self._ahead.openings(self._counts.submitted) - sum(len(one.opened) for one in self._dialings)
        chosen = []
        for dialing in self._shares.plan(room, now, OPEN_AHEAD_S) if room > 0 else ():
            call = dialing.calls.popleft()
            chosen.append(Opened(dialing.opening(call, self.time.now_us()), call, dialing))
        return chosen

    def _choose_claims(self, now: float) -> list[tuple[Wanted, Dialing]]:
        if self.stopping or not self.alive:
            return []
        block = self._ahead.claims()
        now_us = self.time.now_us()
        wanted = []
        for one in self._dialings:
            may = one.dials and now >= one.reserved_until
            if may and len(one.calls) <= block // 2 and (asked := one.to_ask(now, now_us)):
                wanted.append((Wanted(one.campaign_id, block - len(one.calls), asked), one))
        return wanted

    async def _wait(self) -> None:
        self._woken = anyio.Event()
        with anyio.move_on_after(RECHECK_S):
            await self._woken.wait()
