"""The database's time, between two of its transactions."""

from __future__ import annotations

from dialer.base.clock import Clock

IGNORED_US = 20_000
"""A smaller difference is only the length of a transaction."""


class LedgerClock:
    """Tells the database's time by this machine's clock and the difference last seen between them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_us = 0

    def now_us(self) -> int:
        """Return the database's time, in UTC microseconds since 1970."""
        return self._clock.now_us() + self._ahead_us

    def follow(self, database_now_us: int, asked_at: float) -> None:
        """Take in what the database's clock said in a transaction that began at `asked_at` (monotonic)."""
        half_us = round((self._clock.monotonic() - asked_at) * 5e5)
        ahead_us = database_now_us + half_us - self._clock.now_us()
        if abs(ahead_us - self._ahead_us) > IGNORED_US + half_us:
            self._ahead_us = ahead_us
