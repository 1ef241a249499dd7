"""One worker: it dials every running campaign of every account configured, until it is told to stop.

On PostgreSQL any number of them share the work, on any number of machines: contacts are claimed in blocks
that no two have, an account's pace is one line of time, and whatever a dead one had goes on elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from random import Random
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import structlog
from pydantic import ValidationError

from dialer.attempts import unsettled
from dialer.attempts.dialing import Dialing, LaneCounts
from dialer.attempts.lane import Lane
from dialer.attempts.lease import Lease
from dialer.attempts.workers import LEASE_S
from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import BadInput, DialerError, NotReady
from dialer.base.settings import Account
from dialer.base.trouble import Trouble
from dialer.calls import campaigns
from dialer.calls.campaigns import RunningCampaign
from dialer.campaign import Campaign
from dialer.engine import AccountDialer, Interrupted, first_error, make_way
from dialer.rules.rulebook import RuleBook
from dialer.store.database import Store

log = structlog.get_logger()

T = TypeVar("T")

FOLLOW_S = 1.0
"""How often a worker looks which campaigns run."""
FOLLOW_S_MAX = 10.0
"""The same while the database cannot be reached, at most."""
OPEN_CALLS_S = 10.0
"""How often a worker looks for calls that are not over on accounts which it has not opened."""
STARTS_S = 10.0
"""How often a worker looks whether a campaign is due."""
RETRY_S_MAX = 60.0
"""The longest pause before an account that cannot be used is tried again."""


@dataclass
class WorkerProgress:
    """What a worker has done so far."""

    counts: list[LaneCounts] = field(default_factory=list)
    campaigns: set[str] = field(default_factory=set)
    exit_code: int = 0

    def total(self, what: str) -> int:
        """Return a count of LaneCounts over all accounts."""
        return sum(getattr(one, what) for one in self.counts)

    def closing_line(self) -> str:
        """Return the worker's life in one line."""
        figures = (f"{self.total(what)} {what}" for what in ("submitted", "accepted", "refused", "unknown"))
        ended = "interrupted" if self.exit_code == 130 else "its time (--for) was over"
        return f"worker: {len(self.campaigns)} campaigns, {', '.join(figures)}; ended: {ended}"

    def as_json(self) -> dict[str, Any]:
        """Return the worker's life as a JSON document."""
        words = ("submitted", "accepted", "refused", "not_dialled", "unknown", "throttled")
        return {
            "campaigns": sorted(self.campaigns),
            **{what: self.total(what) for what in words},
            "exit_code": self.exit_code,
        }


