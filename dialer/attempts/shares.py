"""Which campaign of an account is next: each gets its share, and no small one waits behind a big one.

Fair queueing by shares: a campaign's account is charged 1 / weight for each of its calls, and whoever was
charged least is next. One step of `priority` doubles the weight: an urgent campaign gets two thirds of the
pace beside a big ordinary one, and the big one still moves. Whoever had nothing to send gets no credit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from dialer.attempts.dialing import Dialing

PRIORITY_MAX = 20
"""Beyond this, up or down, a priority weighs no more or less."""


def weight(priority: int) -> float:
    """Return a campaign's share, relative to one of priority 0."""
    return float(2.0 ** max(-PRIORITY_MAX, min(PRIORITY_MAX, priority)))


class Shares:
    """What the campaigns of one account have had; `dialings` is the lane's own list."""

    def __init__(self, dialings: Sequence[Dialing]) -> None:
        self._dialings = dialings
        self._served = 0.0

    def next_to_leave(self, now: float) -> Dialing | None:
        """Return the campaign whose opened attempt leaves now; None where no own pace allows it.

        What is open of a campaign that was stopped since does not leave: it is taken back.
        """
        if len(self._dialings) == 1:
            one = self._dialings[0]
            return one if one.opened and one.dials and one.free_at() <= now else None
        ready = [one for one in self._dialings if one.opened and one.dials and one.free_at() <= now]
        return min(ready, key=_charged, default=None)

    def free_at(self) -> float:
        """Return when an opened attempt may leave by its campaign's own pace; infinite if none is open."""
        return min((one.free_at() for one in self._dialings if one.opened and one.dials), default=inf)

    def charge(self, dialing: Dialing) -> None:
        """Count a departure of the campaign."""
        self._served = max(self._served, dialing.charged)
        dialing.charged += 1 / weight(dialing.priority)

    def plan(self, room: int, now: float, soon_s: float) -> list[Dialing]:
        """Return the campaigns to open attempts for, in the order in which they are to leave.

        A campaign with a pace of its own opens nothing that could not leave within `soon_s`.
        """
        able: list[_Turn] = []
        for one in self._dialings:
            if one.calls and one.dials and one.full_until <= now:
                if not one.opened:
                    one.charged = max(one.charged, self._served)
                most = one.openings_max(now, soon_s)
                if most > 0:
                    able.append(_Turn(one.charged + len(one.opened) / weight(one.priority), most, one))
        if len(able) == 1:
            return [able[0].dialing] * min(room, able[0].most)
        chosen: list[Dialing] = []
        while able and len(chosen) < room:
            turn = min(able, key=_at)
            chosen.append(turn.dialing)
            turn.at += 1 / weight(turn.dialing.priority)
            turn.most -= 1
            if turn.most == 0:
                able.remove(turn)
        return chosen


@dataclass(eq=False)
class _Turn:
    """When a campaign is next, by what it was charged, and how often it can be."""

    at: float
    most: int
    dialing: Dialing


def _at(turn: _Turn) -> float:
    return turn.at


def _charged(dialing: Dialing) -> float:
    return dialing.charged
