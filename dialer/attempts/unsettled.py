"""Which attempts are not settled, and which of the provider's records are theirs already: questions only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dialer.base.ids import first_attempt_id
from dialer.providers.provider import Execution, OpenAttempt
from dialer.store.database import Dialects, Store, as_rows

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
# A key counts for nothing where the execution ids or the numbers differ: the provider has given it twice.
BOUND_REFS = Dialects(
    """
    SELECT r.provider_ref FROM ROWS(provider_ref text, execution_id text, phone text) AS r
    CROSS JOIN ledger WHERE ledger.account = :account AND ledger.provider_ref = r.provider_ref
        AND (r.phone IS NULL OR r.phone = ledger.phone)
        AND (r.execution_id IS NULL OR ledger.execution_id IS NULL
            OR ledger.execution_id IN (r.execution_id, r.provider_ref))
    UNION
    SELECT r.provider_ref FROM ROWS(provider_ref text, execution_id text, phone text) AS r
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
    rows = as_rows([[one.provider_ref, one.execution_id, one.phone] for one in executions])
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


def unknown_attempts(store: Store, campaign: str | None = None) -> list[Held]:
    """Return every unknown attempt (of the campaign), oldest first."""
    with store.read() as connection:
        return [Held(*row) for row in store.execute(connection, HELD, campaign=campaign)]


def accounts_with_open(store: Store, campaign: str | None = None) -> list[str]:
    """Return the accounts that have attempts (of the campaign) which are not settled."""
    with store.read() as connection:
        return [row[0] for row in store.execute(connection, ACCOUNTS_WITH_OPEN, campaign=campaign)]
