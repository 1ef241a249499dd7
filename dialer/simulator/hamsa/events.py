"""Hamsa, pretended: the webhooks of a call, with a shared secret in place of a signature.

The params of the call come back, mixed with what the agent heard; values that are no text are written as
JSON in a text. `data` is nested twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from dialer.simulator.config import SimulatorConfig
from dialer.simulator.hamsa.shapes import answered_at_us, date_text, recording_of
from dialer.simulator.ledger import PlacedCall
from dialer.simulator.webhooks import Signature, Target, Webhooks

ANSWER_WITHIN_S = 5.0
"""How long a receiver may take, as documented."""


class HamsaEvents:
    """Tells the receivers of calls what happens to them."""

    def __init__(self, config: SimulatorConfig, webhooks: Webhooks) -> None:
        self._config = config
        self._webhooks = webhooks

    async def of_call(self, call: PlacedCall, order: Mapping[str, Any] | None) -> None:
        """Plan the events of a call; return when those have arrived that overtake the answer."""
        if order is None or not order["webhookUrl"]:
            return
        target = Target(order["webhookUrl"], self._seal(order["webhookAuth"]), ANSWER_WITHIN_S)
        moments = [("call.started", call.placed_at_us)]
        if call.duration_s:
            moments.append(("call.answered", answered_at_us(call, self._config)))
        moments.append(("call.ended", call.ended_at_us))
        for event, due_at_us in moments:
            delivery = self._webhooks.send(
                event,
                key=call.execution_id,
                due_at_us=due_at_us,
                write=partial(self._write, event, call, due_at_us),
                target=lambda: target,
                account=call.account,
            )
            if delivery.fault == "webhook_early":
                self._webhooks.move(delivery, call.placed_at_us)
                await delivery.tried.wait()

    def _seal(self, auth: Any) -> Any:
        """Return who writes the secret's header: both readings of `webhookAuth` exist, by switch."""
        name = str(auth.get("authKey", "Token")) if isinstance(auth, dict) else ""
        secret = str(auth.get("authSecret", "")) if isinstance(auth, dict) else ""

        def seal(_: str, __: int, ___: bytes, signature: Signature) -> Mapping[str, str]:
            if not name or signature == "missing":
                return {}
            told = secret if signature == "good" else "not-the-secret"
            if self._config.webhook_auth == "header":
                return {name: told}
            return {"authorization": f"{name} {told}"}

        return seal

    def _write(self, event: str, call: PlacedCall, at_us: int) -> dict[str, Any]:
        at = date_text(at_us)
        inner: dict[str, Any] = {"conversationId": call.execution_id}
        if event == "call.started":
            inner |= {"callerNumber": call.number, "params": texts(call.metadata)}
        elif event == "call.answered":
            inner |= {"ringDuration": (at_us - call.placed_at_us) // 1_000_000}
        else:
            inner |= {
                "conversationRecording": recording_of(call),
                "transcription": [{"Agent": "Hello"}, {"User": "Hello"}] if call.duration_s else [],
                "outcomeResult": texts(call.metadata)
                | {"interested": "true", "address": '{"city":"Riyadh"}'},
            }
        apart = self._config.call_id_differs
        call_id = f"call_{uuid5(NAMESPACE_URL, call.execution_id).hex}" if apart else call.execution_id
        if self._config.webhook_bare:
            return {"eventType": event, "callId": call_id, "data": {"data": inner}}
        return {
            "eventType": event,
            "callId": call_id,
            "timestamp": at,
            "projectId": f"project-{call.account}",
            "agentId": call.agent_id,
            "agentName": "Renewals",
            "data": {"timestamp": at, "data": inner},
        }


def texts(params: Mapping[str, Any]) -> dict[str, str]:
    """Return params as they come back: what is no text, as JSON in one."""
    return {
        key: value if isinstance(value, str) else orjson.dumps(value).decode()
        for key, value in params.items()
    }
