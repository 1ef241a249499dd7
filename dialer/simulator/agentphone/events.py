"""AgentPhone, pretended: webhooks - where events go, how they are signed, what they say.

Every create and every update issues a new secret; deliveries are signed with the one that is valid when
they leave. An agent's own webhook takes its events away from the account's.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from random import Random
from typing import Any

from starlette.requests import Request

from dialer.base.clock import as_datetime
from dialer.simulator.agentphone.accounts import AgentPhoneAccount, Webhook
from dialer.simulator.agentphone.agents import object_of
from dialer.simulator.agentphone.calls import AgentPhoneCalls, cut, mood, said, whole
from dialer.simulator.agentphone.errors import invalid, missing, not_found
from dialer.simulator.agentphone.model import EARLY_S, AgentPhoneSimulator, moment_text
from dialer.simulator.ledger import PlacedCall
from dialer.simulator.webhooks import Delivery, Signature, Target

NOISE = ("test", "unknown", "agent.message")


class AgentPhoneEvents:
    """Webhooks of every account, and the events of every call."""

    def __init__(self, simulator: AgentPhoneSimulator, calls: AgentPhoneCalls) -> None:
        self._simulator = simulator
        self._calls = calls
        self._secrets = Random(f"{simulator.config.seed}:secrets")  # noqa: S311
        simulator.told = self.plan

    # Configuration

    async def set(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`POST /v1/webhooks`: create or update; the secret is new either way."""
        account.webhook = self._webhook(await object_of(request), account)
        return account.webhook.as_json()

    async def get(self, _: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/webhooks`: the webhook, or null."""
        return account.webhook.as_json() if account.webhook else None

    async def delete(self, _: Request, account: AgentPhoneAccount) -> Any:
        """`DELETE /v1/webhooks`."""
        if account.webhook is None:
            raise not_found("Webhook not found")
        account.webhook = None
        return {"success": True}

    async def set_of_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`POST /v1/agents/{id}/webhook`."""
        agent = account.agent(request.path_params["agent_id"])
        webhook = account.agent_webhooks[agent["id"]] = self._webhook(await object_of(request), account)
        return webhook.as_json()

    async def get_of_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/agents/{id}/webhook`: the agent's own, or null."""
        webhook = account.agent_webhooks.get(account.agent(request.path_params["agent_id"])["id"])
        return webhook.as_json() if webhook else None

    async def delete_of_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`DELETE /v1/agents/{id}/webhook`."""
        if account.agent_webhooks.pop(request.path_params["agent_id"], None) is None:
            raise not_found("Webhook not found")
        return {"success": True}

    async def test(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`POST /v1/webhooks/test`, and the same of an agent."""
        agent_id = request.path_params.get("agent_id") or request.query_params.get("agentId")
        webhook = account.webhook_of(agent_id)
        if webhook is None:
            raise not_found("Webhook not found")
        wanted = await object_of(request)
        data = {
            "from": wanted.get("from", "+15555550100"),
            "to": wanted.get("to", "+15555550101"),
            "message": wanted.get("message", "This is a test"),
        }
        event = self._envelope("agent.message", wanted.get("channel", "sms"), agent_id, data)
        target = self._target(webhook)
        done = await self._simulator.webhooks.try_now(
            target.url, target.seal, "agent.message", event | {"test": True}, target.timeout_s
        )
        return {
            "success": done.status == "success",
            "statusCode": done.http_status,
            "responseMs": 1,
            "error": done.error,
        }

    # The log of deliveries

    async def deliveries(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/webhooks/deliveries`: newest first."""
        own = self._own(account)
        rows, _ = cut(request, own)
        shown = [self._logged(each) for each in rows]
        limit, offset = whole(request, "limit", 50), whole(request, "offset", 0)
        return {"items": shown, "total": len(own), "offset": offset, "limit": limit}

    async def deliveries_of_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/agents/{id}/webhook/deliveries`: a bare list."""
        account.agent(request.path_params["agent_id"])
        rows, _ = cut(request, self._own(account))
        return [self._logged(each) for each in rows]

    async def stats(self, _: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/webhooks/deliveries/stats`."""
        own = self._own(account)
        by_event: dict[str, int] = {}
        for each in own:
            by_event[each.event] = by_event.get(each.event, 0) + 1
        return self._totals(own) | {
            "pending": sum(each.status == "pending" for each in own),
            "byEventType": by_event,
            "byHour": [],
        }

    async def all_time(self, _: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/webhooks/deliveries/all-time`."""
        return self._totals(self._own(account))

    # Events of calls

    async def plan(self, account: AgentPhoneAccount, call: PlacedCall) -> None:
        """Plan what is sent about a call; where its last event is to be early, wait until it was sent."""
        config = self._simulator.config
        agent_id = str(call.agent_id)
        if account.webhook_of(agent_id) is None:
            return
        if not config.webhook_unanswered and call.outcome not in ("completed", "voicemail"):
            return
        hooks = self._simulator.webhooks
        chance = Random(f"{config.seed}:noise:{call.execution_id}")  # noqa: S311
        if chance.random() < config.webhook_noise:
            kind = chance.choice(NOISE)
            hooks.send(
                kind,
                key=f"{call.execution_id}:noise",
                due_at_us=call.placed_at_us,
                write=lambda: self._noise(kind, account, call),
                target=lambda: self._target_of(account, agent_id),
                account=account.index,
                faultless=True,
            )
        delivery = hooks.send(
            "agent.call_ended",
            key=call.execution_id,
            due_at_us=call.ended_at_us,
            write=lambda: self._call_ended(account, call),
            target=lambda: self._target_of(account, agent_id),
            account=account.index,
        )
        if delivery.fault == "webhook_early":
            try:
                async with asyncio.timeout(EARLY_S):
                    await delivery.tried.wait()
            except TimeoutError:
                pass

    def _call_ended(self, account: AgentPhoneAccount, call: PlacedCall) -> dict[str, Any]:
        now = self._calls.now(call)
        record = self._calls.record(account, now)
        sentiment, success = mood(call)
        data = self._data(call, record) | {
            "contact": None,
            # The event's word is always this one; what came of the call is in the reason.
            "status": "completed",
            "startedAt": record["startedAt"],
            "endedAt": moment_text(now.ended_at_us),
            "durationSeconds": now.duration_s,
            "disconnectionReason": now.reason or "agent_hangup",
            "transcript": [{"role": role, "content": content} for role, content in said(now)],
            "summary": "Appointment confirmed." if success else None,
            "userSentiment": sentiment,
            "callSuccessful": success,
        }
        return self._envelope("agent.call_ended", "voice", str(call.agent_id), data)

    def _noise(self, kind: str, account: AgentPhoneAccount, call: PlacedCall) -> dict[str, Any]:
        record = self._calls.record(account, self._calls.now(call))
        data = self._data(call, record) | {
            "status": "in-progress",
            "transcript": "Hello?",
            "confidence": 0.95,
        }
        if kind == "test":
            return self._envelope("agent.message", "sms", None, {"message": "This is a test"}) | {
                "test": True
            }
        name = "call.started" if kind == "unknown" else kind
        return self._envelope(name, "voice", str(call.agent_id), data)

    def _data(self, call: PlacedCall, record: dict[str, Any]) -> dict[str, Any]:
        return {
            "callId": call.execution_id,
            "numberId": record["phoneNumberId"],
            "from": call.from_number,
            "to": call.number,
            "direction": "outbound",
        }

    def _envelope(
        self, event: str, channel: str, agent_id: str | None, data: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "event": event,
            "channel": channel,
            "timestamp": moment_text(self._simulator.clock.now_us()),
            "agentId": agent_id,
            "data": data,
            "conversationState": None,
            "recentHistory": [],
        }

    def _webhook(self, wanted: dict[str, Any], account: AgentPhoneAccount) -> Webhook:
        if "url" not in wanted:
            raise missing("url")
        url, context = wanted["url"], wanted.get("contextLimit", 10)
        timeout_s = wanted.get("timeout", 30)
        # The provider wants https; a receiver on this machine has none.
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise invalid("url", "URL must be a public https address")
        if type(context) is not int or not 0 <= context <= 50:
            raise invalid("contextLimit", "expected 0 to 50", 422)
        if type(timeout_s) is not int or not 5 <= timeout_s <= 120:
            raise invalid("timeout", "expected 5 to 120", 422)
        secret = f"whsec_{self._secrets.getrandbits(160):040x}"
        return Webhook(self._simulator.next_id("wh"), url, secret, context, timeout_s, account.now_text())

    def _target_of(self, account: AgentPhoneAccount, agent_id: str) -> Target | None:
        webhook = account.webhook_of(agent_id)
        return self._target(webhook) if webhook else None

    def _target(self, webhook: Webhook) -> Target:
        def seal(delivery_id: str, timestamp_s: int, body: bytes, signature: Signature) -> dict[str, str]:
            headers = {"x-webhook-id": delivery_id, "x-webhook-timestamp": str(timestamp_s)}
            if signature != "missing":
                secret = webhook.secret if signature == "good" else "whsec_of_somebody_else"
                headers["x-webhook-signature"] = sign(secret, timestamp_s, body)
            return headers

        return Target(webhook.url, seal, float(webhook.timeout_s))

    def _own(self, account: AgentPhoneAccount) -> list[Delivery]:
        return [each for each in self._simulator.webhooks.deliveries if each.account == account.index][::-1]

    def _totals(self, own: list[Delivery]) -> dict[str, Any]:
        good = sum(each.status == "success" for each in own)
        failed = sum(each.status == "failed" for each in own)
        rate = round(good / (good + failed), 4) if good + failed else 0.0
        return {"total": len(own), "success": good, "failed": failed, "successRate": rate}

    def _logged(self, each: Delivery) -> dict[str, Any]:
        def moment(at_us: int | None) -> str | None:
            return as_datetime(at_us).strftime("%Y-%m-%dT%H:%M:%SZ") if at_us is not None else None

        return {
            "id": each.delivery_id,
            "messageId": None,
            "eventType": each.event,
            "channel": "voice",
            "status": each.status,
            "httpStatus": each.http_status,
            "errorMessage": each.error,
            "responseBody": each.response,
            "attemptCount": each.tries,
            "lastAttemptAt": moment(each.last_try_at_us),
            "nextRetryAt": moment(each.next_try_at_us),
            "createdAt": moment(each.created_at_us),
        }


def sign(secret: str, timestamp_s: int, body: bytes) -> str:
    """Return the signature of a delivery: HMAC-SHA256 over timestamp, a dot and the raw body."""
    signed = f"{timestamp_s}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
