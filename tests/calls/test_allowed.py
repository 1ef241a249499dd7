"""What a campaign's groups may do now: closed without a group, the next moment exact, evaluated ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from dialer.base.errors import BadInput
from dialer.calls.allowed import Allowed, anytime
from dialer.calls.groups import UNGROUPED
from dialer.campaign.hours import read_week
from dialer.rules.places import Group
from dialer.rules.rulebook import Block, RuleBook, read_rulebook
from dialer.rules.windows import DAY_US, HoursPolicy, Slot, Windows
from tests.rules.conftest import group, moment

NOON = moment("2026-07-01T16:00:00")
MIAMI = group("America/New_York", "US,US-FL", "either")


@dataclass(frozen=True)
class Counted(Windows):
    """Windows that count how often a lane had to evaluate them."""

    def next_slot(self, group: Group, at_us: int) -> Slot | None:
        LOOKED.append(at_us)
        return super().next_slot(group, at_us)


LOOKED: list[int] = []


def allowed(*groups: Group, policy: HoursPolicy | None = None) -> Allowed:
    return Allowed(Counted(read_rulebook(), policy or HoursPolicy()), dict(enumerate(groups, 1)))


def test_contacts_without_a_group_are_closed_where_anything_binds() -> None:
    bound = allowed()
    assert bound.open_groups(NOON) == []
    assert bound.slot(UNGROUPED, NOON) is None
    assert not bound.always
    assert [one.group_id for one in anytime().open_groups(NOON)] == [UNGROUPED]


def test_a_moment_within_an_open_window_is_not_due_before_it_comes() -> None:
    """A contact that falls due in two hours does not make a run wait for it as if it were due now."""
    florida = allowed(MIAMI)
    florida.open_groups(NOON)
    later = NOON + 2 * 3_600_000_000
    assert florida.next_at_us({1: later}, NOON) == later
    assert florida.next_at_us({1: 0}, NOON) == NOON
    assert florida.next_at_us({1: NOON + 12 * 3_600_000_000}, NOON) == moment("2026-07-02T12:00:00")


def test_looking_at_later_moments_does_not_change_what_is_open_now() -> None:
    florida = allowed(MIAMI)
    for _ in range(3):
        later = florida.slot(1, NOON + 3 * DAY_US)
        assert later is not None
        assert later.begin_us > NOON + 2 * DAY_US
        assert florida.until_us(1, NOON) == moment("2026-07-02T00:00:00")


def test_a_window_opens_and_closes_to_the_microsecond() -> None:
    florida = allowed(MIAMI)
    closes = moment("2026-07-02T00:00:00")
    assert florida.open_groups(NOON)
    assert florida.open_groups(closes - 1)
    assert florida.open_groups(closes) == []
    assert florida.until_us(1, closes) == closes
    assert florida.open_groups(moment("2026-07-02T12:00:00") - 1) == []
    assert florida.open_groups(moment("2026-07-02T12:00:00"))


def test_groups_that_close_soonest_go_first() -> None:
    west = group("America/Los_Angeles", "US,US-CA")
    both = allowed(west, MIAMI)
    assert [one.group_id for one in both.open_groups(NOON + 3_600_000_000)] == [2, 1]


def test_groups_of_a_later_list_are_learned() -> None:
    florida = allowed(MIAMI)
    florida.open_groups(NOON)
    assert not florida.learn({1: MIAMI})
    assert florida.learn({1: MIAMI, 2: group("America/Chicago", "US,US-TX")})
    assert len(florida.open_groups(NOON)) == 2


def test_a_lane_evaluates_nothing_that_was_looked_at_ahead() -> None:
    places = [
        group(zone, f"US,US-{state}", line)
        for zone in ("America/New_York", "America/Chicago", "America/Denver")
        for state in ("FL", "TX", "NY", "OH", "PA", "MI")
        for line in ("either", "fixed")
    ]
    many = allowed(*places)
    at_us = NOON
    for _ in range(600):  # two days and more, five minutes at a time
        many.look_ahead(at_us)
        LOOKED.clear()
        many.open_groups(at_us)
        many.open_groups(at_us + 290_000_000)
        assert not LOOKED
        at_us += 300_000_000


def test_a_group_that_never_opens_is_not_looked_for_again_and_again() -> None:
    nowhere = allowed(
        group("", "US,US-FL"), group("Pacific/Auckland", "NZ"), policy=HoursPolicy(unknown_zone="hold")
    )
    assert nowhere.open_groups(NOON) == []
    LOOKED.clear()
    assert nowhere.open_groups(NOON + 3_600_000_000) == []
    assert not LOOKED


def test_a_refused_group_has_no_slot_and_is_named_with_its_rule() -> None:
    arizona = allowed(group("America/Phoenix", "US,US-AZ"))
    assert arizona.slot(1, NOON) is None
    assert {one: rule.id for one, rule in arizona.refusals(NOON).items()} == {1: "US-AZ"}


def test_a_block_closes_a_state_and_whoever_may_be_in_it_whatever_the_rules() -> None:
    day = date(2026, 7, 1)
    book = RuleBook(read_rulebook().rules, [Block("US-FL", "storm", day, day)], "own")
    new_york = [group("America/New_York", places) for places in ("US,US-*", "US,US-NY")]
    one = Allowed(Windows(book, HoursPolicy(rules=())), dict(enumerate([MIAMI, *new_york], 1)))
    assert [found.group_id for found in one.open_groups(NOON)] == [3]


def test_hours_that_nobodys_rules_ever_meet_are_refused() -> None:
    alabama, texas = group("America/Chicago", "US,US-AL"), group("America/Chicago", "US,US-TX")
    sundays = HoursPolicy(week=read_week({"sun": "13:00-15:00"}))
    with pytest.raises(BadInput, match="never open for anybody of the list"):
        allowed(alabama, policy=sundays).check(NOON)
    allowed(alabama, texas, policy=sundays).check(NOON)
    allowed(alabama).check(NOON)


def test_hours_shorter_than_the_margin_are_refused() -> None:
    short = HoursPolicy(week=read_week({"mon-fri": "10:00-10:05"}), margin_us=300_000_000)
    with pytest.raises(BadInput, match="margin_s"):
        Windows(read_rulebook(), short).check()
