"""Settle attempts by what the provider's own file says: bind, end, free, hold, expire.

Every statement names the states it may leave from, so that saying it twice, late or out of order changes
nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from dialer.attempts.answered import OF_FEW
from dialer.attempts.answers import clean
from dialer.attempts.match import is_proven
from dialer.attempts.redial import Redial, redials
from dialer.attempts.unsettled import Finding
from dialer.calls import campaigns, limits, suppressions
from dialer.store.database import Dialects, Rows, Store, as_rows

log = structlog.get_logger()

FOUND_ROWS = """ROWS(attempt_id text, contact_id bigint, execution_id text, provider_ref text,
        provider_status text, outcome text, disposition text, duration_s double precision,
        cost double precision, currency text, recording_url text, transcript text, ended_at_us bigint,
        sentiment text, proven integer)"""

# The key of a record may be an older call's: providers begin to count anew. It is not written then, where an
# id, or the number, says whose the record is; else the index of keys refuses.
GIVEN_TWICE = """EXISTS (
            SELECT 1 FROM ledger AS other
            WHERE other.account = ledger.account AND other.provider_ref = r.provider_ref
                AND other.attempt_id <> ledger.attempt_id
                AND (r.proven = 1 OR other.phone <> ledger.phone OR other.execution_id <> r.execution_id))"""

BIND = Dialects(
    f"""
    UPDATE ledger SET
        state = CASE WHEN r.outcome IS NULL THEN 'accepted' ELSE 'ended' END,
        execution_id = coalesce(ledger.execution_id, r.execution_id,
            CASE WHEN {GIVEN_TWICE} THEN r.provider_ref || ' of ' || ledger.attempt_id
                ELSE r.provider_ref END),
        provider_ref = coalesce(ledger.provider_ref, CASE WHEN NOT {GIVEN_TWICE} THEN r.provider_ref END),
        provider_status = r.provider_status,
        outcome = r.outcome,
        disposition = r.disposition, duration_s = r.duration_s, cost = r.cost, currency = r.currency,
        recording_url = r.recording_url, transcript = r.transcript, sentiment = r.sentiment,
        next_lookup_at_us = NULL,
        ended_at_us = CASE WHEN r.outcome IS NULL THEN NULL ELSE coalesce(r.ended_at_us, :now_us) END
    FROM {FOUND_ROWS} AS r
    WHERE ledger.attempt_id = r.attempt_id
        AND ({OF_FEW} = 'unknown' OR ({OF_FEW} = 'accepted' AND r.outcome IS NOT NULL))
    RETURNING ledger.attempt_id, ledger.provider_ref"""
)

# What is told of a call that is over: only what was not known. Nobody told what `expired` became of.
ENRICH = Dialects(
    f"""
    UPDATE ledger SET
        outcome = CASE WHEN ledger.outcome = 'expired' AND r.outcome IS NOT NULL THEN r.outcome
            ELSE ledger.outcome END,
        disposition = coalesce(ledger.disposition, r.disposition),
        duration_s = coalesce(ledger.duration_s, r.duration_s),
        cost = coalesce(ledger.cost, r.cost), currency = coalesce(ledger.currency, r.currency),
        recording_url = coalesce(ledger.recording_url, r.recording_url),
        transcript = coalesce(ledger.transcript, r.transcript),
        sentiment = coalesce(ledger.sentiment, r.sentiment)
    FROM {FOUND_ROWS} AS r
    WHERE ledger.attempt_id = r.attempt_id AND {OF_FEW} = 'ended'
    RETURNING ledger.attempt_id, ledger.contact_id, ledger.outcome"""
)

ENRICH_CONTACT = Dialects(
    """
    UPDATE contacts SET reason = r.outcome
    FROM ROWS(attempt_id text, contact_id bigint, outcome text) AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.last_attempt_id = r.attempt_id
        AND contacts.status = 'done' AND contacts.reason = 'expired'"""
)

# Of calls that are over, those whose disposition nobody has told yet.
UNDISPOSED = Dialects(
    f"""
    SELECT r.attempt_id FROM ROWS(attempt_id text) AS r
    CROSS JOIN ledger WHERE ledger.attempt_id = r.attempt_id AND {OF_FEW} = 'ended'
        AND ledger.disposition IS NULL"""
)

MAY_WAIT = "r.again_at_us IS NOT NULL AND contacts.calls < r.calls_max + contacts.calls_granted"

SETTLE_CONTACT = Dialects(
    f"""
    UPDATE contacts SET
        status = CASE WHEN r.outcome IS NULL THEN 'calling' WHEN {MAY_WAIT} THEN 'waiting' ELSE 'done' END,
        reason = r.outcome,
        tries = CASE WHEN {MAY_WAIT} THEN 0 ELSE contacts.tries END,
        next_call_at_us = CASE WHEN {MAY_WAIT} THEN r.again_at_us ELSE contacts.next_call_at_us END
    FROM ROWS(attempt_id text, contact_id bigint, outcome text, again_at_us bigint, calls_max integer) AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.last_attempt_id = r.attempt_id
        AND contacts.status IN ('unknown', 'calling')"""
)

LATER = Dialects(
    f"""
    UPDATE ledger SET lookups = ledger.lookups + 1, next_lookup_at_us = r.next_lookup_at_us
    FROM ROWS(attempt_id text, next_lookup_at_us bigint) AS r
    WHERE ledger.attempt_id = r.attempt_id AND {OF_FEW} = 'unknown'"""
)

HOLD = Dialects(
    """
    UPDATE contacts SET reason = r.reason FROM ROWS(attempt_id text, reason text) AS r
    WHERE contacts.last_attempt_id = r.attempt_id AND contacts.status = 'unknown'
        AND contacts.contact_id IN (SELECT contact_id FROM ledger WHERE ledger.attempt_id = r.attempt_id)
    RETURNING contacts.contact_id"""
)

FREE = Dialects(
    f"""
    UPDATE ledger SET state = 'not_dialled', next_lookup_at_us = NULL,
        error = coalesce(ledger.error, '') || r.why
    FROM ROWS(attempt_id text, why text) AS r
    WHERE ledger.attempt_id = r.attempt_id AND {OF_FEW} = 'unknown'
    RETURNING ledger.attempt_id, ledger.contact_id, ledger.call_number"""
)

FREE_CONTACT = Dialects(
    """
    UPDATE contacts SET status = 'waiting', reason = 'not_placed', calls = r.call_number - 1,
        next_call_at_us = :now_us, worker = NULL
    FROM ROWS(attempt_id text, contact_id bigint, call_number integer) AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.last_attempt_id = r.attempt_id
        AND contacts.status = 'unknown'"""
)

EXPIRE = Dialects(
    """
    UPDATE ledger SET state = 'ended', outcome = 'expired', ended_at_us = :now_us
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted') AND state = 'accepted'
        AND opened_at_us < :before_us
    RETURNING attempt_id, contact_id"""
)

# Word of a call that had been taken for not placed: before anybody is called again, it is open once more.
REVIVE_CONTACT = Dialects(
    """
    UPDATE contacts SET status = 'unknown', calls = ledger.call_number, worker = NULL
    FROM ledger
    WHERE ledger.attempt_id = :attempt_id AND ledger.state = 'not_dialled'
        AND contacts.contact_id = ledger.contact_id AND contacts.last_attempt_id = ledger.attempt_id
        AND contacts.status IN ('waiting', 'leased') AND contacts.calls = ledger.call_number - 1
    RETURNING contacts.contact_id"""
)

# It counts again, and the budget was divided without it.
ADD_UP_AGAIN = Dialects(
    """
    UPDATE campaigns SET budget_left = 0
    WHERE budget_left > 0 AND campaign_id IN (
        SELECT campaign_id FROM ledger WHERE attempt_id = :attempt_id AND state = 'not_dialled')"""
)

REVIVE = Dialects(
    "UPDATE ledger SET state = 'unknown' WHERE attempt_id = :attempt_id AND state = 'not_dialled'"
)


def bind(store: Store, findings: Sequence[Finding]) -> int:
    """Write what the provider's records say onto their attempts; return how many changed.

    An unknown attempt becomes accepted (or ended, where the record has an outcome); an accepted one ends.
    A record whose id another attempt has already is left out: it cannot be both.
    """
    if not findings:
        return 0
    try:
        with store.write() as connection:
            return _bind(store, connection, findings)
    except IntegrityError:
        if len(findings) == 1:
            [(pending, found)] = findings
            log.warning(
                "outcome.not_bound",
                attempt_id=pending.attempt_id,
                execution_id=found.execution_id,
                provider_ref=found.provider_ref,
                why="another attempt has this execution id or record",
            )
            return 0
        return sum(bind(store, [finding]) for finding in findings)


def postpone(store: Store, lookups: Sequence[tuple[str, int | None]]) -> None:
    """Count a look-up of each attempt that found nothing; None as the next moment means: no more."""
    if lookups:
        with store.write() as connection:
            store.execute(connection, LATER, rows=as_rows(sorted(lookups, key=str)))


def hold(store: Store, holds: Sequence[tuple[str, str]]) -> int:
    """Leave the attempts to a person, with the reason, and look them up no more; return how many are held.

    What was settled meanwhile is left alone.
    """
    if not holds:
        return 0
    with store.write() as connection:
        later = sorted((attempt_id, None) for attempt_id, _ in holds)
        store.execute(connection, LATER, rows=as_rows(later))
        return len(store.execute(connection, HOLD, rows=as_rows(sorted(holds))))


def free(store: Store, attempt_ids: Sequence[str], why: str) -> int:
    """Write down that the attempts were surely not placed: their contacts wait for their call again."""
    if not attempt_ids:
        return 0
    with store.write() as connection:
        rows = as_rows([[attempt_id, f" [{why}]"] for attempt_id in sorted(attempt_ids)])
        freed = store.execute(connection, FREE, rows=rows)
        contacts = as_rows(freed)
        store.execute(connection, FREE_CONTACT, rows=contacts, now_us=store.now_us(connection))
        campaigns.settle_all_canceled(store, connection)
        return len(freed)


def expire(store: Store, account: str, older_than_s: float) -> int:
    """End accepted attempts whose outcome the provider never told; return how many."""
    with store.write() as connection:
        now_us = store.now_us(connection)
        before_us = now_us - round(older_than_s * 1e6)
        rows: Rows = store.execute(connection, EXPIRE, account=account, now_us=now_us, before_us=before_us)
        ended = as_rows([row[0], row[1], "expired", None, 1] for row in rows)
        store.execute(connection, SETTLE_CONTACT, rows=ended)
        return len(rows)


def enrich(store: Store, findings: Sequence[Finding]) -> int:
    """Add what is told late of calls that are over: a transcript, a cost, what an `expired` one became."""
    if not findings:
        return 0
    with store.write() as connection:
        return enrich_in(store, connection, findings)


def enrich_in(store: Store, connection: Connection, findings: Sequence[Finding]) -> int:
    """Do what `enrich` does in the caller's transaction."""
    late = _without_disposition(store, connection, [one for one in findings if one.execution.disposition])
    if late:
        rules = redials(store, connection, {one.pending.campaign_id for one in late})
        _forbid(store, connection, late, rules, store.now_us(connection))
    rows = store.execute(connection, ENRICH, rows=as_rows(sorted(map(_row, findings), key=_by_attempt)))
    store.execute(connection, ENRICH_CONTACT, rows=as_rows(rows))
    _learn_costs(store, connection, findings)
    return len(rows)


