"""Local time of a zone: which absolute spans a local day's hours are, exact across clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from dialer.campaign.hours import DAY_S, Spans
from dialer.rules.spans import Span, join

SECOND_US = 1_000_000
EPOCH = date(1970, 1, 1)
FARTHEST_S = 15 * 3600
"""No zone's clock is further from UTC."""
STEP_S = 18 * 3600
"""No zone changes its clock twice within so long: since 1970, none did within six days."""


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every name of the zone database."""
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone. Raises KeyError (ZoneInfoNotFoundError) or ValueError where there is none."""
    return ZoneInfo(name)


@lru_cache(maxsize=65_536)
def open_spans(zone: str, day: date, hours: Spans) -> tuple[Span, ...]:
    """Return when, on that local day, the zone's clock shows a time within `hours`.

    An hour that the clock shows twice is open twice, one that it skips never: both follow from asking,
    for every moment, what the clock on the wall shows.
    """
    midnight_s = (day - EPOCH).days * DAY_S
    spans = [
        (
            max(begin_s, midnight_s + first - ahead_s) * SECOND_US,
            min(end_s, midnight_s + last - ahead_s) * SECOND_US,
        )
        for begin_s, end_s, ahead_s in _day(zone, day)
        for first, last in hours
    ]
    return tuple(join((begin, end) for begin, end in spans if begin < end))


def local_date(zone: str, at_us: int) -> date:
    """Return the day that the zone's calendar shows at a moment."""
    return local_moment(zone, at_us).date()


def local_moment(zone: str, at_us: int) -> datetime:
    """Return the moment as the zone's clock shows it."""
    return datetime.fromtimestamp(at_us / SECOND_US, UTC).astimezone(zone_of(zone))


def local_text(zone: str, at_us: int) -> str:
    """Return the moment as text: local time with its offset, to the second."""
    return local_moment(zone, at_us).isoformat(timespec="seconds")


def offset_s(zone: str, at_s: int) -> int:
    """Return how far the zone's clock is ahead of UTC at a moment."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)
    ahead = moment.astimezone(zone_of(zone)).utcoffset()
    assert ahead is not None
    return round(ahead.total_seconds())


@lru_cache(maxsize=65_536)
def _day(zone: str, day: date) -> tuple[tuple[int, int, int], ...]:
    """Return the pieces of absolute time that show this date: (begin_s, end_s, ahead_s) of UTC."""
    midnight_s = (day - EPOCH).days * DAY_S
    begin_s, end_s = midnight_s - FARTHEST_S, midnight_s + DAY_S + FARTHEST_S
    pieces = []
    for from_s, until_s, ahead_s in _pieces(zone, begin_s, end_s):
        first = max(from_s, midnight_s - ahead_s)
        last = min(until_s, midnight_s + DAY_S - ahead_s)
        if first < last:
            pieces.append((first, last, ahead_s))
    return tuple(pieces)


def _pieces(zone: str, begin_s: int, end_s: int) -> list[tuple[int, int, int]]:
    """Cut a stretch of time where the zone's offset changes."""
    pieces = []
    from_s, before_s = begin_s, offset_s(zone, begin_s)
    for at_s in range(begin_s, end_s, STEP_S):
        next_s = min(at_s + STEP_S, end_s)
        after_s = offset_s(zone, next_s)
        if after_s != before_s:
            change_s = _change(zone, at_s, next_s)
            pieces.append((from_s, change_s, before_s))
            from_s, before_s = change_s, after_s
    return [*pieces, (from_s, end_s, before_s)]


def _change(zone: str, before_s: int, after_s: int) -> int:
    """Return the first second with the later offset."""
    old = offset_s(zone, before_s)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if offset_s(zone, middle_s) == old:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s
