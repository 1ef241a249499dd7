"""A campaign in a lane: what its calls carry, where its claims stand, what it waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import orjson

from dialer.attempts.breaker import Breaker
from dialer.attempts.ledger import Opening
from dialer.base.ids import new_attempt_id
from dialer.calls.claim import START, Call, Cursor
from dialer.providers.provider import Submission


@dataclass
class Dialing:
    """One campaign of the lane; `calls` are leased, `stopped` says why nothing more may leave."""

    campaign_id: int
    name: str
    agent: str
    metadata: Mapping[str, Any]
    breaker: Breaker
    from_numbers: Sequence[str] = ()
    state: str = "running"
    cursor: Cursor = START
    calls: deque[Call] = field(default_factory=deque)
    dry_until: float = 0.0
    stopped: str | None = None

    def __post_init__(self) -> None:
        """Begin the round of caller ids."""
        self._callers: Iterator[str | None] = cycle(self.from_numbers or [None])

    def opening(self, call: Call, now_us: int) -> Opening:
        """Return the attempt to open for a leased call."""
        return Opening(
            new_attempt_id(now_us),
            call.campaign_id,
            call.contact_id,
            call.call_number,
            call.attempt_number,
            self.agent,
            next(self._callers),
        )

    def submission(
        self, opening: Opening, call: Call, departing: Callable[[], None] | None = None
    ) -> Submission:
        """Return what the provider is told; the contact's own metadata wins over the campaign's."""
        own = orjson.loads(call.metadata) if call.metadata else {}
        return Submission(
            opening.attempt_id,
            call.phone,
            opening.agent,
            opening.from_number,
            {**self.metadata, **own},
            departing,
        )

    def halt(self, reason: str | None) -> None:
        """Let nothing more leave for the campaign; the first reason stays."""
        self.stopped = self.stopped or reason

    @property
    def dials(self) -> bool:
        """Calls of the campaign may leave."""
        return self.state == "running" and self.stopped is None


@dataclass
class LaneCounts:
    """What the lane has done so far, for progress and the closing line."""

    submitted: int = 0
    accepted: int = 0
    refused: int = 0
    not_dialled: int = 0
    unknown: int = 0
    throttled: int = 0
    first_sent_at: float | None = None
    last_sent_at: float | None = None
