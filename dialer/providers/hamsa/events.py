"""Hamsa's webhooks: is it Hamsa that speaks, of which attempt, and what it says.

The only protection is a shared secret in a header. Neither time nor body is signed, so an event can be
repeated or changed by whoever has seen one: it is a reason to ask Hamsa about the call, never proof.
How `webhookAuth` becomes a header is not documented; both readings are accepted.

Source: docs.tryhamsa.com, the page webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import orjson

from dialer.providers.abilities import EventRefused, ProviderEvent
from dialer.providers.hamsa.records import usable_id
from dialer.providers.provider import Execution
from dialer.providers.values import read_moment
from dialer.providers.wire import read_json

TEXT_MAX = 200


def check_secret(headers: Mapping[str, str], name: str, secret: str) -> None:
    """Make sure that a delivery carries the secret; every reading is compared in constant time.

    Readings: `Authorization: NAME SECRET`, a header called NAME that holds SECRET, and what a dashboard
    sends: `Authorization: SECRET` or `Authorization: Bearer SECRET`.

    Raises:
        EventRefused: it does not.
    """
    authorization = headers.get("authorization", "")
    pairs = (
        (authorization, f"{name} {secret}"),
        (authorization, secret),
        (authorization, f"Bearer {secret}"),
        (headers.get(name.lower(), ""), secret),
    )
    # Every pair is compared, so that the time tells nothing of which one nearly fitted.
    equal = [hmac.compare_digest(given.encode(), wanted.encode()) for given, wanted in pairs]
    if not any(equal):
        raise EventRefused("the delivery does not carry the webhook secret of the account")


def read_event(body: bytes, attempt_id_key: str) -> ProviderEvent:
    """Return what a delivery says.

    Every field is optional: the table of the envelope and its sample differ, and `data` is nested twice
    in the sample. The attempt comes from the params that are echoed, the ids from whatever names one.

    Raises:
        EventRefused: it is no JSON object.
    """
    event = read_json(body)
    if not isinstance(event, dict):
        raise EventRefused("the delivery is no JSON object", status=400)
    data = _object(event.get("data"))
    inner = _object(data.get("data")) or data
    kind = _word(event.get("eventType")) or _word(data.get("eventType")) or "unknown"
    call_id = usable_id(event.get("callId"))
    ids = (usable_id(inner.get("conversationId")), call_id, usable_id(inner.get("jobId")))
    at = event.get("timestamp") or data.get("timestamp")
    attempt_id = _attempt_id(inner, attempt_id_key)
    known = next((each for each in ids if each), None)
    digest = hashlib.sha256(body).hexdigest()
    named = f"{call_id or known}:{kind}:{at}" if (call_id or known) and isinstance(at, str) else ""
    return ProviderEvent(
        event_id=named if named and len(named) <= TEXT_MAX and named.isprintable() else digest,
        kind=kind,
        execution=None
        if known is None and attempt_id is None
        else _execution(event, inner, known, attempt_id),
        proof=False,
        duplicate_keys=(digest,),
    )


def _execution(
    event: Mapping[str, Any], inner: Mapping[str, Any], known: str | None, attempt_id: str | None
) -> Execution:
    """Return what an event says of a call: never what came of it, for it carries no status."""
    return Execution(
        provider_ref=known or "",
        execution_id=known,
        phone=None,
        agent=usable_id(event.get("agentId")),
        status=_word(event.get("eventType")) or "",
        created_at_us=None,
        ended_at_us=read_moment(event.get("timestamp"), UTC)[0]
        if event.get("eventType") == "call.ended"
        else None,
        attempt_id=attempt_id,
        recording_url=_word(inner.get("conversationRecording"), 2000),
        transcript=_transcript(inner.get("transcription")),
    )


def _attempt_id(inner: Mapping[str, Any], key: str) -> str | None:
    """Return our reference from the params: at the end they are in `outcomeResult`, before in `params`."""
    for place in (inner.get("outcomeResult"), inner.get("params"), inner):
        found = _object(place).get(key)
        if isinstance(found, str) and found.strip() and len(found) <= TEXT_MAX and found.isprintable():
            return found.strip()
    return None


def _object(value: Any) -> Mapping[str, Any]:
    """Return an object, also one that is written as JSON in a text; nothing is evaluated."""
    if isinstance(value, str):
        value = read_json(value.encode())
    return value if isinstance(value, dict) else {}


def _word(value: Any, most: int = TEXT_MAX) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return text if text and len(text) <= most and text.isprintable() else None


def _transcript(value: Any) -> str | None:
    """Return the turns as lines `Agent: ...`; the turns are objects with one key."""
    if isinstance(value, str):
        return value.replace("\x00", "") or None
    if not isinstance(value, list):
        return None
    turns = [f"{who}: {said}" for turn in value if isinstance(turn, dict) for who, said in turn.items()]
    text = "\n".join(turns) if turns else orjson.dumps(value).decode() if value else ""
    return text.replace("\x00", "") or None


def _ended_at_us(event: Mapping[str, Any]) -> int | None:
    if event.get("eventType") != "call.ended":
        return None
    return read_moment(event.get("timestamp"), UTC)[0]
