"""Time as an argument: what the moment is, and how to wait for a later one.

Moments are UTC microseconds since 1970 (`..._at_us`, int); waits use a monotonic clock in seconds.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

import anyio


class Clock(Protocol):
    """What the rest of the house may ask about time."""

    def now_us(self) -> int:
        """Return the moment, in UTC microseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less gives others a turn."""
        ...


AWAKE_OR_NOT = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux has a monotonic clock that goes on while the machine is suspended: a lease runs out in its sleep."""


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Return the moment, in UTC microseconds since 1970."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps, and that counts a suspension where there is one."""
        return time.monotonic() if AWAKE_OR_NOT is None else time.clock_gettime(AWAKE_OR_NOT)

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less gives others a turn."""
        await anyio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until somebody moves it; sleeping moves it."""

    def __init__(self, at_us: int = 1_790_000_000_000_000) -> None:
        self._at_us = at_us

    def now_us(self) -> int:
        """Return the moment, in UTC microseconds since 1970."""
        return self._at_us

    def monotonic(self) -> float:
        """Return the moment in seconds."""
        return self._at_us / 1e6

    def move(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._at_us += round(seconds * 1e6)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once, and give others a turn."""
        self.move(max(0.0, seconds))
        await anyio.lowlevel.checkpoint()


def as_datetime(at_us: int) -> datetime:
    """Return the moment as an aware UTC datetime."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
