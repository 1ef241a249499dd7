"""AgentPhone, pretended: accounts, who is let in, errors in both envelopes, and placing calls.

Paths, fields and bodies are those of docs.agentphone.to and of the official SDKs. What they do not say
is ours: the status of an agent without a number, of too many live calls, and of a webhook that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from itertools import count
from random import Random
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dialer.base.clock import Clock, as_datetime
from dialer.simulator.agentphone.accounts import AgentPhoneAccount
from dialer.simulator.agentphone.errors import Problem, invalid, missing
from dialer.simulator.answers import json_answer
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.faults import Faults
from dialer.simulator.gate import Gate, Handler
from dialer.simulator.ledger import Ledger, PlacedCall
from dialer.simulator.webhooks import Webhooks

CALLS_PATH = "/v1/calls"

RETRIES_S = (240.0, 960.0, 3840.0, 15_360.0, 61_440.0)
"""Pauses between the six tries of a delivery: exponential, about a day. The exact ones are not documented."""

EARLY_S = 5.0
"""How long an answer waits, at most, for its call's last event to overtake it."""

REASONS = {
    "completed": ("agent_hangup", "user_hangup", "call_transfer"),
    "no_answer": ("dial_no_answer",),
    "busy": ("dial_busy",),
    "voicemail": ("voicemail_reached",),
    "failed": ("dial_failed", "invalid_destination"),
    "canceled": ("user_declined",),
}
"""`disconnectionReason` by outcome; the provider documents one of them, `agent_hangup`."""

Answer = Callable[[Request, AgentPhoneAccount], Awaitable[Any]]


class AgentPhoneSimulator:
    """The state of one pretended AgentPhone: an account per token, one ledger, one deliverer of events."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.ledger = Ledger(config, clock, call_name, REASONS)
        self.gate = Gate(config, clock)
        self.faults = Faults(config)
        self.webhooks = Webhooks(config, clock, retries_s=RETRIES_S)
        self._serials = {kind: count(1) for kind in ("agt", "num", "wh")}
        self.accounts = [
            AgentPhoneAccount(index, config, clock, self.next_id) for index in range(len(config.tokens))
        ]
        for call in self.ledger.calls:  # those of an earlier life, from the ledger's file
            if call.account < len(self.accounts):
                self.accounts[call.account].calls.append(call)
        self.told: Callable[[AgentPhoneAccount, PlacedCall], Awaitable[None]] | None = None
        """Plans the events of a call that was placed; set by AgentPhoneEvents."""

    def next_id(self, kind: str) -> str:
        """Return the next id of a kind: `agt_1`, `num_2`."""
        return f"{kind}_{next(self._serials[kind])}"

    def guarded(self, answer: Answer, *, submission: bool = False) -> Handler:
        """Return a handler that lets accounts in, and turns problems into the provider's envelopes."""

        async def guard(request: Request) -> Response:
            try:
                found = await answer(request, self._let_in(request, submission))
            except Problem as problem:
                found = self.refusal(problem)
            response = found if isinstance(found, Response) else json_answer(found)
            self.gate.count(response)
            return response

        return guard

    def refusal(self, problem: Problem) -> Response:
        """Return a problem in the envelope of the config."""
        return json_answer(problem.body(self.config.error_envelope), problem.status, problem.headers)

    def _let_in(self, request: Request, submission: bool) -> AgentPhoneAccount:
        index = self.gate.account_of(request.headers, ("bearer",))
        self.gate.record(-1 if index is None else index, submission)
        if index is None or self.gate.session_is_over():
            raise Problem(401, "Invalid API key", "AUTHENTICATION_ERROR", "authentication_error")
        wait_s = self.gate.wait_of(index, submission)
        if wait_s is not None:
            per_s = f"{self.config.limit_per_second or self.config.requests_per_minute} requests"
            raise self.too_many(f"Rate limit exceeded. Limit: {per_s}", wait_s)
        return self.accounts[index]

    def too_many(self, message: str, wait_s: float | None = None) -> Problem:
        """Return a 429, with or without the wait it asks for."""
        wait = self.gate.retry_after(self.config.retry_after_s if wait_s is None else wait_s)
        return Problem(429, message, "RATE_LIMIT_EXCEEDED", "rate_limit_error", headers=wait)

    # Placing a call

    async def make_call(self, request: Request, account: AgentPhoneAccount) -> Any:
        """Place one call per accepted request, whatever the answer then says."""
        order = read_order(await request.body(), account)
        self._check_balance(account)
        fault = self.faults.deal()
        latency_s = self.faults.latency_s()
        live_max = self.config.calls_live_max
        if live_max is not None and self.ledger.calls_alive() >= live_max:
            raise self.too_many("Concurrent call limit reached")
        good = b""
        if fault is None or fault.endswith("_after"):
            number = account.numbers[order["fromNumberId"]]
            call = self.ledger.place(
                order["agentId"],
                order["toNumber"],
                order.get("variables") or {},
                account.index,
                fault,
                number["phoneNumber"],
            )
            account.calls.append(call)
            good = orjson.dumps(first_answer(call, number["id"]))
            if self.told is not None:
                await self.told(account, call)
        if latency_s > 0.0:
            await self.clock.sleep(latency_s)
        if fault is None:
            return Response(good, media_type="application/json")
        self.gate.faults[fault] += 1
        return self._answer_fault(fault, good)

    def _check_balance(self, account: AgentPhoneAccount) -> None:
        paid = self.config.balance_calls
        if paid is not None and len(account.calls) >= paid:
            message = "Insufficient balance. Please add funds to your account."
            raise Problem(self.config.balance_status, message, "INSUFFICIENT_BALANCE", "validation_error")

    def _answer_fault(self, fault: str, good: bytes) -> Response:
        kind = fault.rpartition("_")[0]
        if kind == "throttle":
            raise self.too_many("Rate limit exceeded. Limit: 5 requests per 1s")
        if kind == "refuse":
            raise invalid("toNumber", "Invalid phone number", 422)
        if kind == "error":
            status = self.faults.error_status()
            code, group = (
                ("CARRIER_ERROR", "carrier_error") if status == 502 else ("SERVER_ERROR", "server_error")
            )
            raise Problem(status, "The call could not be processed", code, group)
        if kind == "no_execution_id":
            return json_answer({key: each for key, each in orjson.loads(good).items() if key != "id"})
        return self.faults.answer(fault, good, {})


