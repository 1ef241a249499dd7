"""What lies ahead of a campaign: every contact's bucket, each group's next slot, start, finish and cost.

One reading of the database, or of a list that was not loaded yet; nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from dialer.base.settings import Account
from dialer.calls.allowed import Allowed
from dialer.calls.assumed import Grounded, Said, budget_left, ground, see
from dialer.calls.groups import UNGROUPED, groups_of
from dialer.calls.openings import NEVER_US, Openings
from dialer.calls.plan import Timeline, Waiting, simulate
from dialer.calls.standing import CONTACTS, Asked, Standing, standings
from dialer.calls.why import Blockers, Bucket, Placing, add_up, blockers, by_when
from dialer.campaign import Campaign
from dialer.campaign.caps import Cap
from dialer.rules.places import Group
from dialer.rules.rulebook import RuleBook
from dialer.store.database import Store

BINS = 50
"""What waits for its time is counted in bins: so many to the shortest wait of the campaign."""


class People(NamedTuple):
    """Whose outlook: the campaign's id, which table has the contacts, and their groups."""

    campaign_id: int
    groups: Mapping[int, Group]
    contacts: str = CONTACTS


class GroupSlot(NamedTuple):
    """Contacts who may be called at the same moments, and the next one (None: never).

    `line` is what their numbers may be, `zones_from` where their zones were taken from; '' is not known.
    """

    group_id: int
    zones: tuple[str, ...]
    places: tuple[str, ...]
    contacts: int
    next_call_at_us: int | None
    decided_by: str | None
    first_call_at_us: int | None
    first_calls_done_at_us: int | None
    line: str
    zones_from: str


@dataclass(frozen=True)
class Outlook:
    """What lies ahead; `asked` and `placing` serve whoever wants the contacts one by one."""

    campaign: str
    now_us: int
    buckets: list[Bucket]
    slots: list[GroupSlot]
    timeline: Timeline
    grounded: Grounded
    blocked: Blockers
    asked: Asked
    placing: Placing
    callable: int
    calls_most: float

    @property
    def contacts(self) -> int:
        """How many contacts there are; every one is in one bucket."""
        return sum(one.contacts for one in self.buckets)

    @property
    def by_when(self) -> Mapping[str, int]:
        """How many contacts move now, later, when a person decides, never; and how many are done."""
        return by_when(self.buckets)

    def cost_range(self) -> tuple[float, float, float] | None:
        """Return the least (nobody is called twice), the likely and the most (every redial is used)."""
        cost, calls = self.grounded.cost, self.timeline.calls
        if cost is None:
            return None
        most = min(max(self.calls_most, calls), self.grounded.assumed.calls_left)
        return min(self.callable, calls) * cost, calls * cost, most * cost


def people_of(store: Store, connection: Connection, campaign_id: int) -> People:
    """Return the contacts that are in the database."""
    return People(campaign_id, groups_of(store, connection, campaign_id))


