"""Each due time begins one run, over any number of machines and across changes of clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dialer.base.clock import ManualClock
from dialer.calls import runs
from dialer.campaign import Campaign
from dialer.schedule import last_due_at, next_due_at, take_due
from dialer.store.database import Store

NEW_YORK = "America/New_York"


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


def dues(cron: str, begin: str, end: str, step_min: int = 10) -> list[str]:
    """What `dialer due`, called every few minutes, finds due on New York's clock."""
    found: dict[int, None] = {}
    for now in range(us(begin), us(end), step_min * 60_000_000):
        due = last_due_at(cron, NEW_YORK, now)
        if due is not None and due >= us(begin):
            found[due] = None
    return [datetime.fromtimestamp(at / 1e6, UTC).isoformat()[:16] for at in found]


def test_a_daily_time_comes_once_when_clocks_go_back() -> None:
    assert dues("30 1 * * *", "2026-10-31T12:00", "2026-11-02T12:00") == [
        "2026-11-01T05:30",
        "2026-11-02T06:30",
    ]


def test_a_time_that_the_clock_skips_comes_once() -> None:
    assert dues("30 2 * * *", "2026-03-07T12:00", "2026-03-09T12:00") == [
        "2026-03-08T07:00",
        "2026-03-09T06:30",
    ]


def test_the_next_time_is_after_now() -> None:
    assert next_due_at("0 10 * * mon-fri", NEW_YORK, us("2026-11-20T15:00")) == us("2026-11-23T15:00")


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return written(tmp_path, late_start="run")


def written(folder: Path, **late: str) -> Campaign:
    hours = {"cron": "0 10 * * *", "cron_time_zone": NEW_YORK, **late}
    return Campaign.model_validate(
        {
            "file": folder / "campaign.toml",
            "name": "spring",
            "list": {"files": ("*.csv",), "phone": ("phone",), "region": "US"},
            "call": {"account": "north", "agent": "1"},
            "hours": hours,
        }
    )


def at(store: Store, clock: ManualClock, text: str) -> None:
    with store.read() as connection:
        now = store.now_us(connection)
    clock.move((us(text) - now) / 1e6)


def test_a_due_time_is_taken_once(store: Store, clock: ManualClock, campaign: Campaign) -> None:
    at(store, clock, "2026-11-21T15:00:20")
    due = take_due(store, campaign, "due")
    assert due is not None
    assert due.due_at_us == us("2026-11-21T15:00")
    assert take_due(store, campaign, "due on another machine") is None
    assert runs.begin(store, "spring", "worker", due.due_at_us) is None


def test_a_time_long_before_a_campaign_is_first_seen_is_not_due(
    store: Store, clock: ManualClock, campaign: Campaign
) -> None:
    at(store, clock, "2026-11-21T18:00:00")
    assert take_due(store, campaign, "due") is None


def test_of_missed_times_the_latest_runs(store: Store, clock: ManualClock, campaign: Campaign) -> None:
    at(store, clock, "2026-11-21T15:00:00")
    assert take_due(store, campaign, "due") is not None
    at(store, clock, "2026-11-24T17:00:00")
    late = take_due(store, campaign, "due")
    assert late is not None
    assert (late.due_at_us, late.late_s) == (us("2026-11-24T15:00"), 7200.0)
    assert take_due(store, campaign, "due") is None


def test_a_run_that_is_too_late_is_skipped_and_recorded(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    campaign = written(tmp_path, late_start="skip", late_after="30m")
    at(store, clock, "2026-11-21T15:00:00")
    first = take_due(store, campaign, "due")
    assert first is not None
    assert first.run_id is not None
    runs.finish(store, first.run_id, "nothing is left to do now", 0, {"accepted": 3})
    at(store, clock, "2026-11-22T15:31:00")
    late = take_due(store, campaign, "due")
    assert late is not None
    assert late.skipped is not None
    assert take_due(store, campaign, "due") is None
    told = [(run.ended, run.exit_code) for run in runs.latest(store, "spring")]
    assert told == [("skipped: 31 min late, more than 30m", None), ("nothing is left to do now", 0)]


def test_a_first_run_that_had_to_wait_is_still_due_and_taken_once(
    store: Store, clock: ManualClock, campaign: Campaign
) -> None:
    at(store, clock, "2026-11-21T15:00:20")
    taken = take_due(store, campaign, "due")
    assert taken is not None
    for _ in range(2):
        runs.wait(store, "spring", "due", "another dialer is dialing", taken.run_id)
        clock.move(600)
    again = take_due(store, campaign, "due")
    assert again is not None
    assert again.due_at_us == taken.due_at_us
    assert take_due(store, campaign, "due") is None
    assert [run.ended for run in runs.latest(store)] == [None, "waits: another dialer is dialing"]


def test_the_first_ending_of_a_run_counts(store: Store) -> None:
    run_id = runs.begin(store, "spring", "a person")
    assert run_id is not None
    runs.finish(store, run_id, "done", 0, {})
    runs.finish(store, run_id, "again", 1, {})
    assert [run.ended for run in runs.latest(store)] == ["done"]