def call_name(chance: Random) -> str:
    """Return an id as calls have it."""
    return f"call_{chance.getrandbits(64):016x}"


def first_answer(call: PlacedCall, number_id: str) -> dict[str, Any]:
    """Return the body that tells of a placed call; `in-progress` says nothing about an answer."""
    return {
        "id": call.execution_id,
        "agentId": call.agent_id,
        "phoneNumberId": number_id,
        "fromNumber": call.from_number,
        "toNumber": call.number,
        "direction": "outbound",
        "status": "in-progress",
        "startedAt": moment_text(call.placed_at_us),
    }


def read_order(body: bytes, account: AgentPhoneAccount) -> dict[str, Any]:
    """Return a call's order with `fromNumberId` filled in. Raises Problem."""
    try:
        order = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Problem(400, "Invalid JSON", "VALIDATION_ERROR", "validation_error") from None
    if not isinstance(order, dict):
        raise invalid("", "value is not a valid dict", 422)
    for field in ("agentId", "toNumber"):
        if field not in order:
            raise missing(field)
        if not isinstance(order[field], str):
            raise invalid(field, "str type expected", 422)
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", order["toNumber"]):
        raise invalid("toNumber", "Phone number must be in E.164 format")
    agent = account.agent(order["agentId"])
    order["fromNumberId"] = _caller(order, account)
    _check_conversation(order, agent, account)
    return order


def _caller(order: dict[str, Any], account: AgentPhoneAccount) -> str:
    own = account.numbers_of(order["agentId"])
    wanted = order.get("fromNumberId")
    if wanted is None:
        if not own:
            raise invalid("agentId", "Agent has no phone number")
        return str(own[0]["id"])
    account.number(wanted)
    if wanted not in [number["id"] for number in own]:
        raise invalid("fromNumberId", "Phone number is not attached to this agent")
    return str(wanted)


def _check_conversation(order: dict[str, Any], agent: dict[str, Any], account: AgentPhoneAccount) -> None:
    """Refuse what needs a built-in model where none would talk, and a webhook where there is none."""
    built_in = bool(order.get("systemPrompt")) or agent["voiceMode"] == "hosted"
    variables = order.get("variables")
    if variables is not None:
        if not isinstance(variables, dict):
            raise invalid("variables", "value is not a valid dict", 422)
        for key, value in variables.items():
            if not isinstance(value, str):
                raise invalid(f"variables.{key}", "str type expected", 422)
        if not built_in:
            raise invalid("variables", "variables need systemPrompt or a hosted agent")
    if order.get("modelTier") is not None:
        if order["modelTier"] not in ("turbo", "balanced", "max"):
            raise invalid("modelTier", "expected turbo, balanced or max", 422)
        if not order.get("systemPrompt"):
            raise invalid("modelTier", "modelTier needs systemPrompt")
    if not built_in and account.webhook_of(agent["id"]) is None:
        raise invalid("systemPrompt", "Agent has no webhook configured; pass systemPrompt")


def moment_text(at_us: int) -> str:
    """Return a moment as the provider writes it, to the second."""
    return as_datetime(at_us).strftime("%Y-%m-%dT%H:%M:%SZ")
