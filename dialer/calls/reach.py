"""Who of a list can be called, when next, and who never: counted by group, before anybody is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from dialer.base.errors import BadInput
from dialer.calls.allowed import Allowed
from dialer.calls.claim import next_due_by_group
from dialer.calls.groups import UNGROUPED, groups_of
from dialer.campaign import Campaign
from dialer.rules.local_time import local_moment
from dialer.rules.places import Group
from dialer.rules.rulebook import Rule, RuleBook
from dialer.rules.windows import DAY_US, FARTHEST_DAYS
from dialer.store.database import Dialects, Store, as_rows

WAITING_OF_GROUPS = Dialects(
    """
    SELECT g.group_id, (
        SELECT count(*) FROM contacts
        WHERE campaign_id = :campaign_id AND window_group = g.group_id AND status = 'waiting')
    FROM ROWS(group_id bigint) AS g"""
)
"""One walk along the index of those who wait for each group."""
SHOWN = 6


class Opening(NamedTuple):
    """Contacts on one clock, when they may be called next, and what decides it."""

    clock: str
    next_at_us: int
    local: str
    decided_by: str
    contacts: int


@dataclass(frozen=True)
class Reach:
    """What a list's contacts can expect: `openings`, most contacts first; `closed`: how many never have an
    open window, by why; `refused`: how many a rule refuses, by the rule. `contradiction` says where the
    campaign's own hours keep everybody from being called, so that `dialer run` refuses them.
    """

    openings: list[Opening]
    closed: Mapping[str, int]
    refused: Mapping[Rule, int]
    contradiction: str | None = None

    @property
    def never(self) -> int:
        """How many contacts never have an open window."""
        return sum(self.closed.values())

    def warning(self) -> str | None:
        """Return what to say of those who never have an open window; None where there is nobody."""
        if not self.closed:
            return None
        causes = list(self.closed)
        others = f"; and {len(causes) - SHOWN} other causes" if len(causes) > SHOWN else ""
        refused = f"; {self.contradiction}" if self.contradiction else ""
        return f"{_people(self.never)} can never be called: {'; '.join(causes[:SHOWN])}{others}{refused}"

    def opening_lines(self) -> list[str]:
        """Return the next openings in lines for a person, those of the most contacts."""
        lines = [
            f"{one.clock}: {_people(one.contacts)}, "
            + ("open now" if one.local == "now" else f"next {one.local} local ({one.decided_by})")
            for one in self.openings[:SHOWN]
        ]
        others = self.openings[SHOWN:]
        if others:
            people = sum(one.contacts for one in others)
            lines.append(f"{len(others)} other clocks: {_people(people)}")
        return lines

    def refused_lines(self) -> list[str]:
        """Return whom rules refuse, in lines for a person."""
        return [
            f"{_people(count)}: {rule.id}, {rule.title}"
            + (", only with [hours] consent = true" if rule.unless_consent else "")
            for rule, count in self.refused.items()
        ]


def reach(allowed: Allowed, contacts: Mapping[int, int], now_us: int) -> Reach:
    """Return what so many contacts of each group can expect from now on."""
    refusals = allowed.refusals(now_us)
    openings: Counter[tuple[str, int, str, str]] = Counter()
    closed: Counter[str] = Counter()
    refused: Counter[Rule] = Counter()
    for group_id, count in contacts.items():
        slot = allowed.slot(group_id, now_us)
        if group_id in refusals:
            refused[refusals[group_id]] += count
        elif slot is None:
            closed[_why_closed(allowed, group_id, now_us)] += count
        else:
            begin_us = max(slot.begin_us, now_us)
            group = allowed.groups.get(group_id)
            zone = group.zones[0] if group and group.zones else "UTC"
            local = "now" if begin_us <= now_us else f"{local_moment(zone, begin_us):%Y-%m-%d %H:%M}"
            decided = slot.decided_by if begin_us > now_us else "open"
            openings[_clock(group), begin_us, local, decided] += count
    return Reach(
        [Opening(*key, count) for key, count in openings.most_common()],
        dict(closed.most_common()),
        dict(refused.most_common()),
        _contradiction(allowed, now_us) if closed else None,
    )


def _contradiction(allowed: Allowed, now_us: int) -> str | None:
    try:
        allowed.check(now_us)
    except BadInput as error:
        return str(error)
    return None


def reach_of(
    store: Store, connection: Connection, campaign: Campaign, campaign_id: int, book: RuleBook
) -> Reach:
    """Return what the campaign's waiting contacts can expect."""
    allowed = Allowed.of(campaign, book, groups_of(store, connection, campaign_id))
    counts = _waiting_of(store, connection, campaign_id, list(allowed.groups))
    return reach(allowed, counts, store.now_us(connection))


def never_called(
    store: Store, connection: Connection, allowed: Allowed, campaign_id: int, now_us: int
) -> Reach:
    """Return the waiting contacts whose groups never open again from when they are due; no one else."""
    due = next_due_by_group(store, connection, campaign_id, allowed.groups or (UNGROUPED,))
    closed = [one for one, at_us in due.items() if allowed.slot(one, max(at_us, now_us)) is None]
    counts = _waiting_of(store, connection, campaign_id, closed)
    causes: Counter[str] = Counter()
    for group_id, count in counts.items():
        causes[_why_closed(allowed, group_id, now_us)] += count
    return Reach([], dict(causes.most_common()), {})


def _waiting_of(
    store: Store, connection: Connection, campaign_id: int, group_ids: list[int]
) -> dict[int, int]:
    if not group_ids:
        return {}
    rows = as_rows([one] for one in sorted(group_ids))
    found = store.execute(connection, WAITING_OF_GROUPS, campaign_id=campaign_id, rows=rows)
    return {row[0]: row[1] for row in found if row[1]}


def _clock(group: Group | None) -> str:
    if group is None or not group.zones:
        return "any clock"
    if len(group.zones) == 1:
        return group.zones[0]
    return f"{group.zones[0]} and {len(group.zones) - 1} more"


def _why_closed(allowed: Allowed, group_id: int, now_us: int) -> str:
    windows, group = allowed.windows, allowed.groups.get(group_id)
    policy = windows.policy
    if policy.ends_at_us is not None and policy.ends_at_us <= now_us:
        return "[hours] ends_at is over"
    if policy.starts_at_us is not None and policy.starts_at_us > now_us + FARTHEST_DAYS * DAY_US:
        return f"[hours] starts_at is more than {FARTHEST_DAYS} days ahead"
    if group is None or not windows.rules_known(group):
        return "no time zone or no rule is known for them"
    own = policy.week is not None or policy.keep_holidays
    until = policy.ends_at_us is not None
    parts = ["campaign hours"] if own else []
    parts += ["ends_at"] if until else []
    parts += [group.places[0].rstrip("*")] if group.places and policy.rules != "own" else []
    return f"no window opens any more ({' and '.join(parts) or 'blocked days'})"


def _people(count: int) -> str:
    return f"{count:,} contact" + ("" if count == 1 else "s")
