"""UnleashX, pretended: who is let in, and placing calls. The lists are in unleashx_lists.

Bodies are those of the provider's make-call page; what the page does not say (429, 5xx) is ours.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dialer.base.clock import Clock
from dialer.simulator.answers import json_answer
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.faults import Faults
from dialer.simulator.gate import Gate
from dialer.simulator.ledger import Ledger, PlacedCall
from dialer.simulator.unleashx.events import RETRIES_S, UnleashXEvents
from dialer.simulator.webhooks import Webhooks

CALL_PATH = "/api/v1/global/agents/call"


class UnleashXSimulator:
    """The state of one pretended UnleashX and its door."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.ledger = Ledger(config, clock)
        self.gate = Gate(config, clock)
        self.faults = Faults(config)
        self.webhooks = Webhooks(config, clock, retries_s=RETRIES_S)
        self.events = UnleashXEvents(config, self.webhooks)

    def let_in(self, request: Request, submission: bool) -> int | Response:
        """Return the account of a request, or the answer that turns it away."""
        account = self.gate.account_of(request.headers)
        self.gate.record(-1 if account is None else account, submission)
        if account is None or self.gate.session_is_over():
            return failure(401, "Invalid Auth Key or Session Expired")
        wait_s = self.gate.wait_of(account, submission)
        if wait_s is not None:
            return failure(429, "Too many requests", self.gate.retry_after(wait_s))
        return account

    async def make_call(self, request: Request) -> Response:
        """Place one call per accepted request, whatever the answer then says."""
        account = self.let_in(request, submission=True)
        if isinstance(account, Response):
            return account
        order = read_order(await request.body(), self.config)
        if isinstance(order, Response):
            return order
        if self.ledger.is_spent(account):
            return failure(self.config.balance_status, "Insufficient balance")
        fault = self.faults.deal()
        latency_s = self.faults.latency_s()
        live_max = self.config.calls_live_max
        if live_max is not None and self.ledger.calls_alive() >= live_max:
            wait = self.gate.retry_after(self.config.retry_after_s)
            return failure(429, "Too many concurrent calls", wait)
        good = b""
        if fault is None or fault.endswith("_after"):
            call = self.ledger.place(*order, account, fault)
            good = initiated(call)
            await self.events.of_call(call)
        if latency_s > 0.0:
            await self.clock.sleep(latency_s)
        if fault is None:
            return Response(good, media_type="application/json")
        self.gate.faults[fault] += 1
        return self.faults.answer(fault, good, self.gate.retry_after(self.config.retry_after_s))


def read_order(body: bytes, config: SimulatorConfig) -> tuple[int, str, dict[str, Any]] | Response:
    """Return agent, number with its plus, and metadata of a request, or its refusal."""
    try:
        order = orjson.loads(body)
    except orjson.JSONDecodeError:
        return failure(400, "Invalid JSON")
    if not isinstance(order, dict):
        return failure(400, "Invalid JSON")
    agent_id, phone, metadata = (order.get(key) for key in ("agent_id", "phone_number", "metadata"))
    if not agent_id:
        return failure(400, "Agent ID is required")
    if not phone:
        return failure(400, "Phone Number is required")
    if type(agent_id) is not int or not isinstance(phone, str) or not isinstance(metadata, dict | None):
        return failure(422, "Validation error message")
    number = phone if phone.startswith("+") else f"+{phone}"
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        return failure(422, "Validation error message")
    if config.agents is not None and agent_id not in config.agents:
        return failure(404, "Agent not found or not active")
    return agent_id, number, metadata or {}


def initiated(call: PlacedCall) -> bytes:
    """Return the body that tells of a placed call."""
    data = {
        "execution_id": call.execution_id,
        "agent_id": call.agent_id,
        "phone_number": call.number,
        "call_status": "initiated",
    }
    return orjson.dumps({"success": True, "message": "Call initiated successfully", "data": data})


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the envelope of the public paths."""
    return json_answer({"error": True, "message": message}, status, headers)
