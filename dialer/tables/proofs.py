"""What an audit proves, and the SQL that looks for rows which contradict it.

Each query yields (name of the proof, id of the row, what is wrong with it), nothing where all is well. They
read the tables, not what the indexes promise: with every index dropped they find the same. Where an
index is there they walk along it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from dialer.store.tables import LIVE, OPEN
from dialer.tables.audit_counts import (
    CLOCKS_DIFFER_US,
    DISORDERED,
    HOMELESS,
    INCOMPLETE,
    Counts,
    calls_allowed,
)


class Proof(NamedTuple):
    """A sentence that holds for all rows looked at; `about` and `rows` (of `Counts`) say which rows."""

    name: str
    sentence: str
    about: str
    rows: str


class Search(NamedTuple):
    """A query for rows that contradict proofs, and whether the counts say that there may be any."""

    query: str
    worthwhile: Callable[[Counts], bool]


def _always(counts: Counts) -> bool:
    return True


PROOFS = (
    Proof(
        "one_open_attempt_per_number",
        "No number has two open attempts, over all campaigns",
        about="attempt",
        rows="open",
    ),
    Proof(
        "one_live_attempt_per_call",
        "No call was submitted again after it may have been dialled",
        about="attempt",
        rows="live",
    ),
    Proof(
        "execution_ids_once",
        "No execution id belongs to two attempts of an account",
        about="attempt",
        rows="bound",
    ),
    Proof(
        "one_contact_per_number",
        "No campaign has a number twice",
        about="contact",
        rows="contacts",
    ),
    Proof(
        "calls_within_limit",
        "No contact was called more often than its campaign allows",
        about="contact",
        rows="contacts",
    ),
    Proof(
        "statuses_agree",
        "Every contact's status is what its attempts say",
        about="contact",
        rows="contacts",
    ),
    Proof(
        "calls_counted",
        "Every contact counts just the calls that its attempts show",
        about="contact",
        rows="contacts",
    ),
    Proof(
        "attempts_belong",
        "Every attempt has its campaign, and its contact with just that number",
        about="attempt",
        rows="attempts",
    ),
    Proof(
        "campaigns_agree",
        "No attempt stands in another campaign than its contact",
        about="attempt",
        rows="attempts",
    ),
    Proof(
        "attempts_complete",
        "Every attempt has what its state says: an execution id once accepted, an outcome once ended",
        about="attempt",
        rows="attempts",
    ),
    Proof(
        "books_balance",
        "Of every load, rows read = accepted + rejected + duplicate, and they are all there",
        about="load",
        rows="loads",
    ),
    Proof(
        "times_in_order",
        "Every attempt was opened, sent, answered and ended in this order",
        about="attempt",
        rows="attempts",
    ),
)


def searches(campaign_id: int | None, calls_max: Mapping[int, int]) -> list[Search]:
    """Return the searches behind every proof; `calls_max` has the campaigns that allow more than one call."""
    here = "" if campaign_id is None else f"campaign_id = {campaign_id:d}"
    words = {
        "and_here": f"AND {here}" if here else "",
        "where_here": f"WHERE {here}" if here else "",
        "where_c": f"WHERE c.{here}" if here else "",
        "where_l": f"AND l.{here}" if here else "",
        "and_moved": f"AND (l.{here} OR c.{here})" if here else "",
        "and_touched": f"AND count(*) FILTER (WHERE {here}) > 0" if here else "",
        "allowed": calls_allowed(calls_max),
    }
    return [
        Search(query.format(**words), worthwhile)
        for query, worthwhile in (
            (OPEN_TWICE, _always),
            (LIVE_TWICE, _always),
            (BOUND_TWICE, _always),
            (CONTACT_TWICE, _always),
            (BOOKS, _always),
            (CONTACTS, lambda counts: not counts.agree),
            (BELONG, lambda counts: counts.homeless > 0),
            (MOVED, lambda counts: counts.moved > 0),
            (COMPLETE, lambda counts: counts.incomplete > 0),
            (TIMES, lambda counts: counts.disordered > 0),
        )
    ]


OPEN_TWICE = f"""
    SELECT 'one_open_attempt_per_number' AS name, attempt_id AS id,
        'shares its number with another open attempt' AS what
    FROM ledger WHERE {OPEN} AND phone IN (
        SELECT phone FROM ledger WHERE {OPEN} GROUP BY phone HAVING count(*) > 1 {{and_touched}})"""

LIVE_TWICE = f"""
    SELECT 'one_live_attempt_per_call' AS name, l.attempt_id AS id,
        'call ' || l.call_number || ' of contact ' || l.contact_id AS what
    FROM (
        SELECT contact_id, call_number FROM ledger WHERE {LIVE} {{and_here}}
        GROUP BY contact_id, call_number HAVING count(*) > 1
    ) AS twice
    JOIN ledger AS l ON l.contact_id = twice.contact_id AND l.call_number = twice.call_number
    WHERE l.{LIVE}"""

BOUND_TWICE = """
    SELECT 'execution_ids_once' AS name, l.attempt_id AS id, 'execution id ' || l.execution_id AS what
    FROM (
        SELECT account, execution_id FROM ledger WHERE execution_id IS NOT NULL
        GROUP BY account, execution_id HAVING count(*) > 1 {and_touched}
    ) AS twice
    JOIN ledger AS l ON l.account = twice.account AND l.execution_id = twice.execution_id"""

CONTACT_TWICE = """
    SELECT 'one_contact_per_number' AS name, CAST(c.contact_id AS text) AS id,
        'the campaign has its number twice' AS what
    FROM (
        SELECT campaign_id, phone FROM contacts {where_here} GROUP BY campaign_id, phone HAVING count(*) > 1
    ) AS twice
    JOIN contacts AS c ON c.campaign_id = twice.campaign_id AND c.phone = twice.phone"""

# Contacts and attempts in one heap, sorted once: a join of two long tables would cost several times that.
CONTACTS = """
    WITH heap AS (
        SELECT c.contact_id, {allowed} AS allowed, c.status, c.calls, 0 AS kind FROM contacts AS c {where_c}
        UNION ALL
        SELECT l.contact_id, NULL, NULL, NULL, CASE l.state WHEN 'sending' THEN 1 WHEN 'unknown' THEN 2
            WHEN 'accepted' THEN 3 WHEN 'ended' THEN 4 WHEN 'refused' THEN 5 ELSE 6 END
        FROM ledger AS l
    ), counted AS (
        SELECT contact_id, max(allowed) AS allowed, max(status) AS status, max(calls) AS calls,
            count(*) FILTER (WHERE kind = 1) AS sending, count(*) FILTER (WHERE kind = 2) AS unknown,
            count(*) FILTER (WHERE kind = 3) AS accepted, count(*) FILTER (WHERE kind = 4) AS ended,
            count(*) FILTER (WHERE kind = 5) AS refused, count(*) FILTER (WHERE kind BETWEEN 1 AND 4) AS live
        FROM heap GROUP BY contact_id
    ), judged AS (
        SELECT contact_id, calls, live, sending, allowed,
            CASE
                WHEN status = 'waiting' AND sending + unknown + accepted > 0 THEN 'an open attempt'
                WHEN status = 'waiting' AND live >= allowed THEN 'all its calls made'
                WHEN status = 'leased' AND unknown + accepted > 0 THEN 'an open attempt of before'
                WHEN status = 'calling' AND accepted <> 1 THEN accepted || ' accepted attempts'
                WHEN status = 'calling' AND sending + unknown > 0 THEN 'a further open attempt'
                WHEN status = 'unknown' AND unknown <> 1 THEN unknown || ' unknown attempts'
                WHEN status = 'unknown' AND sending + accepted > 0 THEN 'a further open attempt'
                WHEN status = 'done' AND ended = 0 THEN 'no attempt that ended'
                WHEN status = 'refused' AND refused = 0 THEN 'no attempt that was refused'
                WHEN status IN ('done', 'refused', 'suppressed', 'canceled')
                    AND sending + unknown + accepted > 0 THEN 'an open attempt'
            END AS against,
            status
        FROM counted WHERE status IS NOT NULL
    ), wrong AS MATERIALIZED (
        SELECT * FROM judged WHERE against IS NOT NULL OR calls <> live - sending OR live > allowed
    )
    SELECT 'statuses_agree' AS name, CAST(contact_id AS text) AS id, status || ' with ' || against AS what
    FROM wrong WHERE against IS NOT NULL
    UNION ALL
    SELECT 'calls_counted', CAST(contact_id AS text),
        'counts ' || calls || ' calls, its attempts show ' || (live - sending)
    FROM wrong WHERE calls <> live - sending
    UNION ALL
    SELECT 'calls_within_limit', CAST(contact_id AS text), live || ' calls, ' || allowed || ' allowed'
    FROM wrong WHERE live > allowed"""

BELONG = f"""
    SELECT 'attempts_belong' AS name, l.attempt_id AS id,
        CASE
            WHEN c.contact_id IS NULL THEN 'there is no contact ' || l.contact_id
            WHEN p.campaign_id IS NULL THEN 'there is no campaign ' || l.campaign_id
            ELSE 'its contact has another number'
        END AS what
    FROM ledger AS l
    LEFT JOIN contacts AS c ON c.contact_id = l.contact_id
    LEFT JOIN campaigns AS p ON p.campaign_id = l.campaign_id
    WHERE {HOMELESS} {{and_moved}}"""

MOVED = """
    SELECT 'campaigns_agree' AS name, l.attempt_id AS id,
        'in campaign ' || l.campaign_id || ', its contact ' || c.contact_id || ' in ' || c.campaign_id AS what
    FROM ledger AS l JOIN contacts AS c ON c.contact_id = l.contact_id
    WHERE c.campaign_id <> l.campaign_id {and_moved}"""

COMPLETE = f"""
    SELECT 'attempts_complete' AS name, l.attempt_id AS id,
        CASE
            WHEN l.state IN ('refused', 'not_dialled') THEN l.state || ' with an execution id or an outcome'
            WHEN l.state = 'ended' AND l.outcome IS NULL THEN 'ended without an outcome'
            WHEN l.execution_id IS NULL THEN l.state || ' without an execution id'
            ELSE l.state || ' with an outcome'
        END AS what
    FROM ledger AS l
    WHERE {INCOMPLETE} {{where_l}}"""

BOOKS = """
    SELECT 'books_balance' AS name, CAST(load_id AS text) AS id,
        CASE
            WHEN listed = 0 THEN 'there is no such load, but rows of it: ' || (kept + refused + again)
            WHEN rows_read <> rows_accepted + rows_rejected + rows_duplicate THEN rows_read
                || ' rows read, but ' || rows_accepted || ' + ' || rows_rejected || ' + ' || rows_duplicate
            ELSE 'accepted, rejected, duplicate should be ' || rows_accepted || ', ' || rows_rejected
                || ', ' || rows_duplicate || ' and are ' || kept || ', ' || refused || ', ' || again
        END AS what
    FROM (
        SELECT load_id, sum(listed) AS listed, sum(rows_read) AS rows_read,
            sum(rows_accepted) AS rows_accepted, sum(rows_rejected) AS rows_rejected,
            sum(rows_duplicate) AS rows_duplicate, sum(kept) AS kept, sum(refused) AS refused,
            sum(again) AS again
        FROM (
            SELECT load_id, 1 AS listed, rows_read, rows_accepted, rows_rejected, rows_duplicate,
                0 AS kept, 0 AS refused, 0 AS again
            FROM loads {where_here}
            UNION ALL
            SELECT load_id, 0, 0, 0, 0, 0, count(*), 0, 0 FROM contacts {where_here} GROUP BY load_id
            UNION ALL
            SELECT load_id, 0, 0, 0, 0, 0, 0, count(*) FILTER (WHERE reason <> 'duplicate'),
                count(*) FILTER (WHERE reason = 'duplicate')
            FROM rejected_rows {where_here} GROUP BY load_id
        ) AS books
        GROUP BY load_id
    ) AS totals
    WHERE listed = 0 OR rows_read <> rows_accepted + rows_rejected + rows_duplicate OR rows_accepted <> kept
        OR rows_rejected <> refused OR rows_duplicate <> again"""

TIMES = f"""
    SELECT 'times_in_order' AS name, l.attempt_id AS id,
        CASE
            WHEN l.sent_at_us < l.opened_at_us - {CLOCKS_DIFFER_US} THEN 'sent before it was opened'
            WHEN l.answered_at_us < coalesce(l.sent_at_us, l.opened_at_us) - {CLOCKS_DIFFER_US}
                THEN 'answered before it was sent'
            ELSE 'ended before it was sent'
        END AS what
    FROM ledger AS l
    WHERE {DISORDERED} {{where_l}}"""
