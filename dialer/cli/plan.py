"""`dialer plan`: the real planner on a moving clock, no calls, nothing written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from sqlalchemy import Connection

from dialer.base.clock import as_datetime
from dialer.base.durations import parse_duration, show_duration
from dialer.base.errors import BadInput
from dialer.base.settings import Settings
from dialer.base.words import did_you_mean
from dialer.calls.assumed import Said, read_shares
from dialer.calls.campaigns import find
from dialer.calls.load import open_lists
from dialer.calls.outlook import Outlook, look_ahead, people_of
from dialer.calls.unloaded import Unloaded
from dialer.campaign import Campaign
from dialer.cli.deployment import CampaignName, Config, campaign_of, open_store, rules_of, settings_of
from dialer.cli.rules import NOT_ADVICE
from dialer.cli.show import err, loading_bar, most_first, out, print_json, print_table
from dialer.rules.local_time import local_text, zone_names
from dialer.schedule import next_due_at
from dialer.store.database import Store
from dialer.store.migrate import prepare
from dialer.tables.calendar import heat_map, hours, legend, write_calendar
from dialer.tables.slots import write_slots

SLOTS_SHOWN = 15
NO_RULES = "note: {} follows no calling rules (rules = [])"
LINES = {"mobile": "mobile", "fixed": "fixed", "either": "mobile or fixed"}
COSTS = ("least", "likely", "most")
BOUND_BY = {"pace": "the pace", "windows": "the calling hours", "redials": "redials, caps and retries"}


def plan(
    campaign: CampaignName,
    /,
    *,
    start: Annotated[
        str | None,
        Parameter(help="When dialing begins: 14h (so long from now), or a moment such as 2036-07-01T09:00."),
    ] = None,
    assume: Annotated[
        list[str] | None, Parameter(help="A share of the calls by outcome, such as no_answer=0.4.")
    ] = None,
    duration: Annotated[str | None, Parameter(help="How long a call takes, such as 90s.")] = None,
    cost_per_call: Annotated[float | None, Parameter(help="What a call costs.")] = None,
    calls_per_second: Annotated[float | None, Parameter(help="A pace below the limits.")] = None,
    zone: Annotated[str, Parameter(help="On whose clock the calendar is shown.")] = "UTC",
    contacts: Annotated[Path | None, Parameter(help="A file to write with one row per contact.")] = None,
    html: Annotated[Path | None, Parameter(help="A page to write with the calendar.")] = None,
    png: Annotated[Path | None, Parameter(help="A picture to write with the calendar.")] = None,
    json: bool = False,
    config: Config = None,
) -> int:
    """Say who would be called when, when it ends and what it costs; call nobody, write nothing.

    Works on a list that was not loaded yet. Windows, caps, do-not-call, budget and limits are those of the
    engine; what cannot be known is assumed, and said.

    Args:
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    said = campaign_of(campaign, settings)
    if zone not in zone_names():
        raise BadInput(f"there is no time zone '{zone}'{did_you_mean(zone, zone_names())}")
    assumed = Said(
        read_shares(_shares(assume or [])),
        parse_duration(duration) if duration else None,
        _positive("--cost-per-call", cost_per_call),
        _positive("--calls-per-second", calls_per_second),
    )
    start_us = _start(said, start)
    with _looking(settings, said) as (store, connection, loaded, outlook_of):
        outlook = outlook_of(assumed, start_us)
        by_hour = hours(outlook.timeline.quarters, zone)
        for file in (html, png):
            if file is not None:
                write_calendar(by_hour, file, f"{said.name}: planned calls", zone)
                err().print(f"calendar in {file}", markup=False)
        if contacts is not None:
            rows = write_slots(store, connection, outlook, contacts)
            err().print(f"{rows} contacts in {contacts}", markup=False)
    if json:
        print_json({**plan_json(outlook), "loaded": loaded, "calendar": by_hour.to_dicts()} | _rules(said))
        return 0
    _print(outlook, loaded)
    if said.hours.rules == ():
        out().print(NO_RULES.format(said.name), markup=False)
    for line in heat_map(by_hour):
        out().print(line, markup=False)
    if not by_hour.is_empty():
        out().print(f"calls by hour, {zone}; {legend(by_hour)}", markup=False)
    out().print(NOT_ADVICE, markup=False)
    return 0


