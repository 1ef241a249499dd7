"""A campaign dialed call by call on a clock that jumps: each person, each outcome, each cap by itself.

Nothing of the planner is used here but the windows: it is what a plan is held against.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from dialer.calls.allowed import Allowed
from dialer.calls.plan import Assumed
from dialer.campaign.caps import Cap
from dialer.rules.spans import Span, next_span
from dialer.rules.windows import DAY_US

GUARD_US = 60_000_000
DAYS = 60
"""No campaign here lasts longer."""


class Ran(NamedTuple):
    """When the calls were placed, UTC microseconds, in order."""

    calls_us: list[int]

    @property
    def last_us(self) -> int:
        return self.calls_us[-1]


def run(
    allowed: Allowed,
    people: Mapping[int, int],
    assumed: Assumed,
    start_us: int,
    *,
    caps: Mapping[int, tuple[Cap, ...]] | None = None,
    seed: int = 1,
) -> Ran:
    """Dial everybody: the groups that close soonest first, and due redials before fresh contacts."""
    random = Random(seed)
    spans = {one: _spans(allowed, one, start_us) for one in people}
    fresh = {group_id: list(range(count)) for group_id, count in people.items()}
    due: dict[int, list[tuple[int, int]]] = {group_id: [] for group_id in people}
    calls_of: dict[tuple[int, int], list[int]] = {}
    placed: list[int] = []
    at_us = start_us
    gap_us = round(1e6 / assumed.per_second)
    while True:
        slots = {one: next_span(spans[one], at_us) for one in people}
        opened = sorted((slot[1], one) for one, slot in slots.items() if slot and slot[0] <= at_us)
        group_id = next((one for _, one in opened if due[one] and due[one][0][0] <= at_us), None)
        if group_id is not None:
            _, person = heappop(due[group_id])
        else:
            group_id = next((one for _, one in opened if fresh[one]), None)
            if group_id is None:
                moments = [
                    max(slot[0], first_us)
                    for one in people
                    for first_us in ([at_us] if fresh[one] else []) + [entry[0] for entry in due[one][:1]]
                    if (slot := next_span(spans[one], max(at_us, first_us))) is not None
                ]
                if not moments:
                    return Ran(placed)
                at_us = max(at_us + 1, min(moments))
                continue
            person = fresh[group_id].pop()
        before = calls_of.setdefault((group_id, person), [])
        full = [
            before[-cap.calls] + cap.window_us + GUARD_US
            for cap in (caps or {}).get(group_id, ())
            if len(before) >= cap.calls and before[-cap.calls] + cap.window_us + GUARD_US > at_us
        ]
        if full:
            heappush(due[group_id], (max(full), person))
            continue
        before.append(at_us)
        placed.append(at_us)
        outcome = _outcome(random, assumed.shares)
        if outcome in assumed.waits_s and len(before) < assumed.calls_max:
            again_us = at_us + round((assumed.duration_s + assumed.waits_s[outcome]) * 1e6)
            heappush(due[group_id], (again_us, person))
        at_us += gap_us


def _spans(allowed: Allowed, group_id: int, start_us: int) -> list[Span]:
    return allowed.windows.open(allowed.groups[group_id], start_us - 2 * DAY_US, start_us + DAYS * DAY_US)


def _outcome(random: Random, shares: Mapping[str, float]) -> str:
    drawn = random.random()
    for outcome, share in shares.items():
        drawn -= share
        if drawn < 0:
            return outcome
    return "completed"
