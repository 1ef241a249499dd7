"""Caps on how often a number is called: `3 per 24h`, in any such stretch of time, not per calendar day."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialer.base.durations import parse_duration
from dialer.base.errors import BadInput

WORDS_S = {"hour": 3600.0, "day": 86_400.0, "week": 604_800.0, "month": 30 * 86_400.0}
LONGEST_S = 366 * 86_400.0


@dataclass(frozen=True, slots=True, order=True)
class Cap:
    """At most `calls` calls of a number in any `window_us` microseconds; `source` is who says so."""

    window_us: int
    calls: int
    source: str

    def __str__(self) -> str:
        """The cap as people read it."""
        return f"{self.calls} per {_exact(self.window_us)} ({self.source})"


def _exact(window_us: int) -> str:
    """Return the length as a cap writes it: 24h, 7d, 90s."""
    seconds, rest_us = divmod(window_us, 1_000_000)
    if rest_us:
        return f"{window_us / 1e6:g}s"
    if seconds > 2 * 86_400 and seconds % 86_400 == 0:
        return f"{seconds // 86_400}d"
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def read_cap(text: str, source: str) -> Cap:
    """Return the cap that `3 per 24h`, `1 per 8h`, `2 per week` or `4 per 30d` means.

    Raises:
        ValueError: it is none of these, or can never be met.
    """
    match = re.fullmatch(r"\s*(\d+)\s+per\s+(\S+)\s*", text)
    if match is None:
        raise ValueError(f'{text!r}: expected a cap such as "3 per 24h", "1 per 8h" or "2 per week"')
    calls = int(match[1])
    if calls < 1:
        raise ValueError(f"{text!r}: no call could ever be placed; expected 1 or more")
    word = match[2].lower()
    try:
        window_s = WORDS_S.get(word) or parse_duration(word)
    except BadInput as error:
        raise ValueError(f"{text!r}: {error}") from None
    if window_s > LONGEST_S:
        raise ValueError(f"{text!r}: longer than a year")
    return Cap(round(window_s * 1e6), calls, source)
