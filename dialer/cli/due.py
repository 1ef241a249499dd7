"""`dialer due`: run every campaign whose cron time has come, once; for crontab."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import anyio
from cyclopts import Parameter

from dialer.base.clock import as_datetime
from dialer.base.errors import BadInput, Busy, DialerError
from dialer.base.settings import Settings
from dialer.base.toml import shown
from dialer.calls import runs
from dialer.calls.load import load, open_lists
from dialer.calls.never_open import refuse_if_never_open
from dialer.campaign import Campaign
from dialer.campaign.read import known_campaigns
from dialer.cli.deployment import Config, campaign_of, open_store, rules_of, settings_of
from dialer.cli.dial import dial
from dialer.cli.show import err, out, print_json, print_table
from dialer.cli.unpaced import warn_of_no_pace
from dialer.providers.open import reach
from dialer.rules.heard import HeardRules
from dialer.run import dialing_rights
from dialer.schedule import Due, due_now, next_due_at, take_due
from dialer.store.database import Store

STARTED_BY = "dialer due"


def due(
    *,
    list_: Annotated[bool, Parameter(name="--list")] = False,
    json: bool = False,
    config: Config = None,
) -> int:
    """Run every campaign whose cron time has come, one after the other, each due time once.

    Put it into crontab for every minute, on as many machines as wanted: a due time is taken by one of them.
    The exit code is that of the first run that did not end with 0; 1 where runs ended well, but a campaign
    file could not be read; 2 where there was nothing to run and something to mend.

    Args:
        list_: Only show which campaigns have a cron time, when they run next, and their last run.
        json: Print one JSON document instead of a line per run.
    """
    settings = settings_of(config)
    _refuse_wrong_folder(settings)
    said, refused = scheduled(settings)
    for why in refused if not json else ():
        for words in why.splitlines():
            err().print(f"dialer: {words}", markup=False)
    if list_:
        return _list(settings, said, refused, json=json)
    done: list[dict[str, Any]] = []
    codes: list[int] = []
    if said:
        with open_store(settings, create=True) as store:
            for one in said:
                line = _run_if_due(store, settings, one)
                if line is not None:
                    done.append(line)
                    codes.append(line["exit_code"])
                    if not json:
                        _print(line)
    if json:
        print_json({"runs": done, "refused": refused})
    elif not said and not refused:
        out().print(f"no campaign in {shown(settings.campaigns)} has [hours] cron", markup=False)
    if refused:
        codes.append(1 if said else 2)
    return next((code for code in codes if code), 0)


def _refuse_wrong_folder(settings: Settings) -> None:
    """A wrong `cd` in a crontab must not look like a day without runs."""
    if settings.file is None and not settings.campaigns.is_dir():
        raise BadInput(
            f"there is neither a dialer.toml nor a folder {shown(settings.campaigns)} here; "
            "start in the folder of dialer.toml, or say --config"
        )


def _run_if_due(store: Store, settings: Settings, one: Campaign) -> dict[str, Any] | None:
    due_at_us, _ = due_now(store, one)
    if due_at_us is None:
        return None
    try:
        with dialing_rights(store):  # first: a due time that is taken must be run
            taken = take_due(store, one, STARTED_BY)
            return None if taken is None else _run(store, settings, taken)
    except Busy as error:
        return _waits(store, one, due_at_us, error)


def _waits(
    store: Store, one: Campaign, due_at_us: int, error: Busy, run_id: int | None = None
) -> dict[str, Any]:
    runs.wait(store, one.name, STARTED_BY, str(error), run_id)
    line = {"campaign": one.name, "due_at": as_datetime(due_at_us).isoformat()}
    return {**line, "ended": f"{runs.WAITS}: {error}", "exit_code": error.exit_code}


def _print(line: dict[str, Any]) -> None:
    console = err() if line["exit_code"] else out()
    ended = line["ended"].removeprefix(f"{line['campaign']}: ")
    console.print(f"{line['campaign']}: due {line['due_at']}, {ended}", markup=False)


def _list(settings: Settings, said: list[Campaign], refused: list[str], *, json: bool) -> int:
    with open_store(settings, create=True) as store:
        with store.read() as connection:
            now_us = store.now_us(connection)
        lines = [_schedule(store, one, now_us) for one in said]
    if json:
        print_json({"campaigns": lines, "refused": refused})
    elif not lines:
        out().print(f"no campaign in {shown(settings.campaigns)} has [hours] cron", markup=False)
    else:
        columns = ("campaign", "cron", "next on its clock", "next (UTC)", "last run", "why it ended")
        keys = ("campaign", "cron", "next_local", "next_at", "last_started_at", "last_ended")
        print_table("", columns, [tuple(line[key] for key in keys) for line in lines])
    return (1 if said else 2) if refused else 0


def _schedule(store: Store, one: Campaign, now_us: int) -> dict[str, Any]:
    cron, zone = one.hours.cron or "", one.hours.cron_time_zone or "UTC"
    late = due_now(store, one)[0]
    # Before its starts_at nothing is due, from its ends_at on nothing is.
    since_us = now_us if one.hours.starts_at is None else max(now_us, _us(one.hours.starts_at) - 1)
    next_us = late if late is not None else next_due_at(cron, zone, since_us)
    if next_us is not None and one.hours.ends_at is not None and next_us >= _us(one.hours.ends_at):
        next_us = None
    last = next(iter(runs.latest(store, one.name, 1)), None)
    local = None if next_us is None else as_datetime(next_us).astimezone(ZoneInfo(zone))
    return {
        "campaign": one.name,
        "cron": cron,
        "cron_time_zone": zone,
        "next_local": None if local is None else f"{local:%a %Y-%m-%d %H:%M} {zone}",
        "next_at": None if next_us is None else f"{as_datetime(next_us):%Y-%m-%dT%H:%MZ}",
        "due_now": late is not None,
        "last_started_at": None if last is None else f"{as_datetime(last.started_at_us):%Y-%m-%dT%H:%MZ}",
        "last_ended": None if last is None else last.ended or "runs, or its process died",
        "last_exit_code": None if last is None else last.exit_code,
    }


def scheduled(settings: Settings) -> tuple[list[Campaign], list[str]]:
    """Return the campaigns with a cron time, and what is wrong with those that cannot be read."""
    said, refused = [], []
    for name in known_campaigns(settings):
        try:
            one = campaign_of(name, settings)
        except BadInput as error:
            refused.append(str(error))
        else:
            if one.hours.cron is not None:
                said.append(one)
    return said, refused


def _run(store: Store, settings: Settings, taken: Due) -> dict[str, Any]:
    """Run one campaign with a fresh list; whatever happens is written into its record."""
    line = {"campaign": taken.campaign.name, "due_at": as_datetime(taken.due_at_us).isoformat()}
    if taken.skipped is not None or taken.run_id is None:
        return {**line, "ended": f"skipped: {taken.skipped}", "exit_code": 0}
    try:
        account = taken.campaign.account(settings)
        anyio.run(reach, account, taken.campaign.call.agent)
        lists = open_lists(taken.campaign)
        refuse_if_never_open(store, taken.campaign, lists, rules_of(settings))
        load(store, taken.campaign, lists, only_new=True)
        warn_of_no_pace(account, settings, taken.campaign)
        progress = dial(store, taken.campaign, account, HeardRules(settings.rules).look, run_id=taken.run_id)
    except Busy as error:
        return _waits(store, taken.campaign, taken.due_at_us, error, taken.run_id)
    except DialerError as error:
        runs.finish(store, taken.run_id, str(error), error.exit_code, {})
        return {**line, "ended": f"failed: {error}", "exit_code": error.exit_code}
    return {**line, "ended": progress.closing_line(), "exit_code": progress.exit_code}


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
