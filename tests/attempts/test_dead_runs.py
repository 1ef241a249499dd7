"""A killed run's record ends when it was last known to live, said by whoever comes next."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from dialer.attempts import workers
from dialer.attempts.ledger import Desk, exchange
from dialer.attempts.pace.account_row import ensure_account
from dialer.base.clock import ManualClock
from dialer.calls import runs
from dialer.calls.runs import INTERRUPTED, RunRecord
from dialer.cli import main
from dialer.providers.provider import Accepted
from dialer.store.database import Store
from dialer.tables.audit import audit
from tests.attempts.test_ledger import answered, claim, opening
from tests.calls.spring import rows
from tests.seed import ACCOUNT, seed_campaign


def run_of(store: Store, run_id: int) -> RunRecord:
    return next(one for one in runs.latest(store) if one.run_id == run_id)


def begun(store: Store, worker: str = "run") -> tuple[int, int]:
    """Have a run by a worker of its own beside a worker for all; return the campaign and the run."""
    campaign_id = seed_campaign(store, contacts=5)
    run_id = runs.begin(store, "spring", "dialer run")
    assert run_id is not None
    ensure_account(store, ACCOUNT)
    workers.enter(store, worker, campaign_id=campaign_id, run_id=run_id)
    return campaign_id, run_id


def dial(store: Store, campaign_id: int, clock: ManualClock, calls: int, accepted: int = 0) -> None:
    at = Desk(store, "run", ACCOUNT, "unleashx", None)
    claimed = claim(at, campaign_id, calls)
    openings = [opening(call, clock.now_us()) for call in claimed]
    assert len(exchange(at, [campaign_id], openings=openings).opened) == calls
    pairs = list(zip(openings, claimed, strict=True))[:accepted]
    answers = [
        answered(one, call, Accepted(f"x{call.contact_id}", 200), clock.now_us()) for one, call in pairs
    ]
    exchange(at, [campaign_id], answers=answers)


def test_a_killed_runs_record_ends_when_it_was_last_seen(store: Store, clock: ManualClock) -> None:
    """Three calls left, one of them with an answer; the heart beat last ten seconds after the start."""
    campaign_id, run_id = begun(store)
    dial(store, campaign_id, clock, calls=3, accepted=1)
    clock.move(10)
    workers.renew(store, "run")
    seen_at_us = clock.now_us()
    clock.move(workers.LEASE_S - 1)
    workers.recover(store, "next")
    assert run_of(store, run_id).ended is None
    clock.move(2)
    workers.recover(store, "next")
    one = run_of(store, run_id)
    assert (one.ended, one.ended_at_us, one.exit_code) == (INTERRUPTED, seen_at_us, None)
    assert one.figures is not None
    figures = orjson.loads(one.figures)
    assert (figures["submitted"], figures["accepted"], figures["unknown"]) == (3, 1, 2)
    assert rows(store, "SELECT attempts, unknown FROM campaign_progress") == [(3, 2)]
    assert rows(store, "SELECT state FROM campaigns") == [("idle",)]
    assert audit(store).ok


def test_a_run_that_dialed_after_its_last_beat_lived_until_then(store: Store, clock: ManualClock) -> None:
    """On SQLite no heart beats: what left says how long the run lived."""
    campaign_id, run_id = begun(store)
    clock.move(5)
    dial(store, campaign_id, clock, calls=1)
    left_at_us = clock.now_us()
    clock.move(3)
    workers.recover(store, "next", alone=True)
    assert run_of(store, run_id).ended_at_us == left_at_us


def test_a_run_that_was_only_silent_is_open_again(store: Store, clock: ManualClock) -> None:
    campaign_id, run_id = begun(store)
    clock.move(workers.LEASE_S + 1)
    workers.recover(store, "next")
    assert run_of(store, run_id).ended == INTERRUPTED
    workers.enter(store, "run-2", campaign_id=campaign_id, run_id=run_id)
    assert run_of(store, run_id).ended_at_us is None
    workers.leave(store, "run-2")
    workers.recover(store, "next")  # it left, and is about to say how its run ended
    assert run_of(store, run_id).ended_at_us is None
    runs.finish(store, run_id, "nothing is left to do now", 0, {})
    clock.move(100)
    workers.recover(store, "next")
    assert run_of(store, run_id).ended == "nothing is left to do now"


def test_the_word_of_a_run_that_was_taken_for_dead_counts(store: Store, clock: ManualClock) -> None:
    _, run_id = begun(store)
    clock.move(workers.LEASE_S + 1)
    workers.recover(store, "next")
    runs.finish(store, run_id, "the database was away", 1, {})
    assert (run_of(store, run_id).ended, run_of(store, run_id).exit_code) == ("the database was away", 1)


@pytest.mark.parametrize("alone", [True, False])
def test_a_run_that_was_killed_before_it_dialed_is_ended_too(
    store: Store, clock: ManualClock, alone: bool
) -> None:
    """Beside others it may still be on its way, for a minute."""
    seed_campaign(store)
    run_id = runs.begin(store, "spring", "dialer run")
    by_workers = runs.begin(store, "spring", "dialer worker")
    assert run_id is not None
    assert by_workers is not None
    begun_at_us = clock.now_us()
    clock.move(30)
    workers.recover(store, "next", alone=alone)
    assert (run_of(store, run_id).ended is None) == (not alone)
    clock.move(31)
    workers.recover(store, "next", alone=alone)
    assert (run_of(store, run_id).ended, run_of(store, run_id).ended_at_us) == (INTERRUPTED, begun_at_us)
    assert run_of(store, by_workers).ended is None  # the next worker goes on with it


def test_reconcile_ends_a_killed_run(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(sqlite_url)
    begun(store)
    store.close()
    (tmp_path / "dialer.toml").write_text(f'database_url = "{sqlite_url}"\n')
    monkeypatch.chdir(tmp_path)
    assert main(["reconcile"]) == 0
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    [one] = orjson.loads(capsys.readouterr().out)
    assert (one["ended"], one["exit_code"]) == (INTERRUPTED, None)
