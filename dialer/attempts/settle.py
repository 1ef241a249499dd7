"""Settle attempts by what the provider's own file says: bind, end, free, hold, expire.

Every statement names the states it may leave from, so that saying it twice, late or out of order changes
nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from dialer.attempts.answers import clean
from dialer.attempts.redial import Redial, redials
from dialer.base.errors import BadInput
from dialer.base.ids import first_attempt_id
from dialer.calls import suppressions
from dialer.providers.provider import Execution, OpenAttempt
from dialer.store.database import Dialects, Rows, Store, as_rows

UNKNOWN_DUE = Dialects(
    """
    SELECT ledger.attempt_id, ledger.phone, ledger.agent, ledger.opened_at_us, ledger.execution_id,
        ledger.lookups, ledger.campaign_id, ledger.contact_id, ledger.state,
        coalesce(ledger.answered_at_us, ledger.opened_at_us), ledger.provider_ref
    FROM ledger
    WHERE ledger.account = :account AND ledger.state = 'unknown' AND ledger.next_lookup_at_us <= :now_us
    ORDER BY ledger.next_lookup_at_us LIMIT :most"""
)

OPEN = Dialects(
    """
    SELECT attempt_id, phone, agent, opened_at_us, execution_id, lookups, campaign_id, contact_id, state,
        coalesce(answered_at_us, opened_at_us), provider_ref
    FROM ledger
    WHERE account = :account AND state IN ('sending', 'unknown', 'accepted')
        AND state IN ('accepted', 'unknown')
    ORDER BY opened_at_us LIMIT :most"""
)

# CROSS JOIN is an order for SQLite, the rows first: it would walk over all of the account's attempts else.
BOUND_REFS = Dialects(
    """
    SELECT r.provider_ref FROM ROWS(provider_ref text, execution_id text) AS r
    CROSS JOIN ledger WHERE ledger.account = :account AND ledger.provider_ref = r.provider_ref
    UNION
    SELECT r.provider_ref FROM ROWS(provider_ref text, execution_id text) AS r
    CROSS JOIN ledger WHERE ledger.account = :account AND ledger.execution_id = r.execution_id"""
)

# Attempt ids begin with their time: what is younger than some moment is one range of the primary key.
CALLS_SINCE = Dialects(
    """
    SELECT count(*) FROM ledger
    WHERE attempt_id >= :first AND account = :account AND agent = :agent AND execution_id IS NOT NULL"""
)

WITHOUT_COST = Dialects(
    """
    SELECT attempt_id, phone, agent, opened_at_us, execution_id, lookups, campaign_id, contact_id, state,
        coalesce(answered_at_us, opened_at_us), provider_ref
    FROM ledger
    WHERE attempt_id >= :first AND account = :account AND state = 'ended' AND cost IS NULL
    ORDER BY attempt_id LIMIT :most"""
)

NUMBER_IS_OPEN = Dialects(
    "SELECT 1 FROM ledger WHERE phone = :phone AND state IN ('sending', 'unknown', 'accepted')"
)

FOUND_ROWS = """ROWS(attempt_id text, contact_id bigint, execution_id text, provider_ref text,
        provider_status text, outcome text, disposition text, duration_s double precision,
        cost double precision, currency text, recording_url text, transcript text, ended_at_us bigint,
        sentiment text)"""

BIND = Dialects(
    f"""
    UPDATE ledger SET
        state = CASE WHEN r.outcome IS NULL THEN 'accepted' ELSE 'ended' END,
        execution_id = coalesce(ledger.execution_id, r.execution_id, r.provider_ref),
        provider_ref = coalesce(ledger.provider_ref, r.provider_ref), provider_status = r.provider_status,
        outcome = r.outcome,
        disposition = r.disposition, duration_s = r.duration_s, cost = r.cost, currency = r.currency,
        recording_url = r.recording_url, transcript = r.transcript, sentiment = r.sentiment,
        next_lookup_at_us = NULL,
        ended_at_us = CASE WHEN r.outcome IS NULL THEN NULL ELSE coalesce(r.ended_at_us, :now_us) END
    FROM {FOUND_ROWS} AS r
    WHERE ledger.attempt_id = r.attempt_id
        AND (ledger.state = 'unknown' OR (ledger.state = 'accepted' AND r.outcome IS NOT NULL))
    RETURNING ledger.attempt_id"""
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
    WHERE ledger.attempt_id = r.attempt_id AND ledger.state = 'ended'
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
    """
    SELECT r.attempt_id FROM ROWS(attempt_id text) AS r
    CROSS JOIN ledger WHERE ledger.attempt_id = r.attempt_id AND ledger.state = 'ended'
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
    """
    UPDATE ledger SET lookups = ledger.lookups + 1, next_lookup_at_us = r.next_lookup_at_us
    FROM ROWS(attempt_id text, next_lookup_at_us bigint) AS r
    WHERE ledger.attempt_id = r.attempt_id AND ledger.state = 'unknown'"""
)

