"""Views as frames: the contract's columns, the same dtypes and rows from both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import text

from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput
from dialer.store.database import Store
from dialer.store.views import VIEWS
from dialer.tables.frames import SCHEMAS, read_view, read_view_batches
from tests.tables.story import run_sql, tell

# Written out once more, from the public contract: other people script against these names.
CONTRACT = {
    "outcomes": "campaign contact_id list_id phone region phone_type time_zone status reason calls account "
    "provider execution_id outcome disposition duration_s cost currency first_called_at last_called_at "
    "next_call_at list_file list_row metadata",
    "attempts": "attempt_id campaign contact_id phone call_number attempt_number account provider agent "
    "from_number state execution_id http_status error_code error sent_at answered_at ended_at outcome "
    "disposition duration_s cost currency recording_url transcript time_zone time_zone_from local_time rules "
    "worker sentiment caps",
    "rejects": "campaign list_file list_row list_line column raw reason detail suggestion row",
}


@pytest.mark.parametrize("view", CONTRACT)
def test_views_and_frames_have_just_the_columns_of_the_contract(store: Store, view: str) -> None:
    with store.read() as connection:
        assert list(connection.execute(text(f"SELECT * FROM {view}")).keys()) == CONTRACT[view].split()
    assert read_view(store, view).columns == CONTRACT[view].split()


@pytest.mark.parametrize("view", SCHEMAS)
def test_an_empty_frame_has_the_dtypes_of_a_full_one(store: Store, clock: ManualClock, view: str) -> None:
    empty = read_view(store, view)
    assert (empty.height, empty.schema) == (0, SCHEMAS[view])
    tell(store, clock)
    run_sql(
        store,
        "INSERT INTO call_events (account, provider, attempt_id, received_at_us, body)"
        " SELECT account, provider, attempt_id, 1790000000123456, '{}' FROM ledger",
    )
    full = read_view(store, view)
    assert full.height > 0
    assert full.schema == SCHEMAS[view]


def test_every_status_of_a_contact_is_shown_with_its_reason(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    frame = read_view(store, "outcomes", "spring")
    assert frame["list_row"].to_list() == list(range(1, 10))
    assert frame["status"].to_list() == [
        *("done", "done", "calling", "unknown", "refused"),
        *("waiting", "waiting", "calling", "waiting"),
    ]
    assert frame["reason"].to_list()[:4] == ["completed", "no_answer", None, "read_timeout"]
    first = frame.row(0, named=True)
    assert (first["execution_id"], first["outcome"]) == ("x-spring-0", "completed")
    assert (first["duration_s"], first["cost"], first["disposition"]) == (12.5, 0.07, "said yes")
    assert frame["next_call_at"].is_not_null().to_list() == [False] * 5 + [True, False, False, False]


def test_times_are_exact_to_the_microsecond_in_frames_and_in_sql(store: Store, clock: ManualClock) -> None:
    clock.move(0.999999)
    began = datetime.fromtimestamp(clock.now_us() // 10**6, UTC).replace(microsecond=clock.now_us() % 10**6)
    tell(store, clock)
    sent_at = began + timedelta(microseconds=250_001)
    assert read_view(store, "attempts")["sent_at"][0] == sent_at
    with store.read() as connection:
        shown = connection.scalar(text("SELECT sent_at FROM attempts ORDER BY attempt_id LIMIT 1"))
    assert (datetime.fromisoformat(shown) if isinstance(shown, str) else shown) == sent_at


def test_an_attempt_that_never_left_has_no_moment_of_departure(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    attempts = read_view(store, "attempts")
    assert attempts.filter(pl.col("sent_at").is_null())["error_code"].to_list() == ["withdrawn"]
    assert attempts.filter(state="sending")["sent_at"].is_not_null().all()


def test_the_execution_id_of_a_contact_is_that_of_its_last_accepted_attempt(
    store: Store, clock: ManualClock
) -> None:
    tell(store, clock)
    run_sql(
        store,
        "UPDATE contacts SET last_attempt_id = (SELECT attempt_id FROM ledger WHERE state = 'refused')"
        " WHERE list_row = 1",
    )
    assert read_view(store, "outcomes")["execution_id"][0] == "x-spring-0"


def test_progress_counts_statuses_as_outcomes_shows_them(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    seen = dict(read_view(store, "outcomes")["status"].value_counts().iter_rows())
    row = read_view(store, "campaign_progress").row(0, named=True)
    assert {status: row[status] for status in seen} == seen
    assert (row["rows_read"], row["accepted"], row["rejected"], row["duplicate"]) == (12, 9, 2, 1)
    assert (row["attempts"], row["answered"], row["pick_up_rate"], row["cost"]) == (8, 1, 0.5, 0.07)


@pytest.mark.parametrize("view", ["outcomes", "attempts", "rejects", "contacts", "call_events"])
def test_one_campaign_is_read_without_the_others(store: Store, clock: ManualClock, view: str) -> None:
    tell(store, clock, "spring")
    tell(store, clock, "autumn", first_phone=100)
    run_sql(
        store,
        "INSERT INTO call_events (account, provider, attempt_id, received_at_us, body)"
        " SELECT account, provider, attempt_id, 1, '{}' FROM ledger",
    )
    spring, both = read_view(store, view, "spring"), read_view(store, view)
    assert set(spring["campaign"]) == {"spring"}
    assert both.height == 2 * spring.height
    assert spring.equals(both.filter(campaign="spring"))


def test_batches_are_small_in_order_and_complete(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    batches = list(read_view_batches(store, "outcomes", rows_at_once=4))
    assert [batch.height for batch in batches] == [4, 4, 1]
    assert pl.concat(batches).equals(read_view(store, "outcomes"))


def test_a_mistyped_view_or_campaign_is_refused_with_the_nearest_name(
    store: Store, clock: ManualClock
) -> None:
    tell(store, clock)
    with pytest.raises(BadInput, match="did you mean 'outcomes'"):
        read_view(store, "outcome")
    with pytest.raises(BadInput, match="did you mean 'spring'"):
        read_view(store, "outcomes", "sprnig")


def test_unusual_text_and_absent_values_come_back_as_they_are(store: Store, clock: ManualClock) -> None:
    tell(store, clock)
    texts = ["", 'a,b\n"c"', "'; DROP TABLE", "नमस्ते 😀"]
    for list_row, words in enumerate(texts, 1):
        run_sql(store, "UPDATE contacts SET list_id = :t WHERE list_row = :r", t=words, r=list_row)
    assert read_view(store, "outcomes")["list_id"].to_list() == [*texts, *[None] * 5]


def test_every_view_of_the_database_can_be_a_frame() -> None:
    assert set(VIEWS) < set(SCHEMAS)
