"""Phone columns of any type as text, without losing a digit."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dialer.base.errors import BadInput

_EXACT_MAX = {"Float16": 2.0**11, "Float32": 2.0**24}
_EXACT_DOUBLE_MAX = 2.0**53
"""Above these a float no longer tells neighbouring integers apart."""
_DIGITS_MIN = 4
"""No country has shorter numbers: what has fewer digits is told as it is, and is nobody's number anyway."""


def as_texts(cells: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Return a column as text, and which cells of a column of numbers have lost digits.

    Whole floats become their digits. A negative number is what a spreadsheet makes of `91-9876543210`. What
    has too few digits for any phone number, and what is no finite number, has lost nothing.

    Raises:
        BadInput: dates, lists and the like hold no phone numbers.
    """
    kind = cells.dtype
    if kind == pl.String:
        return cells, None
    if kind in (pl.Categorical, pl.Enum, pl.Null):
        return cells.cast(pl.String), None
    if kind.is_integer():
        return cells.cast(pl.String), (cells <= -(10 ** (_DIGITS_MIN - 1))).fill_null(False)
    if kind.is_float() or kind.is_decimal():
        # A number in half the bytes has lost its last digits, whatever it is written as from here on.
        exact_max = _EXACT_MAX.get(str(kind), _EXACT_DOUBLE_MAX)
        numbers = pl.DataFrame({"cell": cells.cast(pl.Float64)})
        cell = pl.when(pl.col("cell").is_not_nan()).then(pl.col("cell"))
        whole = (cell == cell.floor()) & (cell.abs() < exact_max)
        digits = cell.cast(pl.Int64, strict=False).cast(pl.String)
        text = pl.when(whole).then(digits).otherwise(cell.cast(pl.String))
        many = (text.str.count_matches(r"\d") >= _DIGITS_MIN) | (cell.abs() >= exact_max)
        damaged = (~whole | (cell < 0)) & many & cell.is_finite()
        answer = numbers.select(text=text, damaged=damaged.fill_null(False))
        return answer["text"], answer["damaged"]
    if isinstance(kind, pl.Array):
        cells = cells.arr.to_list()
        kind = cells.dtype
    if isinstance(kind, pl.List) and (kind.inner == pl.String or kind.inner.is_integer()):
        # Several numbers in a cell, as a person would write them.
        return cells.cast(pl.List(pl.String)).list.join("; ", ignore_nulls=True), None
    raise BadInput(
        f"column {cells.name!r} is {kind}, expected text, integers, floats, or lists of texts or integers;"
        " put its numbers into a column of text"
    )


def as_told(rows: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    """Return rejected rows as others are told of them: numbers that lost digits look like it.

    A cell of `columns` that holds 9876543488 in 32 bits is told as 9.87654E+09: written out, it would be
    somebody else's number to whoever reads the rejects again.
    """
    told = []
    for name in set(columns) & set(rows.columns):
        if not rows[name].dtype.is_numeric():
            continue
        texts, damaged = as_texts(rows[name])
        assert damaged is not None
        # Five digits behind the point are fewer than any number of seven digits needs.
        lost = [f"{cell:.5E}" for cell in rows[name].filter(damaged).to_list()]
        told.append(texts.scatter(damaged.arg_true(), lost).alias(name))
    return rows.with_columns(told)
