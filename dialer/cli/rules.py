"""`dialer rules list`, `show` and `check`: which rules there are, and what they mean for a number."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

import polars as pl
from cyclopts import Parameter
from phonenumbers import SUPPORTED_REGIONS

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.cli.deployment import Config, settings_of
from dialer.cli.show import out, print_json, print_table
from dialer.contacts import parse_numbers
from dialer.rules.local_time import local_text, zone_names
from dialer.rules.places import Group, group_keys, states
from dialer.rules.rows import VERIFIED
from dialer.rules.rulebook import Rule, RuleBook, read_rulebook
from dialer.rules.windows import HoursPolicy, Slot, Windows

NOT_ADVICE = "Engineering readings of public text, not legal advice: have a lawyer confirm what you rely on."


def list_rules(
    region: Annotated[str | None, Parameter(help="A country or state, such as US or US-FL.")] = None,
    /,
    *,
    on: Annotated[str | None, Parameter(help="Only what holds on this day, YYYY-MM-DD.")] = None,
    json: bool = False,
    config: Config = None,
) -> int:
    """List the rules, each with its source and how far it was verified.

    Args:
        json: Print one JSON document instead of a table.
    """
    book = _book(config)
    day = _day(on) if on else None
    place = None if region is None else _place(region, book)
    rules = [
        rule
        for rule in book.rules
        if (
            place is None
            or rule.region in (place, place.partition("-")[0])
            or rule.region.startswith(f"{place}-")
        )
        and (day is None or rule.valid_on(day))
    ]
    if not rules:
        raise BadInput(f"no rule of its own for '{region}'; `dialer rules show strictest` is what binds then")
    if json:
        print_json({"version": book.version, "rules": [_plain(rule) for rule in rules]})
        return 0
    print_table(
        f"Calling rules, version {book.version}",
        ("id", "region", "from", "to", "hours on the called person's clock", "caps", "source", "verified"),
        [
            (
                rule.id,
                rule.region,
                rule.valid_from,
                rule.valid_to,
                _hours(rule),
                ", ".join(f"{cap}".partition(" (")[0] for cap in rule.caps) or None,
                rule.source,
                rule.verified,
            )
            for rule in rules
        ],
    )
    out().print(
        "verified: " + "; ".join(f"{code} = {words}" for code, words in VERIFIED.items()), markup=False
    )
    out().print(NOT_ADVICE, markup=False)
    return 0


def show(
    rule: Annotated[str, Parameter(help="A rule's id.")], /, *, json: bool = False, config: Config = None
) -> int:
    """Show everything about one rule, in all its dated rows.

    Args:
        json: Print one JSON document instead of lines.
    """
    book = _book(config)
    rows = book.of_id(rule)
    if json:
        print_json([_plain(row) for row in rows])
        return 0
    for row in rows:
        for name, value in _plain(row).items():
            if value not in (None, "", [], False):
                out().print(f"{name + ':':16} {value}", markup=False)
        out().print(f"{'verified means:':16} {VERIFIED[row.verified]}", markup=False)
        out().print()
    out().print(NOT_ADVICE, markup=False)
    return 0


def check(
    number: Annotated[str, Parameter(help="A number in E.164, such as +13055550123.")],
    /,
    *,
    at: Annotated[
        str | None,
        Parameter(help="A moment, 2026-12-01T15:00, UTC without an offset; now if left out."),
    ] = None,
    zone: Annotated[str | None, Parameter(help="The person's time zone, where it is known.")] = None,
    region: Annotated[str | None, Parameter(help="ISO country code, for a number without one.")] = None,
    state: Annotated[str | None, Parameter(help="The state or province of the address.")] = None,
    postal_code: Annotated[str | None, Parameter(help="The postal code of the address.")] = None,
    consent: Annotated[bool, Parameter(help="The person gave the consent that refusals ask for.")] = False,
    json: bool = False,
    config: Config = None,
) -> int:
    """Say whether a number may be called at a moment, by which rules, and when next.

    Args:
        json: Print one JSON document instead of lines.
    """
    group = _group(number, zone, state, postal_code, region)
    windows = Windows(_book(config), HoursPolicy(consent=consent))
    at_us = _moment(at)
    when = "now" if at is None else "at that moment"
    refusal = windows.refusal(group, at_us)
    slot = None if refusal else windows.next_slot(group, at_us)
    evidence = windows.evidence(group, at_us)
    answer: dict[str, Any] = {
        "may_be_called_now": refusal is None and slot is not None and slot.begin_us <= at_us,
        "never": f"{refusal.id}: {refusal.title}" if refusal else None,
        "next_from": _utc(slot.begin_us) if slot else None,
        "until": _utc(slot.end_us) if slot else None,
        "decided_by": slot.decided_by if slot else None,
        "jurisdictions": list(group.places),
        "zones": list(group.zones),
        "zones_from": group.zones_from,
        "local_time": evidence.local_time,
        "rules": evidence.rules,
        "caps": [str(cap) for cap in windows.caps(group, at_us)],
    }
    if json:
        print_json(answer)
        return 0
    print_answer(group, slot, refusal, answer, when)
    return 0


def print_answer(
    group: Group, slot: Slot | None, refusal: Rule | None, answer: dict[str, Any], when: str
) -> None:
    """Print what `check` found, for a person."""
    console = out()
    if refusal is not None:
        console.print(f"Never: {refusal.id}, {refusal.title} ({refusal.source}).", markup=False)
        if refusal.unless_consent:
            console.print("Only with the person's consent: [hours] consent = true.", markup=False)
    elif slot is None:
        console.print("Never: no zone or no rule is known for this number.", markup=False)
    elif answer["may_be_called_now"]:
        console.print(f"May be called {when}, until {_local(group, slot.end_us)}.", markup=False)
    else:
        console.print(f"Not {when}; from {_local(group, slot.begin_us)} ({slot.decided_by}).", markup=False)
    for name in ("jurisdictions", "zones", "zones_from", "local_time", "rules", "caps"):
        value = answer[name]
        console.print(
            f"{name + ':':14} {', '.join(value) if isinstance(value, list) else value}", markup=False
        )
    console.print(NOT_ADVICE, markup=False)


def _place(said: str, book: RuleBook) -> str:
    """Return the country or state that a person means by its code, or a state by its name."""
    codes = {*states(), *SUPPORTED_REGIONS, *(rule.region for rule in book.rules)}
    names = {one.name.casefold(): one.place for one in states().values()}
    if said.upper() in codes:
        return said.upper()
    if said.casefold() in names:
        return names[said.casefold()]
    known = [*codes, *(one.name for one in states().values())]
    raise BadInput(f"there is no region '{said}'{did_you_mean(said, known)}; expected such as US or US-FL")


def _book(config: Config) -> RuleBook:
    return read_rulebook(settings_of(config).rules)


def _group(
    number: str, zone: str | None, state: str | None, postal_code: str | None, region: str | None = None
) -> Group:
    if zone is not None and zone not in zone_names():
        raise BadInput(f"there is no time zone '{zone}', expected a name such as America/New_York")
    rows = parse_numbers(pl.Series("phone", [number]), region)
    if not rows["valid"][0]:
        raise BadInput(f"'{number}' is no valid number; write + and its country code, or say --region")
    own = {"own_zone": zone, "state": state, "postal_code": postal_code}
    frame = rows.with_columns(*(pl.lit(value, dtype=pl.String).alias(name) for name, value in own.items()))
    keys = group_keys(frame, own_zone="own_zone", state="state", postal_code="postal_code")
    return Group.of_key(keys[0])


def _hours(rule: Rule) -> str | None:
    parts = [str(rule.week)] if rule.week else []
    if rule.automated_week:
        parts.append(f"automated voice: {rule.automated_week}")
    if rule.refuses:
        line = "calls to mobiles" if rule.refuses == "mobile" else "any call"
        parts.append(f"refuses {line}" + (" without consent" if rule.unless_consent else ""))
    return "; ".join(parts) or None


def _plain(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "region": rule.region,
        "title": rule.title,
        "valid_from": rule.valid_from.isoformat() if rule.valid_from else None,
        "valid_to": rule.valid_to.isoformat() if rule.valid_to else None,
        "hours": str(rule.week) if rule.week else None,
        "automated": str(rule.automated_week) if rule.automated_week else None,
        "caps": [str(cap) for cap in rule.caps],
        "refuses": rule.refuses,
        "unless_consent": rule.unless_consent,
        "only_by_name": rule.optional,
        "source": rule.source,
        "verified": rule.verified,
        "note": rule.note,
        "version": rule.version,
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"'{text}' is no day, expected YYYY-MM-DD") from None


def _moment(text: str | None) -> int:
    if text is None:
        return round(datetime.now(UTC).timestamp() * 1e6)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"'{text}' is no moment, expected one such as 2026-12-01T15:00") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


def _utc(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="minutes")


def _local(group: Group, at_us: int) -> str:
    return f"{local_text(group.zones[0], at_us)} {group.zones[0]}"
