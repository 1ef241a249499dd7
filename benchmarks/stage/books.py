"""A long campaign's books, written by bulk SQL: contacts that were called, and others that wait.

Nine in ten calls are over as they mostly end; every fourth contact was throttled once before. All of it
would pass an audit.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from dialer.store.database import Store
from dialer.store.tables import metadata

START_US = 1_790_000_000_000_000
APART_US = 20_000
"""Calls leave this far apart: 50 a second."""

SERIES = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last})"
    " SELECT n FROM s)",
    "postgresql": "(SELECT n FROM generate_series(CAST({first} AS bigint), {last}) AS n)",
}
ATTEMPT_ID = {
    "sqlite": "printf('%08x-%04x-7000-8000-%012x', at_ms / 65536, at_ms % 65536, n * 2 + again)",
    "postgresql": "lpad(to_hex(at_ms / 65536), 8, '0') || '-' || lpad(to_hex(at_ms % 65536), 4, '0')"
    " || '-7000-8000-' || lpad(to_hex(n * 2 + again), 12, '0')",
}
FATE = """CASE WHEN n % 100 = 7 THEN 'refused' WHEN n > {called} - 500 AND n % 2 = 0 THEN 'accepted'
    WHEN n > {called} - 500 AND n % 7 = 0 THEN 'unknown' ELSE 'ended' END"""

CONTACTS = """
INSERT INTO contacts (contact_id, campaign_id, load_id, list_row, list_id, phone, phone_region, phone_type,
    time_zones, metadata, status, reason, calls, tries, next_call_at_us, last_attempt_id,
    first_called_at_us, last_called_at_us)
SELECT n, {campaign}, {load}, n - {first} + 1, 'c' || n, '+1' || (2000000000 + n), 'US',
    'fixed_line_or_mobile', 'America/New_York', '{{"customer_id":"c' || n || '"}}',
    CASE fate WHEN 'ended' THEN 'done' WHEN 'accepted' THEN 'calling' ELSE fate END,
    CASE fate WHEN 'ended' THEN 'completed' WHEN 'refused' THEN 'http_422' WHEN 'unknown' THEN 'read_timeout'
        END,
    CASE WHEN fate IN ('refused', 'waiting') THEN 0 ELSE 1 END, CASE fate WHEN 'waiting' THEN 0 ELSE 1 END, 0,
    CASE fate WHEN 'waiting' THEN NULL ELSE {attempt_id} END,
    CASE WHEN fate IN ('refused', 'waiting') THEN NULL ELSE sent_at_us END,
    CASE WHEN fate IN ('refused', 'waiting') THEN NULL ELSE sent_at_us END
FROM (
    SELECT n, 1 AS again, sent_at_us, sent_at_us / 1000 AS at_ms,
        CASE WHEN n > {called} THEN 'waiting' ELSE {fate} END AS fate
    FROM (SELECT n, {start} + n * {apart} AS sent_at_us FROM {series} AS s) AS at
) AS people"""

ATTEMPTS = """
INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number, attempt_number, account,
    provider, agent, state, execution_id, provider_ref, provider_status, http_status, error_code,
    opened_at_us,
    sent_at_us, answered_at_us, ended_at_us, outcome, disposition, duration_s, cost, currency, worker,
    lookups, next_lookup_at_us)
SELECT {attempt_id}, {campaign}, n, '+1' || (2000000000 + n), 1, again + 1, 'bench', 'unleashx', '962', fate,
    CASE WHEN fate IN ('ended', 'accepted') THEN {attempt_id} || 'x' END,
    CASE fate WHEN 'ended' THEN CAST(n AS text) END,
    CASE fate WHEN 'ended' THEN 'COMPLETED' WHEN 'accepted' THEN 'queued' END,
    CASE fate WHEN 'not_dialled' THEN 429 WHEN 'refused' THEN 422 WHEN 'unknown' THEN NULL ELSE 200 END,
    CASE fate WHEN 'not_dialled' THEN 'http_429' WHEN 'refused' THEN 'http_422'
        WHEN 'unknown' THEN 'read_timeout' END,
    sent_at_us - 4000, sent_at_us, sent_at_us + 120000,
    CASE fate WHEN 'ended' THEN sent_at_us + 60000000 END, CASE fate WHEN 'ended' THEN 'completed' END,
    CASE WHEN fate = 'ended' AND n % 3 = 0 THEN 'Interested' END,
    CASE fate WHEN 'ended' THEN 42.0 END, CASE fate WHEN 'ended' THEN 0.07 END,
    CASE fate WHEN 'ended' THEN 'USD' END, 'host:1:bench', 0,
    CASE fate WHEN 'unknown' THEN sent_at_us + 9000000 END
