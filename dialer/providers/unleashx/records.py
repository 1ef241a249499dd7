"""What UnleashX's lists say of a call: rows of its JSON become Execution.

Columns are upper case on the provider's page; `TOTAL_DURATION` (seconds) and `total_duration` ("1m 13s")
differ by nothing else. Spellings of outcomes beyond completed and failed are not documented: those
below are what the trade uses, and anything else stays open, with its text kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from uuid import UUID

import orjson

from dialer.providers.provider import Execution
from dialer.providers.values import digits_of, read_duration_s, read_moment, read_number

OUTCOME_OF_STATUS = {
    spelling: outcome
    for outcome, spellings in {
        "completed": "completed complete answer answered agent_ended user_ended success successful",
        "failed": "failed failure fail error call_failed congestion invalid_number",
        "busy": "busy user_busy line_busy",
        "no_answer": "no_answer noanswer not_answered unanswered missed ring_timeout no_response",
        "voicemail": "voicemail voice_mail answering_machine machine machine_detected",
        "canceled": "canceled cancelled cancel rejected declined aborted",
    }.items()
    for spelling in spellings.split()
}


def outcome_of(call_status: str, status: str) -> str | None:
    """Return our word for what became of a call; None while it is open or not understood.

    CALL_STATUS is the finer word and wins. A STATUS of `completed` beside a CALL_STATUS that is not
    understood says only that the record is closed, not that somebody answered.
    """
    fine, coarse = (OUTCOME_OF_STATUS.get(_plain(text)) for text in (call_status, status))
    if fine is not None or not call_status:
        return fine or coarse
    return None if coarse == "completed" else coarse


def read_execution(
    row: Mapping[str, Any],
    *,
    attempt_id_key: str,
    zone: tzinfo | None,
    track_id_is_execution_id: bool,
    source: str = "",
) -> Execution | None:
    """Return what a row says of a call; None where the row has no key of its own.

    `zone` is that of dates without one; None means that it is not known: they are read as UTC and
    the execution is marked `zone_assumed`. `source` sets records of another list apart.
    """
    call_status, status = _text(row, "CALL_STATUS"), _text(row, "STATUS")
    created_at_us, zone_known = read_moment(_first(row, "CREATED_AT", "CREATED_ON"), zone)
    ended_at_us, _ = read_moment(_first(row, "ENDED_AT", "END_TIME"), zone)
    track_id = _text(row, "TRACK_ID")
    execution_id = _text(row, "EXECUTION_ID")
    if not execution_id and track_id_is_execution_id and _is_uuid(track_id):
        execution_id = track_id
    key = _text(row, "ID") or execution_id or track_id
    if not key:
        return None
    digits = digits_of(_text(row, "CALLING_NUMBER"))
    return Execution(
        provider_ref=source + key,
        phone=f"+{digits}" if digits else None,
        agent=_text(row, "AGENT_ID") or None,
        status=call_status or status,
        outcome=outcome_of(call_status, status),
        created_at_us=created_at_us,
        ended_at_us=ended_at_us,
        zone_assumed=created_at_us is not None and not zone_known,
        attempt_id=_attempt_id(_first(row, "INPUT_DATA", "METADATA"), attempt_id_key),
        execution_id=execution_id or None,
        disposition=_text(row, "DISPOSITION") or None,
        duration_s=read_duration_s(row.get("TOTAL_DURATION"), row.get("total_duration")),
        # Only the list of transactions is documented to know what a call cost.
        cost=read_number(_first(row, "TOTAL_COST", "COST", "AMOUNT")) if source else None,
        currency=_text(row, "CURRENCY") or None if source else None,
        recording_url=_text(row, "FILE_PATH") or None,
        transcript=_transcript(_first(row, "TRANSCRIPT")),
        sentiment=_text(row, "SENTIMENT") or None,
    )


def _first(row: Mapping[str, Any], *columns: str) -> Any:
    """Return the first column that is there, in upper or in lower case."""
    for column in columns:
        for name in (column, column.lower()):
            if row.get(name) not in (None, ""):
                return row[name]
    return None


def _text(row: Mapping[str, Any], column: str) -> str:
    value = _first(row, column)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    # PostgreSQL holds no NUL in text.
    return str(value).replace("\x00", "").strip()


def _transcript(value: Any) -> str | None:
    text = value if isinstance(value, str) else orjson.dumps(value).decode() if value else ""
    return text.replace("\x00", "") or None


def _attempt_id(value: Any, key: str, depth: int = 3) -> str | None:
    """Return the attempt id in a call's input data, which may be an object or JSON in a text."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    if not isinstance(value, dict) or depth == 0:
        return None
    found = value.get(key)
    if isinstance(found, str) and found:
        return found
    return next((hit for each in value.values() if (hit := _attempt_id(each, key, depth - 1))), None)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _plain(status: str) -> str:
    return re.sub(r"[\s\-]+", "_", status.strip().casefold())
