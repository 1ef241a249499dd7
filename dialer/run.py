"""One run of a campaign: claim, pace, send, record, reconcile, collect, until nothing is left to do now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from random import Random
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog
from pydantic import ValidationError

from dialer.attempts.asking import asking
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.attempts.lease import Lease
from dialer.attempts.open_calls import OpenOfCampaign, open_of_campaign
from dialer.attempts.progress import RunProgress
from dialer.attempts.reconcile import Reconciled, Reconciler
from dialer.attempts.workers import LEASE_S
from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import BadInput, NeedsPerson, NotReady
from dialer.base.settings import Account
from dialer.base.trouble import Trouble
from dialer.calls import campaigns
from dialer.calls.allowed import anytime
from dialer.calls.campaigns import KnownCampaign
from dialer.calls.claim import leased_by_others, next_due_by_group, waiting
from dialer.calls.groups import UNGROUPED
from dialer.calls.reach import never_called
from dialer.campaign import Campaign
from dialer.engine import AccountDialer, Interrupted, first_error, make_way
from dialer.outcomes.collect import Collected, Collector
from dialer.rules.rulebook import RuleBook
from dialer.store.database import Store
from dialer.store.lock import only_dialer

log = structlog.get_logger()

T = TypeVar("T")

LOOK_S = 0.2
"""How often a run looks whether it may end."""
RULES_S = 1.0
"""How often a run looks whether the calling rules changed."""
PATIENCE_S = 30.0
"""A run without --wait stays for calls and look-ups that become due within this time."""
LIST_FAILURES_MAX = 3
"""After so many failed readings in a row a run no longer waits for outcomes."""


class Run:
    """One run of one campaign; `go` does it all and returns what came of it.

    `for_s` bounds its length, `wait` makes it stay until every contact is done. `watch` is called a few
    times a second with the progress so far, `rules` every second: it returns the calling rules that hold now.
    `run_id` is the record of this run.
    """

    def __init__(
        self,
        store: Store,
        campaign: Campaign,
        account: Account,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        for_s: float | None = None,
        wait: bool = False,
        watch: Callable[[RunProgress], None] | None = None,
        rules: Callable[[], RuleBook] | None = None,
        run_id: int | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._store = store
        self._run_id = run_id
        self._campaign = campaign
        self._account = account
        self._for_s = for_s
        self._wait = wait
        self._watch = watch or (lambda progress: None)
        self._database = anyio.CapacityLimiter(1)
        self._lease = Lease(store, self._clock, LEASE_S)
        chance = random or Random()  # noqa: S311 - jitter, not secrets
        self._rules = rules
        self._rules_at = 0.0
        self._dialer = AccountDialer(
            store, account, self._lease, self._clock, chance, rules() if rules is not None else None
        )
        self._allowed = anytime()
        limits = [limit for limit in (self._dialer.pace.limit, campaign.pace.calls_per_second) if limit]
        follows = campaign.hours.rules != ()
        self.progress = RunProgress(campaign.name, account.name, min(limits, default=None), follows)
        self._news_at = 0.0
        self._now_us = 0
        self._elsewhere = 0
        self._spec: str | None = None
        self._campaign_id = 0
        self._before: OpenOfCampaign | None = None
        self._next_lookup_at_us: int | None = None
        self._spent = self._reserved = False
        self._interrupted = Interrupted(self._interrupt, lambda: self._dialer.lane.cut_off())

    async def go(self) -> RunProgress:
        """Run until nothing is left to do now, and return the progress with its exit code.

        Raises:
            BadInput, NotReady, Busy, Stopped: nothing was dialled.
            NeedsPerson: the same; its hours are never open for anybody who was loaded.
        """
        async with self._dialer.opened():
            known = await self._in_database(self._start)
            self._campaign_id = known.campaign_id
            self.progress.recovered = await self._in_database(
                partial(self._lease.enter, campaign_id=known.campaign_id, run_id=self._run_id)
            )
            await self._dialer.enter()
            await self._in_database(partial(self._look, known))
            try:
                dialing = await self._dialer.take_up(known.campaign_id, self._campaign)
            except BadInput as error:
                await self._in_database(partial(self._go_back, known))
                raise NeedsPerson(str(error)) from error  # its list may have been loaded by now
            self._allowed = dialing.allowed
            self.progress.counts = self._dialer.lane.counts
            make_way()
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._interrupted.listen)
                    tasks.start_soon(self._lease.keep, lambda: [self._dialer.lane])
                    tasks.start_soon(self._supervise, dialing, known)
                    await self._dialer.run()
                    tasks.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                raise first_error(group) from group
            await self._in_database(partial(self._leave, dialing, known))
        return self.progress

    # -- begin and end ------------------------------------------------------------------------------

    def _start(self) -> KnownCampaign:
        with self._store.write() as connection:
            known = campaigns.register(self._store, connection, self._campaign)
            campaigns.start(self._store, connection, known)
            return known

    def _go_back(self, known: KnownCampaign) -> None:
        """End a run that was refused before it began."""
        with self._store.write() as connection:
            campaigns.end_run(self._store, connection, known.name, self._lease.worker)
        self._lease.leave()

    def _interrupt(self) -> None:
        self.progress.ended = "interrupted"
        self._dialer.lane.stop()

    def _leave(self, dialing: Dialing, known: KnownCampaign) -> None:
        """Write down how the run ended, and find its exit code."""
        with self._store.write() as connection:
            if dialing.stopped:
                campaigns.stop(self._store, connection, known.campaign_id, dialing.stopped)
            else:
                campaigns.end_run(self._store, connection, known.name, self._lease.worker)
        self._lease.leave()
        campaigns.settle_if_canceled(self._store, known.name)
        progress = self.progress
        self._look(known)
        with self._store.read() as connection:
            progress.never = never_called(
                self._store, connection, self._allowed, known.campaign_id, self._now_us
            ).warning()
        if self._interrupted.signaled is not None:
            progress.exit_code = 130
        elif progress.problem is not None:
            progress.exit_code = 3
        elif progress.held_left:
            progress.exit_code = 4

    # -- beside the lane ----------------------------------------------------------------------------

    async def _supervise(self, dialing: Dialing, known: KnownCampaign) -> None:
        """Stop the lane when the run is over, and say why."""
        lane = self._dialer.lane
        began = self._news_at = self._clock.monotonic()
        trouble = Trouble("progress.not_read", "progress.read", self._clock, campaign=known.name)
        while self.progress.ended is None:
            await self._clock.sleep(LOOK_S)
            try:
                await self._in_database(partial(self._look, known))
            except NotReady as error:  # how long that may last is the lane's to decide
                trouble.failed(error)
            else:
                trouble.over()
            self._watch(self.progress)
            self._news_at = max(self._news_at, self._dialer.news_at, lane.counts.last_sent_at or 0.0)
            await self._hear_rules()
            old_rules = dialing.allowed.windows.book is not self._dialer.rules
            if self._spec is not None and (self._spec != dialing.spec or old_rules):
                await self._take_up_anew(dialing)
            self._decide(lane, dialing, self._clock.monotonic() - began)
        lane.stop()

    async def _hear_rules(self) -> None:
        now = self._clock.monotonic()
        if self._rules is not None and now >= self._rules_at + RULES_S:
            self._rules_at = now
            self._dialer.rules = await anyio.to_thread.run_sync(self._rules)

    async def _take_up_anew(self, dialing: Dialing) -> None:
        """Dial on as the campaign's file and the rules say now: they changed meanwhile."""
        assert self._spec is not None
        try:
            campaign = Campaign.model_validate_json(self._spec)
            await self._dialer.take_up_anew(dialing, campaign)
        except ValidationError:
            self.progress.problem = self.progress.ended = "its file was loaded by another version of dialer"
        except BadInput as error:
            self.progress.problem = self.progress.ended = f"its file or the rules changed: {error}"
        except NotReady as error:
            log.warning("campaign.not_taken_up", campaign=dialing.name, error=str(error))
        else:
            dialing.spec = self._spec
            self._allowed = dialing.allowed

    def _decide(self, lane: Lane, dialing: Dialing, running_s: float) -> None:
        progress = self.progress
        self._reserved = self._clock.monotonic() < dialing.reserved_until
        self._spent = dialing.spent or self._reserved
        if dialing.stopped:
            progress.problem = progress.ended = dialing.stopped
        elif dialing.state in ("paused", "canceled"):
            progress.problem = progress.ended = f"{dialing.state} by a person"
        elif dialing.state == "stopped":
            progress.problem = progress.ended = "stopped by another worker; see: dialer status"
        elif self._for_s is not None and running_s >= self._for_s:
            progress.ended = "its time (--for) was over"
        elif lane.idle and not self._more_to_come():
            progress.ended = self._why_idle(dialing)

    def _why_idle(self, dialing: Dialing) -> str:
        if dialing.spent:
            return "the budget is used up"
        if self._reserved:
            return "the rest of the budget is reserved for calls whose cost is not known yet"
        return "nothing is left to do now"

    def _more_to_come(self) -> bool:
        """Return whether waiting makes sense: calls that fall due, outcomes and look-ups that may come."""
        progress = self.progress
        if self._elsewhere:  # another worker is at it, or died and its lease has not run out yet
            return True
        if self._wait and (progress.waiting_left or progress.open_calls or progress.unknown_left):
            callable_left = progress.waiting_left > 0 and self._due_within(inf)
            return callable_left or progress.open_calls > 0 or self._unknown_due(inf)
        if self._due_within(PATIENCE_S) or self._unknown_due(PATIENCE_S):
            return True
        listening = self._dialer.list_failures < LIST_FAILURES_MAX
        patient = self._clock.monotonic() - self._news_at < self._dialer.outcome_wait_s
        return (progress.open_calls > 0 or self._reserved) and listening and patient

    def _due_within(self, seconds: float) -> bool:
        due = None if self._spent else self.progress.next_due_at_us
        return due is not None and due - self._now_us <= seconds * 1e6

    def _unknown_due(self, seconds: float) -> bool:
        due = self._next_lookup_at_us
        return due is not None and due - self._now_us <= seconds * 1e6

    def _add_up(self, left: OpenOfCampaign) -> None:
        """Find the figures that follow from what is open now and what was before."""
        progress, counts = self.progress, self.progress.counts
        if self._before is None:
            self._before = left
            progress.open_before = left.accepted + left.unknown
        progress.held = self._dialer.reconciled.held
        progress.freed = self._dialer.reconciled.freed_of[self._campaign_id]
        progress.open_calls, progress.unknown_left, progress.held_left = (
            left.accepted,
            left.unknown,
            left.held,
        )
        # Whatever was or became unknown and is not any more was found or not placed; what was live has ended.
        lost = self._before.unknown + counts.unknown
        progress.bound = max(0, lost - progress.freed - left.unknown)
        live = progress.open_before + counts.accepted + counts.unknown
        progress.ended_calls = max(0, live - progress.freed - left.accepted - left.unknown)

    def _look(self, known: KnownCampaign) -> None:
        with self._store.read() as connection:
            self._now_us = self._store.now_us(connection)
            self._spec = campaigns.spec_of(self._store, connection, known.campaign_id)
            due = next_due_by_group(
                self._store, connection, known.campaign_id, self._allowed.groups or (UNGROUPED,)
            )
            self.progress.waiting_left = waiting(self._store, connection, known.campaign_id)
            left = open_of_campaign(
                self._store, connection, known.campaign_id, self._account.name, self._lease.worker
            )
            leased = leased_by_others(self._store, connection, known.campaign_id, self._lease.worker)
        progress = self.progress
        used_up = self._spent and not self._reserved
        progress.next_due_at_us = None if used_up else self._allowed.next_at_us(due, self._now_us)
        self._add_up(left)
        self._elsewhere = left.sent_by_others + leased
        self._next_lookup_at_us = left.next_lookup_at_us

    async def _in_database(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)


async def reconcile_account(store: Store, account: Account) -> tuple[Reconciled, Collected]:
    """Ask the provider about every open and unknown attempt of the account, once; return what came of it.

    Raises:
        BadInput, NotReady: the account cannot be used.
    """
    database = anyio.CapacityLimiter(1)
    async with asking(store, account, database) as provider:
        collected = await Collector(store, provider, account, database).round()
        reconciler = Reconciler(store, provider, account, partial(campaigns.redialing, store), database)
        return await reconciler.round(everything=True), collected


@contextmanager
def dialing_rights(store: Store) -> Iterator[None]:
    """Hold the right to dial: one process per SQLite file; on PostgreSQL any number share an account's pace.

    Raises:
        Busy: another process has it.
    """
    if store.file is None:
        yield
        return
    with only_dialer(store.file):
        yield
