"""`dialer worker`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import anyio
import structlog
from cyclopts import Parameter

from dialer.base.durations import parse_duration
from dialer.base.settings import Settings
from dialer.calls import campaigns
from dialer.calls.campaigns import refuse_unless_startable
from dialer.calls.load import load, open_lists
from dialer.campaign import Campaign
from dialer.cli.deployment import Config, campaign_of, open_store, settings_of
from dialer.cli.due import scheduled
from dialer.cli.show import err, out, print_json
from dialer.cli.unpaced import warn_of_no_pace
from dialer.providers.open import reach
from dialer.rules.heard import HeardRules
from dialer.run import dialing_rights
from dialer.starts import Starts
from dialer.worker import Worker

log = structlog.get_logger()


def worker(
    *campaign: Annotated[str, Parameter(help="Campaigns to start first: a name, a folder or a file each.")],
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    json: bool = False,
    config: Config = None,
) -> int:
    """Dial all running campaigns until told to stop; as many side by side as wanted on PostgreSQL.

    A campaign runs after `dialer worker CAMPAIGN` or `dialer resume CAMPAIGN` until somebody pauses or
    cancels it, for as long as a `dialer run` of it lasts, and from each time of its `[hours] cron` on until
    everybody is done; each due time is taken by one worker, which loads what is new in its list.
    SIGTERM or Ctrl-C: claim no more, wait for answers in the air, give everything back, exit 130.

    Args:
        for_: Stop after this long, for example 8h; calls in the air are waited for.
        json: Print the closing figures as one JSON document.
    """
    for_s = parse_duration(for_) if for_ is not None else None
    settings = settings_of(config)
    said = [campaign_of(one, settings) for one in campaign]
    for one in said:
        anyio.run(reach, one.account(settings), one.call.agent)
    lists = [open_lists(one) for one in said]
    with open_store(settings, create=True) as store, dialing_rights(store):
        for one, its_lists in zip(said, lists, strict=True):
            for book in load(store, one, its_lists, only_new=True):
                if not book.skipped:
                    err().print(f"{one.name}: {book.line()}", markup=False)
            with store.write() as connection:
                known = campaigns.register(store, connection, one)
                refuse_unless_startable(known)
                campaigns.start(store, connection, known, for_workers=True)
        for account in settings.accounts.values():
            warn_of_no_pace(account, settings)
        starts = Starts(store, partial(_scheduled, settings)).turn
        dialing = Worker(
            store, settings.accounts, for_s=for_s, rules=HeardRules(settings.rules).look, starts=starts
        )
        progress = anyio.run(dialing.go)
    if json:
        print_json(progress.as_json())
    else:
        out().print(progress.closing_line(), markup=False)
    return progress.exit_code


def _scheduled(settings: Settings) -> list[Campaign]:
    said, refused = scheduled(settings)
    for why in refused:
        log.warning("campaign.not_read", why=why)
    return said
