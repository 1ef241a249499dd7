"""A plan's start, finish and order are those of the campaign dialed call by call."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from dialer.calls.allowed import Allowed
from dialer.calls.openings import NEVER_US, Openings
from dialer.calls.plan import Assumed, Timeline, Waiting, simulate
from dialer.campaign.caps import Cap, read_cap
from dialer.campaign.hours import Week
from dialer.rules.rulebook import RuleBook, read_rulebook
from dialer.rules.windows import DAY_US, HoursPolicy, Windows
from tests.calls.pretended_run import run
from tests.rules.conftest import group, moment

SHARES = {"no_answer": 0.4, "busy": 0.05, "voicemail": 0.2, "failed": 0.05}
WAITS = {"no_answer": 4 * 3600.0, "busy": 1200.0, "voicemail": 86_400.0}
PLACES = (
    ("America/New_York", "US,US-NY"),
    ("America/Chicago,America/New_York", "US,US-FL"),
    ("America/Denver", "US,US-CO"),
    ("America/Los_Angeles", "US,US-CA"),
    ("Europe/London", "GB"),
    ("Asia/Calcutta", "IN"),
    ("Australia/Sydney", "AU"),
    ("Europe/Paris", "FR"),
)


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return read_rulebook()


def allowed_by(book: RuleBook, places: tuple[tuple[str, str], ...] = PLACES, **policy: object) -> Allowed:
    known = {number: group(*one) for number, one in enumerate(places, 1)}
    return Allowed(Windows(book, HoursPolicy(**{"margin_us": 300_000_000, **policy})), known)  # type: ignore[arg-type]


def planned(
    allowed: Allowed,
    people: dict[int, int],
    assumed: Assumed,
    start_us: int,
    caps: dict[int, tuple[Cap, ...]] | None = None,
) -> Timeline:
    waiting = [Waiting(group_id, 0, 0, count) for group_id, count in people.items()]
    ids = sorted(people)
    return simulate(waiting, ids, Openings(allowed, ids, start_us), assumed, start_us, caps=caps)


@pytest.mark.parametrize(
    ("per_second", "contacts", "waits", "policy", "bound_by"),
    [
        (0.02, 450, WAITS, {}, "pace"),
        (5.0, 400, WAITS, {}, "windows"),
        (5.0, 400, WAITS, {"rules": ()}, "redials"),
    ],
)
def test_start_and_finish_are_those_of_the_run(
    book: RuleBook,
    per_second: float,
    contacts: int,
    waits: dict[str, float],
    policy: dict[str, object],
    bound_by: str,
) -> None:
    """Windows of eight zones open and close, also over a change of clocks, while people are called again."""
    start_us = moment("2026-10-23T03:20:00")
    people = dict.fromkeys(range(1, len(PLACES) + 1), contacts)
    assumed = Assumed(per_second, 60.0, SHARES, waits, calls_max=3)
    line = planned(allowed_by(book, **policy), people, assumed, start_us)
    ran = run(allowed_by(book, **policy), people, assumed, start_us)
    assert line.first_call_us == ran.calls_us[0]
    assert line.last_call_us is not None
    took = ran.last_us - ran.calls_us[0]
    assert abs(line.last_call_us - ran.last_us) < 0.05 * took
    assert line.calls == pytest.approx(len(ran.calls_us), rel=0.05)
    assert line.bound_by == bound_by


def test_the_plan_of_a_day_follows_the_run_hour_by_hour(book: RuleBook) -> None:
    start_us = moment("2026-07-01T00:00:00")
    people = dict.fromkeys(range(1, len(PLACES) + 1), 600)
    assumed = Assumed(0.1, 60.0, SHARES, WAITS, calls_max=2)
    line = planned(allowed_by(book), people, assumed, start_us)
    ran = np.array(run(allowed_by(book), people, assumed, start_us).calls_us)
    for hour in range(36):
        begin_us = start_us + hour * 3_600_000_000
        real = int(((ran >= begin_us) & (ran < begin_us + 3_600_000_000)).sum())
        quarter = begin_us // 900_000_000
        plan = sum(line.quarters.get(quarter + part, 0.0) for part in range(4))
        assert plan == pytest.approx(real, abs=30), hour


def test_caps_put_redials_off_as_in_the_run(book: RuleBook) -> None:
    start_us = moment("2026-07-01T12:00:00")
    caps = {one: (read_cap("1 per 8h", "a"), read_cap("2 per 2d", "b")) for one in range(1, len(PLACES) + 1)}
    people = dict.fromkeys(caps, 200)
    assumed = Assumed(0.5, 60.0, SHARES, {"busy": 600.0, "no_answer": 600.0}, calls_max=4)
    line = planned(allowed_by(book, rules=()), people, assumed, start_us, caps)
    ran = run(allowed_by(book, rules=()), people, assumed, start_us, caps=caps)
    assert line.last_call_us is not None
    assert abs(line.last_call_us - ran.last_us) < 0.05 * (ran.last_us - start_us)
    free = planned(allowed_by(book, rules=()), people, assumed, start_us)
    assert free.last_call_us is not None
    assert free.last_call_us < line.last_call_us - 86_400_000_000


def test_the_group_that_closes_first_is_called_first(book: RuleBook) -> None:
    """At 15:00 UTC London closes before New York."""
    start_us = moment("2026-07-01T15:00:00")
    line = planned(allowed_by(book), {1: 100, 5: 100}, Assumed(1.0, 60.0, {}, {}), start_us)
    assert line.last_us.tolist() == [start_us + 200_000_000, start_us + 100_000_000]
    assert line.first_us.tolist() == [pytest.approx(start_us + 100_000_000, abs=1_000_000), start_us]


def test_a_budget_ends_the_plan_and_says_who_is_left(book: RuleBook) -> None:
    assumed = Assumed(1.0, 60.0, {}, {}, calls_left=70.0)
    line = planned(allowed_by(book), {1: 100}, assumed, moment("2026-07-01T15:00:00"))
    assert (round(line.calls), round(line.budget_left), line.never_left) == (70, 30, 0.0)


def test_who_finds_no_window_before_the_end_is_left(book: RuleBook) -> None:
    start_us = moment("2026-07-01T15:00:00")
    allowed = allowed_by(book, ends_at_us=start_us + 350_000_000)  # less the margin
    line = planned(allowed, {1: 100}, Assumed(1.0, 60.0, {}, {}), start_us)
    assert (round(line.calls), round(line.never_left)) == (50, 50)


def test_nobody_to_call_has_no_start_and_no_finish(book: RuleBook) -> None:
    allowed = allowed_by(book, (("", "BR"),))
    line = planned(allowed, {1: 10}, Assumed(1.0, 60.0, {}, {}), moment("2026-07-01T15:00:00"))
    assert (line.first_call_us, line.finish_us, line.bound_by, line.never_left) == (None, None, None, 10.0)


def test_openings_are_the_slots_of_the_windows(book: RuleBook) -> None:
    """Also over a change of clocks, over the weekend, and for moments that come in any order."""
    random = Random(5)
    start_us = moment("2026-10-20T00:00:00")
    lunch = Week((((9 * 3600, 12 * 3600), (13 * 3600, 17 * 3600)),) * 5 + ((), ()))
    for policy in ({}, {"week": lunch, "rules": "own"}, {"rules": ()}):
        allowed = allowed_by(book, **policy)
        openings = Openings(allowed, sorted(allowed.groups), start_us)
        moments = sorted(start_us + random.randrange(30 * 86_400_000_000) for _ in range(20))
        for place, group_id in enumerate(sorted(allowed.groups)):
            found = openings.next_open(place, np.array(moments, dtype=np.int64))
            for at_us, begin_us in zip(moments, found.tolist(), strict=True):
                slot = allowed.windows.next_slot(allowed.groups[group_id], at_us)
                assert begin_us == (slot.begin_us if slot else NEVER_US)
        for at_us in moments:
            openings.move(at_us)
            for place, group_id in enumerate(sorted(allowed.groups)):
                slot = allowed.windows.next_slot(allowed.groups[group_id], at_us)
                assert slot is not None
                assert max(at_us, int(openings.begin_us[place])) == slot.begin_us
                if slot.end_us < at_us + DAY_US:  # no further is looked
                    assert int(openings.end_us[place]) == slot.end_us
