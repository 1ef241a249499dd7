"""The last departures of a pace, each as the moment by which it had surely arrived.

A provider counts arrivals. Where `count` calls may arrive in a second, the next one may leave a second
after the `count`-th last had arrived, not after it had left: a call that is taken in 20 ms late by a busy
server would otherwise share its second with the calls that leave a second later. What is known of an arrival:

- until the answer comes: not later than `guard_s` after the departure, an assumption;
- with the answer: as much later than the quickest calls as the answer came later than theirs. That is exact
  where answers take about the same time each, as they do when the provider only notes the call. Where they
  differ by more than a few milliseconds from call to call, they tell nothing, and the assumption stays.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from dialer.attempts.pace.windows import Window, all_rules

GUARD_S = 0.008
"""How much later than the others a call is taken to arrive at most, until its answer says more."""
LATE_S_MIN = 0.001
"""A call that leaves within this of its moment left in time."""
OVERDUE_S = 0.02
"""A call granted longer ago that has not left (it connects, or the process stood still) may do so now."""
SURE_S = 0.001
"""What is added to a known arrival for clocks and queues on the way."""
LATE_S_MAX = 0.25
"""No answer makes a call count as arriving later than this: it may as well have been answered late."""
STEADY_S = 0.003
STRAYS_MAX = 0.25
"""Where most answers take hardly longer (`STEADY_S`) than the quickest, each tells when its call arrived."""
MOMENT_S = 0.25
"""Answers within this are one observation: a provider's pause makes all of them late together."""
ROUND = 64
"""The quickest answer of the last one or two rounds of so many is the one that others are compared with."""


class Departures:
    """Says when the next call may leave; moments are of one monotonic clock.

    `confirmed` says that each departure will be confirmed by `left`.
    """

    def __init__(
        self, windows: Sequence[Window], guard_s: float = GUARD_S, *, confirmed: bool = False
    ) -> None:
        self._rules = all_rules(windows)
        self._confirmed = confirmed
        self._leaving: dict[float, None] = {}
        self._guard_s = guard_s
        # Twice what the rules look at: an entry that is corrected may change its place.
        self._size = 2 * max((count for count, _ in self._rules), default=0) + 8
        self._log: list[float] = []
        self._quickest_s = self._quickest_before_s = math.inf
        self._answers = 0
        self._strays = STRAYS_MAX  # the share of moments at which most answers came late
        self._moment = (-math.inf, 0, 0)

    def keep(self, windows: Sequence[Window]) -> None:
        """Keep other windows from now on, narrower ones or as narrow as those at the beginning."""
        self._rules = all_rules(windows)

    def since(self, moment: float) -> int:
        """Return how many departures are counted after a moment."""
        return len(self._log) - bisect_left(self._log, moment)

    @property
    def longest_s(self) -> float:
        """Return the length of the longest window."""
        return max((seconds for _, seconds in self._rules), default=0.0)

    def free_at(self, now: float) -> float:
        """Return the earliest moment at which one more may leave."""
        log, at = self._log, -math.inf
        overdue = self._overdue(now) if self._leaving else 0
        for count, seconds in self._rules:
            if overdue >= count:
                return now + OVERDUE_S
            if len(log) >= count - overdue:
                at = max(at, log[overdue - count] + seconds)
        return at

    def line_start(self, now: float, step_s: float) -> float:
        """Return the earliest moment from which departures `step_s` apart keep every rule."""
        log, at = self._log, now
        for count, seconds in self._rules:
            last = log[-count:]
            missing = count - len(last)
            at = max([at, *(moment + seconds - (missing + n) * step_s for n, moment in enumerate(last))])
        return at

    def add(self, at: float, late_s: float | None = None) -> None:
        """Count a departure; `late_s` in place of the guard."""
        if self._confirmed:
            self._leaving[at] = None
        self._put(at + (self._guard_s if late_s is None else late_s))

    def _put(self, moment: float) -> None:
        log = self._log
        if log and moment < log[-1]:
            insort(log, moment)
        else:
            log.append(moment)
        if len(log) > self._size:
            del log[0]

    def left(self, granted_at: float, left_at: float) -> float:
        """Confirm a departure, later than it was granted or not; return the moment at which it is counted."""
        self._leaving.pop(granted_at, None)
        if left_at <= granted_at + LATE_S_MIN:
            return granted_at
        if self._take_out(granted_at + self._guard_s):
            self._put(left_at + self._guard_s)
        return left_at

    def answered(self, left_at: float, answered_at: float) -> None:
        """Correct a departure by its answer."""
        took_s = answered_at - left_at
        excess_s = took_s - self._quickest(took_s)
        self._observe(answered_at, excess_s > STEADY_S)
        late_s = min(SURE_S + excess_s, LATE_S_MAX if self._strays <= STRAYS_MAX else self._guard_s)
        if late_s != self._guard_s and self._take_out(left_at + self._guard_s):
            self._put(left_at + late_s)

    def remember(self, moments: Iterable[float]) -> None:
        """Count departures of before."""
        self._log = sorted([*self._log, *(moment + self._guard_s for moment in moments)])[-self._size :]

    def _overdue(self, now: float) -> int:
        """Return how many were granted a while ago and have not left: they may leave at any moment."""
        overdue = 0
        for granted_at in self._leaving:
            if granted_at > now - OVERDUE_S:
                break
            overdue += 1
        return overdue

    def _take_out(self, moment: float) -> bool:
        index = bisect_left(self._log, moment)
        if index < len(self._log) and self._log[index] == moment:
            del self._log[index]
            return True
        return False

    def _observe(self, at: float, late: bool) -> None:
        """Follow how steady answers are, moment by moment."""
        began, answers, strays = self._moment
        if at - began >= MOMENT_S:
            if answers:
                self._strays += ((2 * strays > answers) - self._strays) / 16
            began, answers, strays = at, 0, 0
        self._moment = (began, answers + 1, strays + late)

    def _quickest(self, took_s: float) -> float:
        self._answers += 1
        if self._answers % ROUND == 0:
            self._quickest_before_s, self._quickest_s = self._quickest_s, took_s
        self._quickest_s = min(self._quickest_s, took_s)
        return min(self._quickest_s, self._quickest_before_s)
