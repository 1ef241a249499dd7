"""AgentPhone, pretended: agents, numbers, attaching and releasing them, messages, usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request

from dialer.base.clock import as_datetime
from dialer.simulator.agentphone.accounts import NUMBERS_MAX, AgentPhoneAccount
from dialer.simulator.agentphone.calls import cut, whole
from dialer.simulator.agentphone.errors import Problem, invalid, missing, not_found
from dialer.simulator.agentphone.model import AgentPhoneSimulator

MESSAGES_DEFAULT = 50
MESSAGES_MAX = 200

VOICES = [{"id": "Polly.Amy", "name": "Amy"}, {"id": "Polly.Matthew", "name": "Matthew"}]


class AgentPhoneAgents:
    """Agents and numbers of every account."""

    def __init__(self, simulator: AgentPhoneSimulator) -> None:
        self._simulator = simulator

    # Agents

    async def list_agents(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/agents`."""
        rows, more = cut(request, [self._shown(account, each) for each in account.agents.values()])
        return {"data": rows, "hasMore": more, "total": len(account.agents)}

    async def create_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`POST /v1/agents`."""
        return self._shown(account, account.create_agent(await object_of(request)))

    async def get_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/agents/{id}`."""
        return self._shown(account, account.agent(request.path_params["agent_id"]))

    async def update_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`PATCH /v1/agents/{id}`."""
        agent = account.agent(request.path_params["agent_id"])
        agent.update({key: value for key, value in (await object_of(request)).items() if key != "id"})
        return self._shown(account, agent)

    async def delete_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`DELETE /v1/agents/{id}`: its numbers stay, attached to nobody."""
        agent = account.agent(request.path_params["agent_id"])
        for number in account.numbers_of(agent["id"]):
            number["agentId"] = None
        del account.agents[agent["id"]]
        return {"success": True, "id": agent["id"], "name": agent["name"]}

    async def voices(self, _: Request, __: AgentPhoneAccount) -> Any:
        """`GET /v1/agents/voices`."""
        return {"data": VOICES}

    async def attach(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`POST /v1/agents/{id}/numbers`."""
        agent = account.agent(request.path_params["agent_id"])
        wanted = await object_of(request)
        if "numberId" not in wanted:
            raise missing("numberId")
        number = account.number(wanted["numberId"])
        if number["status"] == "released":
            raise not_found("Phone number not found", "PHONE_NUMBER_NOT_FOUND")
        if number["agentId"] not in (None, agent["id"]):
            raise invalid("numberId", f"Phone number is already attached to agent {number['agentId']}")
        number["agentId"] = agent["id"]
        return {"agentId": agent["id"], "number": of_agent(number)}

    async def detach(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`DELETE /v1/agents/{id}/numbers/{numberId}`."""
        agent = account.agent(request.path_params["agent_id"])
        number = account.number(request.path_params["number_id"])
        if number["agentId"] != agent["id"]:
            raise not_found("Phone number not attached to this agent", "PHONE_NUMBER_NOT_FOUND")
        number["agentId"] = None
        return {"success": True}

    # Numbers

    async def list_numbers(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/numbers`: released ones are left out."""
        live = account.live_numbers()
        rows, more = cut(request, live)
        return {"data": rows, "hasMore": more, "total": len(live)}

    async def create_number(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`POST /v1/numbers`."""
        wanted = await object_of(request)
        country, agent_id = wanted.get("country", "US"), wanted.get("agentId")
        if not isinstance(country, str) or len(country) != 2:
            raise invalid("country", "expected two letters", 422)
        area_code = wanted.get("areaCode")
        number = account.create_number(country.upper(), agent_id, str(area_code) if area_code else None)
        number |= {key: wanted[key] for key in ("externalId", "expiresAt") if wanted.get(key)}
        return number

    async def get_number(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/numbers/{id}`: whatever its status."""
        return account.number(request.path_params["number_id"])

    async def update_number(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`PATCH /v1/numbers/{id}`."""
        number = account.number(request.path_params["number_id"])
        wanted = await object_of(request)
        number.update({key: wanted[key] for key in ("externalId", "expiresAt") if key in wanted})
        return number

    async def release_number(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`DELETE /v1/numbers/{id}`: for ever; the record and its messages stay."""
        number = account.number(request.path_params["number_id"])
        if number["status"] == "released":
            raise not_found("Phone number not found", "PHONE_NUMBER_NOT_FOUND")
        number.update(status="released", agentId=None)
        return {"success": True, "phoneNumber": number["phoneNumber"], "status": "released"}

    async def messages(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/numbers/{id}/messages`: newest first, between two moments."""
        number = account.number(request.path_params["number_id"])
        rows = account.messages[number["id"]]
        before, after = (moment_of(request, name) for name in ("before", "after"))
        if before is not None:
            rows = [row for row in rows if datetime.fromisoformat(row["receivedAt"]) < before]
        if after is not None:
            rows = [row for row in rows if datetime.fromisoformat(row["receivedAt"]) > after]
        limit = min(whole(request, "limit", MESSAGES_DEFAULT), MESSAGES_MAX)
        return {"data": rows[:limit], "hasMore": len(rows) > limit}

    # Usage

    async def usage(self, _: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/usage`."""
        now_us = self._simulator.clock.now_us()
        config = self._simulator.config
        counts = self._counts(account, now_us)
        live = len(account.live_numbers())
        usage: dict[str, Any] = {
            "numbers": {"used": live, "limit": NUMBERS_MAX, "remaining": NUMBERS_MAX - live},
            "stats": counts,
            "periodStart": as_datetime(now_us).strftime("%Y-%m-01T00:00:00Z"),
            "periodEnd": account.now_text(),
        }
        if config.plan_in_usage:
            limits = {
                "numbers": NUMBERS_MAX,
                "messagesPerMonth": 1000,
                "voiceMinutesPerMonth": 1000,
                "maxCallDurationMinutes": 30,
                "concurrentCalls": config.calls_live_max or 10,
            }
            usage["plan"] = {"name": "pretended", "limits": limits}
        return usage

    async def usage_daily(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/usage/daily`."""
        days = whole(request, "days", 30)
        today = as_datetime(self._simulator.clock.now_us()).date()
        placed = [as_datetime(call.placed_at_us).date() for call in account.calls]
        points = [today - timedelta(days=back) for back in range(days)]
        data = [
            {"date": day.isoformat(), "messages": 0, "calls": placed.count(day), "webhooks": 0}
            for day in points
        ]
        return {"data": data, "days": days}

    def _counts(self, account: AgentPhoneAccount, now_us: int) -> dict[str, int]:
        counts = {"totalCalls": len(account.calls)}
        for name, days in (("24h", 1), ("7d", 7), ("30d", 30)):
            since_us = now_us - days * 86_400_000_000
            counts[f"callsLast{name}"] = sum(call.placed_at_us >= since_us for call in account.calls)
        messages = sum(map(len, account.messages.values()))
        counts |= dict.fromkeys(
            ("totalMessages", "messagesLast24h", "messagesLast7d", "messagesLast30d"), messages
        )
        own = [each for each in self._simulator.webhooks.deliveries if each.account == account.index]
        counts["totalWebhookDeliveries"] = len(own)
        counts["successfulWebhookDeliveries"] = sum(each.status == "success" for each in own)
        counts["failedWebhookDeliveries"] = sum(each.status == "failed" for each in own)
        return counts

    def _shown(self, account: AgentPhoneAccount, agent: dict[str, Any]) -> dict[str, Any]:
        return agent | {"numbers": [of_agent(number) for number in account.numbers_of(agent["id"])]}


def of_agent(number: dict[str, Any]) -> dict[str, Any]:
    """Return a number as agents show it."""
    return {key: number[key] for key in ("id", "phoneNumber", "status", "type")}


def moment_of(request: Request, name: str) -> datetime | None:
    """Return an ISO moment of the query. Raises Problem."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, "invalid datetime format", 422) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def object_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of a body; none sent is an empty one. Raises Problem."""
    body = await request.body()
    try:
        found = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise Problem(400, "Invalid JSON", "VALIDATION_ERROR", "validation_error") from None
    if not isinstance(found, dict):
        raise invalid("", "value is not a valid dict", 422)
    return found
