"""A moment is open only when every rule is open on the clock of every candidate zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from dialer.base.errors import BadInput
from dialer.campaign.hours import read_week
from dialer.rules.rulebook import RuleBook
from dialer.rules.windows import DAY_US, HoursPolicy, Windows
from tests.rules.conftest import group, moment

NEW_YORK = "America/New_York"
CHICAGO = "America/Chicago"


def test_florida_closes_at_eight_in_the_evening_local_time(windows: Windows) -> None:
    florida = group(NEW_YORK, "US,US-FL")
    assert windows.is_open(florida, moment("2026-07-01T23:59:59"))
    assert not windows.is_open(florida, moment("2026-07-02T00:00:00"))
    assert not windows.is_open(florida, moment("2026-07-01T11:59:59"))
    assert windows.is_open(florida, moment("2026-07-01T12:00:00"))


def test_all_candidate_zones_must_be_open(windows: Windows) -> None:
    """Area code 850 is Eastern and Central: 08:00-19:00 on the Central clock."""
    slot = windows.next_slot(group(f"{CHICAGO},{NEW_YORK}", "US,US-FL"), moment("2026-07-01T04:00:00"))
    assert slot is not None
    assert (slot.begin_us, slot.end_us) == (moment("2026-07-01T13:00:00"), moment("2026-07-02T00:00:00"))


def test_both_the_number_and_the_address_bind(windows: Windows) -> None:
    """A Kentucky number (from 10) whose owner lives in Florida (until 20)."""
    slot = windows.next_slot(group(NEW_YORK, "US,US-FL,US-KY"), moment("2026-07-01T04:00:00"))
    assert slot is not None
    assert (slot.begin_us, slot.end_us) == (moment("2026-07-01T14:00:00"), moment("2026-07-02T00:00:00"))
    assert slot.decided_by == "US-KY"


def test_a_rule_holds_from_its_date_on(windows: Windows) -> None:
    pennsylvania = group(NEW_YORK, "US,US-PA")
    assert windows.is_open(pennsylvania, moment("2026-10-17T23:30:00"))  # 19:30, old rule until 21
    assert not windows.is_open(pennsylvania, moment("2026-10-18T15:00:00"))  # a Sunday under Act 47
    assert not windows.is_open(pennsylvania, moment("2026-10-19T23:30:00"))  # 19:30, new rule until 19


def test_no_calls_on_a_holiday_that_the_state_keeps(windows: Windows) -> None:
    noon = "T18:00:00"
    assert not windows.is_open(group(CHICAGO, "US,US-LA"), moment("2026-02-17" + noon))  # Mardi Gras
    assert windows.is_open(group(CHICAGO, "US,US-TX"), moment("2026-02-17" + noon))
    assert not windows.is_open(group("America/Denver", "US,US-UT"), moment("2026-07-24" + noon))
    assert not windows.is_open(group(NEW_YORK, "US,US-RI"), moment("2026-08-10" + noon))  # Victory Day


@pytest.mark.parametrize("zone", ["Asia/Singapore", "Pacific/Auckland"])
def test_a_country_without_hours_gets_the_strictest_or_none(book: RuleBook, zone: str) -> None:
    place = {"Asia/Singapore": "SG", "Pacific/Auckland": "NZ"}[zone]
    strict, hold = Windows(book, HoursPolicy()), Windows(book, HoursPolicy(unknown_zone="hold"))
    slot = strict.next_slot(group(zone, place), moment("2026-11-20T20:00:00"))
    assert slot is not None
    assert slot.decided_by == "strictest"
    assert hold.next_slot(group(zone, place), moment("2026-11-20T20:00:00")) is None


def test_no_zone_is_never_open(windows: Windows) -> None:
    assert windows.next_slot(group("", "US,US-FL"), moment("2026-07-01T15:00:00")) is None


def test_nothing_is_launched_in_the_margin_before_closing(book: RuleBook) -> None:
    careful = Windows(book, HoursPolicy(margin_us=300_000_000))
    florida = group(NEW_YORK, "US,US-FL")
    assert careful.is_open(florida, moment("2026-07-01T23:54:59"))
    assert not careful.is_open(florida, moment("2026-07-01T23:55:00"))


def test_the_campaigns_own_hours_only_narrow(book: RuleBook) -> None:
    week = read_week({"mon-fri": "06:00-12:00"})
    own = Windows(book, HoursPolicy(week=week, starts_at_us=moment("2026-07-01T14:00:00")))
    slot = own.next_slot(group(NEW_YORK, "US,US-FL"), moment("2026-06-30T20:00:00"))
    assert slot is not None
    assert (slot.begin_us, slot.end_us) == (moment("2026-07-01T14:00:00"), moment("2026-07-01T16:00:00"))
    assert slot.decided_by == "campaign starts_at"


def test_a_refusal_is_kept_apart_from_hours(book: RuleBook, windows: Windows) -> None:
    at = moment("2026-07-01T18:00:00")
    refused = windows.refusal(group("America/Phoenix", "US,US-AZ"), at)
    assert refused is not None
    assert refused.id == "US-AZ"
    assert windows.is_open(group("America/Phoenix", "US,US-AZ"), at)
    assert windows.refusal(group("America/Phoenix", "US,US-AZ", "fixed"), at) is None
    assert windows.refusal(group("America/Phoenix", "US,US-AZ", "either"), at) is not None
    consented = Windows(book, HoursPolicy(consent=True))
    assert consented.refusal(group("America/Phoenix", "US,US-AZ"), at) is None


def test_a_misspelt_rule_names_the_nearest(book: RuleBook) -> None:
    with pytest.raises(BadInput, match=r"'us-fed-hour'.*did you mean 'us-fed-hours'"):
        Windows(book, HoursPolicy(rules=("us-fed-hour",))).check()


def test_contradictory_hours_are_refused(book: RuleBook) -> None:
    week = read_week({"sun": "10:00-12:00"})
    with pytest.raises(BadInput, match="never open"):
        Windows(book, HoursPolicy(rules=("US-AL",), week=week)).check()


NAIVE: dict[str, Callable[[datetime], bool]] = {
    "US,US-FL": lambda local: 8 <= local.hour < 20,
    "US,US-TX": lambda local: (12 if local.weekday() == 6 else 9) <= local.hour < 21,
    "IN": lambda local: 10 <= local.hour < 21,
}
ZONES = (
    "America/New_York", "America/St_Johns", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Europe/Dublin", "Africa/Casablanca", "Pacific/Chatham", "America/Santiago", "Pacific/Kiritimati",
)  # fmt: skip
CHANGES = ("2026-03-08", "2026-11-01", "2026-03-29", "2026-10-25", "2026-04-05", "2026-10-04", "2026-09-06")


@pytest.mark.parametrize("places", NAIVE)
def test_windows_are_what_the_clock_on_the_wall_says(windows: Windows, places: str) -> None:
    """An independent reading, moment by moment, around every change of clocks."""
    random = Random(5)
    for zone in ZONES:
        one, wall = group(zone, places), ZoneInfo(zone)
        for day in CHANGES:
            begin = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
            spans = windows.open(
                one, moment(begin.isoformat()[:19]), moment(begin.isoformat()[:19]) + 3 * DAY_US
            )
            for _ in range(60):
                at = begin + timedelta(seconds=random.randrange(3 * 86_400))
                at_us = round(at.timestamp() * 1e6)
                inside = any(first <= at_us < last for first, last in spans)
                assert inside == NAIVE[places](at.astimezone(wall)), (zone, at)


def test_an_hour_that_the_clock_shows_twice_is_open_twice_and_a_skipped_one_never(book: RuleBook) -> None:
    night = Windows(book, HoursPolicy(rules="own", week=read_week({"every": "01:00-02:00"})))
    one = group(NEW_YORK, "US")
    spans = night.open(one, moment("2026-11-01T00:00:00"), moment("2026-11-01T20:00:00"))
    assert spans == [(moment("2026-11-01T05:00:00"), moment("2026-11-01T07:00:00"))]
    skipped = Windows(book, HoursPolicy(rules="own", week=read_week({"every": "02:00-03:00"})))
    assert skipped.open(one, moment("2026-03-08T05:00:00"), moment("2026-03-08T20:00:00")) == []


def test_evidence_names_zone_source_local_time_and_rules(windows: Windows) -> None:
    evidence = windows.evidence(group(NEW_YORK, "US,US-FL"), moment("2026-07-01T15:00:00"))
    assert evidence.zone == NEW_YORK
    assert evidence.zone_from == "number"
    assert evidence.local_time == "2026-07-01T11:00:00-04:00"
    assert "US-FL@2021-07-01" in evidence.rules
    assert evidence.rules.endswith(windows.book.version)
