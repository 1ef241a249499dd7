"""What several workers must agree on: holds, stops, turns, a campaign's own pace, its open calls."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from dialer.attempts import settle, workers
from dialer.attempts.ledger import Refusal, Stop, exchange
from dialer.attempts.open_calls import recent_departures
from dialer.attempts.pace import account_row
from dialer.base.clock import ManualClock
from dialer.base.errors import MaybeDialled
from dialer.calls import campaigns, runs
from dialer.store.database import Store
from tests.attempts.test_ledger import answered, claim, open_all, opening
from tests.seed import ACCOUNT, desk, seed_campaign, statuses


def state_of(store: Store) -> tuple[str, str | None]:
    with store.read() as connection:
        row = connection.execute(text("SELECT state, reason FROM campaigns")).one()
        return row[0], row[1]


def test_a_refusal_holds_and_slows_the_account_for_every_worker(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    one, two = desk(store, "w1"), desk(store, "w2")
    for _ in range(3):  # refusals of nearly one moment are one event
        exchange(one, [campaign_id], refusal=Refusal(7.0, 0.75))
    held = exchange(two, [campaign_id]).held
    assert held.until_us == clock.now_us() + 7_000_000
    assert held.slowed.factor == 0.75
    clock.move(5)
    exchange(one, [campaign_id], refusal=Refusal(1.0, 0.5))
    held = exchange(two, [campaign_id]).held
    assert held.until_us == clock.now_us() + 2_000_000
    assert held.slowed.factor == pytest.approx(0.8 * 0.5)


def test_a_campaign_that_one_worker_stops_is_stopped_for_all(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=3)
    one, two = desk(store, "w1"), desk(store, "w2")
    calls = claim(two, campaign_id)
    exchange(one, [campaign_id], stops=[Stop(campaign_id, "10 of 10 attempts failed")])
    result = exchange(two, [campaign_id], openings=[opening(call) for call in calls])
    assert (result.opened, result.states) == (frozenset(), {campaign_id: "stopped"})
    assert state_of(store) == ("stopped", "10 of 10 attempts failed")


def test_a_persons_word_outlives_a_stop(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=3)
    at = desk(store, "w1")
    campaigns.pause(store, "spring", "by a test")
    exchange(at, [campaign_id], stops=[Stop(campaign_id, "failures")])
    assert state_of(store) == ("paused", "by a test")


def test_one_worker_keeps_a_campaigns_own_pace_until_it_is_gone(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=6)
    one, two = desk(store, "w1"), desk(store, "w2")
    assert campaigns.take_pace(store, campaign_id, "w1")
    assert campaigns.take_pace(store, campaign_id, "w1")
    assert not campaigns.take_pace(store, campaign_id, "w2")
    mine, others = claim(one, campaign_id, 3), claim(two, campaign_id, 3)
    assert open_all(two, others) == []
    openings = [opening(call, clock.now_us()) for call in mine]
    assert len(exchange(one, [campaign_id], openings=openings).opened) == 3
    clock.move(workers.LEASE_S + 1)
    workers.enter(store, "w3")
    workers.recover(store, "w3")
    assert campaigns.take_pace(store, campaign_id, "w3")
    # What the dead one had in the air may have left as late as now.
    assert recent_departures(store, ACCOUNT, 20.0, campaign_id) == [0.0] * 3
    assert recent_departures(store, ACCOUNT, 20.0, campaign_id + 1) == []


def test_a_campaigns_open_calls_stay_below_its_own_limit(store: Store) -> None:
    small, big = seed_campaign(store, "a", 5), seed_campaign(store, "b", 5, first_phone=50)
    at = desk(store, "w", calls_open_max=6)
    calls = claim(at, small) + claim(at, big)
    openings = [opening(call) for call in calls]
    result = exchange(at, [small, big], openings=openings, rooms={small: 2})
    opened = [one.campaign_id for one in openings if one.attempt_id in result.opened]
    assert (opened.count(small), opened.count(big)) == (2, 4)
    assert len(result.full) == 4


def test_only_one_worker_reads_the_list_at_a_time(store: Store, clock: ManualClock) -> None:
    desk(store, "w")
    assert account_row.take_polling_turn(store, ACCOUNT, 15.0)
    assert not account_row.take_polling_turn(store, ACCOUNT, 15.0)
    account_row.end_polling_turn(store, ACCOUNT, 5.0)
    assert not account_row.take_polling_turn(store, ACCOUNT, 15.0)
    clock.move(5)
    assert account_row.take_polling_turn(store, ACCOUNT, 15.0)
    clock.move(15)  # whoever had the turn died
    assert account_row.take_polling_turn(store, ACCOUNT, 15.0)


def test_look_ups_are_somebodys_turn_only_when_something_is_due(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    at = desk(store, "w")
    assert not account_row.take_looking_turn(store, ACCOUNT, 15.0)
    [(one, call)] = open_all(at, claim(at, campaign_id))
    lost = answered(one, call, MaybeDialled("x", code="read_timeout"), clock.now_us())
    exchange(at, [campaign_id], answers=[lost])
    clock.move(60)
    assert account_row.take_looking_turn(store, ACCOUNT, 15.0)
    assert not account_row.take_looking_turn(store, ACCOUNT, 15.0)
    account_row.end_looking_turn(store, ACCOUNT)
    assert account_row.take_looking_turn(store, ACCOUNT, 15.0)


def test_a_run_that_ends_leaves_the_campaign_to_other_runs_and_to_workers(store: Store) -> None:
    campaign_id = seed_campaign(store)
    for name in ("w1", "w2"):
        workers.enter(store, name, campaign_id=campaign_id)

    def end(worker: str) -> str:
        with store.write() as connection:
            campaigns.end_run(store, connection, "spring", worker)
        workers.leave(store, worker)
        return state_of(store)[0]

    assert [end("w1"), end("w2")] == ["running", "idle"]
    campaigns.resume(store, "spring")
    workers.enter(store, "w3", campaign_id=campaign_id)
    assert end("w3") == "running"


def begun(store: Store, name: str = "spring", started_by: str = "dialer run") -> None:
    """Have a run of the campaign by a worker of its own, `run`, beside a worker for all, `other`."""
    campaign_id = seed_campaign(store, name, contacts=3)
    runs.begin(store, name, started_by)
    workers.enter(store, "run", campaign_id=campaign_id)
    workers.enter(store, "other", 1000.0)


def test_a_campaign_is_dialed_no_more_when_its_run_is_dead(store: Store, clock: ManualClock) -> None:
    begun(store)
    workers.recover(store, "other")
    assert [one.name for one in campaigns.running(store)] == ["spring"]
    clock.move(workers.LEASE_S + 1)
    workers.recover(store, "other")
    assert campaigns.running(store) == []
    assert state_of(store) == ("idle", campaigns.RUN_DIED)


def test_a_run_that_was_only_silent_goes_on(store: Store, clock: ManualClock) -> None:
    begun(store)
    clock.move(workers.LEASE_S + 1)
    workers.recover(store, "other")
    with store.read() as connection:
        known = campaigns.find(store, connection, "spring")
    assert known is not None
    workers.enter(store, "run-2", campaign_id=known.campaign_id)
    assert state_of(store) == ("running", None)
    clock.move(workers.LEASE_S + 1)
    campaigns.pause(store, "spring", "by a test")  # what a person said meanwhile stays
    workers.recover(store, "other")
    workers.enter(store, "run-3", campaign_id=known.campaign_id)
    assert state_of(store) == ("paused", "by a test")


@pytest.mark.parametrize("given", ["by a person", "by its time", "to another run"])
def test_what_workers_were_given_outlives_a_dead_run(store: Store, clock: ManualClock, given: str) -> None:
    begun(store)
    clock.move(workers.LEASE_S + 1)
    if given == "by a person":
        campaigns.resume(store, "spring")
    elif given == "by its time":
        runs.begin(store, "spring", "dialer worker", clock.now_us())
    else:
        workers.enter(store, "run-2", campaign_id=1)
    workers.recover(store, "other")
    assert [one.name for one in campaigns.running(store)] == ["spring"]
    assert state_of(store) == ("running", None)


def test_nobody_calls_what_a_killed_test_call_left(store: Store, clock: ManualClock) -> None:
    begun(store, "spring (test)", campaigns.TEST_CALL)
    clock.move(workers.LEASE_S + 1)
    workers.recover(store, "other")
    assert state_of(store) == ("canceled", campaigns.RUN_DIED)
    assert statuses(store) == {"canceled": 3}


def test_whatever_returns_into_a_canceled_campaign_is_canceled(store: Store, clock: ManualClock) -> None:
    campaign_id = seed_campaign(store, contacts=5)
    at = desk(store, "dead")
    calls = claim(at, campaign_id)
    openings = open_all(at, calls[:2])
    lost = [answered(one, call, MaybeDialled("x", code="read_timeout")) for one, call in openings]
    exchange(at, [campaign_id], answers=lost)
    campaigns.cancel(store, "spring", "by a test")
    assert statuses(store) == {"unknown": 2, "waiting": 3}  # leased, as analysts see it
    clock.move(workers.LEASE_S + 1)
    workers.recover(store, "other")
    assert statuses(store) == {"unknown": 2, "canceled": 3}
    settle.free(store, [one.attempt_id for one, _ in openings], "not listed")
    assert statuses(store) == {"canceled": 5}
