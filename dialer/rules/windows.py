"""When a group of contacts may be called: rules, zones and the campaign's own hours, met.

A moment is open when it is open by every rule that binds, on the clock of every candidate zone. Nothing
known means closed. Nothing here is evaluated per contact: groups are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations
from typing import Literal, NamedTuple

from dialer.base.errors import BadInput
from dialer.campaign.caps import Cap
from dialer.campaign.hours import DAY_S, WHOLE_DAY, Spans, Week
from dialer.campaign.hours import meet as meet_hours
from dialer.rules.local_time import local_date, local_text, offset_s, open_spans
from dialer.rules.places import Group
from dialer.rules.public_holidays import is_holiday
from dialer.rules.rulebook import STRICTEST, Rule, RuleBook
from dialer.rules.spans import Span, join, meet, next_span, span_at

DAY_US = 86_400_000_000
FARTHEST_DAYS = 400
"""How far ahead the next opening is looked for: over every holiday and every change of clocks."""

KEPT_DAYS_MAX = 200_000
ANY_DAY_S = 1_767_225_600
"""Zones are compared as of 2026-01-01: another day might be quicker here and there, and no less right."""


@dataclass(frozen=True, slots=True)
class HoursPolicy:
    """What a campaign says of hours.

    `rules`: "auto", "own", or ids of rules. `week`: the campaign's own hours on the contact's clock (None:
    any). `keep_holidays`: nobody is called on a public holiday. `margin_us`: no launch so shortly before
    closing. `consent`: every contact gave the consent that a refusal asks for.
    """

    rules: Literal["auto", "own"] | tuple[str, ...] = "auto"
    week: Week | None = None
    keep_holidays: bool = False
    unknown_zone: Literal["strictest", "hold"] = "strictest"
    starts_at_us: int | None = None
    ends_at_us: int | None = None
    margin_us: int = 0
    consent: bool = False
    caps: tuple[Cap, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A legal stretch of time: its first moment, its end (a launch must begin before), and who decided
    that it does not begin earlier.
    """

    begin_us: int
    end_us: int
    decided_by: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a call was allowed at a moment, as an attempt keeps it."""

    zone: str
    zone_from: str
    local_time: str
    rules: str


class _Day(NamedTuple):
    """What binds people in some places on a date, whatever their clock: rules, and the hours they leave."""

    rules: tuple[Rule, ...]
    hours: Spans


@dataclass(frozen=True)
class Windows:
    """The windows of one campaign's groups; what was evaluated is kept, day by day.

    Rules are read once for a place and date, and hours put on a zone's clock once, however many groups
    share them.
    """

    book: RuleBook
    policy: HoursPolicy
    _days: dict[tuple[tuple[str, ...], date], _Day] = field(default_factory=dict)

    @property
    def unbound(self) -> bool:
        """Whether nothing binds anybody: `rules = []` without hours of the campaign's own, and no blocks."""
        policy = self.policy
        own = policy.week is not None or policy.keep_holidays
        return policy.rules == () and not own and not self.book.blocks

    def check(self) -> None:
        """Make sure that every rule named exists and that the campaign's own hours are ever open.

        Raises:
            BadInput: a rule is misspelt (with the nearest), or the hours contradict each other.
        """
        if isinstance(self.policy.rules, tuple):
            for rule_id in self.policy.rules:
                self.book.of_id(rule_id)
            weeks = [rule.weeks for rule_id in self.policy.rules for rule in self.book.of_id(rule_id)[-1:]]
            hours = [week for some in weeks for week in some]
        else:
            hours = []
        if self.policy.week is not None:
            hours.append(self.policy.week)
        longest_s = max((end - begin for day in range(7) for begin, end in _meet_days(hours, day)), default=0)
        if hours and longest_s and longest_s < DAY_S and longest_s * 1_000_000 <= self.policy.margin_us:
            raise BadInput(
                f"[hours] is never open: {self.policy.margin_us / 1e6:g} s before closing nobody is called "
                f"(margin_s), and the longest window has {longest_s} s; widen it or lower `margin_s`"
            )
        if hours and not longest_s:
            raise BadInput(
                "[hours] is never open: the campaign's own days and hours"
                + (" and the rules that it names" if len(hours) > 1 else "")
                + " leave no moment of the week; widen `days`, `start` or `end`"
            )

    def open(self, group: Group, begin_us: int, end_us: int) -> list[Span]:
        """Return when contacts of the group may be launched within a stretch of time.

        The margin before closing is taken off already.
        """
        spans = self._of_time(begin_us, end_us)
        if self.unbound:
            return meet(spans, [(begin_us, end_us)])
        if not spans or not group.zones or not self.rules_known(group):
            return []
        for zone in farthest_apart_first(group.zones):
            spans = meet(spans, join(self._zone_spans(group, zone, begin_us, end_us + DAY_US)))
            if not spans:
                return []
        margin_us = self.policy.margin_us
        launch = [(begin, end - margin_us) for begin, end in spans if end - begin > margin_us]
        return meet(launch, [(begin_us, end_us)])

    def is_open(self, group: Group, at_us: int) -> bool:
        """Return whether a contact of the group may be launched now."""
        return span_at(self.open(group, at_us - 2 * DAY_US, at_us + 2 * DAY_US), at_us) is not None

    def next_slot(self, group: Group, at_us: int) -> Slot | None:
        """Return the stretch that holds the moment, or the first one after it; None where none comes."""
        step_us = DAY_US  # most open within a day
        begin_us = at_us
        while begin_us < at_us + FARTHEST_DAYS * DAY_US:
            span = next_span(self.open(group, begin_us - 2 * DAY_US, begin_us + step_us), begin_us)
            if span is not None:
                begin = max(span[0], at_us)
                return Slot(begin, span[1], self._decider(group, begin, span[0]))
            begin_us += step_us
            step_us = 8 * DAY_US
        return None

    def rules_on(self, group: Group, day: date) -> tuple[Rule, ...]:
        """Return the rules that bind the group on a local day, strictest ones of last resort included."""
        return self._day(group, day).rules

    def rules_known(self, group: Group) -> bool:
        """Return whether the group may be called at all by what is known: with `hold`, only then."""
        if self.policy.rules != "auto" or self.policy.unknown_zone == "strictest":
            return bool(group.zones)
        return bool(group.zones) and not any(
            place.endswith("*") or self._lacks_hours(place, date.max) for place in group.places
        )

    def caps(self, group: Group, at_us: int) -> tuple[Cap, ...]:
        """Return the caps of the rules that bind the group at a moment, and the campaign's own."""
        found = set(self.policy.caps)
        for zone in group.zones or ("UTC",):
            for rule in self.rules_on(group, local_date(zone, at_us)):
                found.update(rule.caps)
        return tuple(sorted(found))

    def refusal(self, group: Group, at_us: int) -> Rule | None:
        """Return the rule that no waiting cures, None where there is none."""
        for zone in group.zones or ("UTC",):
            for rule in self.rules_on(group, local_date(zone, at_us)):
                if rule.refuses is None or (rule.unless_consent and self.policy.consent):
                    continue
                if rule.refuses == "any" or group.line != "fixed":
                    return rule
        return None

    def evidence(self, group: Group, at_us: int) -> Evidence:
        """Return what an attempt at this moment keeps: zones, local times, rules and their version."""
        names: dict[str, None] = {}
        for zone in group.zones:
            rules = self.rules_on(group, local_date(zone, at_us))
            names.update(dict.fromkeys(rule.name for rule in rules if rule.binds))
        if self.policy.week is not None or self.policy.keep_holidays:
            names["campaign"] = None
        return Evidence(
            ",".join(group.zones),
            group.zones_from,
            ",".join(local_text(zone, at_us) for zone in group.zones),
            f"{' '.join(names) or 'none'}; {self.book.version}",
        )

    # -- one local day ------------------------------------------------------------------------------

    def _of_time(self, begin_us: int, end_us: int) -> list[Span]:
        first = max(begin_us, self.policy.starts_at_us or begin_us)
        # A window that reaches beyond the stretch must be seen to its end: the margin counts from there.
        last = min(end_us + DAY_US, self.policy.ends_at_us or end_us + DAY_US)
        return [(first, last)] if first < last else []

    def _zone_spans(self, group: Group, zone: str, begin_us: int, end_us: int) -> Iterator[Span]:
        day = local_date(zone, begin_us) - timedelta(days=1)
        last = local_date(zone, end_us)
        while day <= last:
            yield from self._day_spans(group, zone, day)
            day += timedelta(days=1)

    def _day_spans(self, group: Group, zone: str, day: date) -> tuple[Span, ...]:
        hours = self._day(group, day).hours
        return open_spans(zone, day, hours) if hours else ()

    def _day(self, group: Group, day: date) -> _Day:
        key = (group.places, day)
        known = self._days.get(key)
        if known is None:
            if len(self._days) >= KEPT_DAYS_MAX:
                self._days.clear()
            rules = tuple(self._rules(group, day))
            known = self._days[key] = _Day(rules, self._hours(group, rules, day))
        return known

    def _hours(self, group: Group, rules: Sequence[Rule], day: date) -> Spans:
        if any(self.book.blocked(place, day) for place in group.places):
            return ()
        hours = WHOLE_DAY
        for rule in rules:
            hours = meet_hours(hours, rule_hours(rule, group.places, day))
        if self.policy.week is not None:
            hours = meet_hours(hours, self.policy.week.on(day.weekday(), holiday=False))
        if self.policy.keep_holidays and is_holiday(_real(group.places), (), day):
            return ()
        return hours

    def _rules(self, group: Group, day: date) -> Iterator[Rule]:
        if self.policy.rules == "own":
            return
        if isinstance(self.policy.rules, tuple):
            for rule_id in self.policy.rules:
                yield from (rule for rule in self.book.of_id(rule_id) if rule.valid_on(day))
            return
        for place in group.places:
            yield from (rule for rule in self.book.of_region(place) if rule.valid_on(day))
        if not group.places or any(self._lacks_hours(place, day) for place in group.places):
            yield from (rule for rule in self.book.of_id(STRICTEST) if rule.valid_on(day))

    def _lacks_hours(self, place: str, day: date) -> bool:
        """Whether a country has no hours that are known; a state without its own has its country's."""
        if "-" in place:
            return False
        return not any(
            rule.weeks and (day == date.max or rule.valid_on(day)) for rule in self.book.of_region(place)
        )

    def _decider(self, group: Group, begin_us: int, opened_us: int) -> str:
        """Return whose hours begin where the stretch begins; `now` where it is open already."""
        if begin_us > opened_us:
            return "open"
        if self.policy.starts_at_us == begin_us:
            return "campaign starts_at"
        names: dict[str, None] = {}
        for zone in group.zones:
            day = local_date(zone, begin_us)
            if not any(begin == begin_us for begin, _ in self._day_spans(group, zone, day)):
                continue
            for rule in self.rules_on(group, day):
                for week in rule.weeks:
                    holiday = week.holiday is not None and _is_holiday(rule, group.places, day)
                    spans = open_spans(zone, day, week.on(day.weekday(), holiday=holiday))
                    if any(begin == begin_us for begin, _ in spans):
                        names[rule.id] = None
            own = self.policy.week
            if own is not None:
                spans = open_spans(zone, day, own.on(day.weekday(), holiday=False))
                if any(begin == begin_us for begin, _ in spans):
                    names["campaign hours"] = None
        return " ".join(names) or "open"


