"""Routes about the simulator itself: its ledger, its counts, faults to order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from dialer.base.errors import BadInput
from dialer.simulator.answers import json_answer
from dialer.simulator.faults import Faults
from dialer.simulator.gate import Gate, worst_of_all
from dialer.simulator.ledger import Ledger
from dialer.simulator.webhooks import Webhooks


def summary(ledger: Ledger, gate: Gate) -> dict[str, Any]:
    """Return what the provider saw, in counts."""
    called = ledger.times_called
    return {
        "calls_placed": len(ledger.calls),
        "calls_alive": ledger.calls_alive(),
        "calls_by_outcome": dict(Counter(call.outcome for call in ledger.calls)),
        "numbers_called": len(called),
        "numbers_called_more_than_once": sum(1 for count in called.values() if count > 1),
        "submissions": sum(map(len, gate.submitted_at.values())),
        "submissions_worst_second": worst_of_all(gate.submitted_at.values(), 1.0),
        "submissions_worst_minute": worst_of_all(gate.submitted_at.values(), 60.0),
        "requests": sum(map(len, gate.requested_at.values())),
        "requests_worst_minute": worst_of_all(gate.requested_at.values(), 60.0),
        "requests_by_status": dict(sorted(gate.statuses.items())),
        "submissions_by_fault": dict(sorted(gate.faults.items())),
    }


def add_control_routes(
    app: FastAPI, ledger: Ledger, gate: Gate, faults: Faults, webhooks: Webhooks | None = None
) -> None:
    """Add the routes below /simulator: ledger, summary, webhooks, and faults to order."""

    async def read_ledger(request: Request) -> Response:
        """Every placed call in order; `after=N` leaves out the first N."""
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return json_answer({"error": f"after={after!r}, expected a count"}, 400)
        return json_answer([call.as_json() for call in ledger.calls[int(after) :]])

    async def read_summary(_: Request) -> Response:
        """Counts of calls and requests."""
        return json_answer(summary(ledger, gate))

    async def order_faults(request: Request) -> Response:
        """`{"next": ["close_after", "none"]}`: what befalls the next submissions; `next_webhooks`: events."""
        try:
            body = orjson.loads(await request.body())
            wanted, of_events = body.get("next", []), body.get("next_webhooks", [])
            faults.order(wanted)
            if webhooks is not None:
                webhooks.order(of_events)
        except (orjson.JSONDecodeError, AttributeError, TypeError, BadInput) as error:
            return json_answer({"error": str(error)}, 400)
        return json_answer({"ordered": len(wanted) + len(of_events)})

    async def read_webhooks(_: Request) -> Response:
        """Every event with what became of its delivery, in order."""
        return json_answer([each.as_json() for each in webhooks.deliveries] if webhooks else [])

    app.add_route("/simulator/ledger", read_ledger, methods=["GET"])
    app.add_route("/simulator/summary", read_summary, methods=["GET"])
    app.add_route("/simulator/faults", order_faults, methods=["POST"])
    app.add_route("/simulator/webhooks", read_webhooks, methods=["GET"])
