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

from dialer.calls.told import TOLD
from dialer.lists import Batch
from dialer.lists.shape import no_broken
from dialer.tables.fields import names_beside

ADDED = ("list_row", "phone", "phone_region", "phone_type", "phone_extension", "time_zones", "repaired")
"""The columns that an accepted row gets."""


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
    """Return the accepted rows as they stand in the clean file."""
    own = one.batch.rows.rename(own_names(one.batch.rows.columns))
    added = [one.numbers[name] for name in ADDED if name != "list_row"]
    whole = own.with_columns(one.batch.list_row.alias("list_row"), *added)
    return whole if one.accepted.all() else whole.filter(one.accepted)


def rejected_rows(one: Answers, file: str) -> pl.DataFrame:
    """Return the rejected rows and those that are no rows of the table, in the order of the list."""
    batch, bad = one.batch, ~one.accepted
    own = batch.rows.filter(bad)
    why = _reasons(one).with_columns(
        batch.list_row.filter(bad).alias("list_row"),
        batch.list_line.filter(bad).alias("list_line"),
        pl.lit(None, pl.String).alias("campaign"),
        pl.lit(file).alias("list_file"),
        as_json(own).alias("row"),
    )
    if not batch.broken.is_empty():
        broken = batch.broken.with_columns(pl.lit(file).alias("list_file"), pl.col("row").alias("raw"))
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
    return rows.select(pl.struct(pl.all()).struct.json_encode().alias("row"))["row"]


def reasons_of(one: Answers) -> Counter[str]:
    """Return how many rows are rejected for each reason."""
    reasons = Counter(dict(_reasons(one)["reason"].value_counts().iter_rows()))
    if not one.batch.broken.is_empty():
        reasons.update(dict(one.batch.broken["reason"].value_counts().iter_rows()))
    return reasons


def _reasons(one: Answers) -> pl.DataFrame:
    """Return what is known of the rejected rows; a number that came before makes a row a duplicate."""
    bad = ~one.accepted
    why = one.numbers.filter(bad)
    if one.first is None:
        return why
    first = one.first.filter(bad)
    again = first > 0
    said = pl.format("the same number as row {}", first)
    return why.with_columns(
        pl.when(again).then(pl.lit("duplicate")).otherwise("reason").alias("reason"),
        pl.when(again).then(said).otherwise("detail").alias("detail"),
    )
