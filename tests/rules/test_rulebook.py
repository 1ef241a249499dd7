"""Rules are dated, sourced data; a user's own file overrides them without a release."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dialer.base.errors import BadInput
from dialer.campaign.hours import meet
from dialer.rules.local_time import zone_names
from dialer.rules.places import states
from dialer.rules.public_holidays import is_calendar
from dialer.rules.rows import VERIFIED
from dialer.rules.rulebook import STRICTEST, US_STRICTEST, RuleBook, read_rulebook
from dialer.rules.windows import HoursPolicy, Windows
from tests.rules.conftest import group, moment

TODAY = date(2026, 11, 21)


def own(tmp_path: Path, text: str) -> RuleBook:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    return read_rulebook(file)


def test_every_preset_has_a_source_and_a_code(book: RuleBook) -> None:
    assert len(book.rules) > 50
    for rule in book.rules:
        assert rule.source, rule.id
        assert rule.verified in VERIFIED, rule.id


def test_the_strictest_rows_are_within_every_other(book: RuleBook) -> None:
    for strict, prefix in ((STRICTEST, ""), (US_STRICTEST, "US")):
        row = book.of_id(strict)[0]
        for rule in book.rules:
            if rule.optional or not rule.region.startswith(prefix) or not rule.valid_on(TODAY):
                continue
            for week in rule.weeks:
                for day in range(7):
                    hours = row.weeks[0].days[day]
                    for more in row.weeks[1:]:
                        hours = meet(hours, more.days[day])
                    assert meet(hours, week.days[day]) == hours, (strict, rule.id, day)


def test_every_state_has_real_zones_and_a_calendar() -> None:
    assert len(states()) == 51 + 13
    for place, one in states().items():
        assert set(one.zones) <= zone_names(), place
        assert is_calendar(place), place


def test_area_codes_are_those_of_the_installed_metadata() -> None:
    from phonenumbers.geodata import GEOCODE_DATA

    named = {int(prefix[1:]) for prefix in GEOCODE_DATA if len(prefix) == 4 and prefix[0] == "1"}
    known = {code for one in states().values() for code in one.area_codes}
    assert named - known <= {
        264,
        268,
        340,
        441,
        473,
        649,
        658,
        664,
        670,
        671,
        684,
        721,
        758,
        767,
        784,
        787,
        809,
        829,
        849,
        868,
        869,
        876,
        939,
        242,
        246,
        284,
        345,
    }  # other countries
    assert known <= named


def test_an_own_rule_replaces_the_presets_from_its_date(tmp_path: Path) -> None:
    book = own(
        tmp_path,
        '[[rule]]\nid = "US-FL"\nvalid_from = 2027-01-01\nhours = { every = "10:00-12:00" }\n',
    )
    windows, florida = Windows(book, HoursPolicy()), group("America/New_York", "US,US-FL")
    assert windows.is_open(florida, moment("2026-12-31T20:00:00"))
    assert not windows.is_open(florida, moment("2027-01-04T20:00:00"))
    assert windows.caps(florida, moment("2026-12-31T20:00:00"))
    assert "own" in windows.evidence(florida, moment("2027-01-04T16:00:00")).rules


def test_a_rule_can_be_taken_away_and_a_region_blocked(tmp_path: Path) -> None:
    book = own(
        tmp_path,
        '[[rule]]\nid = "US-WA"\noff = true\n'
        '[[block]]\nregion = "US-LA"\nreason = "PSC emergency"\nsince = 2026-08-29\nuntil = 2026-09-03\n',
    )
    windows = Windows(book, HoursPolicy())
    assert windows.refusal(group("America/Los_Angeles", "US,US-WA"), moment("2026-07-01T18:00:00")) is None
    louisiana = group("America/Chicago", "US,US-LA")
    assert not windows.is_open(louisiana, moment("2026-09-01T18:00:00"))
    assert windows.is_open(louisiana, moment("2026-09-04T18:00:00"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[rule]]\nid = "US-FL"\nhours = { mon-fri = "20:00-08:00" }', "never open"),
        ('[[rule]]\nid = "US-FL"\nhours = { monn = "08:00-20:00" }', "expected days"),
        ('[[rule]]\nid = "US-FL"\nhours = { mon = "none" }', "write a \\[\\[block\\]\\]"),
        ('[[rule]]\nid = "US-FL"\ncaps = ["0 per 24h"]', "no call could ever be placed"),
        ('[[rule]]\nid = "US-FL"\ncaps = ["3 a day"]', "expected a cap"),
        ('[[rule]]\nid = "Florida"\ncaps = ["3 per 24h"]', "expected a country"),
        ('[[rule]]\nid = "US-FL"\nhour = { mon = "08:00-20:00" }', "did you mean 'hours'"),
        ('[[rule]]\nid = "US-FLX"\noff = true', "did you mean 'US-FL'"),
        ('[[rule]]\nid = "US-FL"', "says nothing"),
        ('[[block]]\nregion = "US-LA"\nreason = "x"\nsince = 2026-09-02\nuntil = 2026-09-01', "lies before"),
    ],
)
def test_a_mistake_in_the_own_file_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as told:
        own(tmp_path, text)
    assert "rules.toml:" in str(told.value)


@pytest.mark.parametrize(
    ("key", "line"),
    [("caps = ['0 per day']", 4), ("hours = { mon = '25:00-26:00' }", 4), ("zzz = 1", 4), ("off = true", 4)],
)
def test_a_mistake_is_told_with_the_line_of_its_key(tmp_path: Path, key: str, line: int) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(f"[[rule]]\nid = 'US-FLA'\nregion = 'US-FL'\n{key}\n")
    with pytest.raises(BadInput, match=rf"rules\.toml:{line}: "):
        read_rulebook(file)
