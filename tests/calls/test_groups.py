"""Contacts share a group's id; refused groups are set aside and taken back; old contacts get their group."""

from __future__ import annotations

from sqlalchemy import text

from dialer.base.clock import ManualClock
from dialer.calls import groups
from dialer.rules.places import Group
from dialer.store.database import Store
from tests.calls.florida import people
from tests.seed import seed_campaign


def kept(store: Store) -> list[tuple[object, ...]]:
    with store.read() as connection:
        query = "SELECT status, reason, window_group > 0 FROM contacts ORDER BY contact_id"
        return [(row[0], row[1], bool(row[2])) for row in connection.execute(text(query))]


def test_contacts_that_were_loaded_before_there_were_groups_get_theirs(
    store: Store, clock: ManualClock
) -> None:
    at = people(store, clock, contacts=3)
    assert kept(store) == [("waiting", None, True)] * 3
    [group] = at.allowed.groups.values()
    assert group == Group(("America/New_York",), "number", ("US", "US-FL"), "either")
    assert groups.regroup(store, at.campaign_id) == 0


def test_a_number_of_which_nothing_is_known_gets_a_group_that_never_opens(
    store: Store, clock: ManualClock
) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    with store.write() as connection:
        connection.execute(text("UPDATE contacts SET phone = '+870773111632'"))
    assert groups.regroup(store, campaign_id) == 1
    with store.read() as connection:
        [group] = groups.groups_of(store, connection, campaign_id).values()
    assert group.zones == ()


def test_a_refused_group_is_set_aside_and_taken_back(store: Store, clock: ManualClock) -> None:
    at = people(store, clock, contacts=2)
    [group_id] = at.allowed.groups
    assert groups.set_aside(store, at.campaign_id, {group_id: "US-AZ"}) == 2
    assert groups.set_aside(store, at.campaign_id, {group_id: "US-AZ"}) == 0
    assert kept(store) == [("suppressed", "rule US-AZ", True)] * 2
    assert groups.set_aside(store, at.campaign_id, {}) == 0
    assert kept(store) == [("waiting", None, True)] * 2


def test_taking_back_leaves_other_suppressions_alone(store: Store, clock: ManualClock) -> None:
    at = people(store, clock)
    with store.write() as connection:
        connection.execute(text("UPDATE contacts SET status = 'suppressed', reason = 'do_not_call'"))
    groups.set_aside(store, at.campaign_id, {})
    assert kept(store) == [("suppressed", "do_not_call", True)]


def test_a_zone_that_this_machine_does_not_know_is_none(store: Store, clock: ManualClock) -> None:
    at = people(store, clock)
    with store.write() as connection:
        connection.execute(text("UPDATE window_groups SET key = 'Mars/Olympus|list|US,US-FL|either'"))
    with store.read() as connection:
        [group] = groups.groups_of(store, connection, at.campaign_id).values()
    assert group.zones == ()
