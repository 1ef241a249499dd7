"""Every contact is in exactly one bucket, with the next time it can move, before and after the load."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import text

from dialer.attempts import workers
from dialer.base.clock import ManualClock
from dialer.calls import suppressions
from dialer.calls.assumed import Said
from dialer.calls.campaigns import find
from dialer.calls.load import load, open_lists
from dialer.calls.outlook import Outlook, look_ahead, people_of
from dialer.calls.suppressions import Terms
from dialer.calls.unloaded import Unloaded
from dialer.campaign import Campaign
from dialer.rules.rulebook import read_rulebook
from dialer.store.database import Store
from dialer.tables.progress import progress
from dialer.tables.slots import slot_frames
from tests.calls.florida import go_to
from tests.calls.spring import campaign_in, rows
from tests.rules.conftest import moment

NOW = "2026-07-01T15:00:00"
"""Eleven o'clock in New York, a Wednesday; one at night in Sydney."""

CAMPAIGN = """
[list]
files = ["*.csv"]
phone = "phone"
id = "key"
[call]
account = "north"
agent = "962"
[hours]
unknown_zone = "hold"
[redial]
calls_max = 3
no_answer = "4h"
"""

# What each contact is called, and its number.
PEOPLE = {
    "due": "+12125550101",
    "window": "+61412345678",
    "redial": "+12125550102",
    "retry": "+12125550103",
    "cap": "+13055550104",
    "number_busy": "+12125550105",
    "looked_up": "+12125550106",
    "held": "+12125550107",
    "do_not_call": "+12125550108",
    "rule": "+16025550109",
    "no_zone": "+64211234567",
    "refused": "+12125550110",
    "canceled": "+12125550111",
    "done": "+12125550112",
    "calling": "+12125550113",
}
FIRST = {"due", "window", "redial", "retry", "cap", "number_busy"}
"""Those who wait, and whom nothing forbids to call."""

CHANGES = """
    UPDATE contacts SET calls = 1, reason = 'no_answer', next_call_at_us = {hour} WHERE list_id = 'redial';
    UPDATE contacts SET reason = 'http_429', next_call_at_us = {soon} WHERE list_id = 'retry';
    UPDATE contacts SET status = 'unknown', last_attempt_id = 'looked_up' WHERE list_id = 'looked_up';
    UPDATE contacts SET status = 'unknown', last_attempt_id = 'held' WHERE list_id = 'held';
    UPDATE contacts SET status = 'calling', calls = 1 WHERE list_id = 'calling';
    UPDATE contacts SET status = list_id WHERE list_id IN ('refused', 'canceled', 'done')"""

ATTEMPT = """
    INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number, attempt_number, account,
        provider, agent, state, opened_at_us, ended_at_us, outcome, worker, next_lookup_at_us)
    VALUES (:id, :campaign, :contact, :phone, :number, 1, 'north', 'unleashx', '962', :state, :at_us, :at_us,
        'no_answer', 'w', :lookup)"""

HOUR_US = 3_600_000_000
OPENS_US = moment("2026-07-02T02:30:00")
"""On every clock that an Australian mobile may be on, the islands included."""


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    lines = "\n".join(f"{key},{phone}" for key, phone in PEOPLE.items())
    return campaign_in(tmp_path, CAMPAIGN, people=f"key,phone\n{lines}\n")


@pytest.fixture
def told(store: Store, clock: ManualClock, campaign: Campaign) -> Store:
    """The campaign loaded and running, with a contact in every bucket that one campaign can have at once."""
    go_to(clock, NOW)
    load(store, campaign)
    now_us = clock.now_us()
    with store.write() as connection:
        suppressions.add(
            store, connection, [(PEOPLE["do_not_call"], "number")], Terms(campaign="spring"), now_us
        )
        connection.execute(text("UPDATE campaigns SET state = 'running'"))
        for change in CHANGES.format(hour=now_us + HOUR_US, soon=now_us + 5_000_000).split(";"):
            connection.execute(text(change))
        attempts = [
            ("looked_up", "unknown", now_us),
            ("held", "unknown", now_us),
            ("number_busy", "sending", now_us),
        ]
        attempts += [("cap", "ended", now_us - hours * HOUR_US) for hours in (20, 3, 2)]
        for number, (key, state, at_us) in enumerate(attempts):
            values = {
                "state": state,
                "at_us": at_us,
                "phone": PEOPLE[key],
                "number": number,
                "contact": 90 + number,
            }
            more = {"id": key if state == "unknown" else f"a{number}", "campaign": 9}
            lookup = now_us + 60_000_000 if key == "looked_up" else None
            connection.execute(text(ATTEMPT), values | more | {"lookup": lookup})
    workers.enter(store, "w")
    return store


def outlook(store: Store, campaign: Campaign) -> Outlook:
    with store.read() as connection:
        known = find(store, connection, "spring")
        assert known is not None
        people = people_of(store, connection, known.campaign_id)
        return look_ahead(store, connection, campaign, None, read_rulebook(), people)


def each(store: Store, ahead: Outlook) -> dict[str, dict[str, object]]:
    with store.read() as connection:
        frame = pl.concat(slot_frames(store, connection, ahead))
    return {row["list_id"]: row for row in frame.to_dicts()}


