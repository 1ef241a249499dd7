"""When each of many groups is open next, as arrays: what a plan needs of windows, evaluated week by week."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dialer.calls.allowed import Allowed
from dialer.rules.places import Group
from dialer.rules.spans import Span, join, next_span
from dialer.rules.windows import DAY_US, FARTHEST_DAYS

NEVER_US = 2**62
"""The begin and end of a group that does not open any more."""
AT_ONCE_US = 8 * DAY_US


class _Calendar:
    """The open spans of groups with the same zones and places, as far as anybody asked."""

    def __init__(self, allowed: Allowed, group: Group, at_us: int) -> None:
        self._windows = allowed.windows
        self._group = group
        self._first_us = self._known_until_us = at_us - 2 * DAY_US
        self.spans: list[Span] = []

    def after(self, at_us: int) -> Span | None:
        """Return the span that holds the moment, or the first one after it."""
        span = next_span(self.spans, at_us)
        # A span that reaches to where the calendar ends may go on there.
        while span is None or span[1] == self._known_until_us:
            if span is not None and self._known_until_us > at_us + 2 * AT_ONCE_US:
                return span
            if self._known_until_us > at_us + FARTHEST_DAYS * DAY_US:
                return None
            self._extend()
            span = next_span(self.spans, at_us)
        return span

    def _extend(self) -> None:
        begin_us, end_us = self._known_until_us, self._known_until_us + AT_ONCE_US
        found = self._windows.open(self._group, begin_us, end_us)
        last = [self.spans.pop()] if self.spans else []
        self.spans.extend(join([*last, *found]))
        self._known_until_us = end_us


class Openings:
    """The slots of groups from a moment on: `begin_us` and `end_us`, Int64, in the order of `group_ids`.

    A group's slot is the one that holds the moment or the first one after it; NEVER_US where none comes
    within 400 days, and where a rule refuses the group.
    """

    def __init__(self, allowed: Allowed, group_ids: Sequence[int], at_us: int) -> None:
        self._allowed = allowed
        self._group_ids = list(group_ids)
        self._calendars: dict[tuple[tuple[str, ...], tuple[str, ...]], _Calendar] = {}
        self._of_group = [self._calendar(one, at_us) for one in self._group_ids]
        refused = allowed.refusals(at_us)
        self._refused = np.array([one in refused for one in self._group_ids], dtype=bool)
        self.begin_us: NDArray[np.int64] = np.full(len(self._group_ids), NEVER_US, dtype=np.int64)
        self.end_us: NDArray[np.int64] = np.where(self._refused, NEVER_US, -NEVER_US)
        self.move(at_us)

    def move(self, at_us: int) -> None:
        """Make the slots those of a later moment."""
        slots: dict[int, Span] = {}
        for place in np.flatnonzero(self.end_us <= at_us):
            calendar = self._of_group[place]
            key = id(calendar)
            if key not in slots:
                slots[key] = self._slot(calendar, self._group_ids[place], at_us)
            self.begin_us[place], self.end_us[place] = slots[key]

    def next_open(self, place: int, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when the group may be called at each of the moments or next; NEVER_US where it may not."""
        if self._refused[place] or at_us.size == 0:
            return np.full(at_us.shape, NEVER_US, dtype=np.int64)
        calendar = self._of_group[place]
        if calendar is None:
            begin_us, end_us = self._slot(None, self._group_ids[place], int(at_us.min()))
            return np.where(at_us < end_us, np.maximum(at_us, begin_us), NEVER_US)
        calendar.after(int(at_us.max()))
        begins = np.array([span[0] for span in calendar.spans] + [NEVER_US], dtype=np.int64)
        ends = np.array([span[1] for span in calendar.spans] + [NEVER_US], dtype=np.int64)
        found = np.searchsorted(ends, at_us, side="right")
        return np.maximum(at_us, begins[found])

    def opening_of(self, place: int, at_us: int) -> int:
        """Return when the span began that holds the moment; the moment itself where nothing closes."""
        calendar = self._of_group[place]
        if calendar is None:
            return at_us
        before = bisect_right(calendar.spans, (at_us, NEVER_US)) - 1
        return calendar.spans[before][0] if before >= 0 else at_us

    def _calendar(self, group_id: int, at_us: int) -> _Calendar | None:
        group = self._allowed.groups.get(group_id)
        if group is None:
            return None
        key = (group.zones, group.places)
        if key not in self._calendars:
            self._calendars[key] = _Calendar(self._allowed, group, at_us)
        return self._calendars[key]

    def _slot(self, calendar: _Calendar | None, group_id: int, at_us: int) -> Span:
        if calendar is not None:
            return calendar.after(at_us) or (NEVER_US, NEVER_US)
        slot = self._allowed.slot(group_id, at_us)
        return (slot.begin_us, slot.end_us) if slot is not None else (NEVER_US, NEVER_US)
