"""Trouble that lasts, told once: a database that is away must not fill the log with one line per try.

trouble = Trouble("outcomes.not_read", "outcomes.read", clock, account=name)
try:
    ...
except NotReady as error:
    trouble.failed(error)
else:
    trouble.over()
"""

from __future__ import annotations

from typing import Any

import structlog

from dialer.base.clock import Clock

log = structlog.get_logger()

SAY_AGAIN_S = 10.0
"""The second line comes so long after the first; each further one twice as long after the one before."""
SAY_AGAIN_S_MAX = 600.0


class Trouble:
    """One kind of failure: `failed` tells the first try and some later ones, `over` that it works again.

    How often something is tried is not decided here. `fields` go with every line.
    """

    def __init__(self, event: str, event_over: str, clock: Clock, **fields: Any) -> None:
        self.tries = 0
        """How many tries in a row have failed."""
        self._events = event, event_over
        self._clock = clock
        self._fields = fields
        self._began = self._say_at = self._again_s = 0.0

    def failed(self, error: Exception, **fields: Any) -> None:
        """Count a try that failed; tell it where it is the first, or long enough after the last one told."""
        now = self._clock.monotonic()
        if not self.tries:
            self._began = self._say_at = now
            self._again_s = SAY_AGAIN_S
        self.tries += 1
        if now < self._say_at:
            return
        self._say_at = now + self._again_s
        self._again_s = min(SAY_AGAIN_S_MAX, 2 * self._again_s)
        # Drivers go on for lines, with advice for whoever runs the server.
        first_line = str(error).strip().split("\n", 1)[0]
        log.warning(self._events[0], **self._told(now), **fields, error=first_line)

    def over(self, **fields: Any) -> None:
        """Tell that it works again, where it did not; nothing otherwise."""
        if self.tries:
            log.info(self._events[1], **self._told(self._clock.monotonic()), **fields)
            self.tries = 0

    def _told(self, now: float) -> dict[str, Any]:
        return {**self._fields, "tries": self.tries, "seconds": round(now - self._began, 1)}
