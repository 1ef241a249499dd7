"""One account's dialing in one process: its provider, its pace, its lane, its look-ups and its list of calls.

`dialer run` has one of these for its campaign, `dialer worker` one for each account with a running campaign.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from dialer.attempts.books import DATABASE_PATIENCE_S
from dialer.attempts.breaker import Breaker
from dialer.attempts.dialing import Dialing
from dialer.attempts.lane import Lane
from dialer.attempts.lease import Lease
from dialer.attempts.ledger import Desk
from dialer.attempts.open_calls import recent_departures
from dialer.attempts.pace import account_row
from dialer.attempts.pace.limits import shared_pace
from dialer.attempts.pace.own import OwnPace
from dialer.attempts.reconcile import Reconciled, Reconciler
from dialer.base.clock import Clock
from dialer.base.errors import NotReady
from dialer.base.settings import Account
from dialer.base.trouble import Trouble
from dialer.calls import campaigns, groups
from dialer.calls.allowed import Allowed
from dialer.calls.limits import budget_of, take_back
from dialer.campaign.campaign import Campaign
from dialer.outcomes.collect import APPLY_EVERY_S, Collected, Collector
from dialer.providers.abilities import LeavesToEvents
from dialer.providers.open import open_account
from dialer.providers.provider import Provider
from dialer.rules.rulebook import RuleBook, read_rulebook
from dialer.store.database import Store

log = structlog.get_logger()

T = TypeVar("T")

LAST_COSTS_S = 10.0
"""How long a run that is over may still ask what its last calls cost."""
WINDOWS_TURN_S = 5.0
"""How often the windows that come next are evaluated, and groups of a new list are learned."""
REST_TURN_S = 0.02
"""How often it is seen whether everything of a campaign whose file changed was taken back."""
PACE_TURN_S = 0.5
"""How often a worker asks for a campaign's own pace that another worker keeps."""


