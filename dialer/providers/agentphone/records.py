"""What AgentPhone says of a call: records of its lists and events of its webhooks become Execution.

Records know only how a call ended; the event also knows why (`disconnectionReason`), and so alone tells a
voicemail from a talk. The provider documents no list of reasons: those below are the ones of the platform
that it seems to be built on, any other is kept in `status` and taken for what the status says.

Source: docs.agentphone.to, the pages calls and webhooks; Retell's public list of reasons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dialer.providers.agentphone.api import usable_id
from dialer.providers.provider import Execution

OUTCOME_OF_STATUS = {
    "completed": "completed",
    "failed": "failed",
    "busy": "busy",
    "no_answer": "no_answer",
    "voicemail": "voicemail",
    "canceled": "canceled",
    "cancelled": "canceled",
}
"""Our word for a final status; `completed` and `failed` are documented, the others are seen in use."""

OUTCOME_OF_REASON = {
    reason: outcome
    for outcome, reasons in {
        "completed": "user_hangup agent_hangup call_transfer transfer_bridged transfer_cancelled ivr_reached "
        "inactivity max_duration_reached call_take_over",
        "voicemail": "voicemail_reached",
        "busy": "dial_busy",
        "no_answer": "dial_no_answer",
        "canceled": "user_declined manual_stopped",
        "failed": "dial_failed invalid_destination telephony_provider_permission_denied "
        "telephony_provider_unavailable sip_routing_error marked_as_spam concurrency_limit_reached "
        "no_concurrency_fallback no_valid_payment scam_detected registered_call_timeout",
    }.items()
    for reason in reasons.split()
}
"""Our word for a `disconnectionReason`."""

TEXT_MAX = 200


def read_record(row: Mapping[str, Any]) -> Execution | None:
    """Return what a record of a call says; None where it has no id."""
    call_id = usable_id(row.get("id"))
    if call_id is None:
        return None
    status = text_of(row.get("status"))
    return Execution(
        provider_ref=call_id,
        phone=phone_of(row.get("toNumber")),
        agent=usable_id(row.get("agentId")),
        status=status,
        outcome=outcome_of(status),
        created_at_us=read_moment(row.get("startedAt")),
        ended_at_us=read_moment(row.get("endedAt")),
        execution_id=call_id,
        duration_s=seconds_of(row.get("durationSeconds")),
        recording_url=text_of(row.get("recordingUrl"), 2000) or None,
        transcript=words_of_turns(row.get("transcripts")),
    )


def read_call_ended(event: Mapping[str, Any]) -> Execution | None:
    """Return what an event `agent.call_ended` says; None where it names no call.

    The number is left out: which side `from` is in the event of an outbound call is not documented, and
    the call's id says it all.
    """
    data = event.get("data")
    data = data if isinstance(data, dict) else {}
    call_id = usable_id(data.get("callId"))
    if call_id is None:
        return None
    status, reason = text_of(data.get("status")), text_of(data.get("disconnectionReason"))
    success = data.get("callSuccessful")
    return Execution(
        provider_ref=call_id,
        phone=None,
        agent=usable_id(event.get("agentId")),
        status=f"{status}: {reason}" if reason else status,
        outcome=outcome_of(status, reason) or "completed",
        created_at_us=read_moment(data.get("startedAt")),
        ended_at_us=read_moment(data.get("endedAt")),
        execution_id=call_id,
        disposition={True: "successful", False: "unsuccessful"}.get(success)
        if success in (True, False)
        else None,
        duration_s=seconds_of(data.get("durationSeconds")),
        recording_url=text_of(data.get("recordingUrl"), 2000) or None,
        transcript=words_of_talk(data.get("transcript")),
        sentiment=text_of(data.get("userSentiment")) or None,
    )


def outcome_of(status: str, reason: str = "") -> str | None:
    """Return our word for what came of a call; None while it is open or its status is not understood."""
    known = OUTCOME_OF_REASON.get(_plain(reason))
    if known is None and _plain(reason).startswith("error_"):
        known = "failed"
    return known or OUTCOME_OF_STATUS.get(_plain(status))


def read_moment(value: Any) -> int | None:
    """Return an ISO 8601 moment as UTC microseconds; the provider's times are UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
    except (ValueError, OverflowError):
        return None


def seconds_of(value: Any) -> float | None:
    """Return a length of time in seconds; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        return None
    return float(value)


def text_of(value: Any, most: int = TEXT_MAX) -> str:
    """Return a text that a table can hold, shortened; empty for what is none."""
    if not isinstance(value, str):
        return ""
    return "".join(sign for sign in value if sign.isprintable())[:most].strip()


def phone_of(value: Any) -> str | None:
    """Return a number as E.164, or None."""
    digits = re.sub(r"[^0-9]", "", value) if isinstance(value, str) else ""
    return f"+{digits}" if digits else None


def words_of_turns(turns: Any) -> str | None:
    """Return what a record's `transcripts` say: each turn has the caller's words and the agent's response."""
    lines: list[tuple[Any, Any]] = []
    for turn in _objects(turns):
        lines += [("user", turn.get("transcript")), ("agent", turn.get("response"))]
    return _lines(lines)


def words_of_talk(turns: Any) -> str | None:
    """Return what an event's `transcript` says: a list of role and content, or a text."""
    if isinstance(turns, str):
        return turns.replace("\x00", "") or None
    return _lines([(turn.get("role"), turn.get("content")) for turn in _objects(turns)])


def _lines(turns: Sequence[tuple[Any, Any]]) -> str | None:
    spoken = [
        f"{text_of(role) or 'user'}: {words}" for role, words in turns if isinstance(words, str) and words
    ]
    return "\n".join(spoken).replace("\x00", "") or None


def _objects(turns: Any) -> list[Mapping[str, Any]]:
    return [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []


def _plain(word: str) -> str:
    return re.sub(r"[\s\-]+", "_", word.strip().casefold())