def plan_json(outlook: Outlook) -> dict[str, Any]:
    """Return the plan as a JSON document; times are UTC."""
    line, cost = outlook.timeline, outlook.cost_range()
    return {
        "campaign": outlook.campaign,
        "planned_at": as_datetime(outlook.now_us),
        "run_at": as_datetime(line.began_us),
        "contacts": outlook.contacts,
        **outlook.by_when,
        "buckets": buckets_json(outlook),
        "start_at": _at(line.first_call_us),
        "last_call_at": _at(line.last_call_us),
        "finish_at": _at(line.finish_us),
        "bound_by": line.bound_by,
        "dialing_s": round(line.dialing_s),
        "closed_s": round(line.closed_s),
        "nobody_due_s": round(line.later_s),
        "calls": round(line.calls),
        "left_by_budget": round(line.budget_left),
        "left_by_windows": round(line.never_left),
        "cost": {name: round(total, 4) for name, total in zip(COSTS, cost, strict=True)} if cost else None,
        "assumed": list(outlook.grounded.notes),
        "calls_per_second": outlook.grounded.assumed.per_second,
        "slots": [
            {
                "time_zones": list(one.zones),
                "time_zones_from": one.zones_from or None,
                "jurisdictions": list(one.places),
                "line": one.line or None,
                "contacts": one.contacts,
                "next_call_at": _at(one.next_call_at_us),
                "local_time": local_of(one.zones, one.next_call_at_us),
                "decided_by": one.decided_by,
                "first_call_planned_at": _at(one.first_call_at_us),
                "first_calls_done_at": _at(one.first_calls_done_at_us),
            }
            for one in outlook.slots
        ],
    }


def buckets_json(outlook: Outlook) -> list[dict[str, Any]]:
    """Return every bucket as it stands in JSON documents; `next_at` is UTC."""
    return [
        {
            "bucket": one.bucket,
            "contacts": one.contacts,
            "when": one.when,
            "next_at": _at(one.next_at_us),
            "says": one.says,
            "detail": one.detail,
        }
        for one in outlook.buckets
    ]


def local_of(zones: Sequence[str], at_us: int | None) -> str | None:
    """Return the moment on the clock of the first of the zones; None where either is not known."""
    return local_text(zones[0], at_us) if zones and at_us is not None else None


def zones_text(zones: Sequence[str]) -> str | None:
    """Return the first zone, and how many others may be the contact's."""
    others = f" and {len(zones) - 1} more" if len(zones) > 1 else ""
    return f"{zones[0]}{others}" if zones else None


def moment(at_us: int | None) -> str | None:
    """Return the moment to the minute, UTC."""
    return f"{as_datetime(at_us):%Y-%m-%d %H:%M} UTC" if at_us is not None else None


def print_buckets(outlook: Outlook) -> None:
    """Print every bucket with its contacts and when the first of them can move."""
    print_table(
        "",
        ("bucket", "contacts", "moves", "next", "why", "decided by"),
        [
            (
                one.bucket,
                one.contacts,
                one.when,
                None if one.when == "now" else moment(one.next_at_us),
                one.says,
                one.detail,
            )
            for one in outlook.buckets
        ],
    )


@contextmanager
def _looking(settings: Settings, said: Campaign) -> Iterator[Any]:
    """Open the database, or an empty one in its place, and the list in it where it was not loaded yet."""
    account, rules = said.account(settings), rules_of(settings)
    with _store(settings) as store:
        with store.read() as connection:
            known = find(store, connection, said.name)
            loaded = known is not None and _has_contacts(connection, known.campaign_id)
        unloaded = None
        if not loaded:
            with loading_bar() as watch:
                unloaded = Unloaded(said, open_lists(said), watch)
        with store.read() as connection:
            if unloaded is not None:
                people = unloaded.stage(connection)
            else:
                assert known is not None
                people = people_of(store, connection, known.campaign_id)

            def outlook_of(assumed: Said, start_us: int | None) -> Outlook:
                return look_ahead(
                    store,
                    connection,
                    said,
                    account,
                    rules,
                    people,
                    said=assumed,
                    start_us=start_us,
                    dialed=True,
                )

            yield store, connection, loaded, outlook_of
            if unloaded is not None:
                unloaded.drop(connection)


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    there = Store(settings.database_url)
    file = there.file
    there.close()
    if file is None or file.exists():
        with open_store(settings) as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="dialer-plan-") as folder:
        store = Store(f"sqlite:///{folder}/plan.db")
        try:
            prepare(store)
            yield store
        finally:
            store.close()


def _has_contacts(connection: Connection, campaign_id: int) -> bool:
    found = connection.exec_driver_sql(
        f"SELECT 1 FROM contacts WHERE campaign_id = {campaign_id:d} LIMIT 1"  # noqa: S608 - a number
    )
    return found.first() is not None


