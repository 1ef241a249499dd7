"""What Hamsa's file says of a call: rows of minimal-list and whole conversations become Execution.

The two differ in spelling (`duration`, `callDuration`; `Telephone`, `TELEPHONE`), and neither gives the
call's params back. Only the page of a job knows a cost, and it names no currency.

Source: docs.tryhamsa.com, the pages minimal-list, conversation and jobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from dialer.providers.provider import Execution
from dialer.providers.values import digits_of, read_moment, read_number

OUTCOME_OF_STATUS = {
    "COMPLETED": "completed",
    "NO_ANSWER": "no_answer",
    "FAILED": "failed",
    "FORWARDED": "completed",
    "TERMINATED": "canceled",
}
"""Final statuses. TERMINATED has no text in the documents; it is read as ended early, and may be set."""


def read_execution(row: Mapping[str, Any], terminated: str = "canceled") -> Execution | None:
    """Return what a row of the list or a conversation says; None where it has no id."""
    call_id = usable_id(row.get("id")) or usable_id(row.get("jobId"))
    if call_id is None:
        return None
    status = _text(row.get("status"))
    plain = re.sub(r"[\s-]+", "_", status).upper()
    outcome = terminated if plain == "TERMINATED" else OUTCOME_OF_STATUS.get(plain)
    parties = row.get("callParams")
    digits = digits_of(_text(parties.get("userNumber"))) if isinstance(parties, dict) else ""
    created_at_us = read_moment(row.get("createdAt"), UTC)[0]
    return Execution(
        provider_ref=call_id,
        execution_id=call_id,
        phone=f"+{digits}" if digits else None,
        agent=_text(row.get("voiceAgentId")) or None,
        status=status,
        outcome=outcome,
        created_at_us=created_at_us,
        ended_at_us=_ended_at_us(row, created_at_us, outcome),
        # Ours has no word for a call that was handed to a person, or cut short: theirs is kept.
        disposition=plain.lower() if plain in ("FORWARDED", "TERMINATED") else None,
        duration_s=read_number(row.get("callDuration"), row.get("duration")),
        recording_url=_text(row.get("mediaUrl")) or None,
    )


def read_cost(answer: Any) -> float | None:
    """Return what a job cost, from the page of that job."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(data, list):
        data = data[0] if len(data) == 1 else None
    return read_number(data.get("totalCost")) if isinstance(data, dict) else None


def usable_id(value: Any) -> str | None:
    """Return an id that a table can hold, or None."""
    text = _text(value)
    return text if text and len(text) <= 200 and text.isprintable() else None


def _ended_at_us(row: Mapping[str, Any], created_at_us: int | None, outcome: str | None) -> int | None:
    """Return when a call that is over ended, as near as the documents tell."""
    if outcome is None or created_at_us is None:
        return None
    updated_at_us = read_moment(row.get("updatedAt"), UTC)[0]
    if updated_at_us is not None:
        return updated_at_us
    duration_s = read_number(row.get("callDuration"), row.get("duration"))
    return None if duration_s is None else created_at_us + round(duration_s * 1e6)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    # PostgreSQL holds no NUL in text.
    return str(value).replace("\x00", "").strip()
