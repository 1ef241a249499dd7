"""Collect outcomes by polling: read the provider's list of calls, and end the attempts that are over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from dialer.attempts import settle
from dialer.attempts.match import CLOCK_MARGIN_US, match
from dialer.attempts.settle import Pending
from dialer.base.settings import Account
from dialer.providers.provider import Provider
from dialer.store.database import Store

T = TypeVar("T")


@dataclass
class Collected:
    """What one reading of the list settled: accepted calls that ended, unknown ones that were found."""

    ended: int = 0
    found: int = 0


class Collector:
    """Reads the calls of one account from the provider's list, for the attempts that are still open."""

    def __init__(
        self, store: Store, provider: Provider, account: Account, database: anyio.CapacityLimiter
    ) -> None:
        self._store = store
        self._provider = provider
        self._account = account
        self._database = database

    async def round(self) -> Collected:
        """Read the list once; return what it settled.

        Raises:
            NotReady: the list could not be read to its end; what was read before is written.
        """
        await self._in_thread(
            partial(settle.expire, self._store, self._account.name, self._account.call_expires_s)
        )
        pending = await self._in_thread(partial(settle.open_attempts, self._store, self._account.name))
        done = Collected()
        for agent in sorted({one.agent for one in pending}):
            await self._read(agent, [one for one in pending if one.agent == agent], done)
        return done

    async def _read(self, agent: str, pending: list[Pending], done: Collected) -> None:
        since_us = min(one.opened_at_us for one in pending) - CLOCK_MARGIN_US
        async for page in self._provider.executions(agent, since_us):
            refs = [one.provider_ref for one in page]
            bound = await self._in_thread(partial(settle.bound_refs, self._store, self._account.name, refs))
            found, _ = match(pending, page, bound)
            lost = [one for one in found if one.pending.state == "unknown"]
            over = [one for one in found if one.pending.state != "unknown" and one.execution.outcome]
            done.found += await self._in_thread(partial(settle.bind, self._store, lost))
            done.ended += await self._in_thread(partial(settle.bind, self._store, over))

    async def _in_thread(self, work: partial[T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)
