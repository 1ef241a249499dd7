"""What `--json` prints of a run that was refused because its campaign is paused: a document all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dialer.base.errors import Stopped
from dialer.calls.campaigns import find
from dialer.campaign.campaign import Campaign
from dialer.cli.show import print_json
from dialer.store.database import Store


@contextmanager
def stopped_as_json(store: Store, campaign: Campaign, *, json: bool) -> Iterator[None]:
    """Print the campaign's state as JSON where it does not let a run begin; the error goes on its way."""
    try:
        yield
    except Stopped as error:
        if json:
            with store.read() as connection:
                known = find(store, connection, campaign.name)
            print_json(
                {
                    "campaign": campaign.name,
                    "account": campaign.call.account,
                    "state": known.state if known is not None else None,
                    "submitted": 0,
                    "accepted": 0,
                    "ended": str(error),
                    "problem": str(error),
                    "exit_code": error.exit_code,
                }
            )
        raise
