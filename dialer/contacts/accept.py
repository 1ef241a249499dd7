"""Rows and what became of their numbers -> contacts, rejects and duplicates; every row is in just one."""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import available_timezones

import polars as pl

CONTACT_COLUMNS = (
    "list_row",
    "list_id",
    "phone",
    "phone_region",
    "phone_type",
    "phone_extension",
    "time_zones",
    "other_phones",
    "repaired",
    "metadata",
)
"""The columns of a frame of contacts: Int64, then String."""

REJECT_COLUMNS = ("list_row", "list_line", "column_name", "raw", "reason", "detail", "suggestion", "row")
"""The columns of a frame of rejects: Int64, Int64, then String."""


class Taken(NamedTuple):
    """Numbers and owner's keys that a campaign has already, with the place where each was first.

    `phones`: number (Int64), place (String). `ids`: list_id (String), place (String).
    """

    phones: pl.DataFrame
    ids: pl.DataFrame


NOTHING_TAKEN = Taken(
    pl.DataFrame(schema={"number": pl.Int64, "place": pl.String}),
    pl.DataFrame(schema={"list_id": pl.String, "place": pl.String}),
)


class Sorted(NamedTuple):
    """One batch of rows, sorted: rows in = contacts + rejects (duplicates are rejects of that reason)."""

    contacts: pl.DataFrame
    rejects: pl.DataFrame
    taken: Taken


def accept(
    rows: pl.DataFrame,
    numbers: pl.DataFrame,
    list_row: pl.Series,
    list_line: pl.Series,
    taken: Taken,
    *,
    file: str,
    list_id: str | None = None,
    time_zone: str | None = None,
    metadata: tuple[str, ...] = (),
) -> Sorted:
    """Sort a batch; the first row with a number wins, in this batch and over all before it.

    `rows` are the list's own columns, `numbers` the aligned answer of `normalize`, `list_row` and
    `list_line` their places. `list_id`, `time_zone` and `metadata` name columns of `rows`.
    """
    frame = numbers.with_columns(
        list_row.alias("list_row"),
        list_line.alias("list_line"),
        _text_of(rows, list_id).alias("list_id"),
        _json_of(rows, metadata).alias("metadata"),
        _text_of(rows, time_zone).alias("own_zone"),
        pl.col("phone").str.slice(1).cast(pl.Int64).alias("number"),
        pl.Series("index", range(rows.height), dtype=pl.Int64),
    )
    frame = _mark_duplicates(frame, taken, file)
    good = frame.filter(pl.col("reason").is_null())
    bad = frame.filter(pl.col("reason").is_not_null())
    contacts = good.select(
        pl.coalesce(_known_zone(), "time_zones").alias(column) if column == "time_zones" else pl.col(column)
        for column in CONTACT_COLUMNS
    )
    rejects = bad.with_columns(
        pl.col("column").alias("column_name"), _json_of(rows[bad["index"]], tuple(rows.columns)).alias("row")
    ).select(REJECT_COLUMNS)
    place = pl.format("row {} of {}", "list_row", pl.lit(file)).alias("place")
    return Sorted(
        contacts,
        rejects,
        Taken(
            pl.concat([taken.phones, good.select("number", place)]),
            pl.concat([taken.ids, good.filter(pl.col("list_id").is_not_null()).select("list_id", place)]),
        ),
    )


def _mark_duplicates(frame: pl.DataFrame, taken: Taken, file: str) -> pl.DataFrame:
    """Give rows whose number or owner's key came before the reason `duplicate`, and say where it did."""
    frame = _mark(frame, "number", taken.phones, file, "the same number as {}")
    return _mark(frame, "list_id", taken.ids, file, "the same key as {}")


def _mark(frame: pl.DataFrame, key: str, taken: pl.DataFrame, file: str, detail: str) -> pl.DataFrame:
    fresh = pl.col("reason").is_null() & pl.col(key).is_not_null()
    first = pl.col("list_row").filter(fresh).min().over(key)
    frame = frame.join(
        taken.unique(key, keep="first"), on=key, how="left", maintain_order="left"
    ).with_columns(
        pl.when(pl.col("place").is_null() & (pl.col("list_row") != first))
        .then(pl.format("row {} of {}", first, pl.lit(file)))
        .otherwise(pl.col("place"))
        .alias("place")
    )
    again = fresh & pl.col("place").is_not_null()
    return frame.with_columns(
        pl.when(again).then(pl.lit("duplicate")).otherwise("reason").alias("reason"),
        pl.when(again).then(pl.format(detail, "place")).otherwise("detail").alias("detail"),
    ).drop("place")


def _text_of(rows: pl.DataFrame, column: str | None) -> pl.Series:
    if column is None:
        return pl.Series([None] * rows.height, dtype=pl.String)
    texts = rows[column].cast(pl.String).str.strip_chars()
    return texts.set(texts == "", None)


def _json_of(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    if not columns:
        return pl.Series([None] * rows.height, dtype=pl.String)
    return rows.select(pl.struct(columns).struct.json_encode().alias("json"))["json"]


def _known_zone() -> pl.Expr:
    return pl.when(pl.col("own_zone").is_in(sorted(available_timezones()))).then("own_zone")
