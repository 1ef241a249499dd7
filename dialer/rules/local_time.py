"""Local time of a zone: which absolute spans a local day's hours are, exact across clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from dialer.campaign.hours import DAY_S, Spans
from dialer.rules.spans import Span, join

SECOND_US = 1_000_000
EPOCH = date(1970, 1, 1)
FARTHEST_S = 15 * 3600
"""No zone's clock is further from UTC."""


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every name of the zone database."""
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone. Raises KeyError (ZoneInfoNotFoundError) or ValueError where there is none."""
    return ZoneInfo(name)


def open_spans(zone: str, day: date, hours: Spans) -> list[Span]:
    """Return when, on that local day, the zone's clock shows a time within `hours`.

    An hour that the clock shows twice is open twice, one that it skips never: both follow from asking,
    for every moment, what the clock on the wall shows.
    """
    midnight_s = (day - EPOCH).days * DAY_S
    spans = [
        (
            max(begin_s, midnight_s + first - offset_s) * SECOND_US,
            min(end_s, midnight_s + last - offset_s) * SECOND_US,
        )
        for begin_s, end_s, offset_s in _day(zone, day)
        for first, last in hours
    ]
    return join((begin, end) for begin, end in spans if begin < end)


def local_date(zone: str, at_us: int) -> date:
    """Return the day that the zone's calendar shows at a moment."""
    return local_moment(zone, at_us).date()


def local_moment(zone: str, at_us: int) -> datetime:
    """Return the moment as the zone's clock shows it."""
    return datetime.fromtimestamp(at_us / SECOND_US, UTC).astimezone(zone_of(zone))


def local_text(zone: str, at_us: int) -> str:
    """Return the moment as text: local time with its offset, to the second."""
    return local_moment(zone, at_us).isoformat(timespec="seconds")


@lru_cache(maxsize=65_536)
def _day(zone: str, day: date) -> tuple[tuple[int, int, int], ...]:
    """Return the pieces of absolute time that show this date: (begin_s, end_s, offset_s) of UTC."""
    midnight_s = (day - EPOCH).days * DAY_S
    begin_s, end_s = midnight_s - FARTHEST_S, midnight_s + DAY_S + FARTHEST_S
    pieces = []
    for from_s, until_s, offset_s in _pieces(zone, begin_s, end_s):
        first = max(from_s, midnight_s - offset_s)
        last = min(until_s, midnight_s + DAY_S - offset_s)
        if first < last:
            pieces.append((first, last, offset_s))
    return tuple(pieces)


def _pieces(zone: str, begin_s: int, end_s: int) -> list[tuple[int, int, int]]:
    """Cut a stretch of time where the zone's offset changes."""
    changes = [begin_s]
    step_s = 3 * 3600
    at_s = begin_s
    while at_s < end_s:
        next_s = min(at_s + step_s, end_s)
        if _offset_s(zone, at_s) != _offset_s(zone, next_s):
            changes.append(_change(zone, at_s, next_s))
        at_s = next_s
    changes.append(end_s)
    return [(first, last, _offset_s(zone, first)) for first, last in pairwise(changes) if first < last]


def _change(zone: str, before_s: int, after_s: int) -> int:
    """Return the first second with the later offset."""
    old = _offset_s(zone, before_s)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _offset_s(zone, middle_s) == old:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s


def _offset_s(zone: str, at_s: int) -> int:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)
    offset = moment.astimezone(zone_of(zone)).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())
