"""UnleashX, pretended: webhooks, only where somebody asks for them, in a format that is invented.

The provider's pages name a URL (`session_data_webhook` of an agent) and say that there are events; neither
payload nor signature nor repetition is documented. So nothing is signed, and every body says that it is
invented: a client may take it for a reason to ask, never for a fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from dialer.simulator.config import SimulatorConfig
from dialer.simulator.ledger import PlacedCall
from dialer.simulator.webhooks import Signature, Target, Webhooks

RETRIES_S = (5.0, 30.0, 120.0)
"""Pauses before a refused delivery is repeated; invented, too."""


class UnleashXEvents:
    """Tells whoever listens that calls began and ended."""

    def __init__(self, config: SimulatorConfig, webhooks: Webhooks) -> None:
        self._config = config
        self._webhooks = webhooks
        self.url_of_agent: dict[int, str] = {}

    async def of_call(self, call: PlacedCall) -> None:
        """Plan the events of a call; return when those have arrived that overtake the answer."""
        url = self.url_of_agent.get(int(call.agent_id)) or self._config.webhook_url
        if not url:
            return
        target = Target(url, _unsigned, 5.0)
        for event, due_at_us in (("call.started", call.placed_at_us), ("call.ended", call.ended_at_us)):
            delivery = self._webhooks.send(
                event,
                key=call.execution_id,
                due_at_us=due_at_us,
                write=partial(_write, event, call),
                target=lambda: target,
                account=call.account,
            )
            if delivery.fault == "webhook_early":
                self._webhooks.move(delivery, call.placed_at_us)
                await delivery.tried.wait()


def _unsigned(_: str, __: int, ___: bytes, ____: Signature) -> Mapping[str, str]:
    return {}


def _write(event: str, call: PlacedCall) -> dict[str, Any]:
    body: dict[str, Any] = {
        "format": "invented by the simulator",
        "event": event,
        "execution_id": call.execution_id,
        "agent_id": call.agent_id,
        "phone_number": call.number,
        "metadata": call.metadata,
    }
    if event == "call.ended":
        body |= {"call_status": call.call_status, "duration": call.duration_s}
    return body
