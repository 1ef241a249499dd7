"""UnleashX beyond calls: attaching numbers, agents, call history, hints by webhook.

Numbers are attached on two documented paths: the public one takes a whole-number agent and no telephony
provider, the older one a text such as `agent_abc123` and asks which telephony provider has the numbers.
The order is sent once, whatever comes of it.

Source: the provider's public pages attach-phone-number, list-voice-agents and call-logs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import httpx
import orjson

from dialer.base.errors import BadInput, MaybeDialled, NotReady, SubmitError
from dialer.providers.abilities import Agent, EventRefused, PhoneNumber, ProviderEvent
from dialer.providers.provider import Execution
from dialer.providers.unleashx.lists import message_of, open_envelope
from dialer.providers.wire import Speaker, read_json, readable

ATTACH_PATH = "/api/v1/global/attach-phone-numbers"
ATTACH_OLD_PATH = "/api/agent/attach-phone-number"
AGENTS_PATH = "/api/v1/global/agents/get"
HISTORY_PATH = "/api/v1/global/agents/call-history"

TELEPHONY = ("san", "ozonetell", "twilio", "exotel", "telnyx", "vonage", "plivo", "bandwidth")
"""Telephony providers that the page names; the server decides which it takes."""

AGENT_STATUSES = {1: "active", 2: "deleted"}
CALLING_TYPES = {1: "outbound", 2: "inbound"}

ADVICE = (
    ("invalid auth key", "check the token that dialer.toml names, and auth_style"),
    ("agent id is required", "say which agent: --agent"),
    ("provider is required", f"say which telephony provider has the numbers: --telephony {TELEPHONY[0]}"),
    ("invalid provider", f"known are {', '.join(TELEPHONY)}"),
    ("provider not configured", "set the telephony provider up in UnleashX first, then attach again"),
    ("phone number(s) are required", "say which numbers"),
    ("invalid phone number format", "write + and country code, digits only"),
    ("already attached", "detach it there first; a number belongs to one agent"),
    ("agent not found", "check the agent's id; `dialer agents ACCOUNT list` shows those there are"),
)
"""Documented words of a refusal, and what to do about each."""


class AgentHistory(NamedTuple):
    """What the provider counts of one agent's calls: a cross-check, for it names no single call."""

    agent: str
    name: str | None
    calls: int
    succeeded: int
    failed: int
    duration: str | None


def attach_order(agent: str, numbers: Sequence[str], telephony: str | None) -> tuple[str, dict[str, Any]]:
    """Return path and body of an order to attach numbers.

    Raises:
        BadInput: the agent's id fits neither path.
    """
    if telephony is not None:
        return ATTACH_OLD_PATH, {"agent_id": agent, "provider": telephony, "numbers": list(numbers)}
    if re.fullmatch(r"[0-9]{1,18}", agent) is None:
        raise BadInput(
            f"agent {agent!r} is no whole number, and only an older path of UnleashX knows such agents; "
            f"it also wants the telephony provider of the numbers: --telephony {' | '.join(TELEPHONY)}"
        )
    return ATTACH_PATH, {"agent_id": int(agent), "numbers": list(numbers)}


def read_attached(
    response: httpx.Response, agent: str, numbers: Sequence[str], telephony: str | None, who: Speaker
) -> list[PhoneNumber]:
    """Return the numbers as the answer says they are now.

    Raises:
        BadInput: UnleashX says no, and why.
        NotReady: it failed, or its answer says neither yes nor no.
    """
    answer = read_json(response.content)
    said = readable(message_of(answer), who.secrets)
    data, flaw = open_envelope(answer, "phone_numbers")
    if not data:
        data, flaw = open_envelope(answer, "phone_number")
    if 200 <= response.status_code < 300 and flaw is None and data:
        told = data.get("phone_numbers") or [data.get("phone_number")]
        return [
            PhoneNumber(
                phone=str(one),
                agent=str(data.get("agent_id") or agent),
                status=data.get("status") if isinstance(data.get("status"), str) else None,
                kind=str(data.get("provider") or telephony or "") or None,
                created_at=data.get("attached_at") if isinstance(data.get("attached_at"), str) else None,
                raw=data,
            )
            for one in (told if isinstance(told, list) else [told])
            if one
        ]
    answered = f"{who} answered {response.status_code}" + (f" ({said})" if said else "")
    if 400 <= response.status_code < 500 or (response.is_success and flaw is not None):
        if response.status_code == 429:
            raise NotReady(f"{answered}: too many requests; nothing was attached, try again in a minute")
        raise BadInput(f"{answered}; {_advice(answer, said, agent)}nothing was attached")
    raise NotReady(
        f"{answered}; whether the numbers were attached is not known: look at the agent in UnleashX first"
    )


