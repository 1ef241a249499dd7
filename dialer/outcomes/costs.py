"""What calls cost, where the provider tells it in a list of its own, some time after they are over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dialer.attempts.match import CLOCK_MARGIN_US
from dialer.attempts.unsettled import Finding, Pending
from dialer.providers.provider import Execution


def match_costs(pending: Sequence[Pending], records: Iterable[Execution]) -> list[Finding]:
    """Return which record is the bill of which call: by execution id, else by number and time if only one is.

    A record that names an execution id of a call that is not ours is nobody's here.
    """
    kept = [one for one in records if one.cost is not None]
    by_execution = {one.execution_id: one for one in kept if one.execution_id}
    found: list[Finding] = []
    by_time: dict[str, list[tuple[Pending, Execution]]] = {}
    nameless: dict[str, list[Execution]] = {}
    for one in kept:
        if one.execution_id is None and one.phone and not one.zone_assumed:
            nameless.setdefault(one.phone, []).append(one)
    for attempt in pending:
        sure = by_execution.get(attempt.execution_id) if attempt.execution_id else None
        if sure is not None:
            found.append(Finding(attempt, sure))
            continue
        for one in nameless.get(attempt.phone, ()):
            at_us = one.created_at_us
            if at_us is not None and abs(at_us - attempt.opened_at_us) <= CLOCK_MARGIN_US:
                by_time.setdefault(attempt.attempt_id, []).append((attempt, one))
                by_time.setdefault(f"record {one.provider_ref}", []).append((attempt, one))
    for attempt in pending:
        pairs = by_time.get(attempt.attempt_id, [])
        if len(pairs) == 1 and len(by_time[f"record {pairs[0][1].provider_ref}"]) == 1:
            found.append(Finding(*pairs[0]))
    return found


def bill(finding: Finding) -> Finding:
    """Return only the cost of a record, so that nothing else of the bill reaches the ledger."""
    record = finding.execution
    only = Execution("", None, None, "", cost=record.cost, currency=record.currency)
    return Finding(finding.pending, only)
