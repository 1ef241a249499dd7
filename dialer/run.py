"""One run of a campaign: claim, pace, send, record, reconcile, collect, until nothing is left to do now."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from dialer.attempts import ledger, workers
from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.attempts.ledger import Desk
from dialer.attempts.limits import AccountPace
from dialer.attempts.progress import RunProgress
from dialer.attempts.reconcile import Reconciled, Reconciler
from dialer.attempts.workers import LEASE_S, LeaseLost
from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import NotReady
from dialer.base.ids import new_worker_id
from dialer.base.settings import Account
from dialer.calls import campaigns
from dialer.calls.campaigns import KnownCampaign
from dialer.calls.claim import leased_by_others, next_due_at_us, waiting
from dialer.campaign import Campaign
from dialer.outcomes.collect import Collected, Collector
from dialer.providers.open import open_account
from dialer.providers.provider import Provider
from dialer.store.database import Store
from dialer.store.lock import only_dialer, only_dialer_of

log = structlog.get_logger()

T = TypeVar("T")

LOOK_S = 0.2
"""How often a run looks whether it may end."""
ALONE_LEASE_S = 1e9
"""On SQLite the lock on the file is the lease: it ends with the process."""
PATIENCE_S = 30.0
"""A run without --wait stays for calls and look-ups that become due within this time."""
LIST_FAILURES_MAX = 3
"""After so many failed readings in a row a run no longer waits for outcomes."""


class Run:
    """One run of one campaign; `go` does it all and returns what came of it.

    `for_s` bounds its length, `wait` makes it stay until every contact is done. `watch` is called a few
    times a second with the progress so far.
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
    ) -> None:
        per_second = [
            limit for limit in (account.calls_per_second, campaign.pace.calls_per_second) if limit is not None
        ]
        self._clock = clock or SystemClock()
        self._paces = AccountPace(min(per_second, default=None), account.requests_per_minute, self._clock)
        self.progress = RunProgress(campaign.name, account.name, self._paces.limit)
        self._store = store
        self._campaign = campaign
        self._account = account
        self._random = random or Random()  # noqa: S311 - jitter, not secrets
        self._for_s = for_s
        self._wait = wait
        self._watch = watch or (lambda progress: None)
        self._database = anyio.CapacityLimiter(1)
        self._worker = new_worker_id()
        self._lease_until = 0.0
        self._news_at = 0.0
        self._list_failures = 0
        self._now_us = 0
        self._elsewhere = 0
        self._live_before: int | None = None
        self._next_lookup_at_us: int | None = None
        self._signaled: int | None = None

    async def go(self) -> RunProgress:
        """Run until nothing is left to do now, and return the progress with its exit code.

        Raises:
            BadInput, NotReady, Busy, Stopped: nothing was dialled.
        """
        async with open_account(self._account, self._clock, self._paces.request) as provider:
            known = await self._in_database(self._start)
            self._paces.remember(await self._in_database(self._enter))
            await self._in_database(partial(self._look, known))
            lane, dialing = self._lane(provider, known)
            # What is loaded by now stays: the collector would walk over it for 25 ms in the middle of calls.
            gc.collect()
            gc.freeze()
            await self._run_tasks(provider, lane, dialing, known)
            await self._in_database(partial(self._leave, dialing, known))
        return self.progress

    async def _run_tasks(
        self, provider: Provider, lane: Lane, dialing: Dialing, known: KnownCampaign
    ) -> None:
        redialing = partial(campaigns.redialing, self._store)
        reconciler = Reconciler(self._store, provider, self._account, redialing, self._database)
        collector = Collector(self._store, provider, self._account, self._database)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, lane)
                tasks.start_soon(self._stay_alive, lane)
                tasks.start_soon(self._reconcile, reconciler)
                tasks.start_soon(self._collect, collector)
                tasks.start_soon(self._supervise, lane, dialing, known)
                await lane.run()
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from group

    # -- begin and end ------------------------------------------------------------------------------

    def _enter(self) -> list[float]:
        """Register the worker and take over what dead ones left; return the account's last departures."""
        began = self._clock.monotonic()
        lease_s = ALONE_LEASE_S if self._store.is_sqlite else LEASE_S
        workers.enter(self._store, self._worker, lease_s)
        self._lease_until = began + lease_s
        self.progress.recovered = workers.recover(self._store, self._worker, alone=self._store.is_sqlite)
        ledger.ensure_account(self._store, self._account.name)
        ages_s = ledger.recent_departures(self._store, self._account.name, within_s=61.0)
        return [self._clock.monotonic() - age_s for age_s in ages_s]

    def _start(self) -> KnownCampaign:
        with self._store.write() as connection:
            known = campaigns.register(self._store, connection, self._campaign)
            campaigns.start(self._store, connection, known)
            return known

    def _lane(self, provider: Provider, known: KnownCampaign) -> tuple[Lane, Dialing]:
        campaign, account = self._campaign, self._account
        dialing = Dialing(
            known.campaign_id,
            campaign.name,
            campaign.call.agent,
            dict(campaign.call.metadata),
            Breaker(campaign.stop.failure_rate, campaign.stop.over_attempts),
            campaign.call.from_numbers,
        )
        calls_open = [limit for limit in (account.calls_open_max, campaign.pace.calls_open_max) if limit]
        lane = Lane(
            Desk(self._store, self._worker, account.name, account.provider, min(calls_open, default=None)),
            provider,
            self._paces,
            [dialing],
            clock=self._clock,
            requests_in_flight_max=account.requests_in_flight_max,
            pace_limit=self._paces.limit,
            drain_s=account.timeout_s,
            lease_until=lambda: self._lease_until,
            database=self._database,
            random=self._random,
        )
        self.progress.counts = lane.counts
        return lane, dialing

    def _leave(self, dialing: Dialing, known: KnownCampaign) -> None:
        """Write down how the run ended, and find its exit code."""
        with self._store.write() as connection:
            if dialing.stopped:
                campaigns.stop(self._store, connection, known.name, dialing.stopped)
            else:
                campaigns.end_run(self._store, connection, known.name)
        workers.leave(self._store, self._worker)
        with self._store.write() as connection:
            now = campaigns.find(self._store, connection, known.name)
            if now is not None and now.state == "canceled":
                campaigns.settle_canceled(self._store, connection, now)
        progress = self.progress
        self._look(known)
        if self._signaled is not None:
            progress.exit_code = 130
        elif progress.problem is not None:
            progress.exit_code = 3
        elif progress.unknown_left:
            progress.exit_code = 4

    # -- the tasks beside the lane ------------------------------------------------------------------

    async def _listen(self, lane: Lane) -> None:
        """Stop in good order on the first SIGTERM or Ctrl-C, at once on the second."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                if self._signaled is not None:
                    lane.cut_off()
                self._signaled = number
                self.progress.ended = "interrupted"
                lane.stop()

    async def _stay_alive(self, lane: Lane) -> None:
        if self._store.is_sqlite:
            return  # the lock on the file is the lease
        while True:
            await self._clock.sleep(LEASE_S / 4)
            began = self._clock.monotonic()
            try:
                await self._in_database(partial(workers.renew, self._store, self._worker))
                self._lease_until = began + LEASE_S
                await self._in_database(partial(workers.recover, self._store, self._worker))
            except LeaseLost as error:
                self.progress.problem = self.progress.ended = str(error)
                lane.stop()
                return
            except NotReady as error:
                log.warning("lease.not_renewed", error=str(error))

    async def _reconcile(self, reconciler: Reconciler) -> None:
        while True:
            try:
                done = await reconciler.round()
            except NotReady as error:
                log.warning("reconcile.failed", error=str(error))
            else:
                self._heard(done.bound + done.freed)
                self.progress.bound += done.bound
                self.progress.freed += done.freed
                self.progress.held += done.held
            await self._clock.sleep(min(1.0, max(0.1, self._account.listing_delay_s / 50)))

    async def _collect(self, collector: Collector) -> None:
        while True:
            await self._clock.sleep(self._account.poll_s)
            try:
                done = await collector.round()
            except NotReady as error:
                self._list_failures += 1
                log.warning("outcomes.not_read", account=self._account.name, error=str(error))
            else:
                self._list_failures = 0
                self._heard(done.ended + done.found)
                self.progress.bound += done.found

    def _heard(self, news: int) -> None:
        if news:
            self._news_at = self._clock.monotonic()

    async def _supervise(self, lane: Lane, dialing: Dialing, known: KnownCampaign) -> None:
        """Stop the lane when the run is over, and say why."""
        began = self._news_at = self._clock.monotonic()
        while self.progress.ended is None:
            await self._clock.sleep(LOOK_S)
            try:
                await self._in_database(partial(self._look, known))
            except NotReady as error:  # how long that may last is the lane's to decide
                log.warning("progress.not_read", error=str(error))
            self._watch(self.progress)
            if lane.counts.last_sent_at:
                self._news_at = max(self._news_at, lane.counts.last_sent_at)
            self._decide(lane, dialing, self._clock.monotonic() - began)
        lane.stop()

    def _decide(self, lane: Lane, dialing: Dialing, running_s: float) -> None:
        progress = self.progress
        if dialing.stopped:
            progress.problem = progress.ended = dialing.stopped
        elif dialing.state in ("paused", "canceled"):
            progress.problem = progress.ended = f"{dialing.state} by a person"
        elif not lane.alive:
            progress.problem = progress.ended = "the worker lost its lease"
        elif self._for_s is not None and running_s >= self._for_s:
            progress.ended = "its time (--for) was over"
        elif lane.idle and not self._more_to_come():
            progress.ended = "nothing is left to do now"

    def _more_to_come(self) -> bool:
        """Return whether waiting makes sense: calls that fall due, outcomes and look-ups that may come."""
        progress = self.progress
        if self._elsewhere:  # another worker is at it, or died and its lease has not run out yet
            return True
        if self._wait and (progress.waiting_left or progress.open_calls or progress.unknown_left):
            return progress.waiting_left + progress.open_calls > 0 or self._unknown_due(float("inf"))
        if self._due_within(PATIENCE_S) or self._unknown_due(PATIENCE_S):
            return True
        listening = self._list_failures < LIST_FAILURES_MAX
        patient = self._clock.monotonic() - self._news_at < self._account.outcome_wait_s
        return progress.open_calls > 0 and listening and patient

    def _due_within(self, seconds: float) -> bool:
        due = self.progress.next_due_at_us
        return due is not None and due - self._now_us <= seconds * 1e6

    def _unknown_due(self, seconds: float) -> bool:
        due = self._next_lookup_at_us
        return due is not None and due - self._now_us <= seconds * 1e6

    def _look(self, known: KnownCampaign) -> None:
        with self._store.read() as connection:
            self._now_us = self._store.now_us(connection)
            self.progress.next_due_at_us = next_due_at_us(self._store, connection, known.campaign_id)
            self.progress.waiting_left = waiting(self._store, connection, known.campaign_id)
            left = ledger.open_of_campaign(
                self._store, connection, known.campaign_id, self._account.name, self._worker
            )
            leased = leased_by_others(self._store, connection, known.campaign_id, self._worker)
        progress = self.progress
        if self._live_before is None:
            self._live_before = left.accepted + left.unknown
        # Whatever was or became live and is not any more has ended, or was never placed.
        live = self._live_before + progress.counts.accepted + progress.counts.unknown
        progress.ended_calls = max(0, live - progress.freed - left.accepted - left.unknown)
        progress.open_calls = left.accepted
        progress.unknown_left = left.unknown
        self._elsewhere = left.sent_by_others + leased
        self._next_lookup_at_us = left.next_lookup_at_us

    async def _in_database(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)


async def reconcile_account(store: Store, account: Account) -> tuple[Reconciled, Collected]:
    """Ask the provider about every open and unknown attempt of the account, once; return what came of it.

    Raises:
        BadInput, NotReady: the account cannot be used.
    """
    clock = SystemClock()
    paces = AccountPace(account.calls_per_second, account.requests_per_minute, clock)
    async with open_account(account, clock, paces.request) as provider:
        database = anyio.CapacityLimiter(1)
        collected = await Collector(store, provider, account, database).round()
        reconciler = Reconciler(store, provider, account, partial(campaigns.redialing, store), database)
        return await reconciler.round(everything=True), collected


@contextmanager
def dialing_rights(store: Store, account: str) -> Iterator[None]:
    """Hold the right to dial: one process per SQLite file, one per account on PostgreSQL.

    Two processes would each keep the account's pace, and together exceed it.

    Raises:
        Busy: another process has it.
    """
    with only_dialer(store.file) if store.file is not None else only_dialer_of(store, account):
        yield


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
