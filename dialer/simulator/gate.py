"""Who is let in, how often, and the record of it: tokens, limits, worst windows."""

from __future__ import annotations

import math
from array import array
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from email.utils import formatdate
from random import Random

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from dialer.base.clock import Clock
from dialer.simulator.config import SimulatorConfig

Handler = Callable[[Request], Awaitable[Response]]
"""What answers the requests of one path."""


class Gate:
    """Counts every request, and turns away those without a token or above a limit."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._chance = Random(f"{config.seed}:retry-after")  # noqa: S311
        self._let_in = 0
        self._minute_at = 0
        self._minute_counts: Counter[int] = Counter()
        self._recent: dict[int, deque[float]] = {}
        self.submitted_at: dict[int, array[float]] = {}
        self.requested_at: dict[int, array[float]] = {}
        self.statuses: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def counted(self, handler: Handler) -> Handler:
        """Return `handler` with its answers counted by status."""

        async def count(request: Request) -> Response:
            answer = await handler(request)
            self.count(answer)
            return answer

        return count

    def count(self, answer: Response) -> None:
        """Count an answer by its status; a response that breaks the connection is none."""
        self.statuses[str(answer.status_code) if type(answer) is Response else "no_answer"] += 1

    def account_of(self, headers: Headers, styles: Iterable[str] | None = None) -> int | None:
        """Return which of the tokens the request carries, counted from 0; None for a stranger.

        `styles` are the provider's own headers for it, in place of the config's.
        """
        for style in self._config.auth_styles if styles is None else styles:
            if style == "bearer":
                scheme, _, token = headers.get("authorization", "").partition(" ")
                token = token if scheme.lower() == "bearer" else ""
            else:
                token = headers.get(style, "")
            if token in self._config.tokens:
                return self._config.tokens.index(token)
        return None

    def session_is_over(self) -> bool:
        """Count one more known token; return whether it is past `unauthorized_after`."""
        self._let_in += 1
        after = self._config.unauthorized_after
        return after is not None and self._let_in > after

    def record(self, account: int, submission: bool) -> None:
        """Write down that a request came, let in or not."""
        now = self._clock.monotonic()
        self.requested_at.setdefault(account, array("d")).append(now)
        if submission:
            self.submitted_at.setdefault(account, array("d")).append(now)

    def wait_of(self, account: int, submission: bool) -> float | None:
        """Count the request against the limits; return seconds to wait where it is above one."""
        config = self._config
        minute_at, into_minute_us = divmod(self._clock.now_us(), 60_000_000)
        if minute_at != self._minute_at:
            self._minute_at = minute_at
            self._minute_counts.clear()
        if config.requests_per_minute is not None:
            if self._minute_counts[account] >= config.requests_per_minute:
                return 60.0 - into_minute_us / 1e6
            self._minute_counts[account] += 1
        if submission and config.limit_per_second is not None:
            recent = self._recent.setdefault(account, deque(maxlen=config.limit_per_second))
            now = self._clock.monotonic()
            if len(recent) == recent.maxlen and now - recent[0] < 1.0:
                return float(config.retry_after_s)
            recent.append(now)
        return None

    def retry_after(self, wait_s: float) -> dict[str, str]:
        """Return the header that asks for a wait, or none, as chance has it."""
        if self._chance.random() >= self._config.retry_after_share:
            return {}
        if self._config.retry_after_as_reset:
            return {"x-ratelimit-reset": str(math.ceil(self._clock.now_us() / 1e6 + wait_s))}
        if self._config.retry_after_as_date:
            return {"retry-after": formatdate(self._clock.now_us() / 1e6 + wait_s + 1, usegmt=True)}
        return {"retry-after": str(max(1, round(wait_s)))}


def worst_window(moments: Sequence[float], seconds: float) -> int:
    """Return the most moments that fall into any window of `seconds`; `moments` in order."""
    worst = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def worst_of_all(accounts: Iterable[Sequence[float]], seconds: float) -> int:
    """Return the worst window of the worst account."""
    return max((worst_window(moments, seconds) for moments in accounts), default=0)