def rule_hours(rule: Rule, places: Sequence[str], day: date) -> Spans:
    """Return the hours that a rule leaves open on a local day to somebody in these places."""
    hours = WHOLE_DAY
    for week in rule.weeks:
        closed = week.holiday is not None and _is_holiday(rule, places, day)
        hours = meet_hours(hours, week.on(day.weekday(), holiday=closed))
    return hours


def _is_holiday(rule: Rule, places: Sequence[str], day: date) -> bool:
    own = () if "*" in rule.region else (rule.region,)
    calendars = rule.holidays or own or _real(places)
    return is_holiday(tuple(calendars), rule.holidays_also, day)


@lru_cache(maxsize=4096)
def farthest_apart_first(zones: tuple[str, ...]) -> tuple[str, ...]:
    """Return the zones with the two first whose clocks are nearest to twelve hours apart.

    What is open on every clock is the same in any order; in this one a group whose zones are never open
    together is mostly done with after two of them, not after forty.
    """
    if len(zones) < 3:
        return zones
    offsets = {zone: offset_s(zone, ANY_DAY_S) for zone in zones}
    far = max(combinations(zones, 2), key=lambda pair: _apart_s(offsets[pair[0]] - offsets[pair[1]]))
    return (*far, *(zone for zone in zones if zone not in far))


def _apart_s(difference_s: int) -> int:
    """Return how far two clocks are apart where a day later is the same time of day."""
    return min(difference_s % DAY_S, -difference_s % DAY_S)


@lru_cache(maxsize=1024)
def _real_places(places: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(place for place in places if "*" not in place)


def _real(places: Sequence[str]) -> tuple[str, ...]:
    return _real_places(tuple(places))


def _meet_days(weeks: Sequence[Week], day: int) -> Spans:
    hours = WHOLE_DAY
    for week in weeks:
        hours = meet_hours(hours, week.on(day, holiday=False))
    return hours
