"""Hamsa's file of calls, read: the list of conversations, one conversation, the job that knows a cost.

The list has neither recording nor cost. A call that is over is therefore asked about once more, within
bounds, so that a restart does not ask about a whole day anew.

Source: docs.tryhamsa.com, the pages minimal-list, conversation and jobs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import anyio

from dialer.base.errors import NotReady
from dialer.providers.hamsa.api import HamsaApi
from dialer.providers.hamsa.options import HamsaOptions
from dialer.providers.hamsa.records import read_cost, read_execution
from dialer.providers.provider import Execution
from dialer.providers.wire import NotKnown

CONVERSATIONS_PATH = "/v1/voice-agents/conversations/minimal-list"
CONVERSATION_PATH = "/v1/voice-agents/conversation/"
JOBS_PATH = "/v1/jobs"

COSTS_A_READING = 1000
"""Calls whose cost is asked for before other work has its turn."""
DETAILS_A_READING = 1000
"""Calls that are read whole in one reading of the list, at most."""
ROWS_TOGETHER = 40
"""Calls that are asked about before they are passed on, 8 at a time."""

CLOCK_AHEAD_MS = 600_000
"""The end of a window is so much later than now: their clock may be ahead."""


class HamsaCalls:
    """Reads one account's calls; remembers what asking about each of them brought.

    A call may be seen before its attempt is known to be accepted, so what was learned is told again with
    every reading.
    """

    def __init__(self, api: HamsaApi, options: HamsaOptions) -> None:
        self._api = api
        self._options = options
        self._recordings: dict[str, str | None] = {}
        self._costs: dict[str, float | None] = {}

    async def conversations(self, agent: str | None, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the list's pages since a moment, of one agent or of all. Raises NotReady.

        The window is in milliseconds, and both of its ends count.
        """
        options = self._options
        oldest_ms = since_us // 1000 - round(options.clock_margin_s * 1000)
        window = {
            **({} if agent is None else {"voiceAgentId": agent}),
            "startTime": oldest_ms,
            "endTime": max(self._api.clock.now_us(), since_us) // 1000 + CLOCK_AHEAD_MS,
        }
        paging = ("page", "perPage", options.page_size, options.pages_max)
        async for rows in self._api.pages(CONVERSATIONS_PATH, window, "calls", paging):
            read = [read_execution(row, options.terminated) for row in rows]
            # A server that overlooks the window would show calls of long ago: they are not ours.
            oldest_us = oldest_ms * 1000
            yield [each for each in read if each and (each.created_at_us or oldest_us) >= oldest_us]

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the same, with recordings: a call that is over is read whole, once. Raises NotReady."""
        left = DETAILS_A_READING if self._options.details else 0
        async for page in self.conversations(agent, since_us):
            wanted = [each for each in page if each.outcome and each.provider_ref not in self._recordings]
            wanted, left = wanted[:left], max(0, left - len(wanted))
            for some in batched(wanted):
                yield await together(self.whole, some)
            taken = {each.provider_ref for each in wanted}
            known = self._recordings
            yield [
                replace(each, recording_url=known.get(each.provider_ref))
                for each in page
                if each.provider_ref not in taken
            ]

    async def one(self, call_id: str) -> Execution | None:
        """Return what the page of one conversation says; None where there is none. Raises NotReady."""
        if re.fullmatch(r"[\w-]{1,200}", call_id) is None:
            return None
        try:
            answer = await self._api.get(CONVERSATION_PATH + call_id)
        except NotKnown:
            return None
        data = answer.get("data") if isinstance(answer, dict) else None
        return read_execution(data, self._options.terminated) if isinstance(data, dict) else None

    async def costs(self, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield calls that are over with their cost, asked for once; nothing where none can be had."""
        if not self._options.job_id_key:
            return
        left = COSTS_A_READING
        async for page in self.conversations(None, since_us):
            over = [each for each in page if each.outcome]
            yield [
                replace(each, cost=self._costs[each.provider_ref])
                for each in over
                if self._costs.get(each.provider_ref) is not None
            ]
            wanted = [each for each in over if each.provider_ref not in self._costs]
            wanted, left = wanted[:left], max(0, left - len(wanted))
            for some in batched(wanted):
                bills = [each for each in await together(self._with_cost, some) if each.cost is not None]
                if not bills:
                    return
                yield bills
            if left == 0:
                return

    async def whole(self, row: Execution) -> Execution:
        """Return the call as its own page has it; as the list had it where the page cannot be had."""
        if not self._options.details:
            return row
        self._recordings[row.provider_ref] = None
        try:
            found = await self.one(row.provider_ref)
        except NotReady:
            return row
        if found is None or found.outcome is None:
            return row
        self._recordings[row.provider_ref] = found.recording_url
        return replace(found, phone=found.phone or row.phone, duration_s=found.duration_s or row.duration_s)

    async def _with_cost(self, call: Execution) -> Execution:
        """Return the call with its cost; a call with talk that costs nothing is not billed yet."""
        try:
            answer = await self._api.get(JOBS_PATH, {self._options.job_id_key: call.provider_ref})
        except NotKnown:
            self._costs[call.provider_ref] = None
            return call
        except NotReady:
            return call
        cost = read_cost(answer)
        if cost == 0.0 and call.duration_s:
            return call
        self._costs[call.provider_ref] = cost
        return replace(call, cost=cost)


def batched(rows: Sequence[Execution]) -> list[Sequence[Execution]]:
    """Return the rows in groups that are asked about together."""
    return [rows[first : first + ROWS_TOGETHER] for first in range(0, len(rows), ROWS_TOGETHER)]


async def together(
    ask_about: Callable[[Execution], Awaitable[Execution]], rows: Sequence[Execution]
) -> list[Execution]:
    """Return what is learned about each row, in any order; eight are asked about at a time."""
    found: list[Execution] = []
    limiter = anyio.CapacityLimiter(8)  # the client has so many connections beside those of submissions

    async def ask_one(row: Execution) -> None:
        async with limiter:
            found.append(await ask_about(row))

    async with anyio.create_task_group() as tasks:
        for row in rows:
            tasks.start_soon(ask_one, row)
    return found