def error_of_attach(error: SubmitError) -> NotReady:
    """Return what a failure on the way means for an order to attach."""
    if isinstance(error, MaybeDialled):
        return NotReady(
            f"{error}".replace("; the call may have been placed", "")
            + "; whether the numbers were attached is not known: look at the agent in UnleashX first"
        )
    return NotReady(str(error).replace("no call was placed", "nothing was attached"))


def read_agents(answer: Any, who: Speaker) -> list[Agent]:
    """Return the agents of an answer that is wrapped twice and holds one agent or several.

    Raises:
        NotReady: it holds neither.
    """
    level, flaw = answer, None
    for _ in range(3):
        if not isinstance(level, dict) or "agent_id" in level or "AGENT_ID" in level:
            break
        _, flaw = open_envelope(level, "agent_id")
        level = level.get("data")
    rows = level if isinstance(level, list) else [level]
    agents = [row for row in rows if isinstance(row, dict) and row.get("agent_id") is not None]
    if flaw is not None or (not agents and level not in ([], {}, None)):
        said = readable(message_of(answer), who.secrets)
        raise NotReady(f"{who} answered without agents{': ' if said else ''}{said}")
    return [
        Agent(
            agent=str(row["agent_id"]),
            name=row.get("agent_name"),
            status=_agent_status(row),
            raw=row,
        )
        for row in agents
    ]


def read_history(rows: Sequence[Mapping[str, Any]]) -> list[AgentHistory]:
    """Return the counts of each row; in rows they are texts, in totals numbers."""
    return [
        AgentHistory(
            str(row["agent_id"]),
            row.get("agent_name"),
            _count(row.get("total_calls")),
            _count(row.get("success_calls")),
            _count(row.get("failed_calls")),
            row.get("total_duration"),
        )
        for row in rows
        if row.get("agent_id") is not None
    ]


def read_hint(body: bytes, now_s: float, attempt_id_key: str) -> ProviderEvent:
    """Return a delivery as what it can be at most: a reason to ask.

    Neither payload nor signature is documented, so nothing is believed, and nothing refused that can be read:
    JSON, a form, or nothing at all. The same body counts once a minute: whether deliveries have an id is not
    known, and a constant body may come for every call.

    Raises:
        EventRefused: it is none of these.
    """
    told = _readable(body)
    execution_id = _find(told, ("execution_id", "EXECUTION_ID", "executionId"))
    attempt_id = _find(told, (attempt_id_key,))
    said = None
    if execution_id or attempt_id:
        said = Execution("", None, None, "", execution_id=execution_id, attempt_id=attempt_id)
    kind = _find(told, ("event", "event_type", "type")) or "unknown"
    event_id = f"{hashlib.sha256(body).hexdigest()}:{int(now_s // 60)}"
    return ProviderEvent(event_id, kind, said, proof=False)


def _readable(body: bytes) -> Any:
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return dict(parse_qsl(body.decode(), strict_parsing=True))
    except ValueError:
        raise EventRefused("the body is neither JSON nor a form", status=400) from None


def _advice(answer: Any, said: str, agent: str) -> str:
    words = said.casefold()
    data = answer.get("data") if isinstance(answer, dict) else None
    owner = data.get("existing_agent_id") if isinstance(data, dict) else None
    advice = next((advice for sign, advice in ADVICE if sign in words), "")
    if owner:
        advice = f"it belongs to agent {readable(str(owner))}, not to {agent}: {advice}"
    return f"{advice}; " if advice else ""


def _agent_status(row: Mapping[str, Any]) -> str | None:
    status, calling = row.get("status"), row.get("calling_type")
    words = [
        AGENT_STATUSES.get(status, f"status {status}") if isinstance(status, int) else None,
        CALLING_TYPES.get(calling) if isinstance(calling, int) else None,
    ]
    return ", ".join(word for word in words if word) or None


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | str) and re.fullmatch(r"[0-9]{1,12}", str(value)) else 0


def _find(value: Any, names: Sequence[str], depth: int = 4) -> str | None:
    """Return the first text under one of the names, wherever it stands, also in JSON within a text."""
    if depth == 0:
        return None
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    if isinstance(value, dict):
        for name in names:
            found = value.get(name)
            if isinstance(found, str) and 0 < len(found) <= 200 and found.isprintable():
                return found
        value = list(value.values())
    if isinstance(value, list):
        return next((hit for one in value[:100] if (hit := _find(one, names, depth - 1))), None)
    return None
