"""Hamsa, pretended: who is let in, and starting calls. Conversations, numbers and campaigns have own files.

Bodies are those of the provider's pages. Its pages print no error bodies: those here are ours, in the
envelope of the good ones, and so are the statuses, the policy of repeated webhooks and the price.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dialer.base.clock import Clock
from dialer.simulator.answers import json_answer
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.faults import Faults
from dialer.simulator.gate import Gate
from dialer.simulator.hamsa.events import HamsaEvents
from dialer.simulator.hamsa.shapes import job_of
from dialer.simulator.ledger import Ledger, PlacedCall
from dialer.simulator.webhooks import Webhooks

CALLER_KEYS = {
    "/v1/voice-agents/call": "fromNumber",
    "/v1/voice-agents/phone-number/call": "phoneNumber",
    "/v1/voice-agents/twilio/call": "twilioPhoneNumber",
}
"""What the caller's number is called at each of the paths that start a call."""

NO_WEBHOOK = "/v1/voice-agents/phone-number/call"
"""The path that takes no webhook and answers with `jobId` in place of a job."""

RETRIES_S = (5.0, 30.0, 120.0, 600.0)
"""Pauses before a webhook is sent again after anything but a 2xx within 5 s; ours, theirs is not known."""

AGENTS_SHOWN = 3
"""Agents that are listed where the config names none and every UUID is one."""


class HamsaSimulator:
    """The state of one pretended Hamsa and its door."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config = replace(config, outcomes=tellable(config.outcomes))
        self.clock = clock
        self.ledger = Ledger(config, clock)
        self.gate = Gate(config, clock)
        self.faults = Faults(config)
        self.webhooks = Webhooks(config, clock, retries_s=RETRIES_S)
        self._events = HamsaEvents(config, self.webhooks)
        self._by_id: dict[str, PlacedCall] = {}

    def let_in(self, request: Request, submission: bool = False) -> int | Response:
        """Return the account of a request, or the answer that turns it away."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        known = scheme == "Token" and token in self.config.tokens
        account = self.config.tokens.index(token) if known else -1
        self.gate.record(account, submission)
        if not known or self.gate.session_is_over():
            return failure(401, "Unauthorized")
        wait_s = self.gate.wait_of(account, submission)
        if wait_s is not None:
            return failure(429, "Too many requests", self.gate.retry_after(wait_s))
        return account

    async def make_call(self, request: Request) -> Response:
        """Place one call per accepted request, whatever the answer then says."""
        account = self.let_in(request, submission=True)
        if isinstance(account, Response):
            return account
        path = request.url.path
        try:
            order = read_order(await request.body(), CALLER_KEYS[path], self.agent_ids())
        except Wrong as wrong:
            return failure(wrong.status, str(wrong))
        fault = self.faults.deal()
        latency_s = self.faults.latency_s()
        refusal = self._refusal(account)
        if refusal is not None:
            return refusal
        good = b""
        if fault is None or fault.endswith("_after"):
            call = self.place(order, account, fault)
            good = self._accepted(call, path)
            await self._events.of_call(call, None if path == NO_WEBHOOK else order)
        if latency_s > 0.0:
            await self.clock.sleep(latency_s)
        if fault is None:
            return Response(good, media_type="application/json")
        self.gate.faults[fault] += 1
        return self._broken(fault, good)

    def place(self, order: Mapping[str, Any], account: int, fault: str | None = None) -> PlacedCall:
        """Place the call of an order that was read."""
        agent = order["voiceAgentId"] or "inline"
        return self.ledger.place(agent, order["toNumber"], order["params"], account, fault, order["caller"])

    def call_of(self, call_id: str, account: int) -> PlacedCall | None:
        """Return a call of the account that shows up in the lists by now."""
        for call in self.ledger.calls[len(self._by_id) :]:
            self._by_id[call.execution_id] = call
        found = self._by_id.get(call_id)
        visible_us = self.clock.now_us() - round(self.config.listing_delay_s * 1e6)
        if found is None or found.account != account or found.placed_at_us > visible_us:
            return None
        return found

    def agent_ids(self) -> list[str] | None:
        """Return the agents that exist; None means every UUID."""
        return None if self.config.agents is None else [agent_id(each) for each in self.config.agents]

    def agents_listed(self) -> list[str]:
        """Return the agents that the lists show."""
        known = self.agent_ids()
        return [agent_id(each) for each in range(1, AGENTS_SHOWN + 1)] if known is None else known

    def _refusal(self, account: int) -> Response | None:
        config = self.config
        if config.calls_live_max is not None and self.ledger.calls_alive() >= config.calls_live_max:
            wait = self.gate.retry_after(config.retry_after_s)
            return failure(429, "Too many concurrent calls", wait)
        if self.ledger.is_spent(account):
            return failure(config.balance_status, "Insufficient funds")
        return None

    def _accepted(self, call: PlacedCall, path: str) -> bytes:
        if path == NO_WEBHOOK:
            data: Any = {"voiceAgentId": call.agent_id, "jobId": call.execution_id}
        else:
            # A job as it is made: waiting, whatever becomes of the call.
            data = job_of(call, call.placed_at_us, self.config)
            if "twilio" in path:
                data["callParams"] = {"machineNumber": call.from_number, "userNumber": call.number}
        return orjson.dumps({"success": self.config.success_flag, "message": "success", "data": data})

    def _broken(self, fault: str, good: bytes) -> Response:
        wait = self.gate.retry_after(self.config.retry_after_s)
        if fault == "throttle_before":
            return failure(429, "Too many requests", wait)
        if fault == "refuse_before":
            return failure(422, "Validation failed")
        if fault.startswith("error_") and fault != "error_true_after":
            return failure(self.faults.error_status(), "Internal server error")
        return self.faults.answer(fault, good, wait)


