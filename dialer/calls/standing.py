"""Where every contact of a campaign stands, asked of the database in one statement: counted, or one by one.

Who waits is told apart by what would keep the call back when it is claimed: do-not-call, a number that is
open elsewhere, a cap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy import Connection

from dialer.calls.limits import GUARD_US
from dialer.calls.suppressions import suppressed
from dialer.campaign.caps import Cap
from dialer.store.database import Dialects, Store, as_rows

LIVE = "('sending', 'unknown', 'accepted', 'ended')"
OPEN = "('sending', 'unknown', 'accepted')"
ROWS_AT_ONCE = 100_000

CONTACTS = "contacts"
UNLOADED = "contacts_unloaded"
"""A temporary table with the columns of contacts that matter here: a list that was not loaded yet."""

# The moment of the call that fills a cap is the calls-th latest of the number, over all campaigns.
CAPPED = f"""
    SELECT waiting.contact_id, max(latest.at_us + r.window_us + {GUARD_US}) AS again_at_us
    FROM (
        SELECT phone, opened_at_us, coalesce(sent_at_us, opened_at_us) AS at_us,
            row_number() OVER (PARTITION BY phone ORDER BY opened_at_us DESC) AS place
        FROM ledger WHERE state IN {LIVE} AND opened_at_us > :now_us - :longest_us - {GUARD_US}
    ) AS latest
    CROSS JOIN {{contacts}} AS waiting
    CROSS JOIN ROWS(group_id bigint, calls integer, window_us bigint) AS r
    WHERE latest.place <= :most_calls
        AND waiting.campaign_id = :campaign_id AND waiting.phone = latest.phone
        AND waiting.status = 'waiting'
        AND r.group_id = waiting.window_group AND r.calls = latest.place
        AND latest.opened_at_us > :now_us - r.window_us - {GUARD_US}
    GROUP BY waiting.contact_id"""

NOBODY_CAPPED = "SELECT 0 AS contact_id, 0 AS again_at_us WHERE 1 = 0"

STATUS = f"""CASE WHEN c.status = 'leased' AND EXISTS (
            SELECT 1 FROM ledger AS s WHERE s.contact_id = c.contact_id AND s.call_number = c.calls + 1
            AND s.state IN {OPEN}) THEN 'calling' ELSE c.status END"""

DUE = """CASE WHEN c.status <> 'waiting' THEN 0
            WHEN coalesce(capped.again_at_us, 0) > c.next_call_at_us THEN capped.again_at_us
            ELSE c.next_call_at_us END"""

# do_not_call needs a look per number: only where anything is suppressed at all.
KEPT = f"""CASE
            WHEN c.status = 'unknown' AND looked.next_lookup_at_us IS NULL THEN 'held'
            WHEN c.status <> 'waiting' THEN NULL
            {{do_not_call}}
            WHEN c.phone IN (SELECT phone FROM ledger WHERE state IN {OPEN}) THEN 'number_busy'
            WHEN capped.again_at_us > :now_us AND capped.again_at_us > c.next_call_at_us THEN 'cap' END"""

FROM = """
    FROM {contacts} AS c
    LEFT JOIN capped ON capped.contact_id = c.contact_id
    LEFT JOIN ledger AS looked ON c.status = 'unknown' AND looked.attempt_id = c.last_attempt_id
    WHERE {plus}c.campaign_id = :campaign_id{only}"""

REASON = "CASE WHEN c.status IN ('waiting', 'suppressed', 'done') THEN c.reason END"

COUNTED = f"""
    WITH capped AS ({{capped}})
    SELECT window_group, status, reason, kept, calls, due_bin, count(*), min(due_at_us), min(lookup_at_us)
    FROM (
        SELECT c.window_group, {STATUS} AS status, {REASON} AS reason, {KEPT} AS kept,
            CASE WHEN c.calls > c.calls_granted THEN c.calls - c.calls_granted ELSE 0 END AS calls,
            CASE WHEN ({DUE}) = 0 THEN -1 WHEN ({DUE}) <= :now_us THEN 0
                ELSE (({DUE}) - :now_us + :bin_us - 1) / :bin_us END AS due_bin, ({DUE}) AS due_at_us,
            looked.next_lookup_at_us AS lookup_at_us {FROM}
    ) AS seen
    GROUP BY window_group, status, reason, kept, calls, due_bin"""

EACH = f"""
    WITH capped AS ({{capped}})
    SELECT c.contact_id, c.list_id, c.phone, c.window_group, {STATUS} AS status, {REASON} AS reason,
        {KEPT} AS kept, ({DUE}) AS due_at_us, c.calls {FROM}"""

ANY_SUPPRESSED = Dialects("SELECT EXISTS (SELECT 1 FROM suppressions)")

EACH_SCHEMA = {
    "contact_id": pl.Int64,
    "list_id": pl.String,
    "phone": pl.String,
    "window_group": pl.Int64,
    "status": pl.String,
    "reason": pl.String,
    "kept": pl.String,
    "due_at_us": pl.Int64,
    "calls": pl.Int64,
}


class Standing(NamedTuple):
    """So many contacts of a group that stand alike.

    `status` as in contacts (a leased one whose attempt is open is `calling`); `kept`: what would keep back
    who waits (`do_not_call`, `number_busy`, `cap`), or `held` where a person must decide; `calls` had,
    without those that a later list granted; `due_bin`: -1 for who was never called, 0 for who is due, then
    bins of time from now on; `due_at_us`: the first of them.
    """

    window_group: int
    status: str
    reason: str | None
    kept: str | None
    calls: int
    due_bin: int
    contacts: int
    due_at_us: int
    lookup_at_us: int | None


class Asked(NamedTuple):
    """Whose standing: a campaign, its account, the caps of its groups, and which table holds the contacts."""

    campaign_id: int
    campaign: str
    account: str
    caps: Mapping[int, tuple[Cap, ...]]
    contacts: str = CONTACTS


def standings(
    store: Store, connection: Connection, asked: Asked, now_us: int, bin_us: int = 1
) -> list[Standing]:
    """Return the contacts by group, status, reason and when they are due, in bins of `bin_us` from now on."""
    statement, values = _statement(store, connection, COUNTED, asked, now_us)
    return [Standing(*row) for row in store.execute(connection, statement, bin_us=bin_us, **values)]


def each_contact(
    store: Store, connection: Connection, asked: Asked, now_us: int, phone: str | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the contacts one by one, in frames with the columns of EACH_SCHEMA; of one number, or all."""
    only = "" if phone is None else " AND c.phone = :phone"
    statement, values = _statement(store, connection, EACH, asked, now_us, only)
    if phone is not None:
        values["phone"] = phone
    yield from pl.read_database(
        statement.for_(store.engine.dialect.name),
        connection,
        execute_options={"parameters": values},
        iter_batches=True,
        batch_size=ROWS_AT_ONCE,
        schema_overrides=EACH_SCHEMA,
    )


