"""Which groups of a campaign may be called now, until when, and what an attempt keeps as its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dialer.calls.groups import UNGROUPED
from dialer.campaign.campaign import Campaign
from dialer.campaign.caps import Cap, read_cap
from dialer.rules.local_time import local_text
from dialer.rules.places import Group
from dialer.rules.rulebook import Rule, RuleBook
from dialer.rules.windows import HoursPolicy, Slot, Windows

FAR_US = 2**62
LOOK_AGAIN_US = 60_000_000
"""A group that never opens, as far as is known, is looked at again after so long."""
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
class Allowed:
    """The windows of a campaign's groups, as its lane asks for them many times a second.

    `groups` are the groups by id; UNGROUPED is bound by nothing but starts_at and ends_at.
    """

    windows: Windows
    groups: Mapping[int, Group]
    _slots: dict[int, tuple[int, Slot]] = field(default_factory=dict)
    _open: list[OpenGroup] = field(default_factory=list)
    _change_at_us: int = 0
    _bindings: dict[tuple[int, int], _Binding] = field(default_factory=dict)

    @property
    def always(self) -> bool:
        """Whether no window ever closes: there are no groups, or nothing that closes them."""
        return not self.groups and self.windows.policy.ends_at_us is None

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

    def slot(self, group_id: int, at_us: int) -> Slot | None:
        """Return the stretch in which the group may be called at that moment, or next; None if never."""
        known = self._slots.get(group_id)
        if known is not None and known[0] <= at_us < known[1].end_us:
            return known[1]
        group = self.groups.get(group_id)
        if group is None:
            return self._unbound(at_us)
        if self.windows.refusal(group, at_us) is not None:
            return None
        found = self.windows.next_slot(group, at_us)
        if found is not None:
            self._slots[group_id] = (at_us, found)
        return found

    def next_at_us(self, due: Mapping[int, int], now_us: int) -> int | None:
        """Return when the next contact may be called, by when each group's first is due; None if never."""
        slots = [self.slot(group_id, max(at_us, now_us)) for group_id, at_us in due.items()]
        return min((slot.begin_us for slot in slots if slot is not None), default=None)

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

    def _unbound(self, at_us: int) -> Slot | None:
        policy = self.windows.policy
        begin, end = policy.starts_at_us or 0, policy.ends_at_us or FAR_US
        return Slot(max(begin, at_us), end, "campaign starts_at") if at_us < end else None

    def _look(self, now_us: int) -> None:
        """Find what is open now, and when that changes next."""
        change_at_us = now_us + LOOK_AGAIN_US
        found = []
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
