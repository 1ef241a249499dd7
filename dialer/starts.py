"""What a worker does about due times: it takes them, loads a fresh list, lets the campaign run, and ends it.

Any number of workers, on any number of machines, do this side by side: a due time is one row of the
database, and ending a run twice changes nothing. A run whose worker died is ended by another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from dialer.base.errors import Busy, DialerError
from dialer.calls import campaigns, runs
from dialer.calls.load import load, open_lists
from dialer.campaign import Campaign
from dialer.schedule import Due, take_due
from dialer.store.database import Store

log = structlog.get_logger()

STARTED_BY = runs.BY_WORKERS


class Starts:
    """Starts campaigns whose cron time has come and ends their runs; `turn` is called every few seconds.

    `scheduled` returns the campaigns with a cron time, as their files say now.
    """

    def __init__(self, store: Store, scheduled: Callable[[], Sequence[Campaign]]) -> None:
        self._store = store
        self._scheduled = scheduled

    def turn(self) -> None:
        """Take what is due, and end runs that have nothing left to do now."""
        for campaign in self._scheduled():
            due = take_due(self._store, campaign, STARTED_BY)
            if due is not None:
                self._start(due)
        for one in runs.over(self._store, STARTED_BY):
            runs.finish(self._store, one.run_id, one.ended, one.exit_code, one.figures)
            if one.ended == runs.ALL_DONE:
                with self._store.write() as connection:
                    campaigns.end_run(self._store, connection, one.campaign, "")
            log.info("run.ended", campaign=one.campaign, run=one.run_id, ended=one.ended)

    def _start(self, due: Due) -> None:
        name = due.campaign.name
        if due.run_id is None:
            log.warning("run.skipped", campaign=name, why=due.skipped)
            return
        try:
            for book in load(self._store, due.campaign, open_lists(due.campaign), only_new=True):
                if not book.skipped:
                    log.info("list.loaded", campaign=name, books=book.line())
            with self._store.write() as connection:
                known = campaigns.register(self._store, connection, due.campaign)
                campaigns.start(self._store, connection, known)
        except Busy as error:  # looked at again in a few seconds
            runs.wait(self._store, name, STARTED_BY, str(error), due.run_id)
            log.info("run.waits", campaign=name, why=str(error))
        except DialerError as error:
            runs.finish(self._store, due.run_id, f"failed: {error}", error.exit_code, {})
            log.warning("run.failed", campaign=name, error=str(error))
        else:
            log.info("run.started", campaign=name, run=due.run_id, late_s=round(due.late_s))
