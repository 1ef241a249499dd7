"""How far ahead of their departure attempts are opened and contacts claimed.

An attempt that is open and has not left becomes `unknown` if the process is killed just then, so only what
leaves within 50 ms is open; a lane that starves for openings gets more for a while.
"""

from __future__ import annotations

import math

from dialer.base.clock import Clock

OPEN_AHEAD_S = 0.05
CLAIM_AHEAD_S = 2.0
CLAIM_MIN, CLAIM_MAX = 16, 2000
MEASURE_S = 0.25
SLOW_PACE = 4.0
"""At so few calls per second there is time to open each attempt after the one before it has left."""
OPEN_SOON_S = 0.1
"""At such a pace an attempt is opened so long before its turn: until then suppressions and caps hold."""
LINGER_S, LINGER_S_MAX = 0.01, 0.025
"""Ledger transactions begin at least this far apart, so that answers and openings share a commit."""
LINGER_S_PER_RATE = 5e-5
"""From 200 calls per second on a transaction waits for more company, to the longest from 500 on: what it
costs by itself is 1.2 to 1.9 ms, what a call in it costs 0.02 to 0.06 ms."""


class Ahead:
    """Follows the lane's pace; `pace_limit` (calls per second) is None where nothing limits it."""

    def __init__(self, clock: Clock, pace_limit: float | None, in_flight_max: int) -> None:
        self._clock = clock
        self._pace_limit = pace_limit
        self._in_flight_max = in_flight_max
        self._open = 1.0
        self._starved = False
        self._soon_at = -math.inf
        self._rate = 0.0
        self._measured = (clock.monotonic(), 0)

    def starve(self) -> None:
        """Say that a departure was possible and nothing was open."""
        self._starved = True

    def leaves(self, rate: float) -> None:
        """Say that a call leaves now, at so many per second."""
        if 0 < rate <= SLOW_PACE:
            self._soon_at = self._clock.monotonic() + 1 / rate - OPEN_SOON_S

    def opens_in(self) -> float:
        """Return in how many seconds the next attempt may be opened, because its turn is near by then."""
        return self._soon_at - self._clock.monotonic()

    def openings(self, submitted: int) -> int:
        """Return how many attempts to keep open, after so many submissions."""
        self._measure(submitted)
        if self.opens_in() > 0:
            return 0
        enough = max(1.0, OPEN_AHEAD_S * self._rate)
        if self._pace_limit is None:
            most: float = max(self._in_flight_max, 2 * OPEN_AHEAD_S * self._rate)
        else:
            most = max(2.0, 2 * OPEN_AHEAD_S * self._pace_limit) if self._pace_limit > SLOW_PACE else 1.0
        self._open = self._open * 1.5 if self._starved else self._open * 0.97
        self._open = min(max(self._open, enough), most)
        self._starved = False
        return math.ceil(self._open)

    def linger_s(self) -> float:
        """Return how far apart ledger transactions begin; half of what is open ahead leaves meanwhile."""
        return min(LINGER_S_MAX, max(LINGER_S, LINGER_S_PER_RATE * self._rate))

    def claims(self) -> int:
        """Return how many contacts to keep leased."""
        rate = max(self._rate, min(self._pace_limit or 32.0, 250.0))
        return min(CLAIM_MAX, max(CLAIM_MIN, math.ceil(CLAIM_AHEAD_S * rate)))

    def _measure(self, submitted: int) -> None:
        now = self._clock.monotonic()
        since, before = self._measured
        if now - since >= MEASURE_S:
            self._rate = (submitted - before) / (now - since)
            self._measured = (now, submitted)
