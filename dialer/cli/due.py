"""`dialer due`: run every campaign whose cron time has come, once; for crontab."""

from __future__ import annotations

from typing import Any

import anyio

from dialer.base.clock import as_datetime
from dialer.base.errors import BadInput, Busy, DialerError
from dialer.base.settings import Settings
from dialer.calls import runs
from dialer.calls.load import load, open_lists
from dialer.campaign import Campaign
from dialer.campaign.read import known_campaigns
from dialer.cli.deployment import Config, campaign_of, open_store, rules_of, settings_of
from dialer.cli.dial import dial
from dialer.cli.show import err, out, print_json
from dialer.providers.open import reach
from dialer.run import dialing_rights
from dialer.schedule import Due, due_now, take_due
from dialer.store.database import Store


def due(*, json: bool = False, config: Config = None) -> int:
    """Run every campaign whose cron time has come, one after the other, each due time once.

    Put it into crontab for every minute, on as many machines as wanted: a due time is taken by one of them.
    The exit code is that of the first run that did not end with 0.

    Args:
        json: Print one JSON document instead of a line per run.
    """
    settings = settings_of(config)
    said, refused = scheduled(settings)
    done: list[dict[str, Any]] = []
    codes = [2] if refused else []
    if said:
        with open_store(settings, create=True) as store:
            for one in said:
                if due_now(store, one)[0] is None:
                    continue
                try:
                    with dialing_rights(store):  # first: a due time that is taken must be run
                        taken = take_due(store, one, "dialer due")
                        if taken is not None:
                            done.append(_run(store, settings, taken))
                            codes.append(done[-1]["exit_code"])
                except Busy as error:
                    err().print(f"dialer: {one.name} is due and waits: {error}", markup=False)
                    codes.append(error.exit_code)
    if json:
        print_json({"runs": done, "refused": refused})
    else:
        for line in done:
            out().print(f"{line['campaign']}: due {line['due_at']}, {line['ended']}", markup=False)
        for why in refused:
            err().print(f"dialer: {why}", markup=False)
    return next((code for code in codes if code), 0)


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
        load(store, taken.campaign, lists, only_new=True)
        progress = dial(store, taken.campaign, account, rules_of(settings), run_id=taken.run_id)
    except DialerError as error:
        runs.finish(store, taken.run_id, str(error), error.exit_code, {})
        return {**line, "ended": f"failed: {error}", "exit_code": error.exit_code}
    return {**line, "ended": progress.closing_line(), "exit_code": progress.exit_code}
