"""Collect outcomes by polling: read the provider's list of calls, and end the attempts that are over."""

from __future__ import annotations

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


class Collector:
    """Reads the calls of one account from the provider's list, for the attempts that are still open."""

    def __init__(
        self, store: Store, provider: Provider, account: Account, database: anyio.CapacityLimiter
    ) -> None:
        self._store = store
        self._provider = provider
        self._account = account
        self._database = database

    async def round(self) -> tuple[int, int]:
        """Read the list once; return how many attempts it settled, and how many are still open.

        Raises:
            NotReady: the list could not be read to its end; what was read before is written.
        """
        await self._in_thread(
            partial(settle.expire, self._store, self._account.name, self._account.call_expires_s)
        )
        pending = await self._in_thread(partial(settle.open_attempts, self._store, self._account.name))
        settled = 0
        for agent in sorted({one.agent for one in pending}):
            of_agent = [one for one in pending if one.agent == agent]
            settled += await self._read(agent, of_agent)
        accepted = sum(one.state == "accepted" for one in pending)
        return settled, max(0, accepted - settled)

    async def _read(self, agent: str, pending: list[Pending]) -> int:
        since_us = min(one.opened_at_us for one in pending) - CLOCK_MARGIN_US
        settled = 0
        async for page in self._provider.executions(agent, since_us):
            refs = [one.provider_ref for one in page]
            bound = await self._in_thread(partial(settle.bound_refs, self._store, self._account.name, refs))
            found, _ = match(pending, page, bound)
            changed = [
                finding
                for finding in found
                if finding.execution.outcome is not None or finding.pending.state == "unknown"
            ]
            settled += await self._in_thread(partial(settle.bind, self._store, changed))
        return settled

    async def _in_thread(self, work: partial[T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._database)
