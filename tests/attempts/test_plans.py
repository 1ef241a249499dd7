"""What dialing asks of the database costs what is due, not what was ever loaded: its plans, and its work."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import polars as pl
from sqlalchemy import Connection, event, text

from benchmarks.stage.books import START_US, write_books
from dialer.attempts import settle, unsettled, workers
from dialer.attempts.answers import answer_for
from dialer.attempts.ledger import (
    Desk,
    Opening,
    Wanted,
    ensure_account,
    exchange,
)
from dialer.attempts.open_calls import open_of_campaign, recent_departures
from dialer.attempts.unsettled import Finding, Pending
from dialer.base.clock import ManualClock
from dialer.base.errors import MaybeDialled
from dialer.base.ids import new_attempt_id
from dialer.calls.claim import CLAIM, Returned, next_due_by_group, waiting
from dialer.calls.groups import UNGROUPED
from dialer.providers.provider import Accepted, Execution
from dialer.store.bulk import append
from dialer.store.database import Store
from dialer.store.tables import campaigns

LONG = ("contacts", "ledger")
SMALL_INDEXES = ("contacts_leased", "ledger_open", "ledger_unknown", "ledger_one_open_per_phone")
"""Indexes of what is under way just now: to walk one from end to end costs no more than that."""


def dial_a_round(store: Store, clock: ManualClock, worker: str) -> None:
    """Do once whatever a run does over and over: claim, open, answer, give back, look up, settle, watch."""
    ensure_account(store, "bench")
    workers.enter(store, worker)
    desk = Desk(store, worker, "bench", "unleashx", calls_open_max=10_000)
    calls = exchange(desk, [1], wanted=[Wanted(1, 5)]).claimed[0]
    openings = [
        Opening(new_attempt_id(clock.now_us()), 1, one.contact_id, one.call_number, 1, "962", None)
        for one in calls[:4]
    ]
    opened = exchange(desk, [1], openings=openings, returned=[Returned(calls[4].contact_id)]).opened
    assert len(opened) == 4
    results = [Accepted(f"x-{worker}", 200, "queued"), *[MaybeDialled("cut", code="read_error")] * 2]
    now_us = clock.now_us()
    answers = [
        answer_for(
            one.attempt_id,
            call,
            result,
            sent_at_us=now_us,
            answered_at_us=now_us,
            retry_wait_s=lambda attempt_number: 1.0,
        )
        for one, call, result in zip(openings, calls, results, strict=False)
    ]
    exchange(desk, [1], answers=answers)
    clock.move(60)
    workers.enter(store, worker + "-next")
    workers.recover(store, worker + "-next")
    unsettled.unknown_due(store, "bench", clock.now_us())
    pending = {one.attempt_id: one for one in unsettled.open_attempts(store, "bench")}
    done = Execution(f"r-{worker}", None, "962", status="done", outcome="completed")
    unsettled.bound_refs(store, "bench", [done])
    settle.bind(store, [Finding(pending[openings[0].attempt_id], done)])
    settle.postpone(store, [(openings[1].attempt_id, clock.now_us())])
    settle.hold(store, [(openings[1].attempt_id, "held")])
    settle.free(store, [openings[2].attempt_id], "not in the list")
    settle.expire(store, "bench", 1e9)
    recent_departures(store, "bench", within_s=61.0)
    with store.read() as connection:
        open_of_campaign(store, connection, 1, "bench", worker)
        next_due_by_group(store, connection, 1, [UNGROUPED])
    workers.leave(store, worker + "-next")


def books(store: Store, clock: ManualClock, attempts: int) -> None:
    write_books(store, attempts, waiting=attempts // 4)
    clock.move((START_US - clock.now_us()) / 1e6 + 10 * 86400)
    with store.write() as connection:  # of what waits, a few have a time of their own
        connection.execute(text("UPDATE contacts SET next_call_at_us = 1 WHERE contact_id % 97 = 0"))
    if not store.is_sqlite:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


@contextmanager
def explained(store: Store) -> Iterator[dict[str, list[str]]]:
    """Note, for every statement, which long tables or long indexes its plan walks from end to end."""
    walks: dict[str, list[str]] = {}

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", statement):
            return
        asking = connection.connection.cursor()
        if store.is_sqlite:
            asking.execute("EXPLAIN QUERY PLAN " + statement, parameters)
            walks[statement] = [row[3] for row in asking.fetchall() if _walks(row[3])]
        else:
            asking.execute("EXPLAIN (FORMAT JSON) " + statement, parameters)
            plan = asking.fetchone()[0]
            walks[statement] = list(_scans((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
        asking.close()

    event.listen(store.engine, "before_cursor_execute", explain)
    yield walks
    event.remove(store.engine, "before_cursor_execute", explain)


def _walks(line: str) -> bool:
    walked = re.match(r"SCAN (\w+)(?:.* INDEX (\w+))?", line)
    if walked is None or walked[1] in ("json_each", "campaigns", "workers", "accounts", "CONSTANT"):
        return False
    return walked[1] in LONG and walked[2] not in SMALL_INDEXES


def _scans(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node.get("Relation Name") in LONG:
        yield f"{node['Node Type']} on {node['Relation Name']} filter {node.get('Filter')}"
    for part in node.get("Plans", []):
        yield from _scans(part)


def test_no_statement_of_dialing_walks_over_a_long_table(store: Store, clock: ManualClock) -> None:
    books(store, clock, 20_000)
    dial_a_round(store, clock, "before")
    with explained(store) as walks:
        dial_a_round(store, clock, "w")
        with store.read() as connection:
            waiting(store, connection, 1)
    assert len(walks) > 15
    assert {statement: found for statement, found in walks.items() if found} == {}


def test_a_claim_looks_each_contact_up_once_on_postgresql(postgres_url: str, clock: ManualClock) -> None:
    """It is leased where it was found, without a way through the index of ids that grows with the list."""
    store = Store(postgres_url, clock)
    books(store, clock, 2_000)
    values = {"worker": "w", "campaign_id": 1, "now_us": 0, "count": 50, "rows": "[[0, 0, -1]]"}
    with store.read() as connection:
        explain = text(f"EXPLAIN {CLAIM.for_('postgresql').text}")
        plan = "\n".join(connection.scalars(explain, values))
    store.close()
    assert "Index Scan using contacts_waiting" in plan
    assert "Tid Scan on contacts" in plan
    assert "contacts_pkey" not in plan


OPEN_CALLS = """
INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number, attempt_number, account,
    provider, agent, state, execution_id, opened_at_us, worker)
