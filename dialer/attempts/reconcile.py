"""Reconcile unknown attempts: ask the provider, with growing pauses, until the answer is certain.

A hit binds the provider's record. A miss frees the call only after `listing_delay_s`, and only where the
provider's list proves absence or the campaign says `on_unknown = "redial"`; otherwise the contact is held
for a person. A provider that could not be asked proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog

from dialer.attempts import settle, unsettled
from dialer.attempts.match import match
from dialer.attempts.unsettled import Pending
from dialer.base.errors import NotReady
from dialer.base.settings import Account
from dialer.providers.provider import Execution, Provider
from dialer.store.database import Store

log = structlog.get_logger()

T = TypeVar("T")

STEPS = (0.02, 0.1, 0.3, 0.6, 1.0)
"""When an attempt is looked up after it became unknown, as shares of the account's `listing_delay_s`."""


@dataclass
class Reconciled:
    """What one round of look-ups brought; `freed_of` counts what was freed by campaign."""

    looked_up: int = 0
    bound: int = 0
    freed: int = 0
    held: int = 0
    freed_of: Counter[int] = field(default_factory=Counter)

    @property
    def later(self) -> int:
        """How many are looked up once more, or were settled by somebody else meanwhile."""
        return self.looked_up - self.bound - self.freed - self.held


class Reconciler:
    """Looks up the unknown attempts of one account, whichever campaign they belong to.

    `redialing()` gives the campaigns that want calls which are not found dialled again; it is asked anew
    in each round, in the database's thread.
    """

    def __init__(
        self,
        store: Store,
        provider: Provider,
        account: Account,
        redialing: Callable[[], set[int]],
        database: anyio.CapacityLimiter,
    ) -> None:
        self._store = store
        self._provider = provider
        self._account = account
        self._redialing = redialing
        self._redial: set[int] = set()
        self._database = database

    async def round(self, done: Reconciled | None = None, *, everything: bool = False) -> Reconciled:
        """Look up what is due (`everything`: also what is not, and what is held); return what came of it.

        It is added to `done`, one by one, so that a round which is cut off is counted as far as it came.
        """
        now_us = await self._in_database(self._now_us)
        self._redial = await self._in_database(self._redialing)
        done = Reconciled() if done is None else done
        if everything:
            pending = [one for one in await self._open() if one.state == "unknown"]
        else:
            pending = await self._in_database(
                partial(unsettled.unknown_due, self._store, self._account.name, now_us)
            )
        for attempt in pending:
            await self._look_up(attempt, now_us, done)
        return done

    async def _look_up(self, attempt: Pending, now_us: int, done: Reconciled) -> None:
        done.looked_up += 1
        age_s = (now_us - attempt.unknown_since_us) / 1e6
        try:
            executions: list[Execution] | None = await self._provider.look_up(attempt.as_open_attempt())
        except NotReady as error:
            log.warning("lookup.failed", attempt_id=attempt.attempt_id, error=str(error))
            executions = None
        if executions:
            bound = await self._in_database(
                partial(unsettled.bound_refs, self._store, self._account.name, executions)
            )
            found, _ = match([attempt], executions, bound)
            if found:
                if await self._in_database(partial(settle.bind, self._store, found)):
                    done.bound += 1
                else:  # settled by somebody else meanwhile, which holding leaves alone, or not bindable
                    await self._hold(attempt, "its call at the provider belongs to another attempt", done)
                return
            if any(one.provider_ref not in bound for one in executions):
                # Not certainly ours, but not certainly another's either: never a reason to call again.
                await self._hold(attempt, "a call at the provider may be this one", done)
                return
        await self._missed(attempt, now_us, age_s, asked=executions is not None, done=done)

    async def _missed(
        self, attempt: Pending, now_us: int, age_s: float, *, asked: bool, done: Reconciled
    ) -> None:
        delay_s = self._account.listing_delay_s
        later = [share * delay_s for share in STEPS if share * delay_s > age_s]
        if later:
            await self._again(attempt, now_us, max(later[0] - age_s, 0.25))
            return
        if not asked:
            if attempt.lookups >= 2 * len(STEPS):
                await self._hold(attempt, "the provider could not be asked about this call", done)
            else:
                await self._again(attempt, now_us, min(600.0, 5.0 * 2**attempt.lookups))
            return
        if self._provider.absence_is_proof or attempt.campaign_id in self._redial:
            why = f"not in the provider's list {round(age_s)} s after it left"
            freed = await self._in_database(partial(settle.free, self._store, [attempt.attempt_id], why))
            done.freed += freed
            done.freed_of[attempt.campaign_id] += freed
        else:
            await self._hold(attempt, "not in the provider's list, which proves nothing", done)

    async def _again(self, attempt: Pending, now_us: int, wait_s: float) -> None:
        lookups = [(attempt.attempt_id, now_us + round(wait_s * 1e6))]
        await self._in_database(partial(settle.postpone, self._store, lookups))

    async def _hold(self, attempt: Pending, why: str, done: Reconciled) -> None:
        reason = f"held: {why}"
        done.held += await self._in_database(
            partial(settle.hold, self._store, [(attempt.attempt_id, reason)])
        )

    async def _open(self) -> list[Pending]:
        return await self._in_database(partial(unsettled.open_attempts, self._store, self._account.name))

    def _now_us(self) -> int:
        with self._store.read() as connection:
            return self._store.now_us(connection)

    async def _in_database(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)
