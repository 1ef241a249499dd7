"""What `dialer check` shows of a campaign's hours: rules, caps, budget, and who can be called when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import polars as pl
from sqlalchemy import Connection

from dialer.base.clock import as_datetime
from dialer.base.errors import DialerError
from dialer.base.settings import Settings
from dialer.calls.allowed import Allowed
from dialer.calls.campaigns import find
from dialer.calls.load import loaded_before
from dialer.calls.reach import Reach, reach, reach_of
from dialer.calls.suppressions import among
from dialer.campaign import Campaign
from dialer.cli.deployment import open_store
from dialer.cli.show import err
from dialer.lists import ListFile
from dialer.rules.places import Group
from dialer.rules.rulebook import RuleBook
from dialer.schedule import next_due_at
from dialer.store.database import Store

RULES = {
    "auto": "auto: those of each contact's region",
    "own": "own: no law is looked at, only the hours of this campaign",
}


class Sighted:
    """Counts a list's contacts by group, and those of them that are on a do-not-call list, as it is read."""

    def __init__(self, campaign: Campaign, store: Store | None, connection: Connection | None) -> None:
        self._campaign, self._store, self._connection = campaign, store, connection
        self._keys: Counter[str] = Counter()
        self.do_not_call: int | None = None if connection is None else 0

    def see(self, contacts: pl.DataFrame) -> None:
        """Count a batch."""
        for key, count in contacts["window_key"].value_counts().iter_rows():
            self._keys[key] += count
        if self._store is not None and self._connection is not None and self.do_not_call is not None:
            self.do_not_call += among(
                self._store,
                self._connection,
                contacts["phone"],
                self._campaign.name,
                self._campaign.call.account,
            )

    def loaded_before(self, lists: Sequence[ListFile]) -> list[bool]:
        """Return which of the lists were loaded before as they are; none where there is no database."""
        if self._store is None:
            return [False] * len(lists)
        return loaded_before(self._store, self._campaign, lists)

    def reach(self, book: RuleBook, now_us: int) -> Reach:
        """Return what the contacts can expect."""
        keys = dict(enumerate(sorted(self._keys), 1))
        allowed = Allowed.of(self._campaign, book, {one: Group.of_key(key) for one, key in keys.items()})
        return reach(allowed, {one: self._keys[key] for one, key in keys.items()}, now_us)


@contextmanager
def sighted(campaign: Campaign, settings: Settings) -> Iterator[Sighted]:
    """Open what counts a list's contacts; without a database nothing is said of do-not-call."""
    there = Store(settings.database_url)
    file = there.file
    there.close()
    if file is not None and not file.exists():
        yield Sighted(campaign, None, None)
        return
    with ExitStack() as stack:
        store = connection = None
        try:
            store = stack.enter_context(open_store(settings))
            connection = stack.enter_context(store.read())
        except DialerError as error:
            err().print(
                f"note: the database (do-not-call, earlier loads) was not read: {error}", markup=False
            )
        yield Sighted(campaign, store, connection)


def hours_lines(campaign: Campaign, now_us: int) -> list[str]:
    """Return what the campaign's file says of rules, hours, caps, budget and cron, line by line."""
    hours, caps = campaign.hours, campaign.caps
    if isinstance(hours.rules, str):
        rules = RULES[hours.rules]
    else:
        rules = ", ".join(hours.rules) or "none: no calling rules"
    own = [str(hours.week)] if hours.week is not None else []
    own += ["public holidays kept"] if hours.holidays else []
    own += [f"from {hours.starts_at:%Y-%m-%d %H:%M %Z}"] if hours.starts_at else []
    own += [f"until {hours.ends_at:%Y-%m-%d %H:%M %Z}"] if hours.ends_at else []
    budget = [f"{caps.calls_total:,} calls"] if caps.calls_total else []
    budget += [f"cost {caps.cost_total:g}"] if caps.cost_total else []
    lines = [
        f"rules: {rules}",
        f"own hours: {', '.join(own) or 'none'}",
        f"caps: {', '.join(caps.per_number) or 'none of its own'}; budget: {', '.join(budget) or 'none'}",
    ]
    next_us = next_run_us(campaign, now_us)
    if hours.cron is not None:
        told = f"{as_datetime(next_us):%Y-%m-%d %H:%M} UTC" if next_us is not None else "never"
        lines.append(f"cron: {hours.cron} ({hours.cron_time_zone}), next {told}")
    return lines


def reach_lines(found: Reach, do_not_call: int | None) -> list[str]:
    """Return who can be called when, and who never, line by line."""
    lines = [f"  {line}" for line in found.opening_lines()]
    lines += [f"  refused by a rule: {line}" for line in found.refused_lines()]
    if do_not_call:
        lines.append(f"  {do_not_call:,} contacts are on the do-not-call list")
    warning = found.warning()
    if warning is not None:
        lines.append(f"warning: {warning}")
    return lines


def reach_json(found: Reach, do_not_call: int | None) -> dict[str, Any]:
    """Return the same as a JSON document; times are UTC."""
    return {
        "openings": [
            {
                "clock": one.clock,
                "contacts": one.contacts,
                "next_call_at": as_datetime(one.next_at_us),
                "decided_by": one.decided_by,
            }
            for one in found.openings
        ],
        "never": dict(found.closed),
        "refused": {rule.id: count for rule, count in found.refused.items()},
        "do_not_call": do_not_call,
    }


def next_run_us(campaign: Campaign, now_us: int) -> int | None:
    """Return when the campaign's cron is due next; None where it has none."""
    hours = campaign.hours
    if hours.cron is None or hours.cron_time_zone is None:
        return None
    return next_due_at(hours.cron, hours.cron_time_zone, now_us)


def warn_of_never(store: Store, campaign: Campaign, book: RuleBook) -> None:
    """Say on stderr how many loaded contacts wait for a window that never opens."""
    with store.read() as connection:
        known = find(store, connection, campaign.name)
        if known is None:
            return
        warning = reach_of(store, connection, campaign, known.campaign_id, book).warning()
    if warning is not None:
        err().print(f"warning: {warning}", markup=False, soft_wrap=True)
