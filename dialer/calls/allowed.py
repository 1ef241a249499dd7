"""Which groups of a campaign may be called now, until when, and what an attempt keeps as its evidence.

What a lane asks many times a second was evaluated before, in another thread (`look_ahead`): when two
thousand groups close at the same moment, no call waits for the next opening of each to be found.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dialer.base.errors import BadInput
from dialer.calls.groups import UNGROUPED
from dialer.campaign.campaign import Campaign
from dialer.campaign.caps import Cap, read_cap
from dialer.rules.local_time import local_text
from dialer.rules.places import Group
from dialer.rules.rulebook import Rule, RuleBook
from dialer.rules.windows import HoursPolicy, Slot, Windows

FAR_US = 2**62
LOOK_AGAIN_US = 60_000_000
"""What is open is looked at again after so long, whatever was known to change."""
LOOK_AHEAD_US = 1_800_000_000
"""A stretch that ends within this time has its successor found beforehand."""
NEVER_KEPT_US = 86_400_000_000
"""For so long it is believed that a group that does not open within 400 days never will."""
STRETCHES_MAX = 64
RULES_KEPT_US = 900_000_000
"""How long the names of the rules that bind a group, and their caps, are kept: no day begins in between
two quarters of an hour anywhere."""


class OpenGroup(NamedTuple):
    """A group that may be called now, and until when a call may be launched."""

    group_id: int
    until_us: int


class Grounds(NamedTuple):
    """Why a call is allowed: what its attempt keeps, and the caps that its number is under."""

    time_zone: str | None = None
    time_zone_from: str | None = None
    local_time: str | None = None
    rules: str | None = None
    caps: tuple[Cap, ...] = ()


class _Binding(NamedTuple):
    zones: tuple[str, ...]
    zones_from: str
    rules: str
    caps: tuple[Cap, ...]


def hours_policy(campaign: Campaign) -> HoursPolicy:
    """Return what the campaign says of hours and caps, as windows take it."""
    hours = campaign.hours
    return HoursPolicy(
        rules=hours.rules,
        week=hours.week,
        keep_holidays=hours.holidays,
        unknown_zone=hours.unknown_zone,
        starts_at_us=round(hours.starts_at.timestamp() * 1e6) if hours.starts_at else None,
        ends_at_us=round(hours.ends_at.timestamp() * 1e6) if hours.ends_at else None,
        margin_us=round(hours.margin_s * 1e6),
        consent=hours.consent,
        caps=tuple(read_cap(text, "campaign") for text in campaign.caps.per_number),
    )


@dataclass
class _Known:
    """The stretches in which groups of the same zones and places are open, as far as anybody asked.

    Three lists in step: the end of each stretch, the moment from which on it is known to be the next one,
    and itself. They are replaced as a whole, so that another thread always sees one state.
    """

    found: tuple[list[int], list[int], list[Slot]] = ([], [], [])
    never_from_us: int | None = None

    def at(self, at_us: int) -> Slot | None:
        """Return the stretch that holds the moment or comes next, None where that is not known yet."""
        ends, knowns, slots = self.found
        place = bisect_right(ends, at_us)
        if place < len(slots) and knowns[place] <= at_us:
            return slots[place]
        return None

    def never(self, at_us: int) -> bool:
        """Return whether nothing opens after the moment."""
        return self.never_from_us is not None and 0 <= at_us - self.never_from_us < NEVER_KEPT_US

    def add(self, at_us: int, slot: Slot) -> None:
        """Keep what was found at a moment."""
        known = {end: (seen, one) for end, seen, one in zip(*self.found, strict=True)}
        before = known.get(slot.end_us)
        if before is None or at_us < before[0]:
            known[slot.end_us] = (at_us, slot)
        ends = sorted(known)[-STRETCHES_MAX:]
        self.found = (ends, [known[end][0] for end in ends], [known[end][1] for end in ends])


@dataclass
class Allowed:
    """The windows of a campaign's groups, as its lane asks for them many times a second.

    `groups` are the groups by id. Contacts without a group are called only where no rule and no hours bind
    anybody, between starts_at and ends_at.
    """

    windows: Windows
    groups: Mapping[int, Group]
    _stretches: dict[tuple[tuple[str, ...], tuple[str, ...]], _Known] = field(default_factory=dict)
    _open: list[OpenGroup] = field(default_factory=list)
    _change_at_us: int = 0
    _bindings: dict[tuple[int, int], _Binding] = field(default_factory=dict)
    _refusals: dict[tuple[int, int], bool] = field(default_factory=dict)

    @property
    def always(self) -> bool:
        """Whether no window ever closes: there are no groups, and nothing that would close them."""
        return not self.groups and self.windows.unbound and self.windows.policy.ends_at_us is None

    @classmethod
    def of(cls, campaign: Campaign, book: RuleBook, groups: Mapping[int, Group]) -> Allowed:
        """Return what the campaign allows. Raises BadInput where its hours contradict each other."""
        windows = Windows(book, hours_policy(campaign))
        windows.check()
        return cls(windows, groups)

    def open_groups(self, now_us: int) -> list[OpenGroup]:
        """Return the groups that may be called now, those that close soonest first."""
        if now_us >= self._change_at_us:
            self._look(now_us)
        return self._open

    def until_us(self, group_id: int, now_us: int) -> int:
        """Return until when a call of the group may be launched; `now_us` where it may not."""
        slot = self.slot(group_id, now_us)
        return slot.end_us if slot is not None and slot.begin_us <= now_us else now_us

    def check(self, now_us: int) -> None:
        """Make sure that the campaign's own hours are ever open for anybody whom the rules let be called.

        Raises:
            BadInput: they are not, for any group.
        """
        policy = self.windows.policy
        over = policy.ends_at_us is not None and now_us >= policy.ends_at_us
        if policy.week is None or over or any(self.slot(one, now_us) is not None for one in self.groups):
            return
        by_rules = Windows(self.windows.book, replace(policy, week=None))
        may_be_called = (
            by_rules.refusal(group, now_us) is None and by_rules.next_slot(group, now_us) is not None
            for group in self.groups.values()
        )
        if any(may_be_called):
            raise BadInput(
                "[hours] is never open for anybody of the list: the campaign's own days and hours and the"
                " rules of the contacts' regions leave no moment; widen `days`, `start` or `end`"
            )

    def learn(self, groups: Mapping[int, Group]) -> bool:
        """Take over groups that a list brought since; return whether there were new ones."""
        if groups.keys() <= self.groups.keys():
            return False
        self.groups = {**self.groups, **groups}
        self._change_at_us = 0
        return True

    def look_ahead(self, now_us: int) -> None:
        """Find every stretch that will be asked for soon; for a thread beside the lane's."""
        for group_id, group in list(self.groups.items()):
            self._refused(group_id, group, now_us + RULES_KEPT_US // 2)
            slot = self.slot(group_id, now_us)
            if slot is not None and slot.end_us < now_us + LOOK_AHEAD_US:
                self.slot(group_id, slot.end_us)
            known = self._stretches.get((group.zones, group.places))
            if known is None or known.never_from_us is None or slot is not None:
                continue
            if not known.never(now_us + LOOK_AHEAD_US):
                self._find(group, known, now_us)

    def slot(self, group_id: int, at_us: int) -> Slot | None:
        """Return the stretch in which the group may be called at that moment, or next; None if never."""
        group = self.groups.get(group_id)
        if group is None:
            return self._unbound(at_us)
        if self._refused(group_id, group, at_us):
            return None
        known = self._stretches.setdefault((group.zones, group.places), _Known())
        slot = known.at(at_us)
        if slot is not None or known.never(at_us):
            return slot
        return self._find(group, known, at_us)

    def _find(self, group: Group, known: _Known, at_us: int) -> Slot | None:
        slot = self.windows.next_slot(group, at_us)
        if slot is None:
            known.never_from_us = at_us
        else:
            known.add(at_us, slot)
        return slot

    def next_at_us(self, due: Mapping[int, int], now_us: int) -> int | None:
        """Return when the next contact may be called, by when each group's first is due; None if never."""
        moments = ((group_id, max(at_us, now_us)) for group_id, at_us in due.items())
        slots = ((self.slot(group_id, at_us), at_us) for group_id, at_us in moments)
        return min((max(slot.begin_us, at_us) for slot, at_us in slots if slot is not None), default=None)

    def refusals(self, now_us: int) -> dict[int, Rule]:
        """Return the groups that may not be called at all, with the rule that says so."""
        found = {one: self.windows.refusal(group, now_us) for one, group in self.groups.items()}
        return {one: rule for one, rule in found.items() if rule is not None}

    def grounds(self, group_id: int, at_us: int) -> Grounds:
        """Return why a call of the group is allowed at a moment at which it is open."""
        group = self.groups.get(group_id)
        if group is None:
            return Grounds(rules="none", caps=self.windows.policy.caps)
        key = (group_id, at_us // RULES_KEPT_US)
        binding = self._bindings.get(key)
        if binding is None:
            if len(self._bindings) > 10_000:
                self._bindings.clear()
            evidence = self.windows.evidence(group, at_us)
            caps = self.windows.caps(group, at_us)
            binding = self._bindings[key] = _Binding(group.zones, group.zones_from, evidence.rules, caps)
        local = ",".join(local_text(zone, at_us) for zone in binding.zones)
        return Grounds(",".join(binding.zones), binding.zones_from, local, binding.rules, binding.caps)

    def _refused(self, group_id: int, group: Group, at_us: int) -> bool:
        key = (group_id, at_us // RULES_KEPT_US)
        refused = self._refusals.get(key)
        if refused is None:
            if len(self._refusals) > 100_000:
                self._refusals.clear()
            refused = self._refusals[key] = self.windows.refusal(group, at_us) is not None
        return refused

    def _unbound(self, at_us: int) -> Slot | None:
        if not self.windows.unbound:
            return None  # nothing is known of where the contact is
        policy = self.windows.policy
        begin, end = policy.starts_at_us or 0, policy.ends_at_us or FAR_US
        return Slot(max(begin, at_us), end, "campaign starts_at") if at_us < end else None

    def _look(self, now_us: int) -> None:
        """Find what is open now, and when that changes next."""
        change_at_us = now_us + LOOK_AGAIN_US
        found: list[OpenGroup] = []
        for group_id in self.groups or (UNGROUPED,):
            slot = self.slot(group_id, now_us)
            if slot is None:
                continue
            if slot.begin_us <= now_us:
                found.append(OpenGroup(group_id, slot.end_us))
                change_at_us = min(change_at_us, slot.end_us)
            else:
                change_at_us = min(change_at_us, slot.begin_us)
        self._open = sorted(found, key=lambda one: (one.until_us, one.group_id))
        self._change_at_us = change_at_us


def anytime() -> Allowed:
    """Return what allows every contact at any moment."""
    return Allowed(Windows(RuleBook((), (), "none"), HoursPolicy(rules=())), {})
