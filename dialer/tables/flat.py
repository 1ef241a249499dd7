"""Columns that a table of plain cells does not know -> text: moments, lengths of time, lists and structs."""

from __future__ import annotations

from typing import Literal

import polars as pl
from polars import selectors

FRACTIONS: dict[Literal["ms", "us", "ns"], str] = {"ms": "%.6f", "us": "%.6f", "ns": "%.9f"}
"""How parts of a second are written, by the unit of a column."""


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with lists and structs as JSON text, and lengths of time as ISO 8601 text.

    What is null stays null, and is no text.
    """
    frame = spans(frame)
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    if not nested:
        return frame
    # As a field of an object, because only objects can be written as JSON.
    packed = (
        pl.when(pl.col(name).is_not_null())
        .then(pl.struct(pl.col(name).alias("value")).struct.json_encode().str.slice(9).str.head(-1))
        .alias(name)
        for name in nested
    )
    return frame.with_columns(packed)


def spans(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with lengths of time as ISO 8601 text, such as P1DT5S."""
    return frame.with_columns(selectors.duration().dt.to_string("iso"))


def in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its moments in UTC; the clock of a place that nobody named stays as it is."""
    return frame.with_columns(selectors.datetime(time_zone="*").dt.convert_time_zone("UTC"))


def dated(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with times and their lengths as ISO 8601 text: in UTC, with a Z, in a known zone."""
    return spans(in_utc(frame)).with_columns(
        selectors.datetime(unit, zone).dt.to_string(f"%Y-%m-%dT%H:%M:%S{fraction}{end}")
        for unit, fraction in FRACTIONS.items()
        for zone, end in (("*", "Z"), (None, ""))
    )
