"""Workers start what is due with a fresh list, once over all of them, and record how it ended."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from dialer.base.clock import ManualClock
from dialer.calls import campaigns, runs
from dialer.campaign import Campaign
from dialer.schedule import take_due
from dialer.starts import Starts
from dialer.store.database import Store
from tests.calls.spring import rows
from tests.schedule.test_schedule import at, written

DUE = "2026-11-21T15:00:20"


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    (tmp_path / "people.csv").write_text("phone\n+13055550101\n+13055550102\n")
    return written(tmp_path)


def run_of(store: Store) -> runs.RunRecord:
    [one] = runs.latest(store, "spring")
    return one


def test_a_due_campaign_runs_with_a_fresh_list_once_over_all_workers(
    store: Store, clock: ManualClock, campaign: Campaign
) -> None:
    at(store, clock, DUE)
    for _ in range(2):  # two workers, or one that looks again
        Starts(store, lambda: [campaign]).turn()
    assert rows(store, "SELECT state, for_workers FROM campaigns") == [("running", 0)]
    assert rows(store, "SELECT count(*) FROM contacts") == [(2,)]
    assert (run_of(store).started_by, run_of(store).ended) == ("dialer worker", None)
    clock.move(86_400)
    (campaign.folder / "more.csv").write_text("phone\n+13055550103\n")
    Starts(store, lambda: [campaign]).turn()
    assert rows(store, "SELECT count(*) FROM contacts") == [(3,)]
    assert [one.ended for one in runs.latest(store)] == [None, "the next run has begun"]


def test_a_run_ends_when_everybody_is_done_whichever_worker_began_it(
    store: Store, clock: ManualClock, campaign: Campaign
) -> None:
    at(store, clock, DUE)
    Starts(store, lambda: [campaign]).turn()
    with store.write() as connection:
        connection.execute(text("UPDATE contacts SET status = 'done'"))
    another = Starts(store, lambda: [])
    another.turn()
    assert run_of(store).ended is None  # its list may still be on its way
    clock.move(61)
    another.turn()
    another.turn()
    assert (run_of(store).ended, run_of(store).exit_code) == (runs.ALL_DONE, 0)
    figures = run_of(store).figures
    assert figures is not None
    assert orjson.loads(figures)["submitted"] == 0
    assert rows(store, "SELECT state FROM campaigns") == [("idle",)]


def test_a_pause_ends_a_run_and_stays(store: Store, clock: ManualClock, campaign: Campaign) -> None:
    at(store, clock, DUE)
    starts = Starts(store, lambda: [campaign])
    starts.turn()
    campaigns.pause(store, "spring", "lunch")
    starts.turn()
    assert (run_of(store).ended, run_of(store).exit_code) == ("lunch", 3)
    clock.move(86_400)
    starts.turn()
    assert runs.latest(store)[0].exit_code == 3
    assert rows(store, "SELECT state FROM campaigns") == [("paused",)]


def test_a_list_that_cannot_be_read_is_recorded(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    at(store, clock, DUE)
    Starts(store, lambda: [written(tmp_path)]).turn()
    ended = run_of(store).ended
    assert ended is not None
    assert ended.startswith("failed: ")
    assert run_of(store).exit_code == 2


@pytest.mark.parametrize(
    ("key", "value", "due"),
    [
        ("starts_at", "2026-11-21T15:00:01+00:00", False),
        ("starts_at", "2026-11-21T15:00:00+00:00", True),
        ("ends_at", "2026-11-21T15:00:00+00:00", False),
        ("ends_at", "2026-11-21T15:00:01+00:00", True),
    ],
)
def test_nothing_is_due_before_starts_at_nor_from_ends_at_on(
    store: Store, clock: ManualClock, tmp_path: Path, key: str, value: str, due: bool
) -> None:
    at(store, clock, DUE)
    assert (take_due(store, written(tmp_path, **{key: value}), "due") is not None) is due
