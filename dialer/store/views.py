"""The views that analysts query: outcomes, attempts, rejects, campaign_progress.

They are code, not data: every upgrade drops and makes them anew. Times are UTC, `timestamptz` on
PostgreSQL and ISO 8601 text with microseconds on SQLite (which has no type for a time).

`contacts`, `call_events` and `rejects_to_mend` stand here too, for frames and exports; as views the first
two would need the names of the tables below them.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from dialer.store.database import sqlite_lists

VIEWS = ("campaign_progress", "rejects", "attempts", "outcomes")


def create_views(connection: Connection) -> None:
    """Make every view anew, in the caller's transaction."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
    for name in reversed(VIEWS):
        connection.execute(text(f"CREATE VIEW {name} AS {view_sql(name, connection.dialect.name)}"))


def view_sql(name: str, dialect: str, *, times_as_us: bool = False) -> str:
    """Return the SELECT behind a view; `times_as_us` leaves times as the integers that tables keep.

    The text may be followed by `WHERE p.campaign_id = ...` and by an order: `p` is the campaign.
    """

    def at(column: str) -> str:
        if times_as_us:
            return f"({column})"
        if dialect == "postgresql":
            return f"to_timestamp({column} / 1000000.0)"
        # Seconds and their fraction apart: one division as a float would round .9999995 up.
        return (
            f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')"
            f" || printf('.%06dZ', {column} % 1000000)"
        )

    select = SELECTS[name].format(
        first_called_at=at("c.first_called_at_us"),
        last_called_at=at("c.last_called_at_us"),
        next_call_at=at("c.next_call_at_us"),
        sent_at=at(SENT_AT_US),
        answered_at=at("l.answered_at_us"),
        ended_at=at("l.ended_at_us"),
        received_at=at("e.received_at_us"),
        applied_at=at("e.applied_at_us"),
        first_call_at=at("calls.first_called_at_us"),
        last_call_at=at("calls.last_called_at_us"),
        # What waits, at the average pace so far.
        finish_at=at(
            "(calls.last_called_at_us + people.waiting"
            " * ((calls.last_called_at_us - calls.first_called_at_us) / (calls.sent - 1)))"
        ),
    )
    return sqlite_lists(select) if dialect == "sqlite" else select


# A worker that died could not write down when its request left: the intent's moment stands for it.
SENT_AT_US = "CASE WHEN l.error_code = 'withdrawn' THEN NULL ELSE coalesce(l.sent_at_us, l.opened_at_us) END"

STATUS = """CASE c.status WHEN 'leased' THEN CASE WHEN EXISTS (
            SELECT 1 FROM ledger AS s WHERE s.contact_id = c.contact_id AND s.call_number = c.calls + 1
            AND s.state IN ('sending', 'unknown', 'accepted', 'ended')) THEN 'calling' ELSE 'waiting' END
        ELSE c.status END"""

# The last attempt of a redial may have been refused: the id is that of the last one that was accepted.
EXECUTION_ID = """CASE WHEN l.execution_id IS NULL AND c.calls > 0 THEN (
            SELECT s.execution_id FROM ledger AS s WHERE s.contact_id = c.contact_id
            AND s.state IN ('sending', 'unknown', 'accepted', 'ended') AND s.execution_id IS NOT NULL
            ORDER BY s.call_number DESC LIMIT 1)
        ELSE l.execution_id END"""

REJECTS = """
    SELECT
        p.name AS campaign, d.file AS list_file, r.list_row, r.list_line, r.column_name AS "column",
        r.raw, r.reason, r.detail, r.suggestion, r."row" AS "row"{more}
    FROM rejected_rows AS r
    JOIN campaigns AS p ON p.campaign_id = r.campaign_id
    JOIN loads AS d ON d.load_id = r.load_id AND r.again_load_id IS NULL"""

