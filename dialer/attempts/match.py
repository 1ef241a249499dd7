"""Which of the provider's records is which attempt of ours.

By our own attempt id where the provider gives it back, by execution id where both know it, by the record's
key where it was bound by that before, else by number and time: the database lets one attempt per number be
open at a time, so a record for that number that is not older than the attempt and belongs to no other attempt
is this one's.

A record's key is the weakest of the ids: an account that moves from sandbox to production begins to count
anew. Where an id that both know, or the number, says something else, a key that is the same means nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dialer.attempts.unsettled import Finding, Pending
from dialer.providers.provider import Execution

CLOCK_MARGIN_US = 60_000_000
"""How much older than our attempt the provider's clock may show its record."""

ZONE_MARGIN_US = 12 * 3600 * 1_000_000
"""The same for a date without a zone, which was read as UTC: no zone is further behind it."""


def match(
    pending: Sequence[Pending], executions: Sequence[Execution], bound: Collection[str]
) -> tuple[list[Finding], list[Pending]]:
    """Return the findings that are certain, and the attempts for which several records would do.

    `bound` are the provider's records that belong to an attempt already.
    """
    by_attempt = {one.attempt_id: one for one in executions if one.attempt_id}
    by_execution = {one.execution_id: one for one in executions if one.execution_id}
    by_ref: dict[str, list[Execution]] = {}
    by_phone: dict[str, list[Execution]] = {}
    for one in executions:
        by_ref.setdefault(one.provider_ref, []).append(one)
        if one.phone and one.attempt_id is None and one.provider_ref not in bound:
            by_phone.setdefault(one.phone, []).append(one)
    found: list[Finding] = []
    ambiguous: list[Pending] = []
    for attempt in pending:
        sure = by_attempt.get(attempt.attempt_id)
        if sure is None and attempt.execution_id:
            sure = by_execution.get(attempt.execution_id)
            if sure is not None and sure.attempt_id is not None:
                sure = None  # it names another attempt of ours
        if sure is None and attempt.provider_ref:  # bound before, while the call still ran
            same = by_ref.get(attempt.provider_ref, ())
            sure = next((one for one in same if not is_another_call(attempt, one)), None)
        if sure is not None:
            found.append(Finding(attempt, sure))
            continue
        candidates = [one for one in by_phone.get(attempt.phone, ()) if _may_be(attempt, one)]
        if len(candidates) == 1:
            found.append(Finding(attempt, candidates[0]))
        elif candidates:
            ambiguous.append(attempt)
    return found, ambiguous


def is_proven(attempt: Pending, execution: Execution) -> bool:
    """Return whether an id of the record says that it is the attempt's: ours, or the execution id."""
    if execution.attempt_id is not None:
        return execution.attempt_id == attempt.attempt_id
    return execution.execution_id is not None and execution.execution_id == attempt.execution_id


def is_another_call(attempt: Pending, execution: Execution) -> bool:
    """Return whether a record with the key of the attempt's own is another call's all the same."""
    if execution.attempt_id is not None:
        return execution.attempt_id != attempt.attempt_id
    if attempt.execution_id is not None and execution.execution_id is not None:
        if execution.execution_id == attempt.execution_id:
            return False
        # Where the provider had told none, the key stands for the execution id.
        if attempt.execution_id != execution.provider_ref:
            return True
    return execution.phone not in (None, attempt.phone)


def _may_be(attempt: Pending, execution: Execution) -> bool:
    if execution.agent is not None and execution.agent != attempt.agent:
        return False
    if attempt.execution_id and execution.execution_id not in (None, attempt.execution_id):
        return False
    if execution.created_at_us is None:
        return True
    margin_us = CLOCK_MARGIN_US + (ZONE_MARGIN_US if execution.zone_assumed else 0)
    return execution.created_at_us >= attempt.opened_at_us - margin_us
