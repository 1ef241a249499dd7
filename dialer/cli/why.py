"""`dialer why`: why each contact is not being called now, and when it can be; everything about one number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import polars as pl
from cyclopts import Parameter
from sqlalchemy import Connection, text

from dialer.base.clock import as_datetime
from dialer.base.errors import BadInput
from dialer.calls import suppressions
from dialer.calls.campaigns import find
from dialer.calls.outlook import Outlook, look_ahead, people_of
from dialer.campaign import Campaign
from dialer.cli.deployment import CampaignName, Config, campaign_of, open_store, rules_of, settings_of
from dialer.cli.plan import NO_RULES, buckets_json, local_of, moment, print_buckets
from dialer.cli.rules import NOT_ADVICE
from dialer.cli.show import out, print_json, print_table
from dialer.contacts import normalize
from dialer.rules.local_time import local_moment
from dialer.rules.windows import DAY_US
from dialer.schedule import next_due_at
from dialer.store.database import Store
from dialer.tables.slots import slot_frames

SHOWN_DAYS = 2
"""Windows that begin within so many days are shown."""
FARTHEST_DAYS = 10
"""So far ahead the end of a window is looked for."""

HINTS = {
    "no_worker": "nobody dials it now; start: dialer run {0}   (or: dialer resume {0}, and dialer worker)",
    "paused": "a person paused it; to go on: dialer resume {0}",
    "stopped": "it was stopped; when the cause is mended: dialer run {0}",
    "held": "a person must decide: dialer reconcile {0}",
    "budget": "raise [caps] calls_total or cost_total in its campaign.toml",
    "no_zone": "give their time zone or state in the list: [list] time_zone, state, postal_code",
}

ATTEMPTS = text(
    """
    SELECT l.attempt_id, p.name AS campaign, l.call_number, l.state, l.outcome, l.error_code, l.execution_id,
        l.opened_at_us, l.sent_at_us, l.ended_at_us, l.local_time, l.rules
    FROM ledger AS l JOIN campaigns AS p ON p.campaign_id = l.campaign_id
    WHERE l.phone = :phone ORDER BY l.attempt_id DESC LIMIT 50"""
)


def why(
    campaign: CampaignName,
    number: Annotated[str | None, Parameter(help="One contact's number: everything about it.")] = None,
    /,
    *,
    region: Annotated[
        str | None, Parameter(help="The country of a number without country code; the campaign's by default.")
    ] = None,
    json: bool = False,
    config: Config = None,
) -> int:
    """Say why nothing is dialing: every contact in one bucket, with the next time it can move.

    Args:
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    said = campaign_of(campaign, settings)
    account, rules = said.account(settings), rules_of(settings)
    phone = _phone(number, region, said) if number is not None else None
    with open_store(settings) as store, store.read() as connection:
        known = find(store, connection, said.name)
        if known is None:
            raise BadInput(
                f"campaign '{said.name}' is not in the database; it gets there with: dialer load {campaign}"
            )
        people = people_of(store, connection, known.campaign_id)
        outlook = look_ahead(store, connection, said, account, rules, people, measured=True)
        one = _about(store, connection, outlook, phone) if phone is not None else None
    next_run_us = _next_run(said, outlook.now_us)
    if one is not None:
        _print_one(one, json=json)
    elif json:
        print_json(why_json(outlook) | {"next_run_at": _at(next_run_us)})
    else:
        _print_all(outlook, next_run_us)
        if said.hours.rules == ():
            out().print(NO_RULES.format(said.name), markup=False)
    return 0


def why_json(outlook: Outlook) -> dict[str, Any]:
    """Return every bucket with its contacts as a JSON document; the counts add up to `contacts`."""
    blocked = outlook.blocked
    return {
        "campaign": outlook.campaign,
        "state": blocked.state,
        "reason": blocked.reason,
        "workers": blocked.workers,
        "contacts": outlook.contacts,
        **outlook.by_when,
        "buckets": buckets_json(outlook),
    }


def _print_all(outlook: Outlook, next_run_us: int | None) -> None:
    console, blocked = out(), outlook.blocked
    reason = f" ({blocked.reason})" if blocked.reason else ""
    console.print(
        f"{outlook.campaign}: {blocked.state}{reason}, {blocked.workers} workers dial it;"
        f" {outlook.contacts} contacts",
        markup=False,
    )
    print_buckets(outlook)
    for name in dict.fromkeys(one.bucket for one in outlook.buckets):
        if name in HINTS:
            console.print(f"{name}: {HINTS[name].format(outlook.campaign)}", markup=False)
    if next_run_us is not None:
        console.print(f"its next run by cron is due {moment(next_run_us)}", markup=False)


def _phone(number: str, region: str | None, said: Campaign) -> str:
    """Return the number in E.164, read as the campaign's list would be.

    Raises:
        BadInput: it is none, it is several, or nothing says of which country it is.
    """
    home = region.upper() if region is not None else said.list.region
    cell = pl.DataFrame({"phone": [number]}, schema={"phone": pl.String})
    (read,) = normalize(cell, phone="phone", region=home).to_dicts()
    if read["phone"] is None:
        if read["reason"] == "no_region":
            raise BadInput(
                f"'{number}' has no country code, and [list] region of {said.name} names none for all its"
                " numbers; write it with + and its country code, or add --region XX"
            )
        here = f" as a number of {home}" if home is not None else ""
        raise BadInput(
            f"'{number}' cannot be dialled{here}: {read['detail']}; write it with + and its country code,"
            " or name its country with --region XX"
        )
    if read["other_phones"] is not None:
        raise BadInput(
            f"'{number}' holds several numbers: {read['phone']}, {read['other_phones']}; ask for one of them"
        )
    return str(read["phone"])


