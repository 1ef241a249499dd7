"""A campaign's own calls per second, below its account's limit.

One worker at a time dials such a campaign (`campaigns.pace_worker`), so its log is exact over all workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from dialer.attempts.pace.departures import Departures
from dialer.attempts.pace.local import BURST_S, HEADROOM
from dialer.attempts.pace.windows import Window


class OwnPace:
    """Says when the campaign's next call may leave; asked again at the moment of departure.

    A leaky bucket as arithmetic (a tenth of a second may be caught up on), and the exact log behind it.
    """

    def __init__(self, calls_per_second: float) -> None:
        self.calls_per_second = calls_per_second
        self._log = Departures([Window(calls_per_second, 1.0)])
        self._step_s = 1 / (HEADROOM * calls_per_second)
        self._even_at = -inf

    @property
    def longest_s(self) -> float:
        """Return how far back departures count."""
        return self._log.longest_s

    def free_at(self) -> float:
        """Return the earliest moment of the next departure."""
        return max(self._log.free_at(self._even_at), self._even_at - BURST_S)

    def count(self, at: float) -> None:
        """Count a departure."""
        self._even_at = max(self._even_at, at) + self._step_s
        self._log.add(at)

    def departed(self, counted_at: float, left_at: float) -> float:
        """Correct a departure that left later; return the moment at which it is counted."""
        return self._log.left(counted_at, left_at)

    def answered(self, counted_at: float, answered_at: float) -> None:
        """Correct a departure by its answer."""
        self._log.answered(counted_at, answered_at)

    def remember(self, departures: Iterable[float]) -> None:
        """Count departures of before, of whichever worker."""
        self._log.remember(departures)
