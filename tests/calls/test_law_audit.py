"""The audit evaluates every attempt's rules again, and counts the calls of every number against its caps."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from dialer.base.clock import ManualClock
from dialer.campaign.caps import read_cap
from dialer.rules.rulebook import read_rulebook
from dialer.rules.windows import HoursPolicy
from dialer.store.database import Store
from dialer.tables.audit_report import Check
from dialer.tables.law_proof import check_caps, check_windows, read_caps
from tests.calls.florida import NOON, call_all, go_to, people

POLICY = HoursPolicy(caps=(read_cap("2 per week", "campaign"),))


def called_twice(store: Store, clock: ManualClock) -> None:
    go_to(clock, NOON)
    at = people(store, clock, contacts=3, policy=POLICY)
    for _ in range(2):
        assert len(call_all(at).opened) == 3
        clock.move(3600)


def windows(store: Store) -> Check:
    return check_windows(store, read_rulebook(), None)


def test_calls_inside_their_hours_and_caps_are_proven(store: Store, clock: ManualClock) -> None:
    called_twice(store, clock)
    for check in (windows(store), check_caps(store, None), check_caps(store, 1)):
        assert (check.ok, check.rows) == (True, 6)


@pytest.mark.parametrize(
    ("moved", "what"),
    [
        ("sent_at_us = sent_at_us + 8 * 3600000000 + 1000000", "America/New_York"),  # 20:00:01
        ("sent_at_us = sent_at_us - 4 * 3600000000 - 1000000", "America/New_York"),  # 07:59:59
        ("time_zone = 'America/New_York,Pacific/Honolulu'", "Pacific/Honolulu"),
    ],
)
def test_a_call_outside_its_hours_is_found(store: Store, clock: ManualClock, moved: str, what: str) -> None:
    called_twice(store, clock)
    with store.write() as connection:
        connection.execute(
            text(f"UPDATE ledger SET {moved} WHERE attempt_id = (SELECT min(attempt_id) FROM ledger)")
        )
    check = windows(store)
    assert check.found == 1
    assert check.offending[0].what == f"outside the hours of its rules in {what}"


def test_a_call_on_a_holiday_of_its_rule_is_found(store: Store, clock: ManualClock) -> None:
    called_twice(store, clock)
    with store.write() as connection:  # Mardi Gras in Louisiana, 2027-02-09
        connection.execute(
            text("UPDATE ledger SET sent_at_us = 1802197800000000, rules = 'US-LA; ' || :version"),
            {"version": read_rulebook().version},
        )
    assert windows(store).found == 6


def test_rules_of_another_version_are_said_and_not_judged(store: Store, clock: ManualClock) -> None:
    called_twice(store, clock)
    with store.write() as connection:
        connection.execute(text("UPDATE ledger SET rules = 'US-FL@2021-07-01; 2019-01', sent_at_us = 1"))
    check = windows(store)
    assert (check.ok, check.rows) == (True, 0)
    assert check.notes == ["under rules of another version, not evaluated again: 6"]


def test_a_call_beyond_a_cap_is_found_also_from_another_campaign(store: Store, clock: ManualClock) -> None:
    called_twice(store, clock)
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number, attempt_number,"
                " account, provider, agent, state, opened_at_us, worker)"
                " SELECT 'between', 9, 99, phone, 1, 1, 'x', 'x', 'x', 'ended', opened_at_us - 1000, 'w'"
                " FROM ledger WHERE attempt_id = (SELECT max(attempt_id) FROM ledger)"
            )
        )
    check = check_caps(store, 1)
    assert check.found == 1
    assert check.offending[0].what == "more calls of its number than 2 per 7d (campaign)"


def test_caps_are_read_as_attempts_write_them() -> None:
    told = "1 of 3 per 24h (US-FL); 2 of 5 per 7d (campaign)"
    assert [str(cap) for cap in read_caps(told)] == ["3 per 24h (US-FL)", "5 per 7d (campaign)"]