SELECTS = {
    "contacts": f"""
    SELECT
        p.name AS campaign, c.contact_id, c.list_id, c.phone, c.phone_region AS region, c.phone_type,
        c.phone_extension, c.other_phones, c.repaired, c.time_zones,
        {STATUS} AS status,
        c.reason, c.calls,
        CASE WHEN c.status = 'waiting' AND c.next_call_at_us > 0 THEN {{next_call_at}} END AS next_call_at,
        d.file AS list_file, c.list_row, c.metadata
    FROM contacts AS c
    JOIN campaigns AS p ON p.campaign_id = c.campaign_id
    JOIN loads AS d ON d.load_id = c.load_id""",
    "outcomes": f"""
    SELECT
        p.name AS campaign, c.contact_id, c.list_id, c.phone, c.phone_region AS region, c.phone_type,
        coalesce(l.time_zone, c.time_zones) AS time_zone,
        {STATUS} AS status,
        c.reason, c.calls, coalesce(l.account, p.account) AS account, l.provider,
        {EXECUTION_ID} AS execution_id, l.outcome, l.disposition,
        l.duration_s, l.cost, l.currency,
        {{first_called_at}} AS first_called_at, {{last_called_at}} AS last_called_at,
        CASE WHEN c.status = 'waiting' AND c.next_call_at_us > 0 THEN {{next_call_at}} END AS next_call_at,
        d.file AS list_file, c.list_row, c.metadata
    FROM contacts AS c
    JOIN campaigns AS p ON p.campaign_id = c.campaign_id
    JOIN loads AS d ON d.load_id = c.load_id
    LEFT JOIN ledger AS l ON l.attempt_id = c.last_attempt_id""",
    "attempts": """
    SELECT
        l.attempt_id, p.name AS campaign, l.contact_id, l.phone, l.call_number, l.attempt_number,
        l.account, l.provider, l.agent, l.from_number, l.state, l.execution_id, l.http_status,
        l.error_code, l.error,
        {sent_at} AS sent_at, {answered_at} AS answered_at, {ended_at} AS ended_at,
        l.outcome, l.disposition, l.duration_s, l.cost, l.currency, l.recording_url, l.transcript,
        l.time_zone, l.time_zone_from, l.local_time, l.rules, l.worker, l.sentiment, l.caps
    FROM ledger AS l
    JOIN campaigns AS p ON p.campaign_id = l.campaign_id""",
    "rejects": REJECTS.format(more=""),
    # With the name that a load knows each row by when a person has mended it.
    "rejects_to_mend": REJECTS.format(
        more=", 'R' || r.campaign_id || '-' || coalesce(r.origin_reject_id, r.reject_id) AS reject_id"
    ),
    "campaign_progress": f"""
    SELECT
        p.name AS campaign, p.state, p.reason,
        coalesce(books.rows_read, 0) - coalesce(back.rejected + back.duplicate, 0) AS rows_read,
        coalesce(books.accepted, 0) AS accepted,
        coalesce(books.rejected, 0) - coalesce(back.rejected, 0) AS rejected,
        coalesce(books.duplicate, 0) - coalesce(back.duplicate, 0) AS duplicate,
        coalesce(people.waiting, 0) AS waiting, coalesce(people.calling, 0) AS calling,
        coalesce(people.unknown, 0) AS unknown, coalesce(people.done, 0) AS done,
        coalesce(people.refused, 0) AS refused, coalesce(people.suppressed, 0) AS suppressed,
        coalesce(people.canceled, 0) AS canceled,
        coalesce(calls.attempts, 0) AS attempts, coalesce(calls.answered, 0) AS answered,
        CASE WHEN calls.ended > 0 THEN CAST(calls.answered AS double precision) / calls.ended END
            AS pick_up_rate,
        calls.cost,
        {{first_call_at}} AS first_call_at, {{last_call_at}} AS last_call_at,
        CASE WHEN people.waiting > 0 AND calls.sent > 1 THEN {{finish_at}} END AS finish_estimate_at
    FROM campaigns AS p
    LEFT JOIN (
        SELECT campaign_id, CAST(sum(rows_read) AS bigint) AS rows_read,
            CAST(sum(rows_accepted) AS bigint) AS accepted, CAST(sum(rows_rejected) AS bigint) AS rejected,
            CAST(sum(rows_duplicate) AS bigint) AS duplicate
        FROM loads GROUP BY campaign_id
    ) AS books ON books.campaign_id = p.campaign_id
    LEFT JOIN (
        -- Rejects that a later load brought back, mended or not: each row counts once, there.
        SELECT campaign_id, sum(CASE WHEN reason <> 'duplicate' THEN 1 ELSE 0 END) AS rejected,
            sum(CASE WHEN reason = 'duplicate' THEN 1 ELSE 0 END) AS duplicate
        FROM rejected_rows WHERE again_load_id IS NOT NULL GROUP BY campaign_id
    ) AS back ON back.campaign_id = p.campaign_id
    LEFT JOIN (
        SELECT campaign_id,
            sum(CASE WHEN status = 'waiting' THEN 1 ELSE 0 END) AS waiting,
            sum(CASE WHEN status = 'calling' THEN 1 ELSE 0 END) AS calling,
            sum(CASE WHEN status = 'unknown' THEN 1 ELSE 0 END) AS unknown,
            sum(CASE WHEN status = 'done' THEN 1 ELSE 0 END) AS done,
            sum(CASE WHEN status = 'refused' THEN 1 ELSE 0 END) AS refused,
            sum(CASE WHEN status = 'suppressed' THEN 1 ELSE 0 END) AS suppressed,
            sum(CASE WHEN status = 'canceled' THEN 1 ELSE 0 END) AS canceled
        FROM (SELECT c.campaign_id, {STATUS} AS status FROM contacts AS c) AS seen GROUP BY campaign_id
    ) AS people ON people.campaign_id = p.campaign_id
    LEFT JOIN (
        SELECT campaign_id, count(*) AS attempts,
            sum(CASE WHEN outcome = 'completed' THEN 1 ELSE 0 END) AS answered,
            sum(CASE WHEN state = 'ended' THEN 1 ELSE 0 END) AS ended,
            sum(cost) AS cost, count({SENT_AT_US}) AS sent,
            min({SENT_AT_US}) AS first_called_at_us, max({SENT_AT_US}) AS last_called_at_us
        FROM ledger AS l GROUP BY campaign_id
    ) AS calls ON calls.campaign_id = p.campaign_id""",
    "call_events": """
    SELECT
        p.name AS campaign, e.event_id, e.account, e.provider, e.delivery_id, e.execution_id, e.attempt_id,
        {received_at} AS received_at, {applied_at} AS applied_at, e.kind, e.body, e.result
    FROM call_events AS e
    LEFT JOIN ledger AS l ON l.attempt_id = e.attempt_id
    LEFT JOIN campaigns AS p ON p.campaign_id = l.campaign_id""",
}
