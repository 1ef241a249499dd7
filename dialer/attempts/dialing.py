"""A campaign in a lane: what its calls carry, what is open, where its claims stand, what it waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from math import inf
from typing import Any, NamedTuple

import orjson

from dialer.attempts.breaker import Breaker
from dialer.attempts.ledger import Opening
from dialer.attempts.own_pace import OwnPace
from dialer.base.ids import new_attempt_id
from dialer.calls.claim import START, Call, Cursor
from dialer.providers.provider import Submission


class Opened(NamedTuple):
    """An attempt that is committed as `sending` and has not left."""

    opening: Opening
    call: Call
    dialing: Dialing


@dataclass(eq=False)
class Dialing:
    """One campaign of the lane; `calls` are leased, `stopped` says why nothing more may leave.

    `charged` is what it had of the account so far (dialer.attempts.shares), `paces` whether a pace of its
    own is kept here (on PostgreSQL one worker does), `full_until` when its open calls are counted again.
    """

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
    priority: int = 0
    own_pace: OwnPace | None = None
    paces: bool = True
    calls_open_max: int | None = None
    opened: deque[Opened] = field(default_factory=deque)
    in_air: int = 0
    full_until: float = 0.0
    charged: float = 0.0

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
        """Calls of the campaign may leave, and this worker is one to send them."""
        return self.state == "running" and self.stopped is None and self.paces

    @property
    def busy(self) -> bool:
        """Something of the campaign is under way in this lane."""
        return bool(self.calls or self.opened or self.in_air)

    def free_at(self) -> float:
        """Return when the campaign's own pace lets the next call leave."""
        return -inf if self.own_pace is None else self.own_pace.free_at()

    def openings_max(self, now: float, soon_s: float) -> int:
        """Return how many more attempts may be opened: leased ones that its own pace lets leave soon."""
        if self.own_pace is None:
            return len(self.calls)
        if self.own_pace.free_at() > now + soon_s:
            return 0
        soon = max(1, round(2 * soon_s * self.own_pace.calls_per_second))
        return max(0, min(len(self.calls), soon - len(self.opened)))


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
