"""UnleashX, pretended: the lists of executions, transactions and history.

Filters are those of the provider's pages: LIKE on parts of a number, a window of one month where none
is asked for, ids that are not execution ids. Columns of transactions are not documented and are ours.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dialer.base.clock import as_datetime
from dialer.simulator.answers import json_answer
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.gate import Handler
from dialer.simulator.ledger import PlacedCall
from dialer.simulator.unleashx.calls import UnleashXSimulator, failure

EXECUTIONS_PATH = "/api/v1/global/agents/executions/list"
TRANSACTIONS_PATH = "/api/v1/global/transactions/calling-list-with-transaction"
HISTORY_PATH = "/api/v1/global/agents/call-history"

PROVIDER_NUMBER = "+918062810341"
PRICE_PER_MINUTE = 0.12

Parameters = Mapping[str, str]
Keep = Callable[[PlacedCall], bool]


class UnleashXLists:
    """The lists over one simulator's ledger."""

    def __init__(self, simulator: UnleashXSimulator) -> None:
        self._simulator = simulator
        self._config = simulator.config
        self._ledger = simulator.ledger

    def routes(self) -> dict[str, Handler]:
        """Return what answers at which path, to GET and to POST alike."""
        return {
            EXECUTIONS_PATH: self._guarded(self._executions),
            TRANSACTIONS_PATH: self._guarded(self._transactions),
            HISTORY_PATH: self._guarded(self._history),
        }

    def _guarded(self, read: Callable[[Parameters], Response]) -> Handler:
        async def answer(request: Request) -> Response:
            account = self._simulator.let_in(request, submission=False)
            if isinstance(account, Response):
                return account
            if self._simulator.faults.listing_fails():
                return failure(self._simulator.faults.error_status(), "Internal server error")
            try:
                return read(await parameters_of(request))
            except ValueError:
                return failure(422, "Validation error message")

        return answer

    def _executions(self, asked: Parameters) -> Response:
        calls = self._shown(asked, agents_of(asked), self._filters(asked))
        page, limit = self._page_of(asked)
        rows = [self._execution(call) for call in self._cut(calls, page, limit)]
        body: dict[str, Any] = {"datalist": rows}
        if self._config.pagination_block:
            body["pagination"] = pagination(len(calls), page, limit)
        return json_answer(body)

    def _transactions(self, asked: Parameters) -> Response:
        keeps: list[Keep] = []
        if search := asked.get("search"):
            keeps.append(lambda call: search in self._track_id(call) or search in call.number)
        if statuses := asked.get("call_status"):
            wanted = {word.strip().upper() for word in statuses.split(",")}
            keeps.append(lambda call: self._statuses(call)[1] in wanted)
        calls = self._shown(asked, agents_of(asked), keeps)
        page, limit = self._page_of(asked)
        rows = [self._transaction(call) for call in self._cut(calls, page, limit)]
        headers = [{"key": key, "label": key.replace("_", " ").title()} for key in (rows[0] if rows else ())]
        block = pagination(len(calls), page, limit)
        block |= {"has_next": page < block["totalPages"], "has_prev": page > 1}
        return json_answer({"headers": headers, "transactions": rows, "pagination": block})

    def _history(self, asked: Parameters) -> Response:
        calls = self._shown(asked, agents_of(asked), self._filters(asked))
        agents = sorted({call.agent_id for call in calls})
        page, limit = self._page_of(asked)
        rows = [self._agent_history(agent, calls) for agent in agents]
        return json_answer(
            {
                "datalist": rows[(page - 1) * limit : page * limit],
                "pagination": pagination(len(rows), page, limit),
                "total_calls": len(calls),
                "successful_calls": sum(call.outcome == "completed" for call in calls),
                "total_duration": minutes_text(sum(call.duration_s for call in calls)),
            }
        )

    # Which calls

    def _shown(self, asked: Parameters, agents: list[int] | None, keeps: Sequence[Keep]) -> list[PlacedCall]:
        """Return the calls of the window that have shown up by now and pass every filter, in order."""
        now_us = self._simulator.clock.now_us()
        visible_us = now_us - round(self._config.listing_delay_s * 1e6) + 1
        month_ago = as_datetime(now_us) - timedelta(days=31)
        from_us = microseconds(read_date(asked.get("fromdate")) or month_ago)
        until = read_date(asked.get("todate"))
        until_us = visible_us if until is None else min(visible_us, microseconds(until))
        ledger = self._ledger
        of_agents = (
            [ledger.calls] if agents is None else [ledger.by_agent.get(agent_id, []) for agent_id in agents]
        )
        calls = [
            call
            for one in of_agents
            for call in one[bisect_left(one, from_us, key=_placed) : bisect_left(one, until_us, key=_placed)]
            if not keeps or all(keep(call) for keep in keeps)
        ]
        if len(of_agents) > 1:
            calls.sort(key=_placed)
        return calls

    def _filters(self, asked: Parameters) -> list[Keep]:
        keeps: list[Keep] = []
        if part := asked.get("calling_number"):
            keeps.append(lambda call: part in call.number)
        if provider_number := asked.get("provider_number"):
            keeps.append(lambda _: provider_number == PROVIDER_NUMBER)
        if status := asked.get("status"):
            keeps.append(lambda call: status.upper() in [each.upper() for each in self._statuses(call)])
        if text := asked.get("input_data"):
            keeps.append(lambda call: self._config.metadata_searchable and text in metadata_text(call))
        if dispositions := asked.get("disposition"):
            wanted = {word.strip() for word in dispositions.split(",")}
            keeps.append(lambda call: call.disposition in wanted)
        if duration := asked.get("duration"):
            least, most = (int(part) for part in duration.split("-"))
            keeps.append(lambda call: least <= call.duration_s <= most)
        if "available" in (asked.get("transcript"), asked.get("audio_url")):
            keeps.append(lambda call: call.duration_s > 0 and self._has_ended(call))
        return keeps

    def _page_of(self, asked: Parameters) -> tuple[int, int]:
        limit = min(int(asked.get("limit", self._config.page_size_default)), self._config.page_size_max)
        page = int(asked.get("page", 1))
        if page < 1 or limit < 1:
            raise ValueError("pages count from 1")
        return page, limit

    def _cut(self, calls: list[PlacedCall], page: int, limit: int) -> list[PlacedCall]:
        first = (page - 1) * limit
        if not self._config.newest_first:
            return calls[first : first + limit]
        return calls[max(0, len(calls) - first - limit) : max(0, len(calls) - first)][::-1]

    # What a row says

    def _has_ended(self, call: PlacedCall) -> bool:
        return call.ended_at_us <= self._simulator.clock.now_us()

    def _statuses(self, call: PlacedCall) -> tuple[str, str]:
        if not self._has_ended(call):
            return "initiated", "INITIATED"
        return ("completed" if call.duration_s > 0 else "failed"), call.call_status

    def _track_id(self, call: PlacedCall) -> str:
        return call.execution_id if self._config.track_id_is_execution_id else f"trk-{call.id:08d}"

    def _execution(self, call: PlacedCall) -> dict[str, Any]:
        ended = self._has_ended(call)
        status, call_status = self._statuses(call)
        talked = ended and call.duration_s > 0
        row = {
            "ID": call.id,
            "AGENT_ID": call.agent_id,
            "agent_name": f"Agent {call.agent_id}",
            "CALLING_NUMBER": call.number,
            "PROVIDER_NUMBER": PROVIDER_NUMBER,
            "STATUS": status,
            "CALL_STATUS": call_status,
            "TOTAL_DURATION": call.duration_s if ended else 0,
            "total_duration": minutes_text(call.duration_s if ended else 0),
            "CREATED_AT": date_text(call.placed_at_us, self._config),
            "TRACK_ID": self._track_id(call),
            "TRANSCRIPT": "agent: Hello, do you have a minute?" if talked else None,
            "FILE_PATH": f"https://recordings.example/{call.id}.mp3" if talked else None,
            "DISPOSITION": call.disposition if ended else None,
        }
        if self._config.metadata_searchable:
            row["INPUT_DATA"] = metadata_text(call)
        return row

    def _transaction(self, call: PlacedCall) -> dict[str, Any]:
        ended = self._has_ended(call)
        return {
            "ID": 900_000 + call.id,
            "TRACK_ID": self._track_id(call),
            "AGENT_ID": call.agent_id,
            "CALLING_NUMBER": call.number,
            "CALL_STATUS": self._statuses(call)[1],
            "TOTAL_DURATION": call.duration_s if ended else 0,
            "TOTAL_COST": cost_of(call) if ended else 0.0,
            "CURRENCY": "USD",
            "CREATED_AT": date_text(call.placed_at_us, self._config),
        }

    def _agent_history(self, agent_id: int | str, calls: list[PlacedCall]) -> dict[str, Any]:
        own = [call for call in calls if call.agent_id == agent_id]
        good = sum(call.outcome == "completed" for call in own)
        return {
            "agent_id": agent_id,
            "agent_name": f"Agent {agent_id}",
            "total_calls": str(len(own)),
            "success_calls": str(good),
            "failed_calls": str(len(own) - good),
            "total_duration": minutes_text(sum(call.duration_s for call in own)),
            "call_from": date_text(own[0].placed_at_us, self._config),
            "call_to": date_text(own[-1].placed_at_us, self._config),
        }


