"""A campaign in a lane: what its calls carry, what is open, where its claims stand, what it waits for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from math import inf
from typing import Any, NamedTuple

import orjson

from dialer.attempts.breaker import Breaker
from dialer.attempts.ledger import Opening
from dialer.attempts.pace.own import OwnPace
from dialer.base.ids import new_attempt_id
from dialer.calls.allowed import Allowed, anytime
from dialer.calls.claim import START, Asked, Call, Cursor
from dialer.calls.limits import Budget
from dialer.providers.provider import Departing, Submission


class Opened(NamedTuple):
    """An attempt that is committed as `sending` and has not left."""

    opening: Opening
    call: Call
    dialing: Dialing


@dataclass(eq=False)
class Dialing:
    """One campaign of the lane; `calls` are leased, `stopped` says why nothing more may leave.

    `allowed` says which groups of contacts may be called now; `spent` that its budget is used up,
    `reserved_until` when it is looked at again where calls whose cost is not known have reserved the rest.

    `charged` is what it had of the account so far (dialer.attempts.shares), `paces` whether a pace of its
    own is kept here (on PostgreSQL one worker does), `full_until` when its open calls are counted again.

    `being_opened` counts attempts of a transaction that is under way. While the campaign is `resting` nothing
    leaves and what is open or leased goes back: its file says something else than `spec`, which it was taken
    up by.
    """

    campaign_id: int
    name: str
    agent: str
    metadata: Mapping[str, Any]
    breaker: Breaker
    from_numbers: Sequence[str] = ()
    state: str = "running"
    allowed: Allowed = field(default_factory=anytime)
    budget: Budget | None = None
    spent: bool = False
    reserved_until: float = 0.0
    calls: deque[Call] = field(default_factory=deque)
    stopped: str | None = None
    priority: int = 0
    own_pace: OwnPace | None = None
    paces: bool = True
    calls_open_max: int | None = None
    opened: deque[Opened] = field(default_factory=deque)
    in_air: int = 0
    full_until: float = 0.0
    charged: float = 0.0
    spec: str = ""
    resting: bool = False
    being_opened: int = 0

    def __post_init__(self) -> None:
        """Begin the round of caller ids."""
        self._callers: Iterator[str | None] = cycle(self.from_numbers or [None])
        self._cursors: dict[int, Cursor] = {}
        self._dry_until: dict[int, float] = {}

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
            self.allowed.grounds(call.window_group, now_us),
            self.allowed.until_us(call.window_group, now_us),
        )

    def submission(self, opening: Opening, call: Call, departing: Departing | None = None) -> Submission:
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
        may = self.state == "running" and self.stopped is None and not self.resting
        return may and self.paces and not self.spent

    @property
    def busy(self) -> bool:
        """Something of the campaign is under way in this lane."""
        return bool(self.claimed_or_open or self.in_air)

    @property
    def claimed_or_open(self) -> bool:
        """Something of the campaign is leased or open and has not left."""
        return bool(self.calls or self.opened or self.being_opened)

    def go_on_as(self, new: Dialing) -> None:
        """Take over what the campaign's file says now; nothing may be leased or open."""
        self.agent, self.metadata, self.from_numbers = new.agent, new.metadata, new.from_numbers
        self._callers = cycle(self.from_numbers or [None])
        self.breaker, self.allowed, self.budget = new.breaker, new.allowed, new.budget
        self.priority, self.calls_open_max = new.priority, new.calls_open_max
        self.own_pace, self.paces = new.own_pace, new.paces
        self.spent, self.reserved_until, self.full_until = False, 0.0, 0.0
        self.look_again()
        self.spec, self.resting = new.spec, False

    def to_ask(self, now: float, now_us: int) -> list[Asked]:
        """Return the groups to claim from: open now, and not found empty a moment ago."""
        return [
            Asked(one.group_id, self._cursors.get(one.group_id, START))
            for one in self.allowed.open_groups(now_us)
            if now >= self._dry_until.get(one.group_id, 0.0)
        ]

    def claimed(self, asked: Sequence[Asked], wanted: int, calls: Sequence[Call], dry_until: float) -> None:
        """Take over what a claim brought; where it found too little, its groups are empty for a while."""
        self.calls.extend(calls)
        by_group: dict[int, list[Call]] = {}
        for call in calls:
            by_group.setdefault(call.window_group, []).append(call)
        for group_id, after in asked:
            mine = by_group.get(group_id)
            if mine:
                self._cursors[group_id] = after.after(mine)
                self._dry_until.pop(group_id, None)
            elif len(calls) < wanted and after != START:
                self._cursors[group_id] = START  # what returned lies before the cursor
            elif len(calls) < wanted:
                self._dry_until[group_id] = dry_until

    def look_again(self) -> None:
        """Forget where claims stand: what was leased has gone back."""
        self._cursors.clear()
        self._dry_until.clear()

    def dry(self, now_us: int) -> bool:
        """Return whether every group that may be called now was found empty."""
        return all(one.group_id in self._dry_until for one in self.allowed.open_groups(now_us))

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
