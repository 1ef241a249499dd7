"""What windows keep changes no answer, and is kept: long lists fall into hundreds of groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from dialer.campaign.hours import read_week
from dialer.rules.local_time import local_moment
from dialer.rules.places import Group
from dialer.rules.rulebook import Rule, RuleBook
from dialer.rules.windows import HoursPolicy, Windows, rule_hours
from tests.rules.conftest import group, moment

PLACES = {
    "America/New_York,America/Chicago": "US,US-FL",
    "Africa/Casablanca": "MA",
    "America/Santiago,America/Punta_Arenas": "CL",
    "Asia/Kolkata": "IN",
    "Australia/Lord_Howe,Australia/Sydney": "AU",
    "America/Adak,Pacific/Chatham,America/Chicago": "US,US-TX",
    "Europe/Bucharest,Europe/Berlin,Europe/Lisbon": "RO,DE",
    "Pacific/Apia,Pacific/Auckland": "NZ",
}
CHANGES = ("2026-03-08", "2026-11-01", "2026-03-29", "2026-10-25", "2026-04-05", "2026-10-04", "2026-09-06")
WEEK = read_week({"mon-sat": "09:30-17:00"})
TICK_US = 5 * 60_000_000


def random_moments(count: int) -> Iterator[int]:
    """Moments within two days of a change of clocks, on the tick."""
    random = Random(11)
    for _ in range(count):
        yield moment(f"{random.choice(CHANGES)}T00:00:00") + random.randrange(-576, 576) * TICK_US


def on_the_wall(book: RuleBook, one: Group, at_us: int) -> bool:
    """Whether every clock shows a time that every rule leaves open, with nothing kept from before."""
    for zone in one.zones:
        local = local_moment(zone, at_us)
        shown_s = local.hour * 3600 + local.minute * 60
        rules = Windows(book, HoursPolicy()).rules_on(one, local.date())
        hours = [rule_hours(rule, one.places, local.date()) for rule in rules]
        hours.append(WEEK.on(local.weekday(), holiday=False))
        if not all(any(first <= shown_s < last for first, last in spans) for spans in hours):
            return False
    return True


@pytest.mark.parametrize("zones", PLACES)
def test_what_is_kept_changes_no_answer(book: RuleBook, zones: str) -> None:
    """One set of windows, asked in any order, against the clocks on the wall, tick by tick."""
    kept, one = Windows(book, HoursPolicy(week=WEEK)), group(zones, PLACES[zones])
    for at_us in random_moments(6):
        slot = kept.next_slot(one, at_us)
        edge = at_us + 3 * 86_400_000_000
        ticks = range(at_us, edge, TICK_US)
        begin_us = next((tick for tick in ticks if on_the_wall(book, one, tick)), None)
        if begin_us is None:
            assert slot is None or slot.begin_us >= edge
            continue
        ticks = range(begin_us, begin_us + 86_400_000_000, TICK_US)
        end_us = next(tick for tick in ticks if not on_the_wall(book, one, tick))
        assert slot is not None
        assert (slot.begin_us, slot.end_us) == (begin_us, end_us)


def test_the_order_of_the_zones_decides_nothing(book: RuleBook) -> None:
    windows = Windows(book, HoursPolicy(week=WEEK))
    zones = ("America/Adak", "America/St_Johns", "America/New_York", "America/Chicago", "Pacific/Honolulu")
    for at_us in random_moments(10):
        turned = [(*zones[turn:], *zones[:turn]) for turn in range(len(zones))]
        slots = [windows.next_slot(group(",".join(some), "US"), at_us) for some in turned]
        assert len({slot and (slot.begin_us, slot.end_us) for slot in slots}) == 1


class CountedBook(RuleBook):
    """Rules that count how often each place is looked up."""

    def __init__(self, book: RuleBook) -> None:
        super().__init__(book.rules, book.blocks, book.version)
        self.asked: Counter[str] = Counter()

    def of_region(self, region: str) -> list[Rule]:
        self.asked[region] += 1
        return super().of_region(region)


def test_rules_are_read_once_for_a_date_however_many_zones_and_groups_share_them(book: RuleBook) -> None:
    """A number of which only the country is known may be anywhere from Guam to Newfoundland: never open."""
    counted = CountedBook(book)
    windows = Windows(counted, HoursPolicy(week=read_week({"mon-fri": "10:00-18:00"})))
    zones = ["America/Adak", "America/Boise", "America/Chicago", "America/Denver", "America/Nome"]
    zones += ["America/St_Johns", "Pacific/Guam", "Pacific/Honolulu", "Pacific/Pago_Pago"]
    for turn in range(len(zones)):
        some = group(",".join(zones[turn:] + zones[:turn]), "CA")
        assert windows.next_slot(some, moment("2026-11-21T00:00:00")) is None
    days = 420
    assert counted.asked["CA"] <= 2 * days  # which rules bind, and whether any of them has hours
