"""A campaign on a moving clock: who is called when, until nobody is left. No calls, and nothing is written.

It follows the order of the engine's claim: the groups that close soonest first, and calls with a time of
their own before contacts that nobody has called. People are counted, not followed: a redial is a share of
those who were called, so that a million contacts cost as much as a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dialer.calls.openings import NEVER_US, Openings
from dialer.campaign.caps import Cap

Floats = NDArray[np.float64]

STEPS = 400
"""Dialing without a pause is cut into so many steps, none of them longer than `STEP_S_MAX`."""
STEP_S_MIN, STEP_S_MAX = 0.02, 900.0
STEPS_MAX = 300_000
QUARTER_S = 900
GUARD_S = 60.0
"""Caps are kept so much longer than they say (dialer.calls.limits)."""
HALF_A_CALL = 0.5
"""Shares of people never quite run out: what is left of the last half of a call is nobody."""
NOBODY = 1e-9


class Waiting(NamedTuple):
    """So many contacts of a group that have had `calls` calls, due at a moment (0: never called)."""

    group_id: int
    calls: int
    due_at_us: int
    contacts: int


@dataclass(frozen=True)
class Assumed:
    """What a plan takes for granted.

    `per_second`: calls that leave; `duration_s`: until an outcome is known; `shares`: of the calls, by
    outcome that a campaign may redial; `waits_s`: how long after each; `calls_max`: of a contact;
    `calls_left`: of the campaign's budget.
    """

    per_second: float
    duration_s: float
    shares: Mapping[str, float]
    waits_s: Mapping[str, float]
    calls_max: int = 1
    calls_left: float = float("inf")


@dataclass(frozen=True)
class Timeline:
    """What came of it.

    `first_us` and `last_us`: each group's first call, and when nobody of it is left whom nobody has called
    (NEVER_US: it has none); `quarters`: calls by quarter of an hour since 1970; `budget_left` and
    `never_left`: contacts that wait when the budget is used up, or whom no window lets be called.

    Of the time until the last call: `dialing_s` at full pace, `closed_s` while whoever was due was outside of
    the calling hours, `later_s` while nobody was due (redials, caps, retries).
    """

    began_us: int
    first_call_us: int | None
    last_call_us: int | None
    finish_us: int | None
    calls: float
    first_us: NDArray[np.int64]
    last_us: NDArray[np.int64]
    calls_by_group: Floats
    quarters: Mapping[int, float]
    dialing_s: float
    closed_s: float
    later_s: float
    budget_left: float
    never_left: float

    @property
    def bound_by(self) -> str | None:
        """What decides when it ends: `pace`, `windows` or `redials`; None where nobody is called."""
        if self.last_call_us is None:
            return None
        parts = {"pace": self.dialing_s, "windows": self.closed_s, "redials": self.later_s}
        return max(parts, key=lambda name: parts[name])


class _Return(NamedTuple):
    """A share of the calls, by class of caps and by calls before, that is due again after `delay_s`."""

    delay_s: float
    share: Floats


def simulate(
    waiting: Sequence[Waiting],
    group_ids: Sequence[int],
    openings: Openings,
    assumed: Assumed,
    start_us: int,
    *,
    caps: Mapping[int, tuple[Cap, ...]] | None = None,
    in_air: Sequence[Waiting] = (),
) -> Timeline:
    """Return what comes of dialing from `start_us` on, without a pause, until nobody is left.

    `openings` are those of `group_ids` and begin at or before `start_us`; `caps` are the groups' own;
    `in_air` are contacts whose latest call is open, and may bring a redial.
    """
    return _Simulation(waiting, group_ids, openings, assumed, start_us, caps or {}, in_air).run()


class _Simulation:
    def __init__(
        self,
        waiting: Sequence[Waiting],
        group_ids: Sequence[int],
        openings: Openings,
        assumed: Assumed,
        start_us: int,
        caps: Mapping[int, tuple[Cap, ...]],
        in_air: Sequence[Waiting],
    ) -> None:
        self.start_us = start_us
        self.openings = openings
        self.rate = assumed.per_second
        self.duration_s = assumed.duration_s
        self.calls_left = assumed.calls_left
        self.most = assumed.calls_max
        groups = len(group_ids)
        self.fresh = np.zeros(groups)
        self.due = np.zeros((groups, self.most))
        self.later: dict[float, list[tuple[NDArray[np.intp], Floats]]] = {}
        self.times: list[float] = []
        people = sum(one.contacts for one in waiting)
        self.step_s = min(STEP_S_MAX, max(STEP_S_MIN, people / self.rate / STEPS))
        places = {group_id: place for place, group_id in enumerate(group_ids)}
        self._put(waiting, places)
        kinds = sorted({caps.get(one, ()) for one in group_ids})
        self.kind = np.array([kinds.index(caps.get(one, ())) for one in group_ids], dtype=np.intp)
        self.returns = _returns(assumed, kinds)
        self.first = np.full(groups, np.inf)
        self.last = np.full(groups, np.inf)
        self.by_group = np.zeros(groups)
        self.record: list[tuple[float, float, float]] = []
        self.idle: list[tuple[float, float, bool]] = []
        for one in in_air:
            row = np.zeros((1, self.most))
            row[0, min(max(one.calls, 1), self.most) - 1] = one.contacts
            self._redial(np.array([places[one.group_id]], dtype=np.intp), row, -self.duration_s / 2, 0.0)

    def run(self) -> Timeline:
        now_s = 0.0
        for _ in range(STEPS_MAX):
            self._deliver(now_s)
            begin_s, end_s = self._slots(now_s)
            ready = self.due.sum(axis=1) + self.fresh
            anybody = ready > NOBODY
            here = np.flatnonzero(anybody & (begin_s <= now_s))
            next_s = min(
                self.times[0] if self.times else np.inf, _least(begin_s[anybody & (begin_s > now_s)])
            )
            if here.size == 0:
                if next_s == np.inf:
                    break
                self.idle.append((now_s, next_s, bool(anybody.any())))
                now_s = next_s
                continue
            until_s = max(now_s + 1e-6, min(now_s + self.step_s, next_s, _least(end_s[here])))
            now_s = self._dial(here[np.argsort(end_s[here], kind="stable")], now_s, until_s)
            if self.calls_left <= NOBODY:
                break
        return self._timeline()

    # -- one step -----------------------------------------------------------------------------------

    def _put(self, waiting: Sequence[Waiting], places: Mapping[int, int]) -> None:
        for one in waiting:
            place, calls = places[one.group_id], min(one.calls, self.most - 1)
            if one.due_at_us == 0:
                self.fresh[place] += one.contacts
                continue
            row = np.zeros((1, self.most))
            row[0, calls] = one.contacts
            due_s = max(0.0, (one.due_at_us - self.start_us) / 1e6)
            self._return(due_s, np.array([place], dtype=np.intp), row)

    def _return(self, due_s: float, places: NDArray[np.intp], rows: Floats) -> None:
        if due_s not in self.later:
            self.later[due_s] = []
            heappush(self.times, due_s)
        self.later[due_s].append((places, rows))

    def _deliver(self, now_s: float) -> None:
        while self.times and self.times[0] <= now_s:
            for places, rows in self.later.pop(heappop(self.times)):
                self.due[places] += rows

    def _slots(self, now_s: float) -> tuple[Floats, Floats]:
        self.openings.move(self.start_us + round(now_s * 1e6))
        begin, end = self.openings.begin_us, self.openings.end_us
        never = begin >= NEVER_US
        begin_s = np.where(never, np.inf, (begin - self.start_us) / 1e6)
        return begin_s, np.where(never, np.inf, (end - self.start_us) / 1e6)

    def _dial(self, order: NDArray[np.intp], now_s: float, until_s: float) -> float:
        """Place the calls of a step, in the order of the claim; return when the step was over."""
        room = min(self.rate * (until_s - now_s), self.calls_left)
        due = self.due[order].sum(axis=1)
        taken = np.clip(room - (np.cumsum(due) - due), 0.0, due)
        fresh = self.fresh[order]
        rest = room - taken.sum()
        begun = np.clip(rest - (np.cumsum(fresh) - fresh), 0.0, fresh)
        calls = self.due[order] * np.divide(taken, due, out=np.zeros_like(due), where=due > 0)[:, None]
        self.due[order] -= calls
        self.fresh[order] -= begun
        calls[:, 0] += begun
        by_group = taken + begun
        placed = float(by_group.sum())
        over_s = min(until_s, now_s + placed / self.rate)
        called = by_group > 0
        who = order[called]
        self.by_group[who] += by_group[called]
        self.first[who] = np.minimum(self.first[who], now_s)
        self.last[order[begun > 0]] = over_s
        self.record.append((now_s, over_s, placed))
        self.calls_left -= placed
        self._redial(who, calls[called], (now_s + over_s) / 2, over_s)
        return max(over_s, now_s + 1e-6)

    def _redial(self, who: NDArray[np.intp], calls: Floats, middle_s: float, over_s: float) -> None:
        for delay_s, share in self.returns:
            again = np.zeros_like(calls)
            again[:, 1:] = (calls * share[self.kind[who]])[:, :-1]
            if again.sum() <= NOBODY:
                continue
            grid_s = max(self.step_s, delay_s / 50)
            due_s = round((middle_s + self.duration_s + delay_s) / grid_s) * grid_s
            self._return(max(due_s, over_s), who, again)

    # -- what came of it ----------------------------------------------------------------------------

    def _timeline(self) -> Timeline:
        steps = np.array(self.record).reshape(-1, 3)
        total = float(steps[:, 2].sum())
        last_s = _last_call(steps, total)
        left = float(self.due.sum() + self.fresh.sum()) + sum(
            float(rows.sum()) for some in self.later.values() for _, rows in some
        )
        spent = self.calls_left <= NOBODY
        lost = {
            closed: sum(_until(one, last_s) for one in self.idle if one[2] == closed) for closed in (0, 1)
        }
        began = total > 0
        return Timeline(
            began_us=self.start_us,
            first_call_us=self._at(steps[0, 0]) if began else None,
            last_call_us=self._at(last_s) if began else None,
            finish_us=self._at(last_s + self.duration_s) if began else None,
            calls=total,
            first_us=self._moments(self.first),
            last_us=self._moments(self.last),
            calls_by_group=self.by_group,
            quarters=_quarters(steps, self.start_us),
            dialing_s=total / self.rate,
            closed_s=lost[True],
            later_s=lost[False],
            budget_left=left if spent else 0.0,
            never_left=0.0 if spent else left,
        )

    def _at(self, seconds: float) -> int:
        return self.start_us + round(seconds * 1e6)

    def _moments(self, seconds: Floats) -> NDArray[np.int64]:
        known = np.isfinite(seconds)
        moments = np.where(known, seconds, 0.0) * 1e6
        return np.where(known, self.start_us + np.rint(moments).astype(np.int64), NEVER_US)


def _returns(assumed: Assumed, kinds: Sequence[tuple[Cap, ...]]) -> list[_Return]:
    """Return which share of the calls is due again after how long, caps kept.

    A contact's calls before are taken to have come as this outcome and its caps let them.
    """
    found: dict[float, Floats] = {}
    for outcome, wait_s in assumed.waits_s.items():
        share = assumed.shares.get(outcome, 0.0)
        for kind, caps in enumerate(kinds):
            moments = [0.0]
            for calls in range(assumed.calls_max - 1):
                full_s = [
                    moments[-cap.calls] + cap.window_us / 1e6 + GUARD_S
                    for cap in caps
                    if len(moments) >= cap.calls
                ]
                moments.append(max(moments[-1] + assumed.duration_s + wait_s, *full_s, 0.0))
                delay_s = moments[-1] - moments[-2] - assumed.duration_s
                shares = found.setdefault(delay_s, np.zeros((len(kinds), assumed.calls_max)))
                shares[kind, calls] += share
    return [_Return(delay_s, share) for delay_s, share in sorted(found.items()) if share.any()]


def _last_call(steps: Floats, total: float) -> float:
    """Return when all but the last half of a call was placed."""
    if total <= 0:
        return 0.0
    done = np.cumsum(steps[:, 2])
    place = int(np.searchsorted(done, max(total - HALF_A_CALL, 0.0)))
    begin_s, end_s, calls = steps[min(place, len(steps) - 1)]
    missing = max(total - HALF_A_CALL, 0.0) - (done[place] - calls)
    return float(begin_s + (end_s - begin_s) * min(1.0, missing / calls)) if calls > 0 else float(end_s)


def _quarters(steps: Floats, start_us: int) -> dict[int, float]:
    found: dict[int, float] = {}
    for begin_s, end_s, calls in steps.tolist():
        begin, end = start_us / 1e6 + begin_s, start_us / 1e6 + end_s
        first, last = int(begin // QUARTER_S), int(end // QUARTER_S)
        for quarter in range(first, last + 1):
            inside = min(end, (quarter + 1) * QUARTER_S) - max(begin, quarter * QUARTER_S)
            share = inside / (end - begin) if end > begin else float(quarter == first)
            if share > 0:
                found[quarter] = found.get(quarter, 0.0) + calls * share
    return found


def _until(idle: tuple[float, float, bool], last_s: float) -> float:
    return max(0.0, min(idle[1], last_s) - idle[0])


def _least(values: Floats) -> float:
    return float(values.min()) if values.size else np.inf