SELECT 'a' || contact_id, 1, contact_id, phone, 1, 1, 'bench', 'unleashx', '962', 'accepted',
    'x' || contact_id, 0, 'w' FROM contacts WHERE status = 'calling' AND contact_id > 1000"""


def test_a_page_reads_as_few_rows_in_tables_that_were_never_counted(
    postgres_url: str, clock: ManualClock
) -> None:
    """A plan from the time when they were empty would walk over every open attempt, page after page."""
    with closing(Store(postgres_url, clock)) as store:
        with store.write() as connection:
            for table in LONG:
                connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            connection.execute(
                campaigns.insert().values(
                    campaign_id=1,
                    name="one",
                    account="bench",
                    state="running",
                    spec="{}",
                    created_at_us=0,
                    changed_at_us=0,
                )
            )
            add_contacts(connection, range(1, 201), "waiting")
        for number in range(15):  # after ten times driver and server may keep the plan of a statement
            turn_pages(store, clock, f"before-{number}")
        with store.write() as connection:
            add_contacts(connection, range(1001, 21_001), "calling")
            connection.exec_driver_sql(OPEN_CALLS)
        before = rows_read(store)
        turn_pages(store, clock, "after")
        assert rows_read(store) - before < 500
        with store.write() as connection:
            connection.exec_driver_sql("UPDATE ledger SET state = 'ended', outcome = 'completed'")
        before = rows_read(store)
        turn_pages(store, clock, "at last")
        assert rows_read(store) - before < 500


def add_contacts(connection: Connection, numbers: range, status: str) -> None:
    append(
        connection,
        "contacts",
        pl.DataFrame(
            {
                "contact_id": numbers,
                "list_row": numbers,
                "phone": [f"+1{2_000_000_000 + one}" for one in numbers],
            }
        ).with_columns(campaign_id=1, load_id=1, status=pl.lit(status)),
    )


def turn_pages(store: Store, clock: ManualClock, worker: str) -> None:
    """Claim, open, answer and end a few calls."""
    ensure_account(store, "bench")
    workers.enter(store, worker)
    desk = Desk(store, worker, "bench", "unleashx")
    calls = exchange(desk, [1], wanted=[Wanted(1, 4)]).claimed[0]
    now_us = clock.now_us()
    openings = [Opening(new_attempt_id(now_us), 1, one.contact_id, 1, 1, "962", None) for one in calls]
    assert len(exchange(desk, [1], openings=openings).opened) == 4
    answers = [
        answer_for(
            one.attempt_id,
            call,
            Accepted(f"{worker}-{call.contact_id}", 200, "queued"),
            sent_at_us=now_us,
            answered_at_us=now_us,
            retry_wait_s=lambda attempt_number: 1.0,
        )
        for one, call in zip(openings, calls, strict=True)
    ]
    exchange(desk, [1], answers=answers)
    over = [
        Finding(
            Pending(
                one.attempt_id,
                call.phone,
                "962",
                now_us,
                execution_id=f"{worker}-{call.contact_id}",
                lookups=0,
                campaign_id=1,
                contact_id=call.contact_id,
                state="accepted",
                unknown_since_us=now_us,
                provider_ref=None,
            ),
            Execution(f"{worker}-{call.contact_id}", None, "962", status="done", outcome="completed"),
        )
        for one, call in zip(openings, calls, strict=True)
    ]
    assert settle.bind(store, over) == settle.enrich(store, over) == 4


def rows_read(store: Store) -> int:
    """Return how many rows of the long tables were read so far, through an index or not."""
    with store.read() as connection:  # the one connection of the pool: what it did is counted now
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with store.read() as connection:
        counted = connection.scalar(
            text(
                "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables"
                " WHERE relname IN ('contacts', 'ledger')"
            )
        )
    return int(counted or 0)


def test_a_round_of_dialing_costs_the_same_in_a_list_ten_times_as_long(
    sqlite_url: str, sqlite_template: bytes, clock: ManualClock
) -> None:
    """By the instructions of SQLite's own machine, which no other process changes."""
    small, large = (_instructions(sqlite_url, sqlite_template, clock, rows) for rows in (2_000, 20_000))
    assert large < 1.5 * small


def _instructions(url: str, template: bytes, clock: ManualClock, attempts: int) -> int:
    store = Store(url, clock)
    assert store.file is not None
    store.file.write_bytes(template)
    books(store, clock, attempts)
    dial_a_round(store, clock, "before")
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    with store.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_progress_handler(count, 100)
    dial_a_round(store, clock, "w")
    store.close()
    store.file.unlink()
    return counted[0] * 100