def revive_in(store: Store, connection: Connection, attempt_id: str) -> bool:
    """Make an attempt `unknown` that was taken for not placed, if its contact was not called again since.

    Raises:
        IntegrityError: its number is being called again.
    """
    store.execute(connection, ADD_UP_AGAIN, attempt_id=attempt_id)
    if not store.execute(connection, REVIVE_CONTACT, attempt_id=attempt_id):
        return False
    store.execute(connection, REVIVE, attempt_id=attempt_id)
    return True


def bind_in(store: Store, connection: Connection, findings: Sequence[Finding]) -> set[str]:
    """Do what `bind` does in the caller's transaction; return the attempts that changed."""
    rows = sorted(map(_row, findings), key=_by_attempt)
    now_us = store.now_us(connection)
    written = {row[0]: row[1] for row in store.execute(connection, BIND, rows=as_rows(rows), now_us=now_us)}
    changed = set(written)
    reused = [
        one
        for one in findings
        if one.pending.attempt_id in changed
        and one.execution.provider_ref
        and written[one.pending.attempt_id] is None
    ]
    if reused:
        log.warning(
            "reference.reused",
            attempts=len(reused),
            attempt_id=reused[0].pending.attempt_id,
            provider_ref=reused[0].execution.provider_ref,
        )
    rules = redials(store, connection, {pending.campaign_id for pending, _ in findings})
    _learn_costs(store, connection, [one for one in findings if one.pending.attempt_id in changed])
    settled = []
    _forbid(store, connection, [one for one in findings if one.pending.attempt_id in changed], rules, now_us)
    for pending, found in findings:
        if pending.attempt_id in changed:
            rule = rules[pending.campaign_id]
            again_at_us = rule.again_at_us(found.outcome, found.disposition, now_us)
            settled.append(
                (pending.attempt_id, pending.contact_id, found.outcome, again_at_us, rule.calls_max)
            )
    store.execute(connection, SETTLE_CONTACT, rows=as_rows(sorted(settled, key=_by_attempt)))
    if any(again_at_us is not None for _, _, _, again_at_us, _ in settled):
        campaigns.settle_all_canceled(store, connection)
    return changed


