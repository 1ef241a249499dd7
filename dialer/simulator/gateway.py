"""A small gateway, pretended: what `provider = "http"` is for, with the dialer.toml that describes it.

Nobody's API but ours: calls are placed by POST /calls, listed by GET /calls, and told about by a signed
POST to the request's `notify_url`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from dialer.base.clock import Clock, as_datetime
from dialer.simulator.answers import json_answer
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.control import add_control_routes
from dialer.simulator.faults import Faults
from dialer.simulator.gate import Gate
from dialer.simulator.ledger import Ledger, PlacedCall
from dialer.simulator.webhooks import Signature, Target, Webhooks

NOTIFY_SECRET = "simulator-notify-secret"  # noqa: S105
"""What notices are signed with; a simulator has nothing to hide."""

RETRIES_S = (5.0, 30.0, 120.0)
PAGE_SIZE = 100
PAGE_SIZE_MAX = 200
PRICE_PER_MINUTE = 0.05

STATUSES = {
    "completed": "answered",
    "no_answer": "no-answer",
    "busy": "busy",
    "voicemail": "machine",
    "failed": "failed",
    "canceled": "canceled",
}
"""The gateway's word for each outcome."""

DESCRIPTION = """\
[accounts.gateway]
provider = "http"
base_url = "{url}"
token = "env:GATEWAY_TOKEN"                     # export GATEWAY_TOKEN={token}
calls_per_second = 20                           # without it calls leave as fast as they can be sent

[accounts.gateway.headers]
Authorization = "Bearer {{token}}"

[accounts.gateway.call]
path = "/calls"
execution_id = "call.id"
status = "call.status"
refused = [422]                                 # the number or the request itself is wrong

[accounts.gateway.call.body]
to = "{{phone}}"
agent = "{{agent}}"
from = "{{from_number}}"                          # left out where a campaign has no from_numbers
reference = "{{attempt_id}}"
data = "{{metadata}}"

[accounts.gateway.calls]
path = "/calls?agent={{agent}}&since={{since_iso}}&until={{until_iso}}&page={{page}}&size={{page_size}}"
records = "calls"

[accounts.gateway.one_call]
path = "/calls/{{execution_id}}"
record = "call"

[accounts.gateway.fields]
id = "id"
phone = "to"
agent = "agent"
attempt_id = "reference"
status = "status"
created_at = "created_at"
ended_at = "ended_at"
duration_s = "seconds"
cost = "price.amount"
currency = "price.currency"
recording_url = "recording"
disposition = "note"

[accounts.gateway.outcomes]
completed = ["answered"]
no_answer = ["no-answer"]
busy = ["busy"]
voicemail = ["machine"]
failed = ["failed"]
canceled = ["canceled"]

[accounts.gateway.events]                       # for calls whose body says notify_url
check = "hmac"
header = "X-Gateway-Signature"
prefix = "sha256="
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Gateway-Timestamp"
secret = "env:GATEWAY_NOTIFY_SECRET"            # export GATEWAY_NOTIFY_SECRET={secret}
id_header = "X-Gateway-Delivery"
kind = "event"
record = "call"
"""


def describe(url: str, token: str) -> str:
    """Return the part of a dialer.toml that describes the gateway at `url`."""
    return DESCRIPTION.format(url=url, token=token, secret=NOTIFY_SECRET)


def build_gateway(config: SimulatorConfig, clock: Clock) -> FastAPI:
    """Return the app of one pretended gateway; its state is `app.state.simulator`."""
    app = FastAPI(title="A gateway, pretended", openapi_url=None)
    simulator = GatewaySimulator(config, clock)
    app.state.simulator = simulator
    app.add_route("/calls", simulator.gate.counted(simulator.make_call), methods=["POST"])
    app.add_route("/calls", simulator.gate.counted(simulator.list_calls), methods=["GET"])
    app.add_route("/calls/{call}", simulator.gate.counted(simulator.one_call), methods=["GET"])
    app.add_route("/simulator/dialer.toml", simulator.read_description, methods=["GET"])
    add_control_routes(app, simulator.ledger, simulator.gate, simulator.faults, simulator.webhooks)
    return app


