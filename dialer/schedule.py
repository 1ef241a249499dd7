"""Which campaigns are due: cron times on the clock of the campaign's own zone, each taken once.

A daily 01:30 comes once on the day on which clocks go back, and a 02:30 that the clock skips comes at
03:00: Debian's cron and cronsim mean the same. Of several due times that were missed, the latest counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from dialer.base.clock import as_datetime
from dialer.base.durations import parse_duration, show_duration
from dialer.calls import runs
from dialer.campaign import Campaign
from dialer.store.database import Store

FIRST_LOOK_S = 60.0
"""A campaign that is seen for the first time is due for times not older than this."""


class Due(NamedTuple):
    """A due time that this process took: the campaign's run, or the record of its being skipped."""

    campaign: Campaign
    run_id: int | None
    due_at_us: int
    late_s: float
    skipped: str | None = None


def last_due_at(cron: str, zone: str, now_us: int) -> int | None:
    """Return the latest due time that is not after now; None where there was none in living memory."""
    after_now = as_datetime(now_us).astimezone(ZoneInfo(zone)) + timedelta(seconds=1)
    try:
        return _us(next(CronSim(cron, after_now, reverse=True)))
    except StopIteration:
        return None


def next_due_at(cron: str, zone: str, now_us: int) -> int | None:
    """Return the next due time after now; None where there is none in the next decades."""
    try:
        return _us(next(CronSim(cron, as_datetime(now_us).astimezone(ZoneInfo(zone)))))
    except StopIteration:
        return None


def take_due(store: Store, campaign: Campaign, started_by: str) -> Due | None:
    """Take the campaign's latest due time if nobody has; None where nothing is due.

    A time before the campaign's starts_at, or from its ends_at on, is not due.

    Safe from any number of machines: the time is a unique row of the database. A run that is later than
    the campaign's `late_after` is recorded as skipped where it says `late_start = "skip"`.
    """
    due_at_us, now_us = due_now(store, campaign)
    if due_at_us is None:
        return None
    hours = campaign.hours
    late_s = (now_us - due_at_us) / 1e6
    if hours.late_start == "skip" and late_s > parse_duration(hours.late_after):
        why = f"{show_duration(late_s)} late, more than {hours.late_after}"
        taken = runs.skip(store, campaign.name, started_by, due_at_us, why)
        return Due(campaign, None, due_at_us, late_s, why) if taken else None
    run_id = runs.begin(store, campaign.name, started_by, due_at_us)
    return None if run_id is None else Due(campaign, run_id, due_at_us, late_s)


def due_now(store: Store, campaign: Campaign) -> tuple[int | None, int]:
    """Return the due time that nobody has taken yet, None where there is none, and the database's time."""
    hours = campaign.hours
    with store.read() as connection:
        now_us = store.now_us(connection)
    if hours.cron is None or hours.cron_time_zone is None:
        return None, now_us
    due_at_us = last_due_at(hours.cron, hours.cron_time_zone, now_us)
    if due_at_us is None or due_at_us <= _taken_until(store, campaign.name, now_us):
        return None, now_us
    due_at = as_datetime(due_at_us)
    early = hours.starts_at is not None and due_at < hours.starts_at
    late = hours.ends_at is not None and due_at >= hours.ends_at
    return (None if early or late else due_at_us), now_us


def _taken_until(store: Store, name: str, now_us: int) -> int:
    last = runs.last_due(store, name)
    if last is not None:
        return last
    waited = runs.first_wait(store, name)  # a first run that found another dialer at work is still due
    return (now_us if waited is None else waited) - round(FIRST_LOOK_S * 1e6)


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
