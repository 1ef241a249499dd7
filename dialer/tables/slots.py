"""Every contact with its next legal moment and what decides it, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
from sqlalchemy import Connection

from dialer.calls.openings import NEVER_US
from dialer.calls.outlook import Outlook
from dialer.calls.standing import Standing, each_contact
from dialer.calls.why import BUCKETS
from dialer.store.database import Store
from dialer.tables.formats import writer_for
from dialer.tables.whole import check_place, whole_file

SCHEMA = pl.Schema(
    {
        "contact_id": pl.Int64(),
        "list_id": pl.String(),
        "phone": pl.String(),
        "bucket": pl.String(),
        "moves": pl.String(),
        "next_call_at": pl.Datetime("us", "UTC"),
        "local_time": pl.String(),
        "time_zones": pl.String(),
        "decided_by": pl.String(),
    }
)
"""`moves`: now, later, person (somebody must decide), never or done; `next_call_at`: null if not known."""
LOCAL = "%Y-%m-%dT%H:%M:%S%:z"


def write_slots(store: Store, connection: Connection, outlook: Outlook, to: Path) -> int:
    """Write every contact of the outlook to a file, whole or not at all; return how many.

    Raises:
        BadInput: an unknown ending, or no such folder.
        NotReady: it could not be written to its end.
    """
    writer = writer_for(to)
    check_place(to)
    rows = 0
    with whole_file(to) as part, writer(part) as open_file:
        open_file.write(pl.DataFrame(schema=SCHEMA))
        for frame in slot_frames(store, connection, outlook):
            open_file.write(frame)
            rows += frame.height
    return rows


def slot_frames(
    store: Store, connection: Connection, outlook: Outlook, phone: str | None = None
) -> Iterator[pl.DataFrame]:
    """Yield every contact, or the one with a number, in frames of SCHEMA."""
    for frame in each_contact(store, connection, outlook.asked, outlook.now_us, phone):
        parts = [_placed(outlook, part) for part in frame.partition_by("window_group", maintain_order=True)]
        if parts:
            yield pl.concat(parts).sort("contact_id").select(SCHEMA.names()).cast(SCHEMA)


def _placed(outlook: Outlook, part: pl.DataFrame) -> pl.DataFrame:
    """Return contacts of one group with their bucket and next moment."""
    group_id, now_us = part["window_group"][0], outlook.now_us
    due = part["due_at_us"].clip(lower_bound=outlook.timeline.began_us)
    next_us = pl.Series("next_us", outlook.placing.next_open(group_id, due.to_numpy()), dtype=pl.Int64)
    timed = part.with_columns(
        due.alias("due"),
        next_us,
        (pl.col("due_at_us") > now_us).alias("later"),
    ).with_columns((next_us == NEVER_US).alias("never"))
    keyed = _with_buckets(outlook, timed, group_id)
    known = (pl.col("status") == "waiting") & ~pl.col("never") & (pl.col("moves") != "never")
    deciders = {
        at_us: outlook.placing.decider(group_id, at_us)
        for at_us in keyed.filter(known & (pl.col("next_us") > pl.col("due")))["next_us"].unique().to_list()
    }
    group = outlook.placing.allowed.groups.get(group_id)
    zones = group.zones if group is not None else ()
    at = pl.from_epoch(pl.col("next_us"), time_unit="us").dt.replace_time_zone("UTC")
    local = at.dt.convert_time_zone(zones[0]).dt.to_string(LOCAL) if zones else pl.lit(None, pl.String)
    decided = (
        pl.when(pl.col("next_us") > pl.col("due"))
        .then(pl.col("next_us").replace_strict(deciders, default=None, return_dtype=pl.String))
        .when(pl.col("later"))
        .then(pl.col("bucket"))
        .otherwise(pl.lit("open"))
    )
    return keyed.with_columns(
        pl.when(known).then(at).alias("next_call_at"),
        pl.when(known).then(local).alias("local_time"),
        pl.lit(",".join(zones)).alias("time_zones"),
        pl.when(known).then(decided).otherwise(pl.col("detail")).alias("decided_by"),
    )


def _with_buckets(outlook: Outlook, timed: pl.DataFrame, group_id: int) -> pl.DataFrame:
    """Add `bucket`, `moves` and `detail`; contacts that stand alike are asked about once."""
    alike = ["status", "reason", "kept", "later", "never"]
    kinds = timed.group_by(alike, maintain_order=True).agg(pl.col("due_at_us").max())
    found = []
    for status, reason, kept, _, _, due_at_us in kinds.iter_rows():
        standing = Standing(group_id, status, reason, kept, 0, 0, 1, due_at_us, None)
        bucket = outlook.placing.bucket(standing)
        found.append((bucket.bucket, BUCKETS[bucket.bucket][0], bucket.detail))
    names = pl.DataFrame(
        found, schema={"bucket": pl.String, "moves": pl.String, "detail": pl.String}, orient="row"
    )
    table = pl.concat([kinds.select(alike), names], how="horizontal")
    return timed.join(table, on=alike, how="left", nulls_equal=True, maintain_order="left")
