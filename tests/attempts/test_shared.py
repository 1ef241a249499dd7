"""What several workers must agree on: holds, stops, turns, a campaign's own pace, its open calls."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from dialer.attempts import account_row, workers
from dialer.attempts.ledger import Refusal, Stop, exchange, recent_departures
from dialer.base.clock import ManualClock
from dialer.base.errors import MaybeDialled
from dialer.calls import campaigns
from dialer.store.database import Store
from tests.attempts.test_ledger import answered, claim, open_all, opening
from tests.seed import ACCOUNT, desk, seed_campaign


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