class AccountDialer:
    """One account's dialing; `opened` makes its lane, `run` dials until the lane was stopped.

    `reconciled` and `collected` add up what look-ups and the provider's list brought; `news_at` is when
    something came of them last, `list_failures` how many readings in a row failed. `rules` are those that
    campaigns are taken up by.
    """

    def __init__(
        self,
        store: Store,
        account: Account,
        lease: Lease,
        clock: Clock,
        random: Random,
        rules: RuleBook | None = None,
        patience_s: float = DATABASE_PATIENCE_S,
    ) -> None:
        self.account = account
        self.rules = rules or read_rulebook()
        self.reconciled = Reconciled()
        self.collected = Collected()
        self.news_at = 0.0
        self.list_failures = 0
        self.lane: Lane
        self._store = store
        self._lease = lease
        self._clock = clock
        self._random = random
        self._patience_s = patience_s
        self._database = anyio.CapacityLimiter(1)
        # On SQLite one writer at a time is all there is; on PostgreSQL no slot waits for a page of the books.
        slots = self._database if store.is_sqlite else anyio.CapacityLimiter(2)
        self.pace = shared_pace(store, account, clock, lambda: lease.worker, slots)

    @property
    def outcome_wait_s(self) -> float:
        """How long without news a run waits for outcomes: polling has its turn after events had theirs."""
        provider = self._provider
        events_s = provider.event_wait_s if isinstance(provider, LeavesToEvents) else 0.0
        return self.account.outcome_wait_s + events_s

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open the provider; the account's row must not exist yet.

        Raises:
            BadInput, NotReady: the account cannot be used; nothing was written.
        """
        async with open_account(self.account, self._clock, self.pace.request) as provider:
            self._provider: Provider = provider
            self._collector = Collector(self._store, provider, self.account, self._database)
            try:
                yield
            finally:
                await self.pace.aclose()

    async def enter(self) -> None:
        """Make the lane, with what left lately in mind; the lease must have been entered."""
        account = self.account
        await self._in_database(partial(account_row.ensure_account, self._store, account.name))
        ages_s = await self._in_database(partial(recent_departures, self._store, account.name, 61.0))
        now = self._clock.monotonic()
        self.pace.remember(now - age_s for age_s in ages_s)
        self.lane = Lane(
            Desk(self._store, self._lease.worker, account.name, account.provider, account.calls_open_max),
            self._provider,
            self.pace,
            [],
            clock=self._clock,
            requests_in_flight_max=account.requests_in_flight_max,
            pace_limit=self.pace.limit,
            drain_s=account.timeout_s,
            lease_until=lambda: self._lease.until,
            database=self._database,
            random=self._random,
            patience_s=self._patience_s,
        )

    async def take_up(self, campaign_id: int, campaign: Campaign) -> Dialing:
        """Dial the campaign from now on."""
        dialing = await self._dialing(campaign_id, campaign)
        self.lane.add(dialing)
        return dialing

    async def take_up_anew(self, dialing: Dialing, campaign: Campaign) -> None:
        """Dial on as the campaign's file says now; what is open under its old word is taken back before.

        Raises:
            BadInput, NotReady: as it says now it cannot be dialed; nothing more leaves until it can.
        """
        dialing.resting = True
        while dialing.claimed_or_open and self.lane.alive and self.lane.failed is None:
            await self._clock.sleep(REST_TURN_S)
        dialing.go_on_as(await self._dialing(dialing.campaign_id, campaign))

    async def _dialing(self, campaign_id: int, campaign: Campaign) -> Dialing:
        allowed = await self._in_database(partial(self._allowed, campaign_id, campaign))
        own, limit = campaign.pace.calls_per_second, self.pace.limit
        narrower = own is not None and (limit is None or own < limit)
        dialing = Dialing(
            campaign_id,
            campaign.name,
            campaign.call.agent,
            dict(campaign.call.metadata),
            Breaker(campaign.stop.failure_rate, campaign.stop.over_attempts),
            campaign.call.from_numbers,
            priority=campaign.pace.priority,
            own_pace=OwnPace(own) if narrower and own is not None else None,
            paces=not narrower,
            calls_open_max=campaign.pace.calls_open_max,
            allowed=allowed,
            budget=budget_of(campaign),
            spec=campaign.model_dump_json(),
        )
        if narrower:
            await self._take_pace(dialing)
        return dialing

    def _allowed(self, campaign_id: int, campaign: Campaign) -> Allowed:
        """Find out which contacts may be called when; those whom a rule refuses for good are set aside."""
        groups.regroup(self._store, campaign_id)
        take_back(self._store, campaign_id, campaign.redial.calls_max)
        with self._store.read() as connection:
            known = groups.groups_of(self._store, connection, campaign_id)
            now_us = self._store.now_us(connection)
        allowed = Allowed.of(campaign, self.rules, known)
        refusals = {one: rule.id for one, rule in allowed.refusals(now_us).items()}
        groups.set_aside(self._store, campaign_id, refusals)
        allowed.check(now_us)
        allowed.look_ahead(now_us)  # evaluates every window once, here and not between two calls
        allowed.open_groups(now_us)
        return allowed

    def _renew(self, campaign_id: int, allowed: Allowed) -> None:
        """Learn of groups that a list brought since, and find the windows that come next."""
        groups.regroup(self._store, campaign_id)
        with self._store.read() as connection:
            known = groups.groups_of(self._store, connection, campaign_id)
            now_us = self._store.now_us(connection)
        if allowed.learn(known):
            refusals = {one: rule.id for one, rule in allowed.refusals(now_us).items()}
            groups.set_aside(self._store, campaign_id, refusals)
        allowed.look_ahead(now_us)

    async def run(self) -> None:
        """Dial, look up and read outcomes until the lane was stopped and has drained.

        Raises:
            NotReady: the database was away for longer than the lane's patience.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._reconcile)
            tasks.start_soon(self._collect)
            tasks.start_soon(self._take_paces)
            tasks.start_soon(self._keep_windows)
            await self.lane.run()
            tasks.cancel_scope.cancel()
        await self._read_last_costs()

    # -- beside the lane ----------------------------------------------------------------------------

    async def _reconcile(self) -> None:
        redialing = partial(campaigns.redialing, self._store)
        reconciler = Reconciler(self._store, self._provider, self.account, redialing, self._database)
        trouble = Trouble("reconcile.failed", "reconcile.works", self._clock, account=self.account.name)
        pause_s = usual_s = min(1.0, max(0.1, self.account.listing_delay_s / 50))
        while True:
            try:
                if await self._turn(account_row.take_looking_turn):
                    before = self.reconciled.bound + self.reconciled.freed
                    await reconciler.round(self.reconciled)
                    self._heard(self.reconciled.bound + self.reconciled.freed - before)
                    await self._end_turn(account_row.end_looking_turn)
            except NotReady as error:
                trouble.failed(error)
                pause_s = min(10.0, 2 * pause_s)
            else:
                trouble.over()
                pause_s = usual_s
            await self._clock.sleep(pause_s)

    async def _collect(self) -> None:
        """Apply what webhooks brought, each second; ask about the rest when it is this worker's turn."""
        again_s = self.account.poll_s if self._store.is_sqlite else self.account.poll_s / 2
        asked_at = self._clock.monotonic()
        name = self.account.name
        applying = Trouble("outcomes.not_applied", "outcomes.applied", self._clock, account=name)
        reading = Trouble("outcomes.not_read", "outcomes.read", self._clock, account=name)
        while True:
            await self._clock.sleep(min(again_s, APPLY_EVERY_S))
            trouble = applying
            try:
                self._add_collected(await self._collector.apply())
                applying.over()
                waited_s = self._clock.monotonic() - asked_at
                if waited_s < again_s and not self._collector.hinted:
                    continue
                if not await self._turn(account_row.take_polling_turn):
                    continue
                asked_at = self._clock.monotonic()
                trouble = reading
                done = await self._collector.round()
                await self._end_turn(account_row.end_polling_turn, again_s)
            except NotReady as error:
                self.list_failures += 1
                trouble.failed(error)
            else:
                reading.over()
                self.list_failures = 0
                self._add_collected(done)

    async def _read_last_costs(self) -> None:
        """Read what the last calls cost, where the provider tells: it writes bills after calls have ended."""
        with anyio.move_on_after(LAST_COSTS_S):
            try:
                self.collected.costs += (await self._collector.finish()).costs
            except NotReady as error:
                log.warning("costs.not_read", account=self.account.name, error=str(error))

    def _add_collected(self, done: Collected) -> None:
        self.collected.ended += done.ended
        self.collected.found += done.found
        self.collected.costs += done.costs
        self._heard(done.ended + done.found)

    def _heard(self, news: int) -> None:
        if news:
            self.news_at = self._clock.monotonic()

    async def _turn(self, take: Callable[[Store, str, float], bool]) -> bool:
        """Return whether this worker does it this time; on SQLite there is no other."""
        if self._store.is_sqlite:
            return True
        return await self._in_database(partial(take, self._store, self.account.name, self._lease.lease_s))

    async def _end_turn(self, end: Callable[..., None], *words: float) -> None:
        if not self._store.is_sqlite:
            await self._in_database(partial(end, self._store, self.account.name, *words))

    async def _take_paces(self) -> None:
        trouble = Trouble("pace.not_taken", "pace.taken", self._clock, account=self.account.name)
        while True:
            await self._clock.sleep(PACE_TURN_S)
            for dialing in list(self.lane.dialings):
                if dialing.own_pace is not None and not dialing.paces and dialing.state == "running":
                    try:
                        await self._take_pace(dialing)
                    except NotReady as error:
                        trouble.failed(error, campaign=dialing.name)
                    else:
                        trouble.over()

    async def _keep_windows(self) -> None:
        """Evaluate windows before the lane asks for them, beside its own turns at the database."""
        beside = anyio.CapacityLimiter(1)
        trouble = Trouble("windows.not_renewed", "windows.renewed", self._clock, account=self.account.name)
        while True:
            await self._clock.sleep(WINDOWS_TURN_S)
            for dialing in list(self.lane.dialings):
                renew = partial(self._renew, dialing.campaign_id, dialing.allowed)
                try:
                    await anyio.to_thread.run_sync(renew, limiter=beside)
                except NotReady as error:
                    trouble.failed(error, campaign=dialing.name)
                else:
                    trouble.over()

    async def _take_pace(self, dialing: Dialing) -> None:
        """Become the one that dials a campaign with a pace of its own, and learn what left lately."""
        own_pace = dialing.own_pace
        assert own_pace is not None
        taken = self._store.is_sqlite or await self._in_database(
            partial(campaigns.take_pace, self._store, dialing.campaign_id, self._lease.worker)
        )
        if not taken:
            return
        within_s = own_pace.longest_s + 1.0
        ages_s = await self._in_database(
            partial(recent_departures, self._store, self.account.name, within_s, dialing.campaign_id)
        )
        now = self._clock.monotonic()
        own_pace.remember(now - age_s for age_s in ages_s)
        dialing.paces = True

    async def _in_database(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)


