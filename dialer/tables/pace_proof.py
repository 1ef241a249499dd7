"""Was an account ever faster than its limit? Every sliding window over the moments its calls left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl
from sqlalchemy import text

from dialer.attempts.pace.windows import Window as Limit
from dialer.attempts.pace.windows import all_rules
from dialer.store.database import Dialects, Store, as_rows
from dialer.tables.audit_report import NAMED_MAX, Check, Offending
from dialer.tables.frames import read_sql

Limits = tuple[float | None, int | None]
"""An account's calls per second and requests per minute; None: no limit."""

SENT = pl.Schema({"sent_at_us": pl.Int64()})

UNSENT = """
    SELECT count(*) FROM ledger
    WHERE account = :account AND sent_at_us IS NULL AND coalesce(error_code, '') <> 'withdrawn'"""

SENT_THEN = Dialects(
    """
    SELECT attempt_id, sent_at_us FROM ledger
    WHERE account = :account AND sent_at_us IN (SELECT r.sent_at_us FROM ROWS(sent_at_us bigint) AS r)
    ORDER BY sent_at_us, attempt_id"""
)


class Window(NamedTuple):
    """A limit as a window: in any span of `length_us` at most `most` calls leave."""

    most: int
    length_us: int

    def __str__(self) -> str:
        return f"{self.length_us / 1e6:g} s"


def windows(limits: Limits) -> Iterator[Window]:
    """Yield the windows of an account's limits: the rules that the pacer keeps, read as it reads them."""
    per_second, per_minute = limits
    said = [Limit(per_second, 1.0)] if per_second is not None else []
    said += [Limit(per_minute, 60.0)] if per_minute is not None else []
    for departures, seconds in all_rules(said):
        yield Window(departures, math.floor(seconds * 1e6))


def check_pace(store: Store, accounts: list[str], limits: Mapping[str, Limits], check: Check) -> None:
    """Look through all departures of each account that has a limit, and write into `check` what was found."""
    check.checked = not accounts or any(any(limits.get(account, ())) for account in accounts)
    for account in accounts:
        spans = list(windows(limits.get(account, (None, None))))
        if not spans:
            check.notes.append(
                f"account '{account}' has no limit in these settings: its pace was not checked"
            )
            continue
        sent_at_us = _departures(store, account)
        check.rows += len(sent_at_us)
        for window in spans:
            _hold_against(store, account, sent_at_us, window, check)
        unsent = _unsent(store, account)
        if unsent:
            check.notes.append(f"account '{account}': left out for want of a moment of departure: {unsent}")


def counts_in(sent_at_us: pl.Series, window: Window) -> pl.Series:
    """Return, for each departure of the sorted column, how many left in the window that ends with it."""
    earlier = sent_at_us.search_sorted(sent_at_us - window.length_us, side="right")
    return pl.int_range(1, len(sent_at_us) + 1, eager=True) - earlier.cast(pl.Int64)


def _hold_against(store: Store, account: str, sent_at_us: pl.Series, window: Window, check: Check) -> None:
    counts = counts_in(sent_at_us, window)
    worst = counts.max() or 0
    assert isinstance(worst, int)
    check.notes.append(f"account '{account}': at most {worst} in any {window}, limit {window.most}")
    too_many = counts > window.most
    moments = sent_at_us.filter(too_many).head(NAMED_MAX)
    if moments.is_empty():
        return
    check.found += int(too_many.sum())
    number_of = dict(zip(moments, counts.filter(too_many).head(NAMED_MAX), strict=True))
    with store.read() as connection:
        rows = store.execute(connection, SENT_THEN, account=account, rows=as_rows((at,) for at in moments))
    named = [Offending(row[0], f"one of {number_of[row[1]]} calls in {window}") for row in rows]
    check.offending += named[: NAMED_MAX - len(check.offending)]


def _departures(store: Store, account: str) -> pl.Series:
    """Return the moments at which the account's requests left, in their order."""
    quoted = account.replace("'", "''")
    query = f"SELECT sent_at_us FROM ledger WHERE account = '{quoted}' AND sent_at_us IS NOT NULL"
    frames = read_sql(store, query, SENT, rows_at_once=1_000_000)
    return pl.concat([pl.DataFrame(schema=SENT), *frames])["sent_at_us"].sort()


def _unsent(store: Store, account: str) -> int:
    with store.read() as connection:
        return int(connection.scalar(text(UNSENT), {"account": account}) or 0)