def _statement(
    store: Store, connection: Connection, template: str, asked: Asked, now_us: int, only: str = ""
) -> tuple[Dialects, dict[str, Any]]:
    values: dict[str, Any] = {"campaign_id": asked.campaign_id, "now_us": now_us}
    rows = _cap_rows(asked.caps)
    if rows:
        values["rows"] = as_rows(rows)
        values["longest_us"] = max(window_us for _, _, window_us in rows)
        values["most_calls"] = max(calls for _, calls, _ in rows)
    capped = CAPPED if rows else NOBODY_CAPPED
    do_not_call = ""
    if store.execute(connection, ANY_SUPPRESSED)[0][0]:
        values |= {"campaign": asked.campaign, "account": asked.account}
        do_not_call = f"WHEN {suppressed('c.phone', ':campaign', ':account')} THEN 'do_not_call'"
    text = template.replace("{capped}", capped).replace("{do_not_call}", do_not_call)
    text = text.replace("{only}", only).replace("{contacts}", asked.contacts)
    # With the plus SQLite walks the table; by an index it would look each row up: 2.0 s for 1 M, not 0.7 s.
    plus = "" if only else "+"
    return Dialects(text.replace("{plus}", plus), text.replace("{plus}", "")), values


def _cap_rows(caps: Mapping[int, Iterable[Cap]]) -> list[tuple[int, int, int]]:
    return sorted({(group, cap.calls, cap.window_us) for group, some in caps.items() for cap in some})