COLLECT_AFTER = 50_000
"""New objects after which the collector looks for rings among them; by default 700."""


def make_way() -> None:
    """Keep the interpreter out of the way of calls: a departure that is 5 ms late has missed its slot."""
    # What is loaded by now stays: the collector would walk over it for 25 ms in the middle of calls.
    gc.collect()
    gc.freeze()
    # A call leaves nothing behind that only the collector finds, so it need not look after every 700 objects.
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    # The database's thread gives way after this long; by default it keeps the event loop waiting for 5 ms.
    sys.setswitchinterval(0.0005)


class Interrupted:
    """Hears SIGTERM and Ctrl-C: `stop` is called on the first, `cut_off` on the second."""

    def __init__(self, stop: Callable[[], None], cut_off: Callable[[], None]) -> None:
        self.signaled: int | None = None
        self._stop = stop
        self._cut_off = cut_off

    async def listen(self) -> None:
        """Stop in good order on the first signal, at once on the second."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with anyio.open_signal_receiver(*before) as signals:
                async for number in signals:
                    if self.signaled is not None:
                        self._cut_off()
                    self.signaled = number
                    self._stop()
        finally:  # the event loop leaves them at their defaults
            for number, handler in before.items():
                signal.signal(number, handler)


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group of tasks: the one to tell."""
    error = group.exceptions[0]
    return first_error(error) if isinstance(error, BaseExceptionGroup) else error
