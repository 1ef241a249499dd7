"""The calling rules once more, naively: hours as plain numbers, one moment and one person at a time.

Written from the table of rules, not from dialer's presets, and without a line of dialer: what is checked must
not check itself. It holds from July 2026 to July 2027.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

NEW_YORK, CHICAGO, DENVER = "America/New_York", "America/Chicago", "America/Denver"
LOS_ANGELES = "America/Los_Angeles"

Hours = tuple[tuple[float, float], ...]
WEEK: dict[str, tuple[Hours, Hours, Hours]] = {}
"""Of each jurisdiction the hours on weekdays, Saturdays and Sundays, an automated voice's included."""


def _week(names: str, weekday: Hours, saturday: Hours | None = None, sunday: Hours | None = None) -> None:
    for name in names.split():
        WEEK[name] = (
            weekday,
            weekday if saturday is None else saturday,
            weekday if sunday is None else sunday,
        )


_week("US US-AZ US-CO US-GA US-HI US-NC US-NJ US-NY US-OH US-TN US-VA US-AK", ((8, 21),))
_week("US-AL US-LA US-MS", ((8, 20),), None, ())
_week("US-CT US-IN US-NV US-OK", ((9, 20),))
_week("US-FL US-MD US-MA US-OR US-WA US-WY", ((8, 20),))
_week("US-CA US-IL US-MI US-MN US-NM", ((9, 21),))
_week("US-KY", ((10, 21),))
_week("US-ME", ((9, 17),), (), ())
_week("US-NE", ((8, 21),), None, ((13, 21),))
_week("US-PA", ((8, 21),))
_week("US-PA-2026", ((9, 19),), None, ())
_week("US-RI", ((9, 18),), ((10, 17),), ())
_week("US-SD", ((9, 21),), (), ())
_week("US-TX", ((9, 21),), None, ((12, 21),))
_week("US-UT", ((8, 21),), None, ())
_week("US-*", ((10, 17),), (), ())
_week("CA CA-ON CA-QC CA-BC CA-MB CA-SK CA-NS CA-NL CA-AB", ((9, 21.5),), ((10, 18),), ((10, 18),))
_week("GB", ((8, 21),))
_week("AU", ((9, 20),), ((9, 17),), ())
_week("IN", ((10, 21),))
_week("AE", ((9, 18),))
_week("FR", ((10, 13), (14, 20)), (), ())
_week("DE", ((8, 20),), ((9, 18),), ())
_week("ES", ((9, 21),), (), ())
_week("IT", ((9, 20),), ((10, 19),), ())
_week("BR", ((9, 21),), ((10, 16),), ())
_week("ZA", ((8, 20),), ((9, 13),), ())
_week("strictest", ((10, 13), (14, 17)), (), ())
WITHOUT_HOURS = ("SG", "NZ", "NL", "CZ", "FI", "NP", "CL", "JP", "MX")

CLOSED_ON_HOLIDAYS = {
    *("US-AL", "US-LA", "US-PA", "US-PA-2026", "US-RI", "US-UT", "CA-BC"),
    *("AU", "FR", "DE", "ES", "IT", "BR", "ZA"),
}
MORE_HOLIDAYS = {
    "US-AL": ("2027-02-09", "2027-04-26", "2027-06-07"),
    "US-LA": ("2027-02-09", "2027-03-26", "2026-11-01", "2026-11-02"),
    "US-RI": ("2026-08-10",),
    "US-UT": ("2026-07-24",),
}
CAPS_H: dict[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("US-FL", "US-OK", "US-MD", "US-OR"), ((3, 24),)),
    "US-ME": ((1, 8),),
    "US-*": ((3, 24), (1, 8)),
    "AE": ((1, 24), (2, 168)),
    "FR": ((4, 720),),
    "strictest": ((1, 24), (2, 168), (4, 720)),
}
NEVER_WITHOUT_CONSENT = ("US-AZ", "US-NJ", "US-WA")


def bound_by(places: tuple[str, ...], day: date) -> list[str]:
    """Return the rows that bind on a local day."""
    found = ["US-PA-2026" if place == "US-PA" and day >= date(2026, 10, 18) else place for place in places]
    return ["strictest" if place in WITHOUT_HOURS else place for place in found]


@cache
def is_holiday(place: str, day: date) -> bool:
    """Return whether the place keeps the day."""
    country, _, state = place.replace("-2026", "").partition("-")
    if day.isoformat() in MORE_HOLIDAYS.get(place.replace("-2026", ""), ()):
        return True
    if country not in holidays.list_supported_countries():
        return False
    return day in holidays.country_holidays(country, subdiv=state or None, years=day.year)


@cache
def hours_on(places: tuple[str, ...], day: date) -> list[Hours]:
    """Return the hours of every row that binds on a local day; all of them must be open."""
    rows = bound_by(places, day)
    found: list[Hours] = []
    for row in rows:
        hours = WEEK[row][max(0, day.weekday() - 4)]
        if row in CLOSED_ON_HOLIDAYS and is_holiday(row, day):
            hours = ()
        if row == "US-NE" and is_holiday("US-NE", day):
            hours = ((13, 21),)
        if row == "strictest" and any(is_holiday(place, day) for place in places):
            hours = ()
        if row == "US-*" and any(
            is_holiday(f"US-{state}", day) for state in ("AL", "LA", "NE", "PA", "RI", "UT")
        ):
            hours = ()
        found.append(hours)
    return found


def is_open(places: tuple[str, ...], zones: tuple[str, ...], at: datetime, margin_s: float) -> bool:
    """Return whether a person in one of the zones may be called at a moment of UTC.

    The margin is taken off the whole stretch: the moment and the one that is so much later must be open.
    """
    return all(
        _within(places, zone, moment) for zone in zones for moment in (at, at + timedelta(seconds=margin_s))
    )


def _within(places: tuple[str, ...], zone: str, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(zone))
    hour = local.hour + local.minute / 60 + local.second / 3600 + local.microsecond / 3.6e9
    return all(any(begin <= hour < end for begin, end in hours) for hours in hours_on(places, local.date()))


def caps_of(places: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the caps that bind: calls, and hours of any stretch of time."""
    return [cap for row in bound_by(places, date(2027, 1, 1)) for cap in CAPS_H.get(row, ())]
