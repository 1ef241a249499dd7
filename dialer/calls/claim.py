"""Claim contacts: take a lease on those whose call is due, in blocks, so that no two workers have one.

A lease belongs to a worker, and a worker's own lease stands in `workers`, by the database's clock.
Nothing has left for a contact that is only leased, so a dead worker's leases simply return.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from dialer.store.database import Dialects, Store, as_rows

# Each group is walked along its own part of contacts_waiting, the next one only while there is room left.
# (next_call_at_us, contact_id) > the last claimed: PostgreSQL would otherwise walk over the dead index
# entries of everything claimed before, 1.8 -> 37 ms a claim while an analyst's snapshot is open.
CLAIM = Dialects(
    # Nobody else writes meanwhile: chosen in one statement, leased in the next. All of them in one row,
    # because each row that a statement gives lets go of the interpreter and waits for it again.
    sqlite="""
    SELECT json_group_array(json_array(contact_id, campaign_id, phone, calls, tries, next_call_at_us,
        metadata, window_group))
    FROM (
        SELECT chosen.*
        FROM ROWS(group_id bigint, after_at_us bigint, after_id bigint) AS g CROSS JOIN contacts AS chosen
        WHERE chosen.contact_id IN (
            SELECT contact_id FROM contacts
            WHERE campaign_id = :campaign_id AND window_group = g.group_id AND status = 'waiting'
                AND next_call_at_us <= :now_us AND (next_call_at_us, contact_id) > (g.after_at_us, g.after_id)
            ORDER BY next_call_at_us, contact_id LIMIT :count
        )
        LIMIT :count
    )""",
    # An array, made once: PostgreSQL may run a sub-select again, and claim more rows than LIMIT says. By
    # their place in the table (ctid), which nobody changes while we have them locked: a fifth fewer pages.
    postgresql="""
    UPDATE contacts SET status = 'leased', worker = :worker
    WHERE ctid = ANY(ARRAY(
        SELECT due.place
        FROM ROWS(group_id bigint, after_at_us bigint, after_id bigint) AS g CROSS JOIN LATERAL (
            SELECT ctid AS place FROM contacts
            WHERE campaign_id = :campaign_id AND window_group = g.group_id AND status = 'waiting'
                AND next_call_at_us <= :now_us AND (next_call_at_us, contact_id) > (g.after_at_us, g.after_id)
            ORDER BY next_call_at_us, contact_id LIMIT :count
            FOR UPDATE SKIP LOCKED
        ) AS due
        LIMIT :count
    )) AND status = 'waiting'
    RETURNING contact_id, campaign_id, phone, calls, tries, next_call_at_us, metadata, window_group""",
)

LEASE = Dialects(
    """
    UPDATE contacts SET status = 'leased', worker = :worker
    WHERE contact_id IN (SELECT r.contact_id FROM ROWS(contact_id bigint) AS r)"""
)

GIVE_BACK = Dialects(
    """
    UPDATE contacts SET status = 'waiting', worker = NULL, reason = r.reason,
        next_call_at_us = coalesce(r.next_call_at_us, contacts.next_call_at_us)
    FROM ROWS(contact_id bigint, reason text, next_call_at_us bigint) AS r
    WHERE contacts.contact_id = r.contact_id AND contacts.status = 'leased' AND contacts.worker = :worker"""
)

# One look into the index per group.
NEXT_DUE = Dialects(
    """
    SELECT g.group_id, (
        SELECT next_call_at_us FROM contacts
        WHERE campaign_id = :campaign_id AND window_group = g.group_id AND status = 'waiting'
        ORDER BY next_call_at_us, contact_id LIMIT 1)
    FROM ROWS(group_id bigint) AS g"""
)


# Counts along contacts_waiting: what waits, not what was ever loaded.
WAITING = Dialects("SELECT count(*) FROM contacts WHERE campaign_id = :campaign_id AND status = 'waiting'")


LEASED_BY_OTHERS = Dialects(
    """
    SELECT count(*) FROM contacts
    WHERE status = 'leased' AND campaign_id = :campaign_id AND worker <> :worker"""
)


class Call(NamedTuple):
    """A contact under our lease, whose next call is due; `window_group` says when it may be called."""

    contact_id: int
    campaign_id: int
    phone: str
    calls: int
    tries: int
    next_call_at_us: int
    metadata: str | None
    window_group: int = 0

    @property
    def call_number(self) -> int:
        """Which call of the contact this is, from 1."""
        return self.calls + 1

    @property
    def attempt_number(self) -> int:
        """Which submission of the call this is, from 1."""
        return self.tries + 1


class Cursor(NamedTuple):
    """Where the last claim of a group ended; `START` looks at everything again.

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


