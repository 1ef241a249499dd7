"""Floats that are whole: an owner's key is 1001 in every file, also where a program keeps it as 1001.0.

Workbooks know no other numbers than floats, and programs that have no empty whole number make floats of a
column as soon as one of its cells is empty.
"""

from __future__ import annotations

import polars as pl

_EXACT_MAX = {"Float16": 2**11, "Float32": 2**24}
_EXACT_DOUBLE_MAX = 2**53
"""From here on a float may stand for several whole numbers, and stays the float that it is."""


def are_whole(name: str, kind: pl.DataType) -> pl.Expr:
    """Return whether a column of floats has a filled cell, and whole numbers in all of them."""
    cell = pl.col(name)
    filled = cell.is_not_null() & cell.is_not_nan()
    return (_is_whole(cell, kind) | ~filled).all() & filled.any()


def as_whole(cells: pl.Series) -> pl.Series:
    """Return floats as whole numbers where all of them are, without NaN; all else as it is."""
    if not cells.dtype.is_float() or not cells.to_frame().select(are_whole(cells.name, cells.dtype)).item():
        return cells
    return cells.cast(pl.Int64, strict=False)


def as_text(cells: pl.Series) -> pl.Series:
    """Return the cells as text, each whole float as the whole number that a person typed, NaN as null."""
    if not cells.dtype.is_float():
        return cells.cast(pl.String)
    cell = pl.col(cells.name)
    return cells.to_frame().select(
        pl.when(_is_whole(cell, cells.dtype))
        .then(cell.cast(pl.Int64, strict=False).cast(pl.String))
        .when(cell.is_not_nan())
        .then(cell.cast(pl.String))
        .alias(cells.name)
    )[cells.name]


def _is_whole(cell: pl.Expr, kind: pl.DataType) -> pl.Expr:
    return (cell == cell.floor()) & (cell.abs() < _EXACT_MAX.get(str(kind), _EXACT_DOUBLE_MAX))
