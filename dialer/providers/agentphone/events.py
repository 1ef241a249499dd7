"""AgentPhone's webhooks: does a delivery come from AgentPhone, now, and what does it say.

The signature covers timestamp and raw body, not the delivery's id: so an event is known by its id and
also by the call that it is about, and an old delivery under a new id changes nothing.

Source: docs.agentphone.to, the page webhooks; `verify_webhook` of the official Python SDK.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from dialer.providers.abilities import EventRefused, ProviderEvent
from dialer.providers.agentphone.api import usable_id
from dialer.providers.agentphone.records import read_call_ended, text_of
from dialer.providers.wire import read_json

TOLERANCE_S = 300
"""How far the timestamp of a delivery may be from now, as in the vendor's SDK."""


def check_signature(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float) -> None:
    """Make sure that a delivery was signed with one of the secrets, not long ago.

    Raises:
        EventRefused: it was not.
    """
    timestamp, signature = headers.get("x-webhook-timestamp", ""), headers.get("x-webhook-signature", "")
    if not timestamp or not signature:
        raise EventRefused(
            "the delivery is not signed: X-Webhook-Signature or X-Webhook-Timestamp is missing"
        )
    if re.fullmatch(r"[0-9]{1,12}", timestamp) is None:
        raise EventRefused("the delivery's X-Webhook-Timestamp is no moment in seconds")
    signed = timestamp.encode() + b"." + body
    expected = [
        "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets
    ]
    # Every secret is compared, in constant time, so that the time tells nothing of which nearly fitted.
    fits = [hmac.compare_digest(each.encode(), signature.encode()) for each in expected]
    if not any(fits):
        raise EventRefused("the delivery's signature does not fit any webhook_secret of the account")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise EventRefused(f"the delivery is stale: it was signed more than {TOLERANCE_S} s from now")


def read_event(headers: Mapping[str, str], body: bytes) -> ProviderEvent:
    """Return what a verified delivery says.

    Raises:
        EventRefused: it is no JSON object with an event's name.
    """
    event = read_json(body)
    kind = text_of(event.get("event")) if isinstance(event, dict) else ""
    if not isinstance(event, dict) or not kind:
        raise EventRefused("the delivery is no JSON object with an event's name", status=400)
    digest = hashlib.sha256(body).hexdigest()
    execution = None
    if kind == "agent.call_ended" and event.get("test") is not True:
        execution = read_call_ended(event)
    keys = (digest,) if execution is None else (digest, f"{execution.execution_id}:{kind}")
    return ProviderEvent(usable_id(headers.get("x-webhook-id")) or digest, kind, execution, True, keys)
