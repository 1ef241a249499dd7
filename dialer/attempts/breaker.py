"""The breaker: a run of failures stops the campaign before it burns through the list."""

from __future__ import annotations

from collections import deque


class Breaker:
    """Remembers the last `over_attempts` results; opens when `failure_rate` of them failed.

    A failure is a submission that was refused, lost or not dialled; a 429 is not one (the account slows
    down instead).
    """

    def __init__(self, failure_rate: float, over_attempts: int) -> None:
        self._failure_rate = failure_rate
        self._results: deque[bool] = deque(maxlen=over_attempts)
        self._failures = 0

    def note(self, *, failed: bool) -> None:
        """Remember one more result."""
        if len(self._results) == self._results.maxlen:
            self._failures -= self._results[0]
        self._results.append(failed)
        self._failures += failed

    def reason(self) -> str | None:
        """Return why the campaign must stop, or None while it may go on."""
        if len(self._results) < (self._results.maxlen or 0):
            return None
        share = self._failures / len(self._results)
        if share < self._failure_rate:
            return None
        return (
            f"{self._failures} of the last {len(self._results)} attempts failed "
            f"(stop.failure_rate = {self._failure_rate})"
        )
