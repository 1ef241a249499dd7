"""What a limit means in whole departures, and what a refusal leaves of a pace: arithmetic, no waiting.

No sliding second with more than `calls_per_second` departures. A limit that is not whole cannot be read so
and be reached too (1.5 a second would be 1), so it means: no more than the next whole number in any sliding
second, and no more than the limit in any sliding window long enough to make it whole: 1.5 a second is at
most 2 in any second and 3 in any two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

FACTOR_MIN = 0.05
"""However often the provider says `too fast`, this part of the limit is tried."""

RECOVERY_PER_S = 0.01
"""The pace regains this part of the limit every second: half of it in 50 s."""

SLOW_AGAIN_S = 1.0
"""Refusals within this long are one event: they answer calls that left at the same pace."""


class Window(NamedTuple):
    """At most `limit` departures in any sliding `seconds`."""

    limit: float
    seconds: float


class Rule(NamedTuple):
    """A window in whole departures: at most `departures` in any sliding `seconds`."""

    departures: int
    seconds: float


def rules(window: Window) -> list[Rule]:
    """Return what a window means in whole departures; see the top of this file.

    The second rule is over the shortest multiple of the window in which whole departures come within
    a thousandth of the limit.
    """
    limit, seconds = window
    if limit <= 0 or seconds <= 0:
        raise ValueError(f"{limit} departures in {seconds} s, expected more than 0 of both")
    found = [Rule(math.ceil(limit - 1e-9), seconds)]
    if not math.isclose(limit, found[0].departures, rel_tol=1e-9):
        times = 1
        while math.floor(limit * times + 1e-9) < 0.999 * limit * times:
            times += 1
        found.append(Rule(math.floor(limit * times + 1e-9), seconds * times))
    return found


def all_rules(windows: Sequence[Window]) -> list[Rule]:
    """Return the rules of every window."""
    return [rule for window in windows for rule in rules(window)]


def full_rate(windows: Sequence[Window]) -> float:
    """Return the departures per second that all windows together allow in the long run."""
    return min((limit / seconds for limit, seconds in windows), default=math.inf)


class Slowed(NamedTuple):
    """A pace that was lowered: its part of the full pace, and when."""

    factor: float
    at_s: float


FULL = Slowed(1.0, -math.inf)


def slowed(before: Slowed, factor: float, now_s: float) -> Slowed:
    """Return the pace after a refusal; refusals within `SLOW_AGAIN_S` of one another are one."""
    if now_s - before.at_s < SLOW_AGAIN_S:
        return before
    return Slowed(max(FACTOR_MIN, factor_at(before, now_s) * factor), now_s)


def factor_at(slow: Slowed, now_s: float) -> float:
    """Return the part of the full pace at a moment: the lowered part, and what was regained since."""
    if slow.factor >= 1.0:
        return 1.0
    return min(1.0, slow.factor + RECOVERY_PER_S * max(0.0, now_s - slow.at_s))
