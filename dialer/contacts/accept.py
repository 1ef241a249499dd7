"""Rows and what became of their numbers -> contacts, rejects and duplicates; every row is in just one."""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import available_timezones

import polars as pl
from polars import selectors

from dialer.contacts.taken import Taken
from dialer.contacts.texts import as_told
from dialer.lists.whole import as_text
from dialer.rules.places import group_keys

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
    "window_key",
)
"""The columns of a frame of contacts: Int64, then String; `window_key` is a `Group.key`."""

REJECT_COLUMNS = ("list_row", "list_line", "column_name", "raw", "reason", "detail", "suggestion", "row")
"""The columns of a frame of rejects: Int64, Int64, then String."""


AGAIN_COLUMNS = (
    "phone",
    "same_number",
    "list_id",
    "phone_extension",
    "time_zones",
    "other_phones",
    "repaired",
    "metadata",
    "window_key",
)
"""The columns of a frame of contacts met again: String, Boolean, then String.

Where only the key is the same, what comes from the number is null.
"""


class Sorted(NamedTuple):
    """One batch of rows, sorted: rows in = contacts + rejects (duplicates are rejects of that reason).

    `again`: what the duplicates say of contacts from before this file, each contact once; `phone` is the
    contact's own number, which the row has only where `same_number`.
    """

    contacts: pl.DataFrame
    rejects: pl.DataFrame
    again: pl.DataFrame


def accept(
    rows: pl.DataFrame,
    numbers: pl.DataFrame,
    list_row: pl.Series,
    list_line: pl.Series,
    taken: Taken,
    *,
    list_id: str | None = None,
    time_zone: str | None = None,
    state: str | None = None,
    postal_code: str | None = None,
    metadata: tuple[str, ...] = (),
) -> Sorted:
    """Sort a batch; the first row with a number wins, in this batch and over all before it.

    `rows` are the list's own columns, `numbers` the aligned answer of `normalize`, `list_row` and
    `list_line` their places. `list_id` to `metadata` name columns of `rows`. What becomes a
    contact is `taken` from now on.
    """
    frame = numbers.with_columns(
        list_row.alias("list_row"),
        list_line.alias("list_line"),
        _text_of(rows, list_id).alias("list_id"),
        _json_of(rows, metadata).alias("metadata"),
        _text_of(rows, time_zone).alias("own_zone"),
        _text_of(rows, state).alias("state"),
        _text_of(rows, postal_code).alias("postal_code"),
        pl.col("phone").str.slice(1).cast(pl.Int64).alias("number"),
        pl.Series("index", range(rows.height), dtype=pl.Int64),
    )
    frame = _mark(_mark(frame, "number", taken), "list_id", taken)
    good = frame.filter(pl.col("reason").is_null())
    keys = group_keys(good, own_zone="own_zone", state="state", postal_code="postal_code")
    good = good.with_columns(keys.alias("window_key"))
    bad = frame.filter(pl.col("reason").is_not_null())
    contacts = good.select(
        pl.coalesce(_known_zone(), "time_zones").alias(column) if column == "time_zones" else pl.col(column)
        for column in CONTACT_COLUMNS
    )
    rejects = bad.with_columns(
        pl.col("column").alias("column_name"),
        _json_of(as_told(rows[bad["index"]], bad["column"].drop_nulls()), tuple(rows.columns)).alias("row"),
    ).select(REJECT_COLUMNS)
    again = _again(bad, taken)
    taken.add(good)
    return Sorted(contacts, rejects, again)


def _mark(frame: pl.DataFrame, key: str, taken: Taken) -> pl.DataFrame:
    """Give rows whose number or owner's key came before the reason `duplicate`, and say where it did."""
    word = "number" if key == "number" else "key"
    fresh = frame.filter(pl.col("reason").is_null() & pl.col(key).is_not_null()).select(
        "index", "list_row", key
    )
    met = taken.find_numbers(fresh) if key == "number" else taken.find_keys(fresh)
    here = (
        fresh.filter(pl.col(key).is_duplicated())
        .with_columns(pl.col("list_row").min().over(key).alias("first_row"))
        .filter(pl.col("list_row") != pl.col("first_row"))
        .join(met, on="index", how="anti")
        .select("index", "first_row", pl.lit(taken.here, pl.Int32).alias("first_file"))
        .with_columns(pl.lit(None, pl.Int64).alias("of"))
    )
    name = pl.col("first_file").replace_strict(range(len(taken.files)), taken.files, return_dtype=pl.String)
    said = pl.concat([met, here]).select(
        "index",
        pl.col("of").alias(f"{word}_of"),
        pl.col("first_file").alias(f"{word}_file"),
        pl.format(f"the same {word} as row {{}} of {{}}", "first_row", name).alias("said"),
    )
    again = pl.col("said").is_not_null()
    return (
        frame.join(said, on="index", how="left", maintain_order="left")
        .with_columns(
            pl.when(again).then(pl.lit("duplicate")).otherwise("reason").alias("reason"),
            pl.coalesce("said", "detail").alias("detail"),
        )
        .drop("said")
    )


def _again(bad: pl.DataFrame, taken: Taken) -> pl.DataFrame:
    """Return what duplicates of contacts from before this file say, in AGAIN_COLUMNS."""
    here = taken.here
    same = pl.col("number_of").is_not_null()
    met = bad.filter(
        (pl.col("reason") == "duplicate")
        & (
            (same & (pl.col("number_file") != here))
            | (pl.col("key_of").is_not_null() & (pl.col("key_file") != here))
        )
    )
    # A key that another contact has stays with that contact.
    window = group_keys(met, own_zone="own_zone", state="state", postal_code="postal_code")
    keyed = met.filter(pl.col("list_id").is_not_null())
    keys = keyed.join(taken.find_keys(keyed), on="index", how="semi")["list_id"]
    again = (
        met.with_columns(same.alias("same_number"), pl.coalesce("number_of", "key_of").alias("number"))
        .with_columns(
            pl.format("+{}", "number").alias("phone"),
            pl.when(same & ~pl.col("list_id").is_in(keys.implode())).then("list_id").alias("list_id"),
            pl.when(same).then(pl.coalesce(_known_zone(), "time_zones")).alias("time_zones"),
            pl.when(same).then(window).alias("window_key"),
        )
        .unique("number", keep="first", maintain_order=True)
    )
    return again.filter(taken.meet(again["number"])).select(AGAIN_COLUMNS)


def _text_of(rows: pl.DataFrame, column: str | None) -> pl.Series:
    if column is None:
        return pl.Series([None] * rows.height, dtype=pl.String)
    texts = as_text(rows[column]).str.strip_chars()
    return texts.set(texts == "", None)


def _json_of(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    if not columns:
        return pl.Series([None] * rows.height, dtype=pl.String)
    spans = rows.select(columns).with_columns(selectors.duration().dt.to_string("iso"))
    return spans.select(pl.struct(columns).struct.json_encode().alias("json"))["json"]


def _known_zone() -> pl.Expr:
    return pl.when(pl.col("own_zone").is_in(sorted(available_timezones()))).then("own_zone")