def look_ahead(
    store: Store,
    connection: Connection,
    campaign: Campaign,
    account: Account | None,
    rules: RuleBook,
    people: People,
    *,
    said: Said | None = None,
    start_us: int | None = None,
    measured: bool = False,
    dialed: bool = False,
) -> Outlook:
    """Return what lies ahead of the campaign if it is dialed from `start_us` (now) on without a pause.

    `measured` lets the pace of the latest calls count where it is below the limits; `dialed` takes for
    granted that somebody dials, from `start_us` on and not before.

    Raises:
        BadInput: the campaign's hours contradict each other.
    """
    now_us = store.now_us(connection)
    said = said or Said()
    allowed = Allowed.of(campaign, rules, people.groups)
    caps = _caps(allowed, now_us)
    asked = Asked(people.campaign_id, campaign.name, campaign.call.account, caps, people.contacts)
    seen = see(store, connection, people.campaign_id, now_us)
    left = budget_left(store, connection, campaign, people.campaign_id, said.cost or seen.cost)
    grounded = ground(campaign, account, seen, said, calls_left=left, measured=measured)
    shortest_s = min(grounded.assumed.waits_s.values(), default=3600.0)
    found = standings(store, connection, asked, now_us, bin_us=round(max(1.0, shortest_s / BINS) * 1e6))
    group_ids = sorted({*people.groups, *(one.window_group for one in found)})
    openings = Openings(allowed, group_ids, now_us)
    blocked = Blockers(budget_left=left)
    if people.contacts == CONTACTS:
        blocked = blockers(store, connection, people.campaign_id, now_us, left)
    if dialed:
        blocked = blocked._replace(workers=max(1, blocked.workers), starts_at_us=start_us or 0)
    placing = Placing(allowed, openings, group_ids, blocked, now_us)
    placed = [placing.bucket(one) for one in found]
    waiting = _waiting(found, placed)
    in_air = [
        Waiting(one.window_group, one.calls, 0, one.contacts) for one in found if one.status == "calling"
    ]
    start_us = max(now_us, start_us or now_us, blocked.held_until_us)
    timeline = simulate(
        waiting,
        group_ids,
        Openings(allowed, group_ids, start_us),
        grounded.assumed,
        start_us,
        caps=caps,
        in_air=in_air,
    )
    calls_max = grounded.assumed.calls_max
    return Outlook(
        campaign.name,
        now_us,
        add_up(placed),
        _slots(group_ids, allowed, placing, waiting, timeline, start_us),
        timeline,
        grounded,
        blocked,
        asked,
        placing,
        sum(one.contacts for one in waiting),
        float(sum(one.contacts * max(1, calls_max - one.calls) for one in waiting)),
    )


def _caps(allowed: Allowed, now_us: int) -> dict[int, tuple[Cap, ...]]:
    caps: dict[object, tuple[Cap, ...]] = {}
    found = {}
    for group_id, group in allowed.groups.items():
        key = (group.zones, group.places)
        if key not in caps:
            caps[key] = allowed.windows.caps(group, now_us)
        if caps[key]:
            found[group_id] = caps[key]
    own = allowed.windows.policy.caps
    return {**found, UNGROUPED: own} if own else found


def _waiting(found: list[Standing], placed: list[Bucket]) -> list[Waiting]:
    """Return who may still be called: whoever waits or is about to be called."""
    return [
        Waiting(one.window_group, one.calls, one.due_at_us, one.contacts)
        for one, bucket in zip(found, placed, strict=True)
        if (one.status == "waiting" and bucket.when != "never") or one.status == "leased"
    ]


def _decided(placing: Placing, group_id: int, due_us: int, next_us: int | None) -> str | None:
    if next_us is None:
        return None
    return placing.decider(group_id, next_us) if next_us > due_us else "open"


def _slots(
    group_ids: list[int],
    allowed: Allowed,
    placing: Placing,
    waiting: list[Waiting],
    timeline: Timeline,
    start_us: int,
) -> list[GroupSlot]:
    contacts = dict.fromkeys(group_ids, 0)
    first_due: dict[int, int] = {}
    for one in waiting:
        contacts[one.group_id] += one.contacts
        due_us = max(one.due_at_us, start_us)
        first_due[one.group_id] = min(first_due.get(one.group_id, due_us), due_us)
    slots = []
    for place, group_id in enumerate(group_ids):
        if not contacts[group_id]:
            continue
        group = allowed.groups.get(group_id)
        next_us = placing.slot_us(group_id, first_due[group_id])
        first_us, last_us = int(timeline.first_us[place]), int(timeline.last_us[place])
        slots.append(
            GroupSlot(
                group_id,
                group.zones if group else (),
                group.places if group else (),
                contacts[group_id],
                next_us,
                _decided(placing, group_id, first_due[group_id], next_us),
                first_us if first_us < NEVER_US else None,
                last_us if last_us < NEVER_US else None,
                group.line if group else "",
                group.zones_from if group else "",
            )
        )
    return sorted(slots, key=lambda one: (one.next_call_at_us or NEVER_US, -one.contacts))
