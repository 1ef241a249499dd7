"""Why each contact of a campaign is not being called this moment: one bucket each, and when it can move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from dialer.calls.allowed import Allowed
from dialer.calls.openings import NEVER_US, Openings
from dialer.calls.standing import Standing
from dialer.store.database import Dialects, Store

BUCKETS = {
    "calling": ("now", "being called"),
    "due": ("now", "due, and inside the calling hours"),
    "no_worker": ("now", "due, but nobody dials"),
    "account_held": ("later", "due, but the provider asked for a pause"),
    "not_started": ("later", "due when the run starts"),
    "window": ("later", "outside of the calling hours"),
    "redial": ("later", "called before, waits for the next call"),
    "retry": ("later", "the request did not reach the provider, is tried again"),
    "cap": ("later", "a cap on calls to the number is full"),
    "number_busy": ("later", "the number has an open call of another campaign"),
    "looked_up": ("later", "the answer was lost, the provider is being asked"),
    "budget_reserved": ("later", "what is left of the budget is reserved for open calls"),
    "paused": ("person", "the campaign is paused"),
    "stopped": ("person", "the campaign was stopped"),
    "budget": ("person", "the budget is used up"),
    "held": ("person", "it is not known whether the call was placed"),
    "do_not_call": ("never", "on a do-not-call list"),
    "rule": ("never", "a rule refuses the call"),
    "no_zone": ("never", "no time zone or no rule is known for the number"),
    "closed": ("never", "no window opens any more"),
    "refused": ("never", "the provider refused the number"),
    "canceled": ("never", "the campaign was canceled"),
    "done": ("done", "done"),
}
"""Every bucket: when its contacts move (`person`: when somebody decides), and what it means."""

REDIALS = ("no_answer", "busy", "voicemail", "failed", "call_again")
HELD_BACK = {"cap": "cap", "number_busy": "number_busy", "budget": "budget_reserved"}
BUSY_AGAIN_US = 60_000_000

BLOCKERS = Dialects(
    """
    SELECT campaigns.state, campaigns.reason, (
        SELECT count(*) FROM workers WHERE workers.state = 'alive' AND workers.lease_until_us > :now_us
            AND coalesce(workers.campaign_id, campaigns.campaign_id) = campaigns.campaign_id
    ), coalesce((SELECT held_until_us FROM accounts WHERE accounts.account = campaigns.account), 0)
    FROM campaigns WHERE campaign_id = :campaign_id"""
)


class Bucket(NamedTuple):
    """So many contacts with one reason not to be called now; `next_at_us` is when the first can move."""

    bucket: str
    contacts: int
    next_at_us: int | None
    detail: str | None

    @property
    def when(self) -> str:
        """When they move: now, later, person (somebody must decide), never, done."""
        return BUCKETS[self.bucket][0]

    @property
    def says(self) -> str:
        """What it means, in a few words."""
        return BUCKETS[self.bucket][1]


class Blockers(NamedTuple):
    """What keeps a whole campaign back; nobody dials before `starts_at_us`."""

    state: str = "idle"
    reason: str | None = None
    workers: int = 0
    held_until_us: int = 0
    budget_left: float = float("inf")
    starts_at_us: int = 0


def blockers(
    store: Store, connection: Connection, campaign_id: int, now_us: int, budget_left: float
) -> Blockers:
    """Return what keeps the campaign back as a whole."""
    row = store.execute(connection, BLOCKERS, campaign_id=campaign_id, now_us=now_us)[0]
    # A worker that serves every campaign dials only those that run.
    return Blockers(row[0], row[1], row[2] if row[0] == "running" else 0, row[3], budget_left)


class Placing:
    """Puts contacts into buckets; asks for each group's window once."""

    def __init__(
        self, allowed: Allowed, openings: Openings, group_ids: Iterable[int], blocked: Blockers, now_us: int
    ) -> None:
        self.allowed = allowed
        self.blocked = blocked
        self.now_us = now_us
        self._from_us = max(now_us, blocked.starts_at_us)
        self._openings = openings
        self._places = {group_id: place for place, group_id in enumerate(group_ids)}
        self._refused = {one: rule.id for one, rule in allowed.refusals(now_us).items()}
        self._deciders: dict[tuple[object, int], str] = {}

    def bucket(self, one: Standing) -> Bucket:
        """Return the bucket of contacts that stand alike."""
        name, next_at_us, detail = self._place(one)
        return Bucket(name, one.contacts, next_at_us, detail)

    def next_open(self, group_id: int, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when the group may be called at each of the moments or next; NEVER_US if never."""
        return self._openings.next_open(self._places[group_id], at_us)

    def slot_us(self, group_id: int, at_us: int) -> int | None:
        """Return when the group may be called at a moment or next; None if never."""
        begin_us = int(self.next_open(group_id, np.array([at_us], dtype=np.int64))[0])
        return None if begin_us >= NEVER_US else begin_us

    def decider(self, group_id: int, at_us: int) -> str:
        """Return the rule that decides that the group's next slot does not begin earlier."""
        group = self.allowed.groups.get(group_id)
        opened_us = self._openings.opening_of(self._places[group_id], at_us)
        key = ((group.zones, group.places) if group else None, opened_us)
        if key not in self._deciders:
            if group is None:
                slot = self.allowed.slot(group_id, at_us)
            else:
                slot = self.allowed.windows.next_slot(group, opened_us)
            self._deciders[key] = slot.decided_by if slot is not None else "never"
        return self._deciders[key]

    def _place(self, one: Standing) -> tuple[str, int | None, str | None]:
        if one.status in ("calling", "leased"):
            return "calling", self.now_us, None
        if one.status == "unknown":
            return ("held", None, None) if one.kept == "held" else ("looked_up", one.lookup_at_us, None)
        if one.status == "suppressed":
            return _suppressed(one.reason)
        if one.status != "waiting":
            return one.status, None, one.reason
        return self._never(one) or self._blocked() or self._later(one)

    def _never(self, one: Standing) -> tuple[str, None, str | None] | None:
        if one.kept == "do_not_call":
            return "do_not_call", None, None
        if one.window_group in self._refused:
            return "rule", None, self._refused[one.window_group]
        if self.slot_us(one.window_group, max(one.due_at_us, self._from_us)) is None:
            group = self.allowed.groups.get(one.window_group)
            if group is None and not self.allowed.windows.unbound:
                return "no_zone", None, "loaded by an older dialer: the next run finds their zones"
            known = group is None or self.allowed.windows.rules_known(group)
            return "closed" if known else "no_zone", None, None
        return None

    def _blocked(self) -> tuple[str, None, str | None] | None:
        if self.blocked.state in ("paused", "stopped", "canceled"):
            return self.blocked.state, None, self.blocked.reason
        return ("budget", None, None) if self.blocked.budget_left < 1 else None

    def _later(self, one: Standing) -> tuple[str, int | None, str | None]:
        group_id = one.window_group
        if one.kept == "number_busy":
            at_us = max(self._from_us, self.now_us + BUSY_AGAIN_US)
            return "number_busy", self.slot_us(group_id, at_us), None
        if one.due_at_us > self.now_us:
            reason = one.reason or ""
            name = HELD_BACK.get(one.kept or reason) or ("redial" if reason in REDIALS else "retry")
            detail = reason if name in ("redial", "retry") else None
            return name, self.slot_us(group_id, max(self._from_us, one.due_at_us)), detail
        begin_us = self.slot_us(group_id, self._from_us)
        if begin_us is not None and begin_us > self._from_us:
            return "window", begin_us, self.decider(group_id, begin_us)
        if not self.blocked.workers:
            return "no_worker", self.now_us, None
        if self.blocked.held_until_us > self._from_us:
            return "account_held", self.blocked.held_until_us, None
        if self._from_us > self.now_us:
            return "not_started", self._from_us, None
        return "due", self.now_us, None


def add_up(buckets: Iterable[Bucket]) -> list[Bucket]:
    """Return the buckets with those of one name and detail together, in the order of BUCKETS."""
    found: dict[tuple[str, str | None], Bucket] = {}
    for one in buckets:
        before = found.get((one.bucket, one.detail))
        if before is not None:
            moments = [at_us for at_us in (before.next_at_us, one.next_at_us) if at_us is not None]
            one = one._replace(contacts=before.contacts + one.contacts, next_at_us=min(moments, default=None))
        found[one.bucket, one.detail] = one
    order = list(BUCKETS)
    return sorted(found.values(), key=lambda one: (order.index(one.bucket), -one.contacts, one.detail or ""))


def by_when(buckets: Iterable[Bucket]) -> Mapping[str, int]:
    """Return how many contacts move now, later, when a person decides, and never, and how many are done."""
    counts = dict.fromkeys(("now", "later", "person", "never", "done"), 0)
    for one in buckets:
        counts[one.when] += one.contacts
    return counts


def _suppressed(reason: str | None) -> tuple[str, None, str | None]:
    rule = (reason or "").removeprefix("rule ")
    return ("rule", None, rule) if rule != (reason or "") else ("do_not_call", None, None)