class GatewaySimulator:
    """The state of one pretended gateway and its door."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.ledger = Ledger(config, clock)
        self.gate = Gate(config, clock)
        self.faults = Faults(config)
        self.webhooks = Webhooks(config, clock, retries_s=RETRIES_S)

    async def make_call(self, request: Request) -> Response:
        """Place one call per accepted request, whatever the answer then says."""
        account = self._let_in(request, submission=True)
        if isinstance(account, Response):
            return account
        order = read_order(await request.body())
        if isinstance(order, str):
            return failure(422, order)
        if self.ledger.is_spent(account):
            return failure(self.config.balance_status, "the balance is spent")
        fault = self.faults.deal()
        latency_s = self.faults.latency_s()
        live_max = self.config.calls_live_max
        if live_max is not None and self.ledger.calls_alive() >= live_max:
            return failure(429, "too many calls", self.gate.retry_after(self.config.retry_after_s))
        good = b""
        if fault is None or fault.endswith("_after"):
            # The reference is kept with the metadata: it comes back in the list.
            metadata = {**order["data"], "reference": order["reference"]}
            call = self.ledger.place(order["agent"], order["to"], metadata, account, fault, order["from"])
            good = orjson.dumps({"call": {"id": call.execution_id, "status": "queued"}})
            await self._notify(call, order["notify_url"])
        if latency_s > 0.0:
            await self.clock.sleep(latency_s)
        if fault is None:
            return Response(good, media_type="application/json")
        self.gate.faults[fault] += 1
        return self.faults.answer(fault, good, self.gate.retry_after(self.config.retry_after_s))

    async def list_calls(self, request: Request) -> Response:
        """The calls of an agent in a window, page by page."""
        account = self._let_in(request)
        if isinstance(account, Response):
            return account
        if self.faults.listing_fails():
            return failure(self.faults.error_status(), "internal error")
        asked = request.query_params
        try:
            since, until = microseconds(asked.get("since")), microseconds(asked.get("until"))
            page, size = int(asked.get("page", "1")), int(asked.get("size", str(PAGE_SIZE)))
        except ValueError:
            return failure(400, "since and until are ISO 8601, page and size are numbers")
        if page < 1 or size < 1:
            return failure(400, "page and size count from 1")
        size = min(size, PAGE_SIZE_MAX, self.config.page_size_max)
        now_us = self.clock.now_us()
        agent = asked.get("agent")
        calls = self.ledger.calls if agent is None else self.ledger.by_agent.get(agent, [])
        visible_us = now_us - round(self.config.listing_delay_s * 1e6)
        first = bisect_left(calls, since or 0, key=lambda call: call.placed_at_us)
        last = bisect_right(calls, min(until or now_us, visible_us), key=lambda call: call.placed_at_us)
        shown = [call for call in calls[first:last] if call.account == account]
        if self.config.newest_first:
            shown.reverse()
        rows = [record_of(call, now_us) for call in shown[(page - 1) * size : page * size]]
        return json_answer({"calls": rows, "page": page})

    async def one_call(self, request: Request) -> Response:
        """One call by its id."""
        account = self._let_in(request)
        if isinstance(account, Response):
            return account
        wanted = request.path_params["call"]
        for call in self.ledger.calls:
            if call.execution_id == wanted and call.account == account:
                return json_answer({"call": record_of(call, self.clock.now_us())})
        return failure(404, "no such call")

    async def read_description(self, request: Request) -> Response:
        """The dialer.toml of this gateway."""
        url = f"{request.url.scheme}://{request.url.netloc}"
        return Response(describe(url, self.config.tokens[0]), media_type="text/plain")

    def _let_in(self, request: Request, submission: bool = False) -> int | Response:
        account = self.gate.account_of(request.headers, ("bearer",))
        self.gate.record(-1 if account is None else account, submission)
        if account is None or self.gate.session_is_over():
            return failure(401, "unknown token")
        wait_s = self.gate.wait_of(account, submission)
        if wait_s is not None:
            return failure(429, "too many requests", self.gate.retry_after(wait_s))
        return account

    async def _notify(self, call: PlacedCall, url: str | None) -> None:
        """Plan the notice of a call's end; return when it has arrived if it overtakes the answer."""
        if url is None:
            return
        target = Target(url, seal)
        delivery = self.webhooks.send(
            "call.ended",
            key=call.execution_id,
            due_at_us=call.ended_at_us,
            write=lambda: {"event": "call.ended", "call": record_of(call, call.ended_at_us)},
            target=lambda: target,
            account=call.account,
        )
        if delivery.fault == "webhook_early":
            self.webhooks.move(delivery, call.placed_at_us)
            await delivery.tried.wait()


def read_order(body: bytes) -> dict[str, Any] | str:
    """Return what a request asks for, or what is wrong with it."""
    try:
        order = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "the body is no JSON"
    if not isinstance(order, dict):
        return "the body is no object"
    number, data = order.get("to"), order.get("data", {})
    if not isinstance(number, str) or re.fullmatch(r"\+[1-9][0-9]{6,14}", number) is None:
        return "to: not E.164"
    if not isinstance(order.get("agent"), str) or not order["agent"]:
        return "agent: missing"
    if not isinstance(data, dict):
        return "data: not an object"
    texts = {key: order.get(key) for key in ("from", "reference", "notify_url")}
    if any(not isinstance(value, str | None) for value in texts.values()):
        return "from, reference and notify_url are texts"
    return {"to": number, "agent": order["agent"], "data": data, **texts}


def record_of(call: PlacedCall, now_us: int) -> dict[str, Any]:
    """Return a call as the list shows it."""
    over = now_us >= call.ended_at_us
    record: dict[str, Any] = {
        "id": call.execution_id,
        "to": call.number,
        "from": call.from_number,
        "agent": call.agent_id,
        "reference": call.metadata.get("reference"),
        "status": STATUSES[call.outcome] if over else "running",
        "created_at": as_datetime(call.placed_at_us).isoformat(),
    }
    if over:
        amount = round(call.duration_s / 60 * PRICE_PER_MINUTE, 4)
        record |= {
            "ended_at": as_datetime(call.ended_at_us).isoformat(),
            "seconds": call.duration_s,
            "price": {"amount": amount, "currency": "EUR"},
            "recording": f"https://recordings.example/{call.id}.mp3" if call.duration_s else None,
            "note": call.disposition,
        }
    return record


def seal(delivery_id: str, timestamp_s: int, body: bytes, signature: Signature) -> Mapping[str, str]:
    """Return the headers of a notice."""
    secret = NOTIFY_SECRET if signature == "good" else "another-secret"
    signed = hmac.new(secret.encode(), f"{timestamp_s}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Gateway-Delivery": delivery_id, "X-Gateway-Timestamp": str(timestamp_s)}
    return headers if signature == "missing" else headers | {"X-Gateway-Signature": f"sha256={signed}"}


def microseconds(text: str | None) -> int | None:
    """Return an ISO 8601 moment as UTC microseconds. Raises ValueError."""
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1e6)


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error."""
    return json_answer({"error": message}, status, headers)
