"""The rules: dated rows of presets and of the user's own file, and which of them bind on a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

import orjson

from dialer.base.errors import BadInput
from dialer.base.toml import TomlFile, read_toml
from dialer.base.words import did_you_mean
from dialer.campaign.caps import Cap, read_cap
from dialer.campaign.hours import Week, read_week
from dialer.rules.rows import RuleRow, read_rows

PRESETS = Path(__file__).with_name("presets")
PRESET_FILES = ("united_states.toml", "world.toml")

STRICTEST = "strictest"
"""The rule for whom no other rule with hours is found."""
US_STRICTEST = "us-strictest"
"""The rule for a US number whose state is not known."""

Line = Literal["mobile", "fixed", "either"]
"""What a number may be: `either` where the number plan does not tell mobiles from fixed lines."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One dated row: what it says, from when to when (local dates, inclusive), and where that stands.

    `week` holds the hours of every call, `automated_week` those of calls with an artificial voice on top.
    `refuses`: the kind of line that may not be called at all, `any` for every one.
    """

    id: str
    region: str
    title: str
    valid_from: date | None
    valid_to: date | None
    week: Week | None
    automated_week: Week | None
    holidays: tuple[str, ...]
    holidays_also: tuple[str, ...]
    caps: tuple[Cap, ...]
    refuses: Literal["mobile", "any"] | None
    unless_consent: bool
    optional: bool
    source: str
    verified: str
    note: str
    version: str

    def valid_on(self, day: date) -> bool:
        """Return whether the row binds on a local day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )

    @property
    def name(self) -> str:
        """The id with the date from which the row holds, as the evidence of an attempt writes it."""
        return self.id if self.valid_from is None else f"{self.id}@{self.valid_from.isoformat()}"

    @property
    def binds(self) -> bool:
        """Whether the row decides anything about a call; the others only inform."""
        return bool(self.weeks or self.caps or self.refuses)

    @property
    def weeks(self) -> tuple[Week, ...]:
        """The hours that must all be open for a call with an artificial voice."""
        return tuple(week for week in (self.week, self.automated_week) if week is not None)


@dataclass(frozen=True, slots=True)
class Block:
    """No calls into a region on these local days (inclusive), whatever the hours."""

    region: str
    reason: str
    since: date
    until: date | None

    def holds_on(self, day: date) -> bool:
        """Return whether calls are blocked on a local day."""
        return self.since <= day and (self.until is None or day <= self.until)


class RuleBook:
    """All rules, by region and id. `version` names the presets and, where there is one, the user's file: what
    it calls itself, and a digest of what it says, because people forget to change the former.
    """

    def __init__(self, rules: Iterable[Rule], blocks: Iterable[Block], version: str) -> None:
        self.rules = tuple(rules)
        self.blocks = tuple(blocks)
        self.version = version
        self._by_region: dict[str, list[Rule]] = {}
        self._by_id: dict[str, list[Rule]] = {}
        for rule in self.rules:
            self._by_region.setdefault(rule.region, []).append(rule)
            self._by_id.setdefault(rule.id, []).append(rule)

    def ids(self) -> list[str]:
        """Return every rule's id, sorted."""
        return sorted(self._by_id)

    def of_region(self, region: str) -> list[Rule]:
        """Return the rows that bind a region by themselves: not the optional ones."""
        return [rule for rule in self._by_region.get(region, ()) if not rule.optional]

    def of_id(self, rule_id: str) -> list[Rule]:
        """Return the rows of an id, of all dates.

        Raises:
            BadInput: there is none; with the nearest id.
        """
        rules = self._by_id.get(rule_id)
        if not rules:
            raise BadInput(
                f"there is no rule '{rule_id}'{did_you_mean(rule_id, self._by_id)}; see `dialer rules list`"
            )
        return rules

    def blocked(self, region: str, day: date) -> Block | None:
        """Return the block that holds in a region, or in its country, on a local day.

        A state that is not known (`US-*`) may be any that is blocked.
        """
        country, _, state = region.partition("-")
        for one in self.blocks:
            here = one.region in (region, country) or (state == "*" and one.region.startswith(f"{country}-"))
            if here and one.holds_on(day):
                return one
        return None


def read_rulebook(own_file: Path | None = None) -> RuleBook:
    """Return the presets, overridden by the user's own file where there is one.

    A rule of the own file replaces the presets' rows of the same id from its `valid_from` on (from ever,
    where it has none); `off = true` takes the rule away from that day.

    Raises:
        BadInput: the own file cannot be read or says something that cannot be meant.
    """
    if own_file is None:
        return _presets()
    presets = _presets()
    toml = read_toml(own_file)
    rows = read_rows(toml, own=True)
    for number, row in enumerate(rows.rules):
        if row.off and row.id not in presets.ids():
            raise BadInput(
                f"{toml.where(('rule', number, 'off'))}: off = true for rule '{row.id}', which does not exist"
                f"{did_you_mean(row.id, presets.ids())}"
            )
    version = f"{presets.version}+own {rows.version} {_digest(toml)}"
    own = [_rule(row, rows.version) for row in rows.rules if not row.off]
    kept = list(presets.rules)
    for row in rows.rules:
        kept = [cut for rule in kept for cut in _before(rule, row)]
    blocks = [Block(row.region, row.reason, row.since, row.until) for row in rows.blocks]
    return RuleBook([*kept, *own], blocks, version)


@lru_cache(maxsize=1)
def _presets() -> RuleBook:
    rules: list[Rule] = []
    versions = set()
    for name in PRESET_FILES:
        rows = read_rows(_preset_toml(name), own=False)
        versions.add(rows.version)
        rules.extend(_rule(row, rows.version) for row in rows.rules)
    return RuleBook(rules, (), "/".join(sorted(versions)))


def _preset_toml(name: str) -> TomlFile:
    return read_toml(PRESETS / name)


def _digest(toml: TomlFile) -> str:
    said = orjson.dumps(toml.values, option=orjson.OPT_SORT_KEYS, default=str)
    return sha256(said).hexdigest()[:8]


def _before(rule: Rule, own: RuleRow) -> list[Rule]:
    """Return what is left of a preset's row when the user's row of the same id takes over."""
    if rule.id != own.id:
        return [rule]
    if own.valid_from is None or (rule.valid_from is not None and rule.valid_from >= own.valid_from):
        return []
    last = date.fromordinal(own.valid_from.toordinal() - 1)
    if rule.valid_to is not None and rule.valid_to <= last:
        return [rule]
    values = {name: getattr(rule, name) for name in Rule.__dataclass_fields__}
    return [Rule(**{**values, "valid_to": last})]


def _rule(row: RuleRow, version: str) -> Rule:
    refuses: Mapping[str, object] = row.refuses or {}
    line = refuses.get("line")
    return Rule(
        id=row.id,
        region=row.region or row.id,
        title=row.title,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        week=read_week(row.hours) if row.hours else None,
        automated_week=read_week(row.automated) if row.automated else None,
        holidays=tuple(row.holidays),
        holidays_also=tuple(row.holidays_also),
        caps=tuple(read_cap(text, row.id) for text in row.caps),
        refuses="mobile" if line == "mobile" else "any" if line == "any" else None,
        unless_consent=bool(refuses.get("unless_consent", False)),
        optional=row.optional,
        source=row.source,
        verified=row.verified,
        note=row.note,
        version=version,
    )
