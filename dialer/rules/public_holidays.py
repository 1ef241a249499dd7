"""Public holidays of a country or state, from the `holidays` package, and the few that it lacks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache

import holidays
from dateutil.easter import easter


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


EXTRA_HOLIDAYS: dict[str, Callable[[int], date]] = {
    "mardi_gras": lambda year: easter(year) - timedelta(days=47),
    "good_friday": lambda year: easter(year) - timedelta(days=2),
    "confederate_memorial_day": lambda year: _nth(year, 4, 0, 4),
    "jefferson_davis_birthday": lambda year: _nth(year, 6, 0, 1),
    "all_saints_day": lambda year: date(year, 11, 1),
    "victory_day": lambda year: _nth(year, 8, 0, 2),
    "pioneer_day": lambda year: date(year, 7, 24),
}
"""Holidays that states name beyond the federal list, by year."""


def is_calendar(region: str) -> bool:
    """Return whether there is a calendar of this country or state."""
    country, _, state = region.partition("-")
    known = holidays.list_supported_countries()
    return country in known and (not state or state in known[country])


def is_holiday(calendars: tuple[str, ...], also: tuple[str, ...], day: date) -> bool:
    """Return whether the day, or the day on which it is observed, is a holiday of any of these."""
    return any(day in _calendar(name, day.year) for name in calendars) or any(
        day in _extra(name, day.year) for name in also
    )


@lru_cache(maxsize=4096)
def _calendar(region: str, year: int) -> frozenset[date]:
    country, _, state = region.partition("-")
    known = holidays.list_supported_countries().get(country)
    if known is None:
        return frozenset()
    subdivision = state if state in known else None
    found = holidays.country_holidays(country, subdiv=subdivision, years=year)
    return frozenset(day for day in found if day.year == year)


@lru_cache(maxsize=4096)
def _extra(name: str, year: int) -> frozenset[date]:
    """A holiday on a Saturday is kept on Friday too, one on a Sunday on Monday too: both days are closed."""
    day = EXTRA_HOLIDAYS[name](year)
    observed = {5: day - timedelta(days=1), 6: day + timedelta(days=1)}.get(day.weekday(), day)
    return frozenset((day, observed))
