"""Hamsa, pretended: agents and phone numbers. A number belongs to one agent at a time.

`skip` is a page number from 1 in these lists. What happens when a number that one agent has is assigned
to another is not documented; here it is refused.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.requests import Request
from starlette.responses import Response

from dialer.simulator.gate import Handler
from dialer.simulator.hamsa.calls import HamsaSimulator, Wrong, check_agent, failure, object_of
from dialer.simulator.hamsa.lists import good, whole
from dialer.simulator.hamsa.shapes import date_text

NUMBER_FIELDS = ("phoneNumber", "label", "twilioAccountSid", "twilioAuthToken")
UNASSIGNED = "Voice agents were successfully unassigned from the phone number."

Routes = dict[tuple[str, str], Handler]


class HamsaNumbers:
    """The numbers and agents of the accounts of one simulator."""

    def __init__(self, simulator: HamsaSimulator) -> None:
        self._simulator = simulator
        self._numbers: dict[tuple[int, str], dict[str, Any]] = {}

    def routes(self) -> Routes:
        """Return what answers which method at which path."""
        base = "/v1/voice-agents"
        answers: dict[tuple[str, str], Any] = {
            ("POST", f"{base}/phone-number"): self._add,
            ("GET", f"{base}/phone-number/list"): self._list,
            ("GET", f"{base}/phone-number"): self._all,
            ("POST", f"{base}/assign-number"): self._assign,
            ("POST", f"{base}/unassign"): self._unassign,
            ("GET", "/v2/voice-agents"): self._agents,
            ("GET", base): self._agents,
            ("GET", base + "/{agent}"): self._agent,
        }
        return {route: self._guarded(answer) for route, answer in answers.items()}

    def _guarded(self, answer: Any) -> Handler:
        async def guarded(request: Request) -> Response:
            account = self._simulator.let_in(request)
            if isinstance(account, Response):
                return account
            try:
                body = object_of(await request.body()) if request.method == "POST" else {}
                result: Response = answer(request, account, body)
                return result
            except Wrong as wrong:
                return failure(wrong.status, str(wrong))

        return guarded

    def _add(self, _: Request, account: int, body: dict[str, Any]) -> Response:
        if body.get("type") != "TWILIO":
            raise Wrong("type must be TWILIO")
        for field in NUMBER_FIELDS:
            if not isinstance(body.get(field), str) or not body[field]:
                raise Wrong(f"{field} must be longer than or equal to 1 characters")
        number = body["phoneNumber"]
        if re.fullmatch(r"\+[1-9][0-9]{6,14}", number) is None:
            raise Wrong("phoneNumber must be a valid phone number")
        if (account, number) in self._numbers:
            raise Wrong("Phone number already exists", 409)
        now = date_text(self._simulator.clock.now_us())
        self._numbers[account, number] = {
            "id": str(uuid5(NAMESPACE_URL, f"{account}:{number}")),
            "number": number,
            "label": body["label"],
            "type": "TWILIO",
            "userId": str(uuid5(NAMESPACE_URL, f"user:{account}")),
            "sipInboundConfigs": {"originationUri": "sip:sip.eu.tryhamsa.com:5060;transport=tcp"},
            "sipOutboundConfigs": {"address": "sip.example.com", "transportType": "TCP", "customHeaders": {}},
            "voiceAgentId": None,
            "voiceAgent": None,
            "createdAt": now,
            "updatedAt": now,
        }
        return good(self._numbers[account, number])

    def _list(self, request: Request, account: int, _: dict[str, Any]) -> Response:
        asked = request.query_params
        numbers = [
            number
            for number in self._of(account)
            if asked.get("voiceAgentId", number["voiceAgentId"]) == number["voiceAgentId"]
            and asked.get("provider", number["type"]) == number["type"]
        ]
        return good(_cut(numbers, request))

    def _all(self, _: Request, account: int, __: dict[str, Any]) -> Response:
        return good(self._of(account))

    def _assign(self, _: Request, account: int, body: dict[str, Any]) -> Response:
        agent = str(body.get("voiceAgentId"))
        check_agent(agent, self._simulator.agent_ids())
        number = self._own(account, body)
        if number["voiceAgentId"] not in (None, agent):
            raise Wrong("Phone number is already assigned to another voice agent", 409)
        number["voiceAgentId"] = agent
        number["voiceAgent"] = {"id": agent, "name": _name(agent)}
        return good(number)

    def _unassign(self, _: Request, account: int, body: dict[str, Any]) -> Response:
        number = self._own(account, body)
        number["voiceAgentId"] = number["voiceAgent"] = None
        return good(UNASSIGNED)

    def _agents(self, request: Request, account: int, _: dict[str, Any]) -> Response:
        agents = [self._shown(agent, account) for agent in self._simulator.agents_listed()]
        return good({"total": len(agents), "filtered": len(agents), "voiceAgents": _cut(agents, request)})

    def _agent(self, request: Request, account: int, _: dict[str, Any]) -> Response:
        agent = request.path_params["agent"]
        check_agent(agent, self._simulator.agents_listed())
        return good(self._shown(agent, account))

    def _shown(self, agent: str, account: int) -> dict[str, Any]:
        own = [number for number in self._of(account) if number["voiceAgentId"] == agent]
        number = {key: own[0][key] for key in ("type", "id", "number")} if own else None
        return {
            "id": agent,
            "type": "Single Prompt",
            "name": _name(agent),
            "conversation": {"greetingMessage": "Hello {{first_name}}", "preamble": "", "params": {}},
            "callSettings": {"maxCallDuration": 300, "userInactivityTimeout": 15},
            "phoneNumber": number,
            "webhookUrl": None,
            "webhookAuth": {"authKey": "Token", "authSecret": "agent-webhook-secret"},
        }

    def _of(self, account: int) -> list[dict[str, Any]]:
        return [number for (owner, _), number in self._numbers.items() if owner == account]

    def _own(self, account: int, body: dict[str, Any]) -> dict[str, Any]:
        number = self._numbers.get((account, str(body.get("phoneNumber"))))
        if number is None:
            raise Wrong("Phone number not found", 404)
        return number


def _cut(rows: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    page = whole(request.query_params.get("skip", "1"), "skip")
    size = whole(request.query_params.get("take", "10"), "take")
    if page < 1 or size < 1:
        raise Wrong("skip and take must be at least 1")
    return rows[(page - 1) * size : page * size]


def _name(agent: str) -> str:
    return f"Agent {agent[-4:]}"