FROM (
    SELECT n, again, sent_at_us, sent_at_us / 1000 AS at_ms,
        CASE again WHEN 0 THEN 'not_dialled' ELSE {fate} END AS fate
    FROM (SELECT n, 1 AS again, {start} + n * {apart} AS sent_at_us FROM {series} AS s
        UNION ALL
        SELECT n, 0, {start} + n * {apart} - 7000 FROM {series} AS s WHERE n % 4 = 0) AS at
) AS calls"""


def write_books(store: Store, attempts: int, waiting: int = 0, campaigns: int = 1) -> None:
    """Write so many attempts, and contacts that wait, spread over campaigns named book-1, book-2, ...

    Into an empty database: the indexes are made afterwards, so ten million take minutes, not hours.
    """
    with store.write() as connection:
        indexes = _drop_indexes(connection)
    called, waiting = attempts * 4 // 5 // campaigns, waiting // campaigns
    for number in range(campaigns):
        with store.write() as connection:
            _campaign(connection, number, called, waiting)
    with store.write() as connection:
        for index in indexes:
            index.create(connection)
    analyze(store)


def analyze(store: Store) -> None:
    """Let the planner know the tables, as autovacuum does in good time."""
    with store.engine.connect() as connection:
        raw = (
            connection.execution_options(isolation_level="AUTOCOMMIT") if not store.is_sqlite else connection
        )
        if store.is_sqlite:
            raw.exec_driver_sql("COMMIT")
            raw.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.exec_driver_sql("BEGIN")
        else:
            raw.exec_driver_sql("VACUUM ANALYZE")


def _campaign(connection: Connection, number: int, called: int, waiting: int) -> None:
    rows = called + waiting
    first = number * rows + 1
    campaign: int = connection.execute(
        text(
            "INSERT INTO campaigns (name, account, state, spec, created_at_us, changed_at_us)"
            f" VALUES ('book-{number + 1}', 'bench', 'running', '{{}}', 0, 0) RETURNING campaign_id"
        )
    ).scalar_one()
    load: int = connection.execute(
        text(
            "INSERT INTO loads (campaign_id, file, sha256, settings, rows_read, rows_accepted, rows_rejected,"
            f" rows_duplicate, loaded_at_us) VALUES ({campaign}, 'list.csv', '', '', {rows}, {rows}, 0, 0, 0)"
            " RETURNING load_id"
        )
    ).scalar_one()
    dialect = connection.dialect.name
    words = {
        "campaign": campaign,
        "load": load,
        "first": first,
        "called": first + called - 1,
        "start": START_US,
        "apart": APART_US,
        "attempt_id": ATTEMPT_ID[dialect],
    }
    words["fate"] = FATE.format(**words)
    for statement, last in ((CONTACTS, first + rows - 1), (ATTEMPTS, first + called - 1)):
        series = SERIES[dialect].format(first=first, last=last)
        connection.exec_driver_sql(
            statement.format(**words, series=series).replace("%", "%%" if dialect == "postgresql" else "%")
        )
    if dialect == "postgresql":
        connection.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('contacts', 'contact_id'), max(contact_id)) FROM contacts"
        )


def _drop_indexes(connection: Connection) -> list:
    indexes = [
        index for table in (metadata.tables["contacts"], metadata.tables["ledger"]) for index in table.indexes
    ]
    for index in indexes:
        index.drop(connection)
    return indexes
