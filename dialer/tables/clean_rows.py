"""A batch of a list and what became of its numbers -> the rows of a clean file and those of its rejects.

An accepted row keeps its own columns, one with the name of an added column as `list_<name>`. A rejected row
has its own columns first, then those of the view `rejects`, which give way (`reject_<name>`), so that the
file can be mended and read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from dialer.calls.told import RAGGED, TOLD
from dialer.contacts.texts import as_told
from dialer.lists import Batch
from dialer.lists.shape import no_broken
from dialer.tables.fields import names_beside
from dialer.tables.flat import spans
from dialer.tables.render.binding import json_objects

ADDED = ("list_row", "phone", "phone_region", "phone_type", "phone_extension", "time_zones", "repaired")
"""The columns that an accepted row gets."""

SAID = ("column", "raw", "reason", "detail", "suggestion")
"""What `normalize` says of a rejected row."""


class Answers(NamedTuple):
    """A batch, and aligned with its rows: the answer of `normalize`, and which rows are accepted.

    `first` is the row that had the same number before, 0 for none; None where nobody asked.
    """

    batch: Batch
    numbers: pl.DataFrame
    accepted: pl.Series
    first: pl.Series | None = None


def own_names(columns: Sequence[str]) -> dict[str, str]:
    """Return what a list's columns are called in its clean file."""
    return names_beside(columns, ADDED, "list_")


def reject_names(columns: Sequence[str]) -> dict[str, str]:
    """Return what our columns are called in the file of a list's rejects."""
    return names_beside(TOLD, columns, "reject_")


def accepted_rows(one: Answers) -> pl.DataFrame:
    """Return all rows with the columns of the clean file, where the accepted ones stand."""
    own = one.batch.rows.rename(own_names(one.batch.rows.columns)).get_columns()
    added = [one.numbers[name] for name in ADDED if name != "list_row"]
    return pl.DataFrame([*own, one.batch.list_row.alias("list_row"), *added])


def rejected_rows(one: Answers, why: pl.DataFrame, file: str, phones: Sequence[str]) -> pl.DataFrame:
    """Return the rejected rows and those that are no rows of the table, in the order of the list.

    `why` is what `reasons` says of the former, `phones` are the columns that were asked for numbers.
    """
    batch, bad = one.batch, ~one.accepted
    own = as_told(batch.rows.filter(bad), phones)
    why = why.with_columns(
        batch.list_row.filter(bad).alias("list_row"),
        batch.list_line.filter(bad).alias("list_line"),
        pl.lit(None, pl.String).alias("campaign"),
        pl.lit(file).alias("list_file"),
        as_json(own).alias("row"),
    )
    if not batch.broken.is_empty():
        broken = batch.broken.with_columns(
            pl.lit(file).alias("list_file"),
            pl.col("row").alias("raw"),
            pl.lit(RAGGED).alias("suggestion"),
        )
        order = pl.concat([why["list_row"], broken["list_row"]]).arg_sort()
        own = pl.concat([own, own.clear(broken.height)])[order]
        why = pl.concat([why, broken], how="diagonal")[order]
    return pl.concat([own, why.select(TOLD).rename(reject_names(own.columns))], how="horizontal")


def no_rows(columns: Sequence[str]) -> Answers:
    """Return the answers of a list that has columns and no row."""
    nothing = pl.Series(dtype=pl.Int64)
    rows = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    texts = (*ADDED, *TOLD)
    numbers = pl.DataFrame(schema=dict.fromkeys(texts, pl.String)).drop("list_row", "list_line")
    return Answers(Batch(rows, nothing, nothing, no_broken(), 0), numbers, pl.Series(dtype=pl.Boolean))


def as_json(rows: pl.DataFrame) -> pl.Series:
    """Return each row as a JSON object."""
    if not rows.width:
        return pl.Series([None] * rows.height, dtype=pl.String)
    compiled = json_objects(rows)
    if compiled is not None:
        return compiled
    return spans(rows).select(pl.struct(pl.all()).struct.json_encode().alias("row"))["row"]


def count_reasons(why: pl.DataFrame, broken: pl.DataFrame) -> Counter[str]:
    """Return how many rows are rejected for each reason."""
    # In the same order each time, whatever order polars counts in.
    counts = Counter(dict(why["reason"].value_counts().sort("reason").iter_rows()))
    if not broken.is_empty():
        counts.update(dict(broken["reason"].value_counts().sort("reason").iter_rows()))
    return counts


def reasons(one: Answers) -> pl.DataFrame:
    """Return why each rejected row is one (SAID); a number that came before makes it a duplicate."""
    bad = ~one.accepted
    why = one.numbers.select(SAID).filter(bad)
    if one.first is None:
        return why
    first = one.first.filter(bad)
    again = first > 0
    said = pl.format("the same number as row {}", first)
    return why.with_columns(
        pl.when(again).then(pl.lit("duplicate")).otherwise("reason").alias("reason"),
        pl.when(again).then(said).otherwise("detail").alias("detail"),
    )
