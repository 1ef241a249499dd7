"""Answers into the ledger: what came of attempts, for their rows and for their contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from dialer.store.database import Dialects, Store, as_rows

OF_FEW = "ledger.state || ''"
"""The state, where attempts are found by their ids. Said bare it would let PostgreSQL walk along the index of
all open attempts, which it believes to be few until the table is analyzed."""
_ANSWERED = (
    "attempt_id text, state text, execution_id text, provider_status text, http_status integer,"
    " error_code text, error text, sent_at_us bigint, answered_at_us bigint, next_lookup_at_us bigint,"
    " contact_id bigint, status text, reason text, calls integer, tries integer, next_call_at_us bigint,"
    " called_at_us bigint"
)
_ANSWER = """
    UPDATE ledger SET state = r.state, execution_id = r.execution_id, provider_status = r.provider_status,
        http_status = r.http_status, error_code = r.error_code, error = r.error,
        sent_at_us = r.sent_at_us, answered_at_us = r.answered_at_us, next_lookup_at_us = r.next_lookup_at_us
    FROM {rows} AS r
    WHERE ledger.attempt_id = r.attempt_id AND {state} IN ('sending', 'unknown')"""
_ANSWER_CONTACT = """
    UPDATE contacts SET status = r.status, reason = r.reason, calls = r.calls, tries = r.tries,
        next_call_at_us = r.next_call_at_us, worker = NULL,
        last_attempt_id = CASE r.status WHEN 'waiting' THEN contacts.last_attempt_id ELSE r.attempt_id END,
        first_called_at_us = coalesce(contacts.first_called_at_us, r.called_at_us),
        last_called_at_us = coalesce(r.called_at_us, contacts.last_called_at_us)
    FROM {rows} AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.status IN ('leased', 'unknown') AND r.attempt_id"""

# An answer that was written before, or whose attempt somebody else has settled, leaves the contact alone:
# it counts only where the ledger took it.
ANSWERS = Dialects(
    postgresql=f"""
    WITH r AS MATERIALIZED (SELECT * FROM ROWS({_ANSWERED}) AS rows ORDER BY attempt_id),
    written AS ({_ANSWER.format(rows="r", state=OF_FEW)} RETURNING ledger.attempt_id)
    {_ANSWER_CONTACT.format(rows="r")} IN (SELECT attempt_id FROM written)""",
    # Nobody else writes meanwhile: what the ledger is about to take can be seen before it does.
    sqlite=f"""
    {_ANSWER_CONTACT.format(rows=f"ROWS({_ANSWERED})")} IN (
        SELECT attempt_id FROM ledger WHERE attempt_id = r.attempt_id AND state IN ('sending', 'unknown'))""",
)

ANSWERS_OF_LEDGER = Dialects(_ANSWER.format(rows=f"ROWS({_ANSWERED})", state="ledger.state"))


class Answer(NamedTuple):
    """What came of an attempt, for its row in the ledger and for its contact.

    `sent_at_us` is None where the request never left; `called_at_us` where the person was surely not called.
    """

    attempt_id: str
    state: str
    execution_id: str | None
    provider_status: str | None
    http_status: int | None
    error_code: str | None
    error: str | None
    sent_at_us: int | None
    answered_at_us: int
    next_lookup_at_us: int | None
    contact_id: int
    status: str
    reason: str | None
    calls: int
    tries: int
    next_call_at_us: int
    called_at_us: int | None


def record(store: Store, connection: Connection, answers: Sequence[Answer]) -> None:
    """Write answers, each into its attempt and its contact.

    Raises:
        IntegrityError: an execution id belongs to another attempt.
    """
    if answers:
        rows = as_rows(sorted(answers))
        store.change(connection, ANSWERS, rows=rows)
        if store.is_sqlite:
            store.change(connection, ANSWERS_OF_LEDGER, rows=rows)


def record_alone(store: Store, connection: Connection, answer: Answer) -> None:
    """Write one answer; as `unknown` where its execution id belongs to another attempt."""
    try:
        with connection.begin_nested():
            record(store, connection, [answer])
    except IntegrityError:
        record(store, connection, [without_execution_id(answer)])


def without_execution_id(answer: Answer) -> Answer:
    """Return the answer as `unknown`: its execution id belongs to another attempt, so it proves nothing."""
    return answer._replace(
        state="unknown",
        execution_id=None,
        error_code="duplicate_execution_id",
        error=f"the provider answered with the execution id of another attempt ({answer.execution_id})",
        next_lookup_at_us=answer.answered_at_us,
        status="unknown",
        reason="duplicate_execution_id",
    )