def _learn_costs(store: Store, connection: Connection, findings: Sequence[Finding]) -> None:
    costs: dict[int, float] = {}
    for pending, found in findings:
        if found.cost is not None:
            costs[pending.campaign_id] = max(found.cost, costs.get(pending.campaign_id, 0.0))
    limits.learn(store, connection, costs)


def _forbid(
    store: Store,
    connection: Connection,
    findings: Sequence[Finding],
    rules: Mapping[int, Redial],
    now_us: int,
) -> None:
    """Put the numbers of people who want no further call onto the do-not-call list, for every campaign."""
    entries = [
        (pending.phone, clean(found.disposition), pending.attempt_id)
        for pending, found in findings
        if rules[pending.campaign_id].forbids(found.disposition)
    ]
    suppressions.add_once(store, connection, entries, now_us)


def _without_disposition(store: Store, connection: Connection, findings: Sequence[Finding]) -> list[Finding]:
    if not findings:
        return []
    rows = as_rows([one.pending.attempt_id] for one in findings)
    new = {row[0] for row in store.execute(connection, UNDISPOSED, rows=rows)}
    return [one for one in findings if one.pending.attempt_id in new]


def _by_attempt(row: Sequence[Any]) -> str:
    return str(row[0])


def _row(finding: Finding) -> list[Any]:
    pending, found = finding
    return [
        pending.attempt_id,
        pending.contact_id,
        clean(found.execution_id),
        clean(found.provider_ref),
        clean(found.status),
        found.outcome,
        clean(found.disposition),
        found.duration_s,
        found.cost,
        found.currency,
        found.recording_url,
        found.transcript and found.transcript.replace("\0", ""),
        found.ended_at_us,
        clean(found.sentiment),
        int(is_proven(pending, found)),
    ]


def _bind(store: Store, connection: Connection, findings: Sequence[Finding]) -> int:
    return len(bind_in(store, connection, findings))