async def parameters_of(request: Request) -> dict[str, str]:
    """Return the parameters of a request: its query, and the JSON body of a POST."""
    asked = dict(request.query_params)
    if request.method == "POST":
        body = orjson.loads(await request.body() or b"{}")
        if not isinstance(body, dict):
            raise ValueError("the body is no object")
        asked |= {key: str(value) for key, value in body.items()}
    return {key: value for key, value in asked.items() if value != ""}


def agents_of(asked: Parameters) -> list[int] | None:
    """Return the agents asked for; None means all."""
    text = asked.get("agent_id")
    return None if text is None else sorted({int(part) for part in text.split(",")})


def read_date(text: str | None) -> datetime | None:
    """Return a filter's date, read as UTC; a day alone means its midnight."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return a moment as UTC microseconds."""
    return round(moment.timestamp() * 1e6)


def date_text(at_us: int, config: SimulatorConfig) -> str:
    """Return a moment as the lists write it."""
    moment = as_datetime(at_us)
    if config.dates_with_zone:
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def metadata_text(call: PlacedCall) -> str:
    """Return a call's metadata as the column INPUT_DATA holds it."""
    return orjson.dumps(call.metadata).decode()


def minutes_text(seconds: int) -> str:
    """Return a duration as `1m 13s`."""
    return f"{seconds // 60}m {seconds % 60:02d}s"


def cost_of(call: PlacedCall) -> float:
    """Return the price: 30 s at least, then steps of 6 s; failed calls are free."""
    if call.duration_s == 0:
        return 0.0
    billed_s = 30 + max(0, math.ceil((call.duration_s - 30) / 6)) * 6
    return round(billed_s / 60 * PRICE_PER_MINUTE, 4)


def pagination(records: int, page: int, limit: int) -> dict[str, int]:
    """Return the block that tells how many pages there are."""
    return {
        "totalRecords": records,
        "totalPages": math.ceil(records / limit),
        "currentPage": page,
        "limit": limit,
    }


def _placed(call: PlacedCall) -> int:
    return call.placed_at_us
