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


AGAIN_COLUMNS = (
    "phone",
    "same_number",
    "list_id",
    "phone_extension",
    "time_zones",
    "other_phones",
    "repaired",
    "metadata",
)
"""The columns of a frame of contacts met again: String, Boolean, then String."""


class Taken(NamedTuple):
    """Numbers and owner's keys that a campaign has already, with the place where each was first.

    `phones`: number (Int64), list_row (Int64), file (Int32, a place in `files`). `ids` has list_id (String)
    in front of them. Each number and each key is there once.
    """

    phones: pl.DataFrame
    ids: pl.DataFrame
    files: tuple[str, ...] = ()


PLACE = {"number": pl.Int64, "list_row": pl.Int64, "file": pl.Int32}
NOTHING_TAKEN = Taken(pl.DataFrame(schema=PLACE), pl.DataFrame(schema={"list_id": pl.String, **PLACE}))


class Sorted(NamedTuple):
    """One batch of rows, sorted: rows in = contacts + rejects (duplicates are rejects of that reason).

    `again`: what the duplicates say of contacts from before this file, each contact once; `phone` is the
    contact's own number, which the row has only where `same_number`.
    """

    contacts: pl.DataFrame
    rejects: pl.DataFrame
    again: pl.DataFrame
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
    `list_line` their places. `list_id`, `time_zone` and `metadata` name columns of `rows`. `file` is the
    last of `taken.files`, or comes after them.
    """
    taken = begin_file(taken, file)
    frame = numbers.with_columns(
        list_row.alias("list_row"),
        list_line.alias("list_line"),
        _text_of(rows, list_id).alias("list_id"),
        _json_of(rows, metadata).alias("metadata"),
        _text_of(rows, time_zone).alias("own_zone"),
        pl.col("phone").str.slice(1).cast(pl.Int64).alias("number"),
        pl.Series("index", range(rows.height), dtype=pl.Int64),
    )
    frame = _mark(_mark(frame, "number", taken), "list_id", taken)
    good = frame.filter(pl.col("reason").is_null())
    bad = frame.filter(pl.col("reason").is_not_null())
    contacts = good.select(
        pl.coalesce(_known_zone(), "time_zones").alias(column) if column == "time_zones" else pl.col(column)
        for column in CONTACT_COLUMNS
    )
    rejects = bad.with_columns(
        pl.col("column").alias("column_name"), _json_of(rows[bad["index"]], tuple(rows.columns)).alias("row")
    ).select(REJECT_COLUMNS)
    place = ("number", "list_row", pl.lit(len(taken.files) - 1, pl.Int32).alias("file"))
    keyed = good.filter(pl.col("list_id").is_not_null())
    return Sorted(
        contacts,
        rejects,
        _again(bad, taken),
        taken._replace(
            phones=pl.concat([taken.phones, good.select(place)]),
            ids=pl.concat([taken.ids, keyed.select("list_id", *place)]),
        ),
    )


def begin_file(taken: Taken, file: str) -> Taken:
    """Return what is taken with `file` as the last of the files."""
    return taken if taken.files and taken.files[-1] == file else taken._replace(files=(*taken.files, file))


def _mark(frame: pl.DataFrame, key: str, taken: Taken) -> pl.DataFrame:
    """Give rows whose number or owner's key came before the reason `duplicate`, and say where it did."""
    known = taken.phones if key == "number" else taken.ids
    word = "number" if key == "number" else "key"
    fresh = pl.col("reason").is_null() & pl.col(key).is_not_null()
    # Only those that the batch has: the long table is walked once, and no index of it is made.
    met = known.join(frame.select(key), on=key, how="semi").select(
        key,
        pl.col("number").alias(f"{word}_of"),
        pl.col("list_row").alias("first_row"),
        pl.col("file").alias("first_file"),
    )
    first = pl.col("list_row").filter(fresh).min().over(key)
    frame = frame.join(met, on=key, how="left", maintain_order="left").with_columns(
        pl.coalesce("first_row", pl.when(pl.col("list_row") != first).then(first)).alias("first_row"),
        pl.col("first_file").fill_null(len(taken.files) - 1).alias(f"{word}_file"),
    )
    again = fresh & pl.col("first_row").is_not_null()
    name = pl.col(f"{word}_file").replace_strict(range(len(taken.files)), taken.files, return_dtype=pl.String)
    place = pl.format(f"the same {word} as row {{}} of {{}}", "first_row", name)
    return frame.with_columns(
        pl.when(again).then(pl.lit("duplicate")).otherwise("reason").alias("reason"),
        pl.when(again).then(place).otherwise("detail").alias("detail"),
        pl.when(again).then(f"{word}_of").alias(f"{word}_of"),
    ).drop("first_row", "first_file")


def _again(bad: pl.DataFrame, taken: Taken) -> pl.DataFrame:
    """Return what duplicates of contacts from before this file say, in AGAIN_COLUMNS."""
    here = len(taken.files) - 1
    same = pl.col("number_of").is_not_null()
    met = bad.filter(
        (pl.col("reason") == "duplicate")
        & (
            (same & (pl.col("number_file") != here))
            | (pl.col("key_of").is_not_null() & (pl.col("key_file") != here))
        )
    )
    # A key that another contact has stays with that contact.
    keys = met.select("list_id").join(taken.ids, on="list_id", how="semi")["list_id"]
    return (
        met.with_columns(same.alias("same_number"), pl.coalesce("number_of", "key_of").alias("number"))
        .with_columns(
            pl.format("+{}", "number").alias("phone"),
            pl.when(same & ~pl.col("list_id").is_in(keys.implode())).then("list_id").alias("list_id"),
            pl.coalesce(_known_zone(), pl.when(same).then("time_zones")).alias("time_zones"),
        )
        .unique("phone", keep="first", maintain_order=True)
        .select(AGAIN_COLUMNS)
    )


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
