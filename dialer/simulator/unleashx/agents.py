"""UnleashX, pretended: agents, and the numbers attached to them.

Attaching exists twice, as on the provider's page: the public path (whole-number agent ids, no telephony
provider) and the older one (text ids, provider required). Both speak of the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dialer.base.clock import as_datetime
from dialer.simulator.answers import json_answer
from dialer.simulator.gate import Handler
from dialer.simulator.unleashx.calls import UnleashXSimulator, failure
from dialer.simulator.unleashx.lists import parameters_of

AGENTS_PATH = "/api/v1/global/agents/get"
CREATE_PATH = "/api/v1/global/create-agent"
ATTACH_PATH = "/api/v1/global/attach-phone-numbers"
ATTACH_OLD_PATH = "/api/agent/attach-phone-number"

PROVIDERS = ("san", "ozonetell", "twilio", "exotel", "telnyx", "vonage", "plivo", "bandwidth")
NAMED_IN_REFUSAL = PROVIDERS[:6]
UNCONFIGURED = "bandwidth"
"""The telephony provider that this pretended account has not set up."""

OUTBOUND = 1


class UnleashXAgents:
    """Agents and their numbers; without a list of agents in the config, any id is one."""

    def __init__(self, simulator: UnleashXSimulator) -> None:
        self._simulator = simulator
        self._names = {agent_id: f"Agent {agent_id}" for agent_id in simulator.config.agents or ()}
        self._agent_of: dict[str, str] = {}

    def routes(self) -> dict[str, Handler]:
        """Return what answers at which path."""
        return {
            AGENTS_PATH: self._guarded(self._get),
            CREATE_PATH: self._guarded(self._create),
            ATTACH_PATH: self._guarded(self._attach),
            ATTACH_OLD_PATH: self._guarded(self._attach_old),
        }

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Handler:
        async def guard(request: Request) -> Response:
            account = self._simulator.let_in(request, submission=False)
            if isinstance(account, Response):
                return account
            try:
                return await answer(request)
            except (ValueError, TypeError):
                return failure(422, "Validation error message")

        return guard

    async def _get(self, request: Request) -> Response:
        """One agent as an object, several as a list; wrapped twice."""
        asked = await parameters_of(request)
        if "agent_id" in asked:
            if not self._exists(int(asked["agent_id"])):
                return failure(404, "Agent not found")
            found: Any = self._agent(int(asked["agent_id"]))
        else:
            found = [self._agent(agent_id) for agent_id in sorted(self._names)]
        message = "Voice agent retrieved successfully"
        return self._old_envelope(200, message, {"success": True, "message": message, "data": found})

    async def _create(self, request: Request) -> Response:
        """Create an agent, or update the one whose id is given."""
        wanted = await object_of(request)
        agent_id = wanted.get("agent_id")
        created = agent_id is None
        if agent_id is None:
            agent_id = max(self._names, default=1000) + 1
        elif not self._exists(int(agent_id)):
            return failure(404, "Agent not found")
        name = wanted.get("agent_name") or self._names.get(int(agent_id))
        if not isinstance(name, str):
            return failure(422, "Validation error message")
        self._names[int(agent_id)] = name
        if isinstance(url := wanted.get("session_data_webhook"), str):
            self._simulator.events.url_of_agent[int(agent_id)] = url
        done = "created" if created else "updated"
        data = {"agent_id": int(agent_id), "agent_name": name}
        return json_answer({"success": True, "message": f"Voice agent {done} successfully", "data": data})

    async def _attach(self, request: Request) -> Response:
        wanted = await object_of(request)
        agent_id, numbers = wanted.get("agent_id"), wanted.get("numbers", ())
        if type(agent_id) is not int:
            return failure(400, "Agent ID is required")
        if not self._exists(agent_id):
            return failure(404, "Agent not found")
        flaw = self._flaw_of(numbers, str(agent_id))
        if flaw is not None:
            return failure(flaw[0], flaw[1])
        self._agent_of.update(dict.fromkeys(numbers, str(agent_id)))
        data = {"agent_id": agent_id, "phone_numbers": numbers}
        return json_answer({"success": True, "message": "Phone number attached successfully", "data": data})

    async def _attach_old(self, request: Request) -> Response:
        wanted = await object_of(request)
        agent, provider, numbers = (wanted.get(key, "") for key in ("agent_id", "provider", "numbers"))
        if not agent:
            return self._old_envelope(400, "Agent ID is required")
        if not provider:
            return self._old_envelope(400, "Provider is required")
        if provider not in PROVIDERS:
            named = ", ".join(NAMED_IN_REFUSAL)
            return self._old_envelope(422, f"Invalid provider. Supported providers: {named}")
        if provider == UNCONFIGURED:
            return self._old_envelope(400, "Provider not configured for your account")
        if not isinstance(agent, str) or not agent.startswith("agent_"):
            return self._old_envelope(404, "Agent not found")
        flaw = self._flaw_of(numbers, agent)
        if flaw is not None:
            return self._old_envelope(flaw[0], flaw[1], flaw[2])
        self._agent_of.update(dict.fromkeys(numbers, agent))
        now_us = self._simulator.clock.now_us()
        data = {
            "agent_id": agent,
            "phone_numbers": numbers,
            "provider": provider,
            "attached_at": as_datetime(now_us).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": "active",
        }
        return self._old_envelope(200, "Phone number attached successfully", data)

    def _flaw_of(self, numbers: Any, agent: str) -> tuple[int, str, dict[str, str]] | None:
        """Return what is wrong with the numbers: status, message, data.

        A taken number is refused in both documented ways: 409 for a number alone, 400 among others.
        """
        if not isinstance(numbers, list) or not numbers:
            return 400, "Phone number(s) are required", {}
        for number in numbers:
            if not isinstance(number, str) or not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
                return 400, "Invalid phone number format. Use E.164 format (e.g., +918062810341)", {}
        for number in numbers:
            owner = self._agent_of.get(number, agent)
            if owner != agent and len(numbers) == 1:
                data = {"existing_agent_id": owner, "phone_number": number}
                return 409, f"Phone number already attached to agent: {owner}", data
            if owner != agent:
                return 400, "Phone number is already attached to another agent", {}
        return None

    def _exists(self, agent_id: int) -> bool:
        return self._simulator.config.agents is None or agent_id in self._names

    def _agent(self, agent_id: int) -> dict[str, Any]:
        return {
            "agent_id": agent_id,
            "agent_name": self._names.get(agent_id, f"Agent {agent_id}"),
            "description": "",
            "status": 1,
            "agent_type": 3,
            "voice_id": "calm",
            "voice_provider": 1,
            "transcriber_provider": None,
            "calling_type": OUTBOUND,
            "created_on": "2026-01-01T07:44:46.000Z",
        }

    def _old_envelope(self, code: int, message: str, data: Any = None) -> Response:
        body = {
            "error": code >= 400,
            "code": code,
            "message": message,
            "timestamp": self._simulator.clock.now_us() // 1000,
            "data": {} if data is None else data,
        }
        return json_answer(body, code)


async def object_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request's body. Raises ValueError where it is none."""
    body = orjson.loads(await request.body())
    if not isinstance(body, dict):
        raise ValueError("the body is no object")
    return body