HOLD = Dialects(
    """
    UPDATE contacts SET reason = r.reason FROM ROWS(attempt_id text, reason text) AS r
    WHERE contacts.last_attempt_id = r.attempt_id AND contacts.status = 'unknown'
        AND contacts.contact_id IN (SELECT contact_id FROM ledger WHERE ledger.attempt_id = r.attempt_id)"""
)

FREE = Dialects(
    """
    UPDATE ledger SET state = 'not_dialled', next_lookup_at_us = NULL,
        error = coalesce(ledger.error, '') || r.why
    FROM ROWS(attempt_id text, why text) AS r
    WHERE ledger.attempt_id = r.attempt_id AND ledger.state = 'unknown'
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

REVIVE = Dialects(
    "UPDATE ledger SET state = 'unknown' WHERE attempt_id = :attempt_id AND state = 'not_dialled'"
)


BIND_BY_HAND = Dialects(
    """
    UPDATE ledger SET state = 'accepted', execution_id = :execution_id, next_lookup_at_us = NULL
    WHERE attempt_id = :attempt_id AND state = 'unknown'
    RETURNING contact_id"""
)

CONTACT_CALLING = Dialects(
    """
    UPDATE contacts SET status = 'calling', reason = 'bound by a person'
    WHERE contact_id = :contact_id AND last_attempt_id = :attempt_id AND status = 'unknown'"""
)

HELD = Dialects(
    """
    SELECT ledger.attempt_id, campaigns.name, contacts.list_id, contacts.list_row, ledger.error_code,
        ledger.opened_at_us, contacts.reason, ledger.next_lookup_at_us, ledger.account
    FROM ledger
    JOIN contacts ON contacts.contact_id = ledger.contact_id
    JOIN campaigns ON campaigns.campaign_id = ledger.campaign_id
    WHERE ledger.state = 'unknown' AND campaigns.name = coalesce(CAST(:campaign AS text), campaigns.name)
    ORDER BY ledger.opened_at_us"""
)


ACCOUNTS_WITH_OPEN = Dialects(
    """
    SELECT DISTINCT ledger.account FROM ledger
    JOIN campaigns ON campaigns.campaign_id = ledger.campaign_id
    WHERE ledger.state IN ('sending', 'unknown', 'accepted')
        AND campaigns.name = coalesce(CAST(:campaign AS text), campaigns.name)
    ORDER BY 1"""
)


class Held(NamedTuple):
    """An unknown attempt as a person needs to see it; without a next look-up only a person settles it."""

    attempt_id: str
    campaign: str
    list_id: str | None
    list_row: int
    error_code: str | None
    opened_at_us: int
    reason: str | None
    next_lookup_at_us: int | None
    account: str


class Pending(NamedTuple):
    """An attempt whose fate the provider is asked about."""

    attempt_id: str
    phone: str
    agent: str
    opened_at_us: int
    execution_id: str | None
    lookups: int
    campaign_id: int
    contact_id: int
    state: str
    unknown_since_us: int
    provider_ref: str | None

    def as_open_attempt(self) -> OpenAttempt:
        """Return it in the words that providers understand."""
        return OpenAttempt(self.attempt_id, self.phone, self.agent, self.opened_at_us, self.execution_id)


class Finding(NamedTuple):
    """A record of the provider that is certainly this attempt's."""

    pending: Pending
    execution: Execution


def unknown_due(store: Store, account: str, now_us: int, most: int = 200) -> list[Pending]:
    """Return the unknown attempts whose next look-up is due, longest waiting first."""
    with store.read() as connection:
        rows = store.execute(connection, UNKNOWN_DUE, account=account, now_us=now_us, most=most)
        return [Pending(*row) for row in rows]


def open_attempts(store: Store, account: str, most: int = 100_000) -> list[Pending]:
    """Return the account's attempts that are accepted without an outcome, or unknown; oldest first."""
    with store.read() as connection:
        return [Pending(*row) for row in store.execute(connection, OPEN, account=account, most=most)]


def number_is_open(store: Store, phone: str) -> bool:
    """Return whether a call to the number is on its way, or not over, in whichever campaign."""
    with store.read() as connection:
        return bool(store.execute(connection, NUMBER_IS_OPEN, phone=phone))


def bound_refs(store: Store, account: str, executions: Sequence[Execution]) -> set[str]:
    """Return which of the provider's records belong to an attempt already, by their key or execution id."""
    rows = as_rows([[one.provider_ref, one.execution_id] for one in executions])
    with store.read() as connection:
        return {row[0] for row in store.execute(connection, BOUND_REFS, account=account, rows=rows)}


def calls_since(store: Store, account: str, agent: str, since_us: int) -> int:
    """Return how many calls of the agent the provider has taken since the moment; costs as many rows."""
    first = first_attempt_id(since_us)
    with store.read() as connection:
        count: int = store.execute(connection, CALLS_SINCE, first=first, account=account, agent=agent)[0][0]
        return count


def ended_without_cost(store: Store, account: str, since_us: int, most: int = 5_000) -> list[Pending]:
    """Return the calls begun since the moment that are over and whose cost is not known, oldest first."""
    first = first_attempt_id(since_us)
    with store.read() as connection:
        rows = store.execute(connection, WITHOUT_COST, first=first, account=account, most=most)
        return [Pending(*row) for row in rows]


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
            return 0
        return sum(bind(store, [finding]) for finding in findings)


def postpone(store: Store, lookups: Sequence[tuple[str, int | None]]) -> None:
    """Count a look-up of each attempt that found nothing; None as the next moment means: no more."""
    if lookups:
        with store.write() as connection:
            store.execute(connection, LATER, rows=as_rows(sorted(lookups, key=str)))


def hold(store: Store, holds: Sequence[tuple[str, str]]) -> None:
    """Leave the attempts to a person, with the reason; nothing is looked up by itself any more."""
    if holds:
        with store.write() as connection:
            later = sorted((attempt_id, None) for attempt_id, _ in holds)
            store.execute(connection, LATER, rows=as_rows(later))
            store.execute(connection, HOLD, rows=as_rows(sorted(holds)))


def free(store: Store, attempt_ids: Sequence[str], why: str) -> int:
    """Write down that the attempts were surely not placed: their contacts wait for their call again."""
    if not attempt_ids:
        return 0
    with store.write() as connection:
        rows = as_rows([[attempt_id, f" [{why}]"] for attempt_id in sorted(attempt_ids)])
        freed = store.execute(connection, FREE, rows=rows)
        contacts = as_rows(freed)
        store.execute(connection, FREE_CONTACT, rows=contacts, now_us=store.now_us(connection))
        return len(freed)


def unknown_attempts(store: Store, campaign: str | None = None) -> list[Held]:
    """Return every unknown attempt (of the campaign), oldest first."""
    with store.read() as connection:
        return [Held(*row) for row in store.execute(connection, HELD, campaign=campaign)]


def accounts_with_open(store: Store, campaign: str | None = None) -> list[str]:
    """Return the accounts that have attempts (of the campaign) which are not settled."""
    with store.read() as connection:
        return [row[0] for row in store.execute(connection, ACCOUNTS_WITH_OPEN, campaign=campaign)]


def bind_by_hand(store: Store, attempt_id: str, execution_id: str) -> None:
    """Write down a person's word that the unknown attempt is this call of the provider.

    Raises:
        BadInput: there is no such unknown attempt, or another attempt has that execution id.
    """
    try:
        with store.write() as connection:
            rows = store.execute(connection, BIND_BY_HAND, attempt_id=attempt_id, execution_id=execution_id)
            if not rows:
                raise BadInput(f"{attempt_id} is not an unknown attempt; see: dialer reconcile")
            store.execute(connection, CONTACT_CALLING, contact_id=rows[0][0], attempt_id=attempt_id)
    except IntegrityError as error:
        raise BadInput(f"execution id {execution_id} belongs to another attempt already") from error


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
    return len(rows)


def revive_in(store: Store, connection: Connection, attempt_id: str) -> bool:
    """Make an attempt `unknown` that was taken for not placed, if its contact was not called again since.

    Raises:
        IntegrityError: its number is being called again.
    """
    if not store.execute(connection, REVIVE_CONTACT, attempt_id=attempt_id):
        return False
    store.execute(connection, REVIVE, attempt_id=attempt_id)
    return True


def bind_in(store: Store, connection: Connection, findings: Sequence[Finding]) -> set[str]:
    """Do what `bind` does in the caller's transaction; return the attempts that changed."""
    rows = sorted(map(_row, findings), key=_by_attempt)
    now_us = store.now_us(connection)
    changed = {row[0] for row in store.execute(connection, BIND, rows=as_rows(rows), now_us=now_us)}
    rules = redials(store, connection, {pending.campaign_id for pending, _ in findings})
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
    return changed


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
    ]


def _bind(store: Store, connection: Connection, findings: Sequence[Finding]) -> int:
    return len(bind_in(store, connection, findings))
