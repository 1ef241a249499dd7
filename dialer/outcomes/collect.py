"""Collect outcomes: apply the events that came, and ask the provider about what they missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from dialer.attempts import settle, unsettled
from dialer.attempts.match import CLOCK_MARGIN_US, match
from dialer.attempts.unsettled import Finding, Pending
from dialer.base.errors import NotReady
from dialer.base.settings import Account
from dialer.outcomes.asking import Schedule, cheapest
from dialer.outcomes.costs import bill, match_costs
from dialer.outcomes.events import Hints, apply_events, hints_wait, take_hints
from dialer.providers.abilities import TellsCosts, TellsOfOne
from dialer.providers.provider import Execution, Provider
from dialer.store.database import Store

T = TypeVar("T")

APPLY_EVERY_S = 1.0
"""How often to look for events that came."""
SINGLY_MAX = 50
"""Calls asked about one by one in a round, at most; the others stay due."""
COSTS_FIRST_S = 30.0
"""How long after a call has ended its cost is asked for; without success, again after twice as long."""
COSTS_FOR_S = 24 * 3600.0


@dataclass
class Collected:
    """What a round settled: accepted calls that ended, unknown ones that were found, costs that came."""

    ended: int = 0
    found: int = 0
    costs: int = 0


class Collector:
    """Learns what came of one account's open attempts."""

    def __init__(
        self, store: Store, provider: Provider, account: Account, database: anyio.CapacityLimiter
    ) -> None:
        self._store = store
        self._provider = provider
        self._account = account
        self._database = database
        self._schedule = Schedule(account)
        self.hinted = False
        self._is_first = True
        self._look_at_us = 0
        self._requests = 0
        self._costs_pause_s = COSTS_FIRST_S
        self._costs_at_us = 0

    async def apply(self) -> Collected:
        """Apply the events that came; afterwards `hinted` says whether one without proof asks for a round.

        Raises:
            NotReady: the database cannot be used now.
        """
        name = self._account.name
        applied = await self._in_thread(
            partial(apply_events, self._store, name, self._account.call_expires_s)
        )
        self.hinted = await self._in_thread(partial(hints_wait, self._store, name))
        return Collected(ended=applied.settled)

    async def round(self) -> Collected:
        """Apply events, and ask about the calls that are due (the first time: all); return what it settled.

        Between two moments at which something may be due it costs a look at the events.

        Raises:
            NotReady: the provider could not be asked; what was learned before is written.
        """
        done = await self.apply()
        hints = await self._in_thread(partial(take_hints, self._store, self._account.name))
        now_us = await self._in_thread(partial(self._now_us))
        everything, self._is_first = self._is_first, False
        if everything or hints is not None or now_us >= self._look_at_us:
            self._look_at_us = now_us + round(self._account.poll_s * 1e6)
            await self._ask_what_is_due(now_us, hints, done, everything=everything)
            await self._read_costs(now_us, done, at_once=everything)
        return done

    async def finish(self) -> Collected:
        """Read what calls cost once more, for calls that ended last; return what came.

        Raises:
            NotReady: the provider could not be asked.
        """
        done = Collected()
        await self._read_costs(await self._in_thread(partial(self._now_us)), done, at_once=True)
        return done

    # -- outcomes -----------------------------------------------------------------------------------

    async def _ask_what_is_due(
        self, now_us: int, hints: Hints | None, done: Collected, *, everything: bool
    ) -> None:
        account = self._account
        await self._in_thread(partial(settle.expire, self._store, account.name, account.call_expires_s))
        pending = await self._in_thread(partial(unsettled.open_attempts, self._store, account.name))
        self._schedule.know(pending)
        if hints is not None:
            self._schedule.hurry(_named(hints, pending), now_us)
        due = list(pending) if everything else self._schedule.due(pending, now_us)
        self._requests = 0
        asked: list[Pending] = []
        try:
            for agent in sorted({one.agent for one in due}):
                of_agent = [one for one in due if one.agent == agent]
                asked += await self._ask(agent, of_agent, pending, done)
        except NotReady:
            asked = due
            raise
        finally:
            self._schedule.asked(asked, now_us, self._requests)

    async def _ask(
        self, agent: str, due: list[Pending], pending: Sequence[Pending], done: Collected
    ) -> list[Pending]:
        """Ask about an agent's calls in the cheapest way; return those that were asked about."""
        calls_since = partial(unsettled.calls_since, self._store, self._account.name, agent)
        single_cost = 1.0 if isinstance(self._provider, TellsOfOne) else 2.0
        plan = await self._in_thread(partial(cheapest, due, calls_since, single_cost))
        if plan.listed:
            since_us = plan.listed[0].opened_at_us - CLOCK_MARGIN_US
            await self._read_list(agent, since_us, [one for one in pending if one.agent == agent], done)
        singly = plan.singly[:SINGLY_MAX]
        for one in singly:
            await self._ask_one(one, done)
        return [*singly, *plan.listed]

    async def _read_list(
        self, agent: str, since_us: int, pending: Sequence[Pending], done: Collected
    ) -> None:
        async for page in self._provider.executions(agent, since_us):
            self._requests += 1
            bound = await self._in_thread(
                partial(unsettled.bound_refs, self._store, self._account.name, page)
            )
            found, _ = match(pending, page, bound)
            await self._settle(found, done)

    async def _ask_one(self, attempt: Pending, done: Collected) -> None:
        """Ask about one call: by its id where the provider takes one, else by number and time."""
        self._requests += 1
        if isinstance(self._provider, TellsOfOne) and attempt.execution_id:
            record = await self._provider.execution(attempt.execution_id)
            found = [Finding(attempt, record)] if record is not None else []
        else:
            records: list[Execution] = await self._provider.look_up(attempt.as_open_attempt())
            bound = await self._in_thread(
                partial(unsettled.bound_refs, self._store, self._account.name, records)
            )
            found, _ = match([attempt], records, bound)
        await self._settle(found, done)

    async def _settle(self, found: Sequence[Finding], done: Collected) -> None:
        lost = [one for one in found if one.pending.state == "unknown"]
        over = [one for one in found if one.pending.state != "unknown" and one.execution.outcome]
        done.found += await self._in_thread(partial(settle.bind, self._store, lost))
        done.ended += await self._in_thread(partial(settle.bind, self._store, over))

    # -- costs --------------------------------------------------------------------------------------

    async def _read_costs(self, now_us: int, done: Collected, *, at_once: bool) -> None:
        """Read what calls cost, where that is told apart; a pause that grows lies between two readings."""
        provider = self._provider
        if not isinstance(provider, TellsCosts) or not (at_once or done.ended or now_us >= self._costs_at_us):
            return
        if done.ended and not at_once:  # their bills are not written yet
            self._costs_pause_s = COSTS_FIRST_S
            self._costs_at_us = max(self._costs_at_us, now_us + round(COSTS_FIRST_S * 1e6))
            return
        since_us = now_us - round(COSTS_FOR_S * 1e6)
        pending = await self._in_thread(
            partial(unsettled.ended_without_cost, self._store, self._account.name, since_us)
        )
        if pending:
            first_us = min(one.opened_at_us for one in pending) - CLOCK_MARGIN_US
            async for page in provider.costs(first_us):
                found = [bill(one) for one in match_costs(pending, page)]
                done.costs += await self._in_thread(partial(settle.enrich, self._store, found))
            self._costs_pause_s = COSTS_FIRST_S if done.costs else 2 * self._costs_pause_s
        self._costs_at_us = now_us + round(min(self._costs_pause_s, 3600.0) * 1e6)

    def _now_us(self) -> int:
        with self._store.read() as connection:
            return self._store.now_us(connection)

    async def _in_thread(self, work: partial[T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)


def _named(hints: Hints, pending: Sequence[Pending]) -> list[str] | None:
    """Return the attempts that the hints name; None for all of them."""
    if hints.everything:
        return None
    return [
        one.attempt_id
        for one in pending
        if one.attempt_id in hints.attempt_ids or one.execution_id in hints.execution_ids
    ]
