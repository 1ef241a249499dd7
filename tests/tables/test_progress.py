"""Progress and the outcome table: what `status` and the demo print."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from dialer.base.clock import ManualClock, as_datetime
from dialer.base.errors import BadInput
from dialer.store.database import Store
from dialer.tables.progress import outcome_table, progress
from tests.seed import seed_campaign
from tests.tables.story import tell


def test_progress_is_typed_and_adds_up(store: Store, clock: ManualClock) -> None:
    began_us = clock.now_us()
    tell(store, clock)
    (one,) = progress(store, "spring")
    assert one.rows_read == one.accepted + one.rejected + one.duplicate == 12
    assert one.accepted == sum(
        (one.waiting, one.calling, one.unknown, one.done, one.refused, one.suppressed, one.canceled)
    )
    assert (one.waiting, one.calling, one.unknown, one.done, one.refused) == (3, 2, 1, 2, 1)
    assert one.first_call_at == as_datetime(began_us)  # of the one in the air only the intent is known
    assert one.last_call_at == as_datetime(began_us + 6 * 250_001)
    assert isinstance(one.rows_read, int)
    assert isinstance(one.pick_up_rate, float)


def test_progress_of_every_campaign_comes_by_name(store: Store, clock: ManualClock) -> None:
    seed_campaign(store, "winter")
    seed_campaign(store, "autumn", 2)
    assert [(one.campaign, one.waiting) for one in progress(store)] == [("autumn", 2), ("winter", 0)]


def test_a_campaign_without_calls_has_no_rates_and_no_times(store: Store) -> None:
    seed_campaign(store, "spring", 2)
    (one,) = progress(store)
    assert (one.attempts, one.pick_up_rate, one.cost, one.first_call_at, one.finish_estimate_at) == (
        *(0, None, None, None, None),
    )
    assert one.lines() == [
        "spring: running",
        "  rows read 2 = accepted 2 + rejected 0 + duplicate 0",
        "  contacts: waiting 2",
    ]


def test_the_finish_is_estimated_from_the_pace_so_far(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    (one,) = progress(store)
    assert one.last_call_at is not None
    assert one.finish_estimate_at is not None
    assert datetime(2026, 1, 1, tzinfo=UTC) < one.last_call_at < one.finish_estimate_at
    assert any("at this pace done" in line for line in one.lines())


def test_the_outcome_table_counts_every_contact_once(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    assert [tuple(row) for row in outcome_table(store, "spring")] == [
        ("done", "completed", 1, 0.1111),
        ("done", "no_answer", 1, 0.1111),
        ("refused", "http_422", 1, 0.1111),
        ("unknown", "read_timeout", 1, 0.1111),
        ("calling", None, 2, 0.2222),
        ("waiting", None, 2, 0.2222),
        ("waiting", "http_429", 1, 0.1111),
    ]


def test_the_outcome_table_groups_refusals_by_code_and_names_no_number(
    store: Store, clock: ManualClock
) -> None:
    tell(store, clock)
    assert all("+1202" not in (row.result or "") for row in outcome_table(store, "spring"))


def test_progress_of_a_campaign_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="'spring' is not in the database"):
        progress(store, "spring")
    with pytest.raises(BadInput, match="dialer load spring"):
        outcome_table(store, "spring")


@pytest.mark.parametrize(
    ("sql", "promise"),
    [
        ("UPDATE workers SET lease_until_us = lease_until_us", "UTC"),
        ("UPDATE workers SET state = 'left'", "if it is dialed from now on"),
        ("UPDATE workers SET campaign_id = 99", "if it is dialed from now on"),
        ("UPDATE workers SET lease_until_us = 0", "if it is dialed from now on"),
    ],
)
def test_a_finish_is_promised_only_while_somebody_dials(
    store: Store, clock: ManualClock, sql: str, promise: str
) -> None:
    tell(store, clock)
    with store.write() as connection:
        connection.execute(text("UPDATE workers SET lease_until_us = :until"), {"until": 2**60})
        connection.execute(text(sql))
    (one,) = progress(store)
    assert one.dialed_now == (promise == "UTC")
    [line] = [line for line in one.lines() if "at this pace done" in line]
    assert line.endswith(promise)


def test_a_killed_process_dials_nothing_though_its_lease_on_sqlite_lasts(
    store: Store, clock: ManualClock
) -> None:
    tell(store, clock)
    with store.write() as connection:
        dead = {"worker": f"{socket.gethostname()}:{2**30}:x", "until": 2**60}  # no process has this number
        connection.execute(text("UPDATE workers SET state = 'left'"))
        connection.execute(
            text(
                "INSERT INTO workers (worker, state, started_at_us, lease_until_us)"
                " VALUES (:worker, 'alive', 0, :until)"
            ),
            dead,
        )
    (one,) = progress(store)
    assert one.dialed_now == (not store.is_sqlite)
