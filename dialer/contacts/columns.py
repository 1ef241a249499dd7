"""Answers as columns of text: by the kernel where there is one, else by polars."""

from __future__ import annotations

import numpy as np
import polars as pl

from dialer.contacts.kernel import FIELDS
from dialer.contacts.numbers import I32, I64, U64, Flags, Sparse, as_e164
from dialer.contacts.reading.reader import READER


def number_columns(value: U64, outcome: I32, shown: Flags) -> tuple[list[pl.Series], I64]:
    """Return E.164, region, line type and time zones of each row, and the rows where all of them are null.

    `shown` says of each outcome whether its rows have texts at all.
    """
    fields = READER.outcomes.columns()
    if READER.kernel is not None:
        return READER.kernel.columns(value, outcome, shown, fields)
    rows = shown[outcome]
    # The last entry of each field is null.
    codes = pl.Series(np.where(rows, outcome, fields.height - 1).astype(np.uint32))
    phone = as_e164(np.where(rows, value, np.uint64(0)))
    return [phone, *(fields[name].gather(codes) for name in FIELDS)], np.flatnonzero(~rows)


def repeat(text: str, height: int) -> pl.Series:
    """Return a column that holds one text in all rows."""
    if READER.kernel is not None:
        return READER.kernel.repeat(text, height)
    return pl.Series([text]).new_from_index(0, height)


def spread(texts: pl.Series, which: I64, rows: I64, height: int) -> pl.Series:
    """Return a column with `texts[which]` in the given rows, null in all others."""
    if not len(rows):
        return pl.Series([None], dtype=pl.String).new_from_index(0, height)
    if READER.kernel is not None:
        return READER.kernel.spread(texts, which, rows, height)
    place = np.full(height, len(texts), dtype=np.uint32)
    place[rows] = which
    # One chunk: gathering from two takes ten times as long.
    return pl.concat([texts, pl.Series([None], dtype=pl.String)], rechunk=True).gather(pl.Series(place))


def dense(sparse: Sparse, height: int) -> pl.Series:
    """Return a String column, null in the rows that have no text."""
    return spread(sparse.texts, np.arange(len(sparse.rows)), sparse.rows, height)