# From 1 on, not from (0, the largest id) on: SQLite seeks by the moment alone, and would walk over everybody
# whom nobody has called, whose moment is 0, to find those that are due.
START = Cursor((1, -1), -1)


class Asked(NamedTuple):
    """A group to claim from, and where its last claim ended."""

    group_id: int
    after: Cursor = START


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
    groups: Sequence[Asked],
    now_us: int,
) -> list[Call]:
    """Lease up to `count` due contacts of the groups, from the first group on; return them in that order.

    Those whose time has come go first, the longest due before the others: a redial promised for four hours
    later is not to wait for the end of the list. Then those that nobody has called, as they were loaded.
    Costs the same in a list of ten thousand and of ten million: two walks along `contacts_waiting`.
    """
    places = {asked.group_id: place for place, asked in enumerate(groups)}

    def walk(after: Sequence[tuple[int, int, int]], until_us: int, most: int) -> list[Call]:
        rows = store.execute(
            connection,
            CLAIM,
            worker=worker,
            campaign_id=campaign_id,
            now_us=until_us,
            rows=as_rows(after),
            count=most,
        )
        if store.is_sqlite:
            rows = orjson.loads(rows[0][0])
            store.change(connection, LEASE, worker=worker, rows=as_rows((row[0],) for row in rows))
        calls = [Call(*row) for row in rows]
        return sorted(calls, key=lambda one: (places[one.window_group], one.next_call_at_us, one.contact_id))

    if not groups:
        return []
    calls = walk([(group_id, *after.due) for group_id, after in groups], now_us, count)
    if len(calls) < count:
        fresh = [(group_id, 0, after.fresh_id) for group_id, after in groups]
        calls += walk(fresh, 0, count - len(calls))
    return calls


def give_back(store: Store, connection: Connection, worker: str, returned: Sequence[Returned]) -> None:
    """Return leases for which nothing has left. Twice equals once."""
    if returned:
        in_order = sorted(returned, key=lambda one: one.contact_id)
        store.execute(connection, GIVE_BACK, worker=worker, rows=as_rows(in_order))


def next_due_by_group(
    store: Store, connection: Connection, campaign_id: int, groups: Iterable[int]
) -> dict[int, int]:
    """Return from when on the first waiting contact of each group may be called, as far as any waits."""
    rows = as_rows([one] for one in sorted(groups))
    found = store.execute(connection, NEXT_DUE, campaign_id=campaign_id, rows=rows)
    return {row[0]: row[1] for row in found if row[1] is not None}


def waiting(store: Store, connection: Connection, campaign_id: int) -> int:
    """Return how many contacts of the campaign wait for a call; costs what waits."""
    count: int = store.execute(connection, WAITING, campaign_id=campaign_id)[0][0]
    return count


def leased_by_others(store: Store, connection: Connection, campaign_id: int, worker: str) -> int:
    """Return how many contacts of the campaign other workers, alive or dead, have under their lease."""
    rows = store.execute(connection, LEASED_BY_OTHERS, campaign_id=campaign_id, worker=worker)
    count: int = rows[0][0]
    return count