def _about(store: Store, connection: Connection, outlook: Outlook, phone: str) -> dict[str, Any]:
    frame = pl.concat([*slot_frames(store, connection, outlook, phone)] or [pl.DataFrame()])
    if frame.is_empty():
        raise BadInput(f"{phone} is no contact of campaign '{outlook.campaign}'")
    (contact,) = frame.to_dicts()
    rows = connection.execute(
        text("SELECT status, reason, calls, window_group FROM contacts WHERE contact_id = :contact_id"),
        {"contact_id": contact["contact_id"]},
    ).one()
    attempts = [row._asdict() for row in connection.execute(ATTEMPTS, {"phone": phone})]
    placing, now_us = outlook.placing, outlook.now_us
    group = placing.allowed.groups.get(rows.window_group)
    windows = placing.allowed.windows
    zones = group.zones if group else ()
    farthest_us = now_us + FARTHEST_DAYS * DAY_US
    spans = windows.open(group, _morning_us(zones, now_us), farthest_us) if group else []
    spans = [span for span in spans if span[0] < now_us + SHOWN_DAYS * DAY_US]
    caps = windows.caps(group, now_us) if group else windows.policy.caps
    live = [one for one in attempts if one["state"] in ("sending", "unknown", "accepted", "ended")]
    return {
        "campaign": outlook.campaign,
        **contact,
        "status": rows.status,
        "reason": rows.reason,
        "calls": rows.calls,
        "jurisdictions": list(group.places) if group else [],
        "zones_from": group.zones_from if group else None,
        "rules": windows.evidence(group, now_us).rules if group else "none",
        "windows": [
            {
                "from": _at(begin),
                "until": _at(end) if end < farthest_us else None,
                "local": local_of(zones, begin),
            }
            for begin, end in spans
        ],
        "caps": [
            {
                "cap": str(cap),
                "used": sum(1 for one in live if one["opened_at_us"] > now_us - cap.window_us),
            }
            for cap in caps
        ],
        "do_not_call": [
            {**entry._asdict(), "added_at_us": None, "expires_at_us": None}
            | {"added_at": _at(entry.added_at_us), "expires_at": _at(entry.expires_at_us)}
            | {"applies_here": entry.holds(outlook.asked.campaign, outlook.asked.account, now_us)}
            for entry in suppressions.found(store, phone)
        ],
        "attempts": [
            {
                "attempt_id": one["attempt_id"],
                "campaign": one["campaign"],
                "call_number": one["call_number"],
                "at": _at(one["sent_at_us"] or one["opened_at_us"]),
                "local_time": one["local_time"],
                "state": one["state"],
                "outcome": one["outcome"] or one["error_code"],
                "execution_id": one["execution_id"],
                "rules": one["rules"],
            }
            for one in attempts
        ],
    }


def _print_one(one: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(one)
        return
    console = out()
    for name in (
        *("phone", "list_id", "status", "reason", "calls", "bucket", "moves", "decided_by", "next_call_at"),
        *("local_time", "jurisdictions", "time_zones", "zones_from", "rules"),
    ):
        value = one[name]
        if value not in (None, "", []):
            shown = ", ".join(value) if isinstance(value, list) else value
            if isinstance(value, datetime):
                shown = f"{value:%Y-%m-%d %H:%M:%S} UTC"
            console.print(f"{name + ':':14} {shown}", markup=False)
    for cap in one["caps"]:
        console.print(f"{'cap:':14} {cap['used']} of {cap['cap']}", markup=False)
    for entry in one["do_not_call"]:
        console.print(f"{'do not call:':14} {_entry_text(entry)}", markup=False)
    if one["windows"]:
        rows = [
            (
                f"{span['from']:%a %Y-%m-%d %H:%M}",
                f"{span['until']:%a %Y-%m-%d %H:%M}" if span["until"] else "no end in sight",
                span["local"],
            )
            for span in one["windows"]
        ]
        print_table("Windows, UTC (the margin is taken off)", ("from", "until", "local"), rows)
    if one["attempts"]:
        columns = ("campaign", "call_number", "at", "local_time", "state", "outcome", "execution_id")
        rows = [tuple(attempt[key] for key in columns) for attempt in one["attempts"]]
        print_table("Attempts of the number", columns, rows)
    console.print(NOT_ADVICE, markup=False)


def _entry_text(entry: dict[str, Any]) -> str:
    """Return a do-not-call entry in words: for whom it holds, whether here, and why."""
    whom = [f"campaign {entry['campaign']}"] if entry["campaign"] else []
    whom += [f"account {entry['account']}"] if entry["account"] else []
    parts = [
        entry["value"] + ("*" if entry["kind"] == "prefix" else ""),
        f"holds for {' and '.join(whom) or 'everybody'}",
        "applies here" if entry["applies_here"] else "does not apply here",
    ]
    parts += [f"until {entry['expires_at']:%Y-%m-%d %H:%M} UTC"] if entry["expires_at"] else []
    parts += [f"{key}: {entry[key]}" for key in ("reason", "source") if entry[key]]
    return ", ".join(parts)


def _next_run(said: Campaign, now_us: int) -> int | None:
    hours = said.hours
    if hours.cron is None or hours.cron_time_zone is None:
        return None
    return next_due_at(hours.cron, hours.cron_time_zone, now_us)


def _morning_us(zones: Sequence[str], now_us: int) -> int:
    """Return when the day began on the clock of the first zone."""
    local = local_moment(zones[0] if zones else "UTC", now_us)
    return round(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1e6)


def _at(at_us: int | None) -> Any:
    return as_datetime(at_us) if at_us is not None else None