class Wrong(Exception):
    """A request that cannot be obeyed, in words for its answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def read_order(body: bytes, caller_key: str, agents: list[str] | None) -> dict[str, Any]:
    """Return what a request asks for. Raises Wrong."""
    order = object_of(body)
    number, agent, params = order.get("toNumber"), order.get("voiceAgentId"), order.get("params")
    if not isinstance(number, str) or re.fullmatch(r"\+[1-9][0-9]{6,14}", number) is None:
        raise Wrong("toNumber must be a valid phone number")
    if not isinstance(order.get(caller_key), str) or not order[caller_key].strip():
        raise Wrong(f"{caller_key} is required")
    if not isinstance(params, dict | None):
        raise Wrong("params must be an object")
    if agent is None and not isinstance(order.get("agentDetails"), dict):
        raise Wrong("voiceAgentId or agentDetails is required")
    if agent is not None:
        check_agent(agent, agents)
    webhook = order.get("webhookUrl")
    if webhook is not None and (not isinstance(webhook, str) or not webhook.startswith(("https:", "http:"))):
        raise Wrong("webhookUrl must be a URL address")
    return {
        "toNumber": number,
        "caller": order[caller_key],
        "voiceAgentId": agent,
        "params": params or {},
        "webhookUrl": webhook,
        "webhookAuth": order.get("webhookAuth"),
    }


def check_agent(agent: Any, agents: list[str] | None) -> None:
    """Make sure that there is such an agent. Raises Wrong."""
    try:
        UUID(agent if isinstance(agent, str) else "")
    except ValueError:
        raise Wrong("voiceAgentId must be a UUID") from None
    if agents is not None and agent not in agents:
        raise Wrong("Voice agent not found", 404)


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body. Raises Wrong."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Wrong("Invalid JSON") from None
    if not isinstance(value, dict):
        raise Wrong("Invalid JSON")
    return value


def agent_id(number: int) -> str:
    """Return the UUID of a numbered agent."""
    return str(UUID(int=number, version=4))


def tellable(outcomes: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of outcomes in the words that Hamsa has: it knows neither busy nor voicemail."""
    told: dict[str, float] = {}
    for word, share in outcomes.items():
        told_as = {"busy": "no_answer", "voicemail": "completed"}.get(word, word)
        told[told_as] = told.get(told_as, 0.0) + share
    return told


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the envelope of the good answers."""
    return json_answer({"success": False, "message": message}, status, headers)
