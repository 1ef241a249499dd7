"""Hours of a week, as a rule or a campaign writes them: `mon-fri = "09:00-13:00, 14:00-20:00"`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_S = 86_400

Spans = tuple[tuple[int, int], ...]
"""Spans of a local day in seconds since midnight, end exclusive, in order, not overlapping."""

WHOLE_DAY: Spans = ((0, DAY_S),)


@dataclass(frozen=True, slots=True)
class Week:
    """The spans of Monday to Sunday and of public holidays (None: a holiday is an ordinary day)."""

    days: tuple[Spans, ...]
    holiday: Spans | None = None

    def on(self, weekday: int, *, holiday: bool) -> Spans:
        """Return the spans of a day; Monday is 0. A holiday is never more open than its weekday."""
        if holiday and self.holiday is not None:
            return meet(self.days[weekday], self.holiday)
        return self.days[weekday]

    @property
    def never_open(self) -> bool:
        """Whether no day has a second in it."""
        return not any(self.days)

    def __str__(self) -> str:
        """The hours as people write them, equal days together."""
        parts = []
        first = 0
        for day in range(1, 8):
            if day == 7 or self.days[day] != self.days[first]:
                parts.append(f"{_days_text(first, day - 1)} {_spans_text(self.days[first])}")
                first = day
        if self.holiday is not None:
            parts.append(f"holidays {_spans_text(self.holiday)}")
        return ", ".join(parts)


def read_week(hours: Mapping[str, object]) -> Week:
    """Return the week that a table of hours means; days that it does not name are closed.

    Raises:
        ValueError: a day or an hour cannot be meant, or a day is named twice.
    """
    days: list[Spans | None] = [None] * 7
    holiday: Spans | None = None
    for key, text in hours.items():
        if not isinstance(text, str):
            raise ValueError(f'{key} = {text!r}: expected hours such as "09:00-20:00" or "none"')
        spans = read_spans(text)
        if key == "holiday":
            holiday = spans
            continue
        for day in read_days("mon-sun" if key == "every" else key):
            if days[day] is not None:
                raise ValueError(f"{DAYS[day]} is named twice")
            days[day] = spans
    closed: Spans = ()
    full = [closed if spans is None else spans for spans in days]
    return Week(tuple(full), holiday)


def read_days(text: str) -> list[int]:
    """Return the weekdays of `mon-fri`, `sat` or `mon, wed-thu`; Monday is 0. Raises ValueError."""
    found: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if not _is_day(first) or (last and not _is_day(last)):
            raise ValueError(f'{text!r}: expected days such as "mon-fri" or "mon,wed,sat"')
        begin, end = DAYS.index(first[:3]), DAYS.index((last or first)[:3])
        found.extend(day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1))
    return sorted(set(found))


def read_spans(text: str) -> Spans:
    """Return the spans of `09:00-13:00, 14:00-20:00`; `none` is closed. Raises ValueError."""
    if text.strip().lower() == "none":
        return ()
    spans = sorted(_read_span(part) for part in text.split(","))
    for (_, end), (begin, _) in pairwise(spans):
        if begin < end:
            raise ValueError(f"{text!r}: the hours overlap")
    return tuple(spans)


def read_time(text: str) -> int:
    """Return the seconds since midnight of `09:00` or `24:00`. Raises ValueError."""
    match = re.fullmatch(r"\s*([0-9]{1,2}):([0-9]{2})\s*", text)
    if match is None or int(match[2]) > 59 or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise ValueError(f'{text!r}: expected a time such as "09:00"')
    return int(match[1]) * 3600 + int(match[2]) * 60


def meet(one: Spans, other: Spans) -> Spans:
    """Return what lies in both."""
    both = [(max(a, c), min(b, d)) for a, b in one for c, d in other]
    return tuple(sorted((begin, end) for begin, end in both if begin < end))


def _is_day(word: str) -> bool:
    return word in DAYS or word in DAY_NAMES


def _read_span(text: str) -> tuple[int, int]:
    begin, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f'{text.strip()!r}: expected hours such as "09:00-20:00" or "none"')
    span = read_time(begin), read_time(end)
    if span[0] >= span[1]:
        raise ValueError(f"{text.strip()!r}: never open, because it ends before it begins")
    return span


def _spans_text(spans: Spans) -> str:
    if not spans:
        return "none"
    return " ".join(f"{_time_text(begin)}-{_time_text(end)}" for begin, end in spans)


def _time_text(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"


def _days_text(first: int, last: int) -> str:
    if (first, last) == (0, 6):
        return "every day"
    return DAYS[first].title() if first == last else f"{DAYS[first].title()}-{DAYS[last].title()}"
