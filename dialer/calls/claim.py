"""Claim contacts: take a lease on those whose call is due, in blocks, so that no two workers have one.

A lease belongs to a worker, and a worker's own lease stands in `workers`, by the database's clock.
Nothing has left for a contact that is only leased, so a dead worker's leases simply return.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from dialer.store.database import Dialects, Store, as_rows

CLAIM = Dialects(
    # (next_call_at_us, contact_id) > the last claimed: PostgreSQL would otherwise walk over the dead index
    # entries of everything claimed before, 1.8 -> 37 ms a claim while an analyst's snapshot is open.
    sqlite="""
    UPDATE contacts SET status = 'leased', worker = :worker
    WHERE contact_id IN (
        SELECT contact_id FROM contacts
        WHERE campaign_id = :campaign_id AND status = 'waiting' AND next_call_at_us <= :now_us
            AND (next_call_at_us, contact_id) > (:after_at_us, :after_id)
        ORDER BY next_call_at_us, contact_id LIMIT :count
    )
    RETURNING contact_id, campaign_id, phone, calls, tries, next_call_at_us, metadata""",
    # A CTE, not a sub-select: without that fence PostgreSQL may claim more rows than LIMIT says.
    postgresql="""
    WITH chosen AS MATERIALIZED (
        SELECT contact_id FROM contacts
        WHERE campaign_id = :campaign_id AND status = 'waiting' AND next_call_at_us <= :now_us
            AND (next_call_at_us, contact_id) > (:after_at_us, :after_id)
        ORDER BY next_call_at_us, contact_id LIMIT :count
        FOR UPDATE SKIP LOCKED
    )
    UPDATE contacts SET status = 'leased', worker = :worker
    FROM chosen WHERE contacts.contact_id = chosen.contact_id
    RETURNING contacts.contact_id, contacts.campaign_id, contacts.phone, contacts.calls, contacts.tries,
        contacts.next_call_at_us, contacts.metadata""",
)

GIVE_BACK = Dialects(
    """
    UPDATE contacts SET status = 'waiting', worker = NULL, reason = r.reason,
        next_call_at_us = coalesce(r.next_call_at_us, contacts.next_call_at_us)
    FROM ROWS(contact_id bigint, reason text, next_call_at_us bigint) AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.status = 'leased' AND contacts.worker = :worker"""
)

NEXT_DUE = Dialects(
    """
    SELECT next_call_at_us FROM contacts WHERE campaign_id = :campaign_id AND status = 'waiting'
    ORDER BY next_call_at_us, contact_id LIMIT 1"""
)


# Counts along contacts_waiting: what waits, not what was ever loaded.
WAITING = Dialects("SELECT count(*) FROM contacts WHERE campaign_id = :campaign_id AND status = 'waiting'")


LEASED_BY_OTHERS = Dialects(
    """
    SELECT count(*) FROM contacts
    WHERE status = 'leased' AND campaign_id = :campaign_id AND worker <> :worker"""
)


class Call(NamedTuple):
    """A contact under our lease, whose next call is due."""

    contact_id: int
    campaign_id: int
    phone: str
    calls: int
    tries: int
    next_call_at_us: int
    metadata: str | None

    @property
    def call_number(self) -> int:
        """Which call of the contact this is, from 1."""
        return self.calls + 1

    @property
    def attempt_number(self) -> int:
        """Which submission of the call this is, from 1."""
        return self.tries + 1


class Cursor(NamedTuple):
    """Where the last claim ended; `START` looks at everything again.

    `due` is the moment and id of the last contact with a time of its own (a redial, a call put off), which
    all go before `fresh_id`, the last one that nobody has called.
    """

    due: tuple[int, int]
    fresh_id: int

    def after(self, calls: Sequence[Call]) -> Cursor:
        """Return where these claims, in the order in which they came, end."""
        due, fresh_id = self
        for call in calls:
            if call.next_call_at_us > 0:
                due = (call.next_call_at_us, call.contact_id)
            else:
                fresh_id = call.contact_id
        return Cursor(due, fresh_id)


START = Cursor((0, 2**62), -1)


class Returned(NamedTuple):
    """A lease that is given up: why, and from when on the contact may be claimed (None: as before)."""

    contact_id: int
    reason: str | None = None
    next_call_at_us: int | None = None


def claim(
    store: Store,
    connection: Connection,
    worker: str,
    campaign_id: int,
    *,
    count: int,
    after: Cursor,
    now_us: int,
) -> list[Call]:
    """Lease up to `count` due contacts after the cursor; return them in the order in which to call.

    Those whose time has come go first, the longest due before the others: a redial promised for four hours
    later is not to wait for the end of the list. Then those that nobody has called, as they were loaded.
    Costs the same in a list of ten thousand and of ten million: two walks along `contacts_waiting`.
    """

    def walk(after: tuple[int, int], until_us: int, most: int) -> list[Call]:
        rows = store.execute(
            connection,
            CLAIM,
            worker=worker,
            campaign_id=campaign_id,
            now_us=until_us,
            after_at_us=after[0],
            after_id=after[1],
            count=most,
        )
        return sorted((Call(*row) for row in rows), key=lambda call: (call.next_call_at_us, call.contact_id))

    calls = walk(after.due, now_us, count)
    if len(calls) < count:
        calls += walk((0, after.fresh_id), 0, count - len(calls))
    return calls


def give_back(store: Store, connection: Connection, worker: str, returned: Sequence[Returned]) -> None:
    """Return leases for which nothing has left. Twice equals once."""
    if returned:
        in_order = sorted(returned, key=lambda one: one.contact_id)
        store.execute(connection, GIVE_BACK, worker=worker, rows=as_rows(in_order))


def next_due_at_us(store: Store, connection: Connection, campaign_id: int) -> int | None:
    """Return when the next waiting contact of the campaign may be called; None if none waits."""
    rows = store.execute(connection, NEXT_DUE, campaign_id=campaign_id)
    return rows[0][0] if rows else None


def waiting(store: Store, connection: Connection, campaign_id: int) -> int:
    """Return how many contacts of the campaign wait for a call; costs what waits."""
    count: int = store.execute(connection, WAITING, campaign_id=campaign_id)[0][0]
    return count


def leased_by_others(store: Store, connection: Connection, campaign_id: int, worker: str) -> int:
    """Return how many contacts of the campaign other workers, alive or dead, have under their lease."""
    rows = store.execute(connection, LEASED_BY_OTHERS, campaign_id=campaign_id, worker=worker)
    count: int = rows[0][0]
    return count
