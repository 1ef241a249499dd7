"""The views that analysts query: outcomes, attempts, rejects, campaign_progress.

They are code, not data: every upgrade drops and makes them anew. Times are UTC, `timestamptz` on
PostgreSQL and ISO 8601 text with milliseconds on SQLite (which has no type for a time).
"""

from __future__ import annotations

from sqlalchemy import Connection, text

VIEWS = ("campaign_progress", "rejects", "attempts", "outcomes")


def create_views(connection: Connection) -> None:
    """Make every view anew, in the caller's transaction."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
    for name in reversed(VIEWS):
        connection.execute(text(f"CREATE VIEW {name} AS {view_sql(name, connection.dialect.name)}"))


def view_sql(name: str, dialect: str) -> str:
    """Return the SELECT behind a view."""

    def at(column: str) -> str:
        if dialect == "postgresql":
            return f"to_timestamp({column} / 1000000.0)"
        # A plain division would lose microseconds to rounding at .9995; milliseconds are cut, not rounded.
        return (
            f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000000, 'unixepoch')"
            f" || printf('.%03dZ', ({column} / 1000) % 1000)"
        )

    return SELECTS[name].format(
        first_called_at=at("c.first_called_at_us"),
        last_called_at=at("c.last_called_at_us"),
        next_call_at=at("c.next_call_at_us"),
        sent_at=at("coalesce(l.sent_at_us, l.opened_at_us)"),
        answered_at=at("l.answered_at_us"),
        ended_at=at("l.ended_at_us"),
        first_call_at=at("calls.first_called_at_us"),
        last_call_at=at("calls.last_called_at_us"),
        # What waits, at the average pace so far.
        finish_at=at(
            "(calls.last_called_at_us + people.waiting"
            " * ((calls.last_called_at_us - calls.first_called_at_us) / (calls.attempts - 1)))"
        ),
    )


STATUS = """CASE c.status WHEN 'leased' THEN CASE WHEN EXISTS (
            SELECT 1 FROM ledger AS s WHERE s.contact_id = c.contact_id AND s.call_number = c.calls + 1
            AND s.state IN ('sending', 'unknown', 'accepted', 'ended')) THEN 'calling' ELSE 'waiting' END
        ELSE c.status END"""

SELECTS = {
    "outcomes": f"""
    SELECT
        p.name AS campaign, c.contact_id, c.list_id, c.phone, c.phone_region AS region, c.phone_type,
        coalesce(l.time_zone, c.time_zones) AS time_zone,
        {STATUS} AS status,
        c.reason, c.calls, p.account, l.provider, l.execution_id, l.outcome, l.disposition,
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
        l.time_zone, l.time_zone_from, l.local_time, l.rules, l.worker
    FROM ledger AS l
    JOIN campaigns AS p ON p.campaign_id = l.campaign_id""",
    "rejects": """
    SELECT
        p.name AS campaign, d.file AS list_file, r.list_row, r.list_line, r.column_name AS "column",
        r.raw, r.reason, r.detail, r.suggestion, r."row" AS "row"
    FROM rejected_rows AS r
    JOIN campaigns AS p ON p.campaign_id = r.campaign_id
    JOIN loads AS d ON d.load_id = r.load_id""",
    "campaign_progress": """
    SELECT
        p.name AS campaign, p.state, p.reason,
        coalesce(books.rows_read, 0) AS rows_read, coalesce(books.accepted, 0) AS accepted,
        coalesce(books.rejected, 0) AS rejected, coalesce(books.duplicate, 0) AS duplicate,
        coalesce(people.waiting, 0) AS waiting, coalesce(people.calling, 0) AS calling,
        coalesce(people.unknown, 0) AS unknown, coalesce(people.done, 0) AS done,
        coalesce(people.refused, 0) AS refused, coalesce(people.suppressed, 0) AS suppressed,
        coalesce(people.canceled, 0) AS canceled,
        coalesce(calls.attempts, 0) AS attempts, coalesce(calls.answered, 0) AS answered,
        CASE WHEN calls.ended > 0 THEN 1.0 * calls.answered / calls.ended END AS pick_up_rate,
        calls.cost,
        {first_call_at} AS first_call_at, {last_call_at} AS last_call_at,
        CASE WHEN people.waiting > 0 AND calls.attempts > 1 THEN {finish_at} END AS finish_estimate_at
    FROM campaigns AS p
    LEFT JOIN (
        SELECT campaign_id, sum(rows_read) AS rows_read, sum(rows_accepted) AS accepted,
            sum(rows_rejected) AS rejected, sum(rows_duplicate) AS duplicate
        FROM loads GROUP BY campaign_id
    ) AS books ON books.campaign_id = p.campaign_id
    LEFT JOIN (
        SELECT campaign_id,
            sum(CASE WHEN status IN ('waiting', 'leased') THEN 1 ELSE 0 END) AS waiting,
            sum(CASE WHEN status = 'calling' THEN 1 ELSE 0 END) AS calling,
            sum(CASE WHEN status = 'unknown' THEN 1 ELSE 0 END) AS unknown,
            sum(CASE WHEN status = 'done' THEN 1 ELSE 0 END) AS done,
            sum(CASE WHEN status = 'refused' THEN 1 ELSE 0 END) AS refused,
            sum(CASE WHEN status = 'suppressed' THEN 1 ELSE 0 END) AS suppressed,
            sum(CASE WHEN status = 'canceled' THEN 1 ELSE 0 END) AS canceled
        FROM contacts GROUP BY campaign_id
    ) AS people ON people.campaign_id = p.campaign_id
    LEFT JOIN (
        SELECT campaign_id, count(*) AS attempts,
            sum(CASE WHEN outcome = 'completed' THEN 1 ELSE 0 END) AS answered,
            sum(CASE WHEN state = 'ended' THEN 1 ELSE 0 END) AS ended,
            sum(cost) AS cost,
            min(coalesce(sent_at_us, opened_at_us)) AS first_called_at_us,
            max(coalesce(sent_at_us, opened_at_us)) AS last_called_at_us
        FROM ledger GROUP BY campaign_id
    ) AS calls ON calls.campaign_id = p.campaign_id""",
}