def test_every_contact_is_in_exactly_one_bucket(told: Store, campaign: Campaign, clock: ManualClock) -> None:
    ahead = outlook(told, campaign)
    assert {one.bucket: one.contacts for one in ahead.buckets} == dict.fromkeys(PEOPLE, 1)
    assert (
        ahead.contacts
        == len(PEOPLE)
        == sum(ahead.by_when.values())
        == rows(told, "SELECT count(*) FROM contacts")[0][0]
    )
    found = each(told, ahead)
    assert {key: row["bucket"] for key, row in found.items()} == {key: key for key in PEOPLE}
    assert Counter(row["moves"] for row in found.values()) == Counter(
        {when: count for when, count in ahead.by_when.items() if count}
    )


def test_the_next_time_is_the_first_legal_moment(told: Store, campaign: Campaign, clock: ManualClock) -> None:
    ahead, now_us = outlook(told, campaign), clock.now_us()
    moments = {one.bucket: one.next_at_us for one in ahead.buckets}
    assert moments["redial"] == now_us + HOUR_US
    assert moments["retry"] == now_us + 5_000_000
    assert moments["cap"] == now_us + 4 * HOUR_US + 60_000_000  # twenty hours ago was the first of three
    assert moments["looked_up"] == now_us + 60_000_000
    assert moments["window"] == OPENS_US
    assert [moments[key] for key in ("held", "do_not_call", "rule", "no_zone", "refused", "done")] == [
        None
    ] * 6
    rules = {one.bucket: one.detail for one in ahead.buckets}
    assert (rules["rule"], rules["window"]) == ("US-AZ", "AU")
    for key, row in each(told, ahead).items():
        if row["next_call_at"] is not None and key != "number_busy":
            assert round(row["next_call_at"].timestamp() * 1e6) == moments[key], key  # type: ignore[attr-defined]


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_a_campaign_that_is_held_back_says_so_of_everybody_who_waits(
    told: Store, campaign: Campaign, state: str
) -> None:
    with told.write() as connection:
        connection.execute(text("UPDATE campaigns SET state = :state"), {"state": state})
    buckets = {one.bucket: one.contacts for one in outlook(told, campaign).buckets}
    assert buckets.pop(state) == len(FIRST)
    assert buckets == dict.fromkeys(PEOPLE.keys() - FIRST, 1)


def test_who_could_be_called_lacks_somebody_to_dial(
    told: Store, campaign: Campaign, clock: ManualClock
) -> None:
    clock.move(60.0)  # the worker's lease ran out; the retry is due by now
    buckets = {one.bucket: one.contacts for one in outlook(told, campaign).buckets}
    assert buckets["no_worker"] == 2
    assert "due" not in buckets
    assert sum(buckets.values()) == len(PEOPLE)


def test_a_budget_that_is_used_up_is_the_reason(told: Store, campaign: Campaign) -> None:
    with told.write() as connection:
        connection.execute(text("UPDATE ledger SET campaign_id = 1 WHERE attempt_id = 'a3'"))
    caps = campaign.caps.model_copy(update={"calls_total": 1})
    ahead = outlook(told, campaign.model_copy(update={"caps": caps}))
    assert {one.bucket for one in ahead.buckets} == (PEOPLE.keys() - FIRST) | {"budget"}
    assert round(ahead.timeline.calls) == 0


def test_a_list_is_planned_before_it_is_loaded_and_nothing_is_written(
    store: Store, clock: ManualClock, campaign: Campaign
) -> None:
    go_to(clock, NOW)
    with store.write() as connection:
        suppressions.add(store, connection, [("+1212555", "prefix")], Terms(), clock.now_us())
    unloaded = Unloaded(campaign, open_lists(campaign))
    with store.read() as connection:
        people = unloaded.stage(connection)
        said = Said(cost=0.5, shares={"no_answer": 1.0})
        ahead = look_ahead(store, connection, campaign, None, read_rulebook(), people, said=said, dialed=True)
        placed = pl.concat(slot_frames(store, connection, ahead))
        unloaded.drop(connection)
    assert {one.bucket: one.contacts for one in ahead.buckets} == {
        **{"due": 1, "window": 1, "do_not_call": 11, "rule": 1, "no_zone": 1}
    }
    assert placed.height == len(PEOPLE)
    assert round(ahead.timeline.calls) == 6  # two people, three calls each
    assert ahead.cost_range() == pytest.approx((1.0, 3.0, 3.0))
    for table in ("campaigns", "contacts", "window_groups", "loads"):
        assert rows(store, f"SELECT count(*) FROM {table}") == [(0,)]


def test_status_says_when_it_ends_and_what_decides(
    told: Store, campaign: Campaign, clock: ManualClock
) -> None:
    with told.write() as connection:
        connection.execute(text("UPDATE contacts SET status = 'done' WHERE list_id <> 'window'"))
    (one,) = progress(told, "spring", rules=read_rulebook())
    assert one.finish_estimate_at is not None
    assert one.next_call_at is not None
    assert round(one.next_call_at.timestamp() * 1e6) == OPENS_US
    assert (one.finish_bound_by, one.next_call_at < one.finish_estimate_at) == ("windows", True)
    assert any("the calling hours decide, not the pace" in line for line in one.lines())
    with told.write() as connection:
        connection.execute(text("UPDATE campaigns SET state = 'paused'"))
    assert progress(told, "spring", rules=read_rulebook())[0].finish_estimate_at is None
