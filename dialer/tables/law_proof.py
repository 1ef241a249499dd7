"""Was anybody called outside the hours of the rules, or more often than a cap lets? From the database alone.

Each attempt names its zones and its rules with their version. Where the rulebook at hand is of that version,
the rules are evaluated again, at the moment at which the attempt left, on the clock of every zone. Caps are
counted over all calls of the number, in every stretch of time that ends with one of its attempts.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from dialer.base.errors import BadInput
from dialer.campaign.caps import Cap, read_cap
from dialer.campaign.hours import meet
from dialer.rules.places import Group
from dialer.rules.rulebook import Rule, RuleBook
from dialer.rules.windows import rule_hours
from dialer.store.database import Store
from dialer.store.tables import LIVE
from dialer.tables.audit_report import NAMED_MAX, Check, Offending
from dialer.tables.frames import read_sql

WINDOWS = Check(
    "calls_within_hours", "Every call left inside the hours of the rules that it names", "attempt"
)
CAPS = Check(
    "calls_within_caps", "No number has more calls in any stretch of time than its caps let", "attempt"
)

CALLED = pl.Schema(
    {
        "attempt_id": pl.String(),
        "at_us": pl.Int64(),
        "zones": pl.String(),
        "rules": pl.String(),
        "key": pl.String(),
    }
)
CALLED_SQL = f"""
    SELECT l.attempt_id, coalesce(l.sent_at_us, l.opened_at_us) AS at_us, l.time_zone AS zones, l.rules,
        g.key
    FROM ledger AS l
    LEFT JOIN contacts AS c ON c.contact_id = l.contact_id
    LEFT JOIN window_groups AS g ON g.group_id = c.window_group
    WHERE l.{LIVE} AND l.rules IS NOT NULL {{here}}"""

COUNTED = pl.Schema(
    {
        "attempt_id": pl.String(),
        "phone": pl.String(),
        "at_us": pl.Int64(),
        "caps": pl.String(),
        "here": pl.Int64(),
    }
)
COUNTED_SQL = f"""
    SELECT l.attempt_id, l.phone, coalesce(l.sent_at_us, l.opened_at_us) AS at_us, l.caps, {{here}} AS here
    FROM ledger AS l WHERE l.{LIVE}"""


def check_windows(store: Store, book: RuleBook, campaign_id: int | None) -> Check:
    """Return the proof that every call left inside the hours of the rules that it names."""
    check = Check(WINDOWS.name, WINDOWS.sentence, WINDOWS.about)
    here = "" if campaign_id is None else f"AND l.campaign_id = {campaign_id:d}"
    elsewhere = unbound = 0
    for frame in read_sql(store, CALLED_SQL.format(here=here), CALLED, rows_at_once=500_000):
        named = frame.with_columns(
            pl.col("rules").str.split_exact("; ", 1).struct.rename_fields(["names", "version"])
        ).unnest("rules")
        ours = named.filter((pl.col("version") == book.version) & (pl.col("names") != "none"))
        unbound += named.filter(pl.col("names") == "none").height
        elsewhere += named.filter((pl.col("names") != "none") & (pl.col("version") != book.version)).height
        check.rows += ours.height
        outside = _outside(book, ours)
        check.found += outside.height
        for row in outside.head(NAMED_MAX - len(check.offending)).iter_rows(named=True):
            check.offending.append(
                Offending(row["attempt_id"], f"outside the hours of its rules in {row['zone']}")
            )
    if elsewhere:
        check.notes.append(f"under rules of another version, not evaluated again: {elsewhere}")
    if unbound:
        check.notes.append(f"bound by no rule: {unbound}")
    return check


def _outside(book: RuleBook, called: pl.DataFrame) -> pl.DataFrame:
    """Return the attempts that left while a rule was closed in one of their zones."""
    if called.is_empty():
        return called.with_columns(zone=pl.lit(""))
    each = called.with_columns(pl.col("zones").fill_null("").str.split(",").alias("zone")).explode("zone")
    moment = pl.from_epoch("at_us", time_unit="us").dt.replace_time_zone("UTC")
    parts = []
    for (zone,), frame in each.group_by("zone"):
        local = moment.dt.convert_time_zone(str(zone))
        parts.append(
            frame.with_columns(
                local.dt.date().alias("day"),
                (local.dt.hour().cast(pl.Int64) * 3600 + local.dt.minute().cast(pl.Int64) * 60
                 + local.dt.second().cast(pl.Int64)).alias("second"),
            )
        )  # fmt: skip
    local_calls = pl.concat(parts)
    days = local_calls.select("names", "key", "day").unique()
    spans = [_hours(book, *row) for row in days.iter_rows()]
    open_days = days.with_columns(pl.Series("spans", spans, dtype=pl.List(pl.List(pl.Int64))))
    inside = (
        local_calls.join(open_days, on=["names", "key", "day"], nulls_equal=True)
        .explode("spans")
        .filter(
            (pl.col("spans").list.get(0, null_on_oob=True) <= pl.col("second"))
            & (pl.col("second") < pl.col("spans").list.get(1, null_on_oob=True))
        )
    )
    return local_calls.join(inside, on=["attempt_id", "zone"], how="anti")


def _hours(book: RuleBook, names: str, key: str | None, day: date) -> list[list[int]]:
    """Return the spans of a local day, in seconds, that all the rules named leave open."""
    places = Group.of_key(key).places if key else ()
    hours: tuple[tuple[int, int], ...] = ((0, 86_400),)
    for name in names.split(" "):
        for rule in _rows(book, name):
            hours = meet(hours, rule_hours(rule, places, day))
    return [list(span) for span in hours]


def _rows(book: RuleBook, name: str) -> list[Rule]:
    if name == "campaign":  # the campaign's own hours may have changed since
        return []
    try:
        return [rule for rule in book.of_id(name.partition("@")[0]) if rule.name == name]
    except BadInput:
        return []


def check_caps(store: Store, campaign_id: int | None) -> Check:
    """Return the proof that no number has more calls in any stretch of time than the caps of its attempts."""
    check = Check(CAPS.name, CAPS.sentence, CAPS.about)
    here = "1" if campaign_id is None else f"CASE WHEN l.campaign_id = {campaign_id:d} THEN 1 ELSE 0 END"
    frames = list(read_sql(store, COUNTED_SQL.format(here=here), COUNTED, rows_at_once=1_000_000))
    calls = pl.concat([pl.DataFrame(schema=COUNTED), *frames]).sort("phone", "at_us", "attempt_id")
    capped = calls.filter(pl.col("caps").is_not_null() & (pl.col("here") == 1))
    check.rows = capped.height
    caps: dict[Cap, list[str]] = {}
    for told in capped["caps"].unique():
        for cap in read_caps(told):
            caps.setdefault(cap, []).append(told)
    for cap, told in sorted(caps.items()):
        before_us = pl.col("at_us").shift(cap.calls).over("phone")
        over = calls.with_columns(before_us.alias("before_us")).filter(
            (pl.col("at_us") - pl.col("before_us") < cap.window_us)
            & (pl.col("here") == 1)
            & pl.col("caps").is_in(told)
        )
        check.found += over.height
        for attempt_id in over["attempt_id"].head(NAMED_MAX - len(check.offending)):
            check.offending.append(Offending(attempt_id, f"more calls of its number than {cap}"))
    return check


def read_caps(told: str) -> list[Cap]:
    """Return the caps of `1 of 3 per 24h (US-FL); 1 of 5 per 7d (campaign)`."""
    caps = []
    for part in told.split("; "):
        words, _, source = part.partition(" of ")[2].rpartition(" (")
        caps.append(read_cap(words, source.rstrip(")")))
    return caps