def _print(outlook: Outlook, loaded: bool) -> None:
    console, line, counts = out(), outlook.timeline, outlook.by_when
    source = "its contacts" if loaded else "its list, not loaded yet"
    later = f", to start at {moment(line.began_us)}" if line.began_us > outlook.now_us else ""
    told = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    console.print(
        f"{outlook.campaign}: planned from {source}{later}; {outlook.contacts} contacts: {told}", markup=False
    )
    print_buckets(outlook)
    if line.first_call_us is None:
        console.print("nobody would be called", markup=False)
    else:
        console.print(
            f"start {moment(line.first_call_us)}, last call {moment(line.last_call_us)}, "
            f"finish {moment(line.finish_us)}: {line.calls:,.0f} calls",
            markup=False,
        )
        console.print(f"  {bound_words(outlook)}", markup=False)
    if line.budget_left >= 1:
        console.print(f"  the budget ends it: {line.budget_left:,.0f} contacts are left over", markup=False)
    if line.never_left >= 1:
        console.print(f"  no window is left for {line.never_left:,.0f} contacts", markup=False)
    cost = outlook.cost_range()
    if cost is not None:
        console.print(f"cost {cost[1]:,.2f}, between {cost[0]:,.2f} and {cost[2]:,.2f}", markup=False)
    for note in outlook.grounded.notes:
        console.print(f"  assumed: {note}", markup=False)
    _print_slots(outlook)


def bound_words(outlook: Outlook) -> str:
    """Return what decides when it ends, with the time that each cause takes."""
    line = outlook.timeline
    parts = {"dialing": line.dialing_s, "closed": line.closed_s, "nobody due": line.later_s}
    told = ", ".join(f"{show_duration(took_s)} {name}" for name, took_s in most_first(_whole(parts)))
    return f"decided by {BOUND_BY.get(line.bound_by or '', 'nothing')}: {told}"


def _whole(parts: dict[str, float]) -> dict[str, int]:
    return {name: round(took_s) for name, took_s in parts.items() if took_s >= 1}


def _print_slots(outlook: Outlook) -> None:
    # Only where it tells groups apart: most lists have one.
    several = len({one.zones_from for one in outlook.slots}) > 1
    rows = [
        (
            zones_text(one.zones),
            *((one.zones_from or None,) if several else ()),
            ",".join(one.places) or None,
            LINES.get(one.line),
            one.contacts,
            moment(one.next_call_at_us),
            local_of(one.zones, one.next_call_at_us),
            one.decided_by,
            moment(one.first_call_at_us),
        )
        for one in outlook.slots
    ]
    if not rows:
        return
    columns = (
        *(("time zones", "zones from") if several else ("time zones",)),
        *("jurisdictions", "line", "contacts", "may be called", "local", "decided by", "planned"),
    )
    shown = "" if len(rows) <= SLOTS_SHOWN else f" (the first {SLOTS_SHOWN} of {len(rows)} groups)"
    print_table(f"Next legal slots{shown}", columns, rows[:SLOTS_SHOWN])


def _start(said: Campaign, text: str | None) -> int | None:
    """Return when dialing begins: as said, else the next time of the campaign's cron, else now (None)."""
    now_us = round(datetime.now(UTC).timestamp() * 1e6)
    if text is not None:
        start_us = _moment_said(text, now_us)
        if start_us < now_us - 60_000_000:
            raise BadInput(f"--start {text}: is over already; leave it out to plan from now on")
        return start_us
    if said.hours.cron is None or said.hours.cron_time_zone is None:
        return None
    return next_due_at(said.hours.cron, said.hours.cron_time_zone, now_us)


def _moment_said(text: str, now_us: int) -> int:
    """Return the moment that somebody wrote: so long from now, or a date and time, in UTC by default."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now_us + round(parse_duration(text) * 1e6)
        except BadInput:
            raise BadInput(
                f"'{text}' is no moment, expected one such as 2036-07-01T09:00 (UTC), or 14h from now"
            ) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e6)


def _shares(words: Sequence[str]) -> dict[str, float]:
    shares = {}
    for word in words:
        outcome, equals, share = word.partition("=")
        try:
            shares[outcome.strip()] = float(share)
        except ValueError:
            equals = ""
        if not equals:
            raise BadInput(f"--assume {word}: expected an outcome and its share, such as no_answer=0.4")
    return shares


def _rules(said: Campaign) -> dict[str, bool]:
    return {"rules_followed": said.hours.rules != ()}


def _positive(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise BadInput(f"{name} {value:g}: expected more than 0")
    return value


def _at(at_us: int | None) -> datetime | None:
    return as_datetime(at_us) if at_us is not None else None
