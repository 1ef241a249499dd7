"""What a run has done so far, for whoever watches it and for its closing line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dialer.attempts.dialing import LaneCounts
from dialer.attempts.workers import Recovered
from dialer.base.clock import as_datetime

PACE_CALLS_MIN = 10
PACE_S_MIN = 2.0
"""Fewer calls within less time than this say nothing of a pace."""


@dataclass
class RunProgress:
    """What a run has done so far; `ended` says why it is over, `problem` what stopped it before its end.

    The figures add up: submitted = accepted + refused + not dialled + unknown (without an answer), and of the
    campaign's calls, open_before + accepted + unknown = ended_calls + open_calls + unknown_left + freed.
    `bound` counts those without an answer that turned out to be placed, now or in an earlier run; `freed`
    those that were not; `held_left` is the part of `unknown_left` that only a person settles.
    """

    campaign: str
    account: str
    pace_limit: float | None
    rules_followed: bool = True
    counts: LaneCounts = field(default_factory=LaneCounts)
    recovered: Recovered = field(default_factory=lambda: Recovered(0, 0, 0))
    bound: int = 0
    freed: int = 0
    held: int = 0
    open_before: int = 0
    ended_calls: int = 0
    open_calls: int = 0
    unknown_left: int = 0
    held_left: int = 0
    waiting_left: int = 0
    next_due_at_us: int | None = None
    never: str | None = None
    """How many of those who wait can never be called, and why, in a sentence; None where there is nobody."""
    problem: str | None = None
    ended: str | None = None
    exit_code: int = 0

    @property
    def pace(self) -> float | None:
        """Calls per second between the first and the last departure; None for a few within a moment."""
        first, last = self.counts.first_sent_at, self.counts.last_sent_at
        if first is None or last is None or last <= first:
            return None
        if self.counts.submitted < PACE_CALLS_MIN and last - first < PACE_S_MIN:
            return None
        return (self.counts.submitted - 1) / (last - first)

    def closing_line(self) -> str:
        """Return the run in one line."""
        counts = self.counts
        pace = f" at {self.pace:.2f}/s" if self.pace else ""
        parts = [
            f"{counts.submitted} submitted{pace}",
            f"{counts.accepted} accepted",
            f"{counts.refused} refused",
        ]
        for count, words in (
            (counts.not_dialled, "not dialled"),
            (counts.unknown, "without an answer"),
            (self.open_before, "open before"),
            (self.bound, "found at the provider"),
            (self.freed, "found not placed"),
        ):
            parts += [f"{count} {words}"] if count else []
        parts += [
            f"{self.ended_calls} ended",
            f"{self.open_calls} open",
            f"{self.unknown_left} unknown",
            f"{self.waiting_left} waiting",
        ]
        if not self.rules_followed:
            parts.append("no calling rules followed")
        later = ""
        if self.problem is not None:
            later = self._how_to_go_on()
        elif self.waiting_left and self.next_due_at_us is not None:
            later = f"; the next call may be placed at {as_datetime(self.next_due_at_us):%Y-%m-%d %H:%M} UTC"
        never = f"; {self.never}" if self.never else ""
        return f"{self.campaign}: {', '.join(parts)}; ended: {self.ended}{later}{never}{self._unknown()}"

    def _unknown(self) -> str:
        """Return what becomes of the attempts whose fate is not known."""
        held, asked = self.held_left, self.unknown_left - self.held_left
        lookups = f"; {asked} unknown will be looked up by the next run, a worker or dialer reconcile"
        words = f"; {held} unknown wait for a person: dialer reconcile {self.campaign}"
        return (lookups if asked else "") + (words if held else "")

    def _how_to_go_on(self) -> str:
        """Return what a person does about a campaign that was stopped before its end."""
        assert self.problem is not None
        if self.problem.startswith("canceled"):
            return ""
        if self.problem.startswith("paused"):
            return f"; to go on: dialer resume {self.campaign}, then dialer run {self.campaign}"
        return f"; to go on when the cause is mended: dialer run {self.campaign}"

    def as_json(self) -> dict[str, Any]:
        """Return the run as a JSON document."""
        return {
            "campaign": self.campaign,
            "account": self.account,
            "submitted": self.counts.submitted,
            "accepted": self.counts.accepted,
            "refused": self.counts.refused,
            "not_dialled": self.counts.not_dialled,
            "unknown": self.counts.unknown,
            "bound": self.bound,
            "freed": self.freed,
            "held": self.held,
            "open_before": self.open_before,
            "ended_calls": self.ended_calls,
            "open_calls": self.open_calls,
            "unknown_left": self.unknown_left,
            "held_left": self.held_left,
            "waiting_left": self.waiting_left,
            "recovered_unknown": self.recovered.unknown,
            "recovered_leases": self.recovered.returned,
            "calls_per_second": self.pace,
            "calls_per_second_limit": self.pace_limit,
            "rules_followed": self.rules_followed,
            "next_call_at": as_datetime(self.next_due_at_us) if self.next_due_at_us else None,
            "never_called": self.never,
            "ended": self.ended,
            "problem": self.problem,
            "exit_code": self.exit_code,
        }
