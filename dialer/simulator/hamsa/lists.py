"""Hamsa, pretended: the list of conversations, one conversation, one job.

The window is in epoch milliseconds, both ends count; rows have no params, and no filter knows numbers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dialer.simulator.answers import json_answer
from dialer.simulator.gate import Handler
from dialer.simulator.hamsa.calls import HamsaSimulator, Wrong, failure
from dialer.simulator.hamsa.shapes import (
    OPEN_STATUSES,
    STATUS_OF_OUTCOME,
    conversation_of,
    job_of,
    row_of,
    status_of,
)
from dialer.simulator.ledger import PlacedCall

LIST_PATH = "/v1/voice-agents/conversations/minimal-list"
ONE_PATH = "/v1/voice-agents/conversation/{conversation_id}"
JOBS_PATH = "/v1/jobs"

STATUSES = frozenset({*OPEN_STATUSES, *STATUS_OF_OUTCOME.values(), "FORWARDED"})

PAGE_SIZE = 100
PAGE_SIZE_MAX = 200


class HamsaLists:
    """What can be read of the calls of one simulator."""

    def __init__(self, simulator: HamsaSimulator) -> None:
        self._simulator = simulator
        self._config = simulator.config

    def routes(self) -> dict[str, Handler]:
        """Return what answers a GET at which path."""
        return {LIST_PATH: self._list, ONE_PATH: self._one, JOBS_PATH: self._job}

    async def _list(self, request: Request) -> Response:
        account = self._simulator.let_in(request)
        if isinstance(account, Response):
            return account
        if self._simulator.faults.listing_fails():
            return failure(self._simulator.faults.error_status(), "Internal server error")
        try:
            return self._page(request, account)
        except Wrong as wrong:
            return failure(wrong.status, str(wrong))

    def _page(self, request: Request, account: int) -> Response:
        asked = request.query_params
        page, size = whole(asked.get("page", "1"), "page"), whole(asked.get("perPage", "100"), "perPage")
        if page < 1 or not 1 <= size <= PAGE_SIZE_MAX:
            raise Wrong(f"page must be at least 1, and perPage 1 to {PAGE_SIZE_MAX}")
        statuses = {word.upper() for word in asked.getlist("status")}
        if not statuses <= STATUSES:
            raise Wrong(f"status must be one of {', '.join(sorted(STATUSES))}")
        now_us = self._simulator.clock.now_us()
        everything = self._visible(asked.get("voiceAgentId"), asked.get("startTime"), asked.get("endTime"))
        calls = [
            call
            for call in everything
            if call.account == account and (not statuses or status_of(call, now_us, self._config) in statuses)
        ]
        first = (page - 1) * size
        if self._config.newest_first:
            rows = calls[max(0, len(calls) - first - size) : max(0, len(calls) - first)][::-1]
        else:
            rows = calls[first : first + size]
        total = sum(call.account == account for call in self._simulator.ledger.calls)
        shown = [row_of(call, now_us, self._config) for call in rows]
        return good({"total": total, "filtered": len(calls), "calls": shown})

    def _visible(self, agent: str | None, start: str | None, end: str | None) -> list[PlacedCall]:
        """Return the calls of the window that have shown up by now, in order."""
        from_ms = whole(start, "startTime") if start else 0
        until_ms = whole(end, "endTime") if end else 10**15
        if until_ms < from_ms:
            raise Wrong("endTime must be greater than or equal to startTime")
        ledger = self._simulator.ledger
        visible_us = self._simulator.clock.now_us() - round(self._config.listing_delay_s * 1e6)
        calls = ledger.calls if agent is None else ledger.by_agent.get(agent, [])
        # Rows show milliseconds, so the window is one of milliseconds.
        first = bisect_left(calls, from_ms * 1000, key=_placed)
        last = bisect_right(calls, min(visible_us, until_ms * 1000 + 999), key=_placed)
        return calls[first:last]

    async def _one(self, request: Request) -> Response:
        return self._of_call(request, request.path_params["conversation_id"], conversation_of)

    async def _job(self, request: Request) -> Response:
        return self._of_call(request, request.query_params.get("jobId", ""), job_of)

    def _of_call(self, request: Request, call_id: str, write: Any) -> Response:
        account = self._simulator.let_in(request)
        if isinstance(account, Response):
            return account
        if self._simulator.faults.listing_fails():
            return failure(self._simulator.faults.error_status(), "Internal server error")
        call = self._simulator.call_of(call_id, account)
        if call is None:
            return failure(404, "Conversation not found")
        return good(write(call, self._simulator.clock.now_us(), self._config))


def good(data: Any) -> Response:
    """Return a good answer in Hamsa's envelope."""
    return json_answer({"success": True, "message": "success", "data": data})


def whole(text: str, name: str) -> int:
    """Return a whole number from a query. Raises Wrong."""
    if not text.isdecimal() or len(text) > 15:
        raise Wrong(f"{name} must be a whole number")
    return int(text)


def _placed(call: PlacedCall) -> int:
    return call.placed_at_us