class Worker:
    """Dials all running campaigns; `go` returns when it was told to stop, or after `for_s`.

    `starts` is called every few seconds in a thread: it starts what is due (`dialer.starts`). `rules` too: it
    returns the calling rules that hold now.
    """

    def __init__(
        self,
        store: Store,
        accounts: Mapping[str, Account],
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        for_s: float | None = None,
        rules: Callable[[], RuleBook] | None = None,
        starts: Callable[[], None] | None = None,
    ) -> None:
        self.progress = WorkerProgress()
        self._starts = starts
        self._rules_now = rules
        self._rules: RuleBook | None = None
        self._store = store
        self._accounts = accounts
        self._clock = clock or SystemClock()
        self._random = random or Random()  # noqa: S311 - jitter, not secrets
        self._for_s = for_s
        self._lease = Lease(store, self._clock, LEASE_S)
        self._dialers: dict[str, AccountDialer] = {}
        self._opening: set[str] = set()
        self._open_looked_at = -inf
        self._refused: dict[int, str] = {}
        self._stopping = anyio.Event()
        self._database = anyio.CapacityLimiter(1)
        self._interrupted = Interrupted(self._stop, self._cut_off)

    async def go(self) -> WorkerProgress:
        """Dial until told to stop; drain, write everything down, leave.

        Raises:
            NotReady: the database cannot be used at the start. Later it is waited for.
        """
        recovered = await self._in_database(self._lease.enter)
        log.info("worker.entered", worker=self._lease.worker, **recovered._asdict())
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._interrupted.listen)
                tasks.start_soon(partial(self._lease.keep, self._lanes))
                tasks.start_soon(self._start_what_is_due)
                async with anyio.create_task_group() as accounts:
                    await self._follow(accounts.start_soon)
                    for lane in self._lanes():
                        lane.stop()
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise first_error(group) from group
        await self._leave()
        if self._interrupted.signaled is not None:
            self.progress.exit_code = 130
        return self.progress

    # -- which campaigns ----------------------------------------------------------------------------

    async def _follow(self, start: Callable[..., object]) -> None:
        """Take up every campaign that begins to run, until told to stop."""
        pause_s = FOLLOW_S
        trouble = Trouble("campaigns.not_read", "campaigns.read", self._clock)
        with anyio.move_on_after(self._for_s):
            while not self._stopping.is_set():
                await self._hear_rules()
                try:
                    found = await self._in_database(partial(campaigns.running, self._store))
                except NotReady as error:
                    trouble.failed(error)
                    pause_s = min(FOLLOW_S_MAX, 2 * pause_s)
                else:
                    trouble.over()
                    pause_s = FOLLOW_S
                    for one in found:
                        await self._take_up(one, start)
                    await self._open_accounts_with_open_calls(start)
                for lane in self._lanes():
                    for ended in lane.drop_ended():
                        await self._let_go(ended)
                with anyio.move_on_after(pause_s):
                    await self._stopping.wait()
        self._stopping.set()

    async def _hear_rules(self) -> None:
        """Let campaigns be taken up by the rules that hold now."""
        if self._rules_now is not None:
            self._rules = await anyio.to_thread.run_sync(self._rules_now)
            for dialer in self._dialers.values():
                dialer.rules = self._rules

    async def _open_accounts_with_open_calls(self, start: Callable[..., object]) -> None:
        """Look up and collect for accounts whose calls are not over, though nothing of them runs any more."""
        now = self._clock.monotonic()
        if now < self._open_looked_at + OPEN_CALLS_S or self._opening >= self._accounts.keys():
            return
        self._open_looked_at = now
        try:
            names = await self._in_database(partial(unsettled.accounts_with_open, self._store))
        except NotReady as error:
            log.warning("open_calls.not_read", error=str(error))
            return
        for name in names:
            self._open(name, start)

    def _open(self, name: str, start: Callable[..., object]) -> None:
        if name in self._accounts and name not in self._opening:
            self._opening.add(name)
            start(self._dial_account, self._accounts[name])

    async def _start_what_is_due(self) -> None:
        """Start campaigns whose cron time has come, and end their runs, beside everything else."""
        beside = anyio.CapacityLimiter(1)
        trouble = Trouble("due.not_started", "due.works", self._clock)
        while self._starts is not None:
            try:
                await anyio.to_thread.run_sync(self._starts, limiter=beside)
            except DialerError as error:
                trouble.failed(error)
            else:
                trouble.over()
            await self._clock.sleep(STARTS_S)

    async def _take_up(self, found: RunningCampaign, start: Callable[..., object]) -> None:
        self._rest_elsewhere(found)
        account = self._accounts.get(found.account)
        if account is None:
            self._refuse(found, f"account '{found.account}' is not in this machine's dialer.toml")
            return
        dialer = self._dialers.get(found.account)
        if dialer is None:
            self._open(found.account, start)
            return
        dialing = next((one for one in dialer.lane.dialings if one.campaign_id == found.campaign_id), None)
        if dialing is not None and dialing.spec == found.spec and not dialing.resting:
            if dialing.allowed.windows.book is dialer.rules:
                return
            log.info("campaign.rules_changed", campaign=found.name, version=dialer.rules.version)
        try:
            if dialing is not None:
                dialing.resting = True  # its file or the rules changed: nothing more leaves by what they said
            campaign = Campaign.model_validate_json(found.spec)
            if dialing is None:
                dialing = await dialer.take_up(found.campaign_id, campaign)
            else:
                await dialer.take_up_anew(dialing, campaign)
            dialing.spec = found.spec
        except ValidationError as error:
            self._refuse(found, f"written by another version of dialer ({error.error_count()} keys differ)")
        except BadInput as error:
            self._refuse(found, str(error))
        except NotReady as error:
            log.warning("campaign.not_taken_up", campaign=found.name, error=str(error))
        else:
            self.progress.campaigns.add(found.name)
            log.info("campaign.taken_up", campaign=found.name, account=found.account)

    def _rest_elsewhere(self, found: RunningCampaign) -> None:
        """Let nothing more leave by an account that the campaign was moved away from."""
        for name, dialer in self._dialers.items():
            for one in dialer.lane.dialings:
                if name != found.account and one.campaign_id == found.campaign_id:
                    one.resting = True

    async def _let_go(self, ended: Dialing) -> None:
        log.info("campaign.left", campaign=ended.name, state=ended.state)
        if ended.state == "canceled":  # what was leased then has come back since
            try:
                await self._in_database(partial(campaigns.settle_if_canceled, self._store, ended.name))
            except NotReady as error:
                log.warning("campaign.not_settled", campaign=ended.name, error=str(error))

    def _refuse(self, found: RunningCampaign, why: str) -> None:
        if self._refused.get(found.campaign_id) != why:
            self._refused[found.campaign_id] = why
            log.warning("campaign.not_dialed", campaign=found.name, why=why)

    # -- accounts -----------------------------------------------------------------------------------

    async def _dial_account(self, account: Account) -> None:
        """Dial with one account until told to stop, however often it must be opened for that."""
        pause_s = 1.0
        while not self._stopping.is_set():
            dialer = AccountDialer(
                self._store,
                account,
                self._lease,
                self._clock,
                self._random,
                self._rules,
                patience_s=float("inf"),
            )
            try:
                async with dialer.opened():
                    await dialer.enter()
                    self._dialers[account.name] = dialer
                    self.progress.counts.append(dialer.lane.counts)
                    make_way()
                    if self._stopping.is_set():
                        dialer.lane.stop()
                    await dialer.run()
                    return
            except (BadInput, NotReady) as error:
                log.warning("account.not_opened", account=account.name, error=str(error))
            with anyio.move_on_after(pause_s):
                await self._stopping.wait()
            pause_s = min(RETRY_S_MAX, 2 * pause_s)

    def _lanes(self) -> Iterable[Lane]:
        return [dialer.lane for dialer in self._dialers.values()]

    # -- the end ------------------------------------------------------------------------------------

    def _stop(self) -> None:
        self._stopping.set()
        for lane in self._lanes():
            lane.stop()

    def _cut_off(self) -> None:
        for lane in self._lanes():
            lane.cut_off()

    async def _leave(self) -> None:
        """Give back what is still ours; where the database is away, the lease's end does that."""
        try:
            await self._in_database(self._lease.leave)
        except NotReady as error:
            log.warning("worker.not_left", worker=self._lease.worker, error=str(error))

    async def _in_database(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)
