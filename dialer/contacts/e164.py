"""Numbers as texts, `+` and the digits, for a whole column at once.

Four digits at a time are looked up, and the column is put together from its buffers as Arrow lays texts out:
12 ns a number against 31 by casts, 2 cores, 2026-11.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from dialer.contacts.numbers import U64

_BLOCK_ROWS = 1 << 14
_DIGITS_MAX = 15
"""With the + these fill 16 bytes."""

_INLINE = 12
"""Texts of so many bytes stand in the view itself."""

_TENS = np.array([10**power for power in range(_DIGITS_MAX + 1)], dtype=np.uint64)
_FOUR = np.array([f"{number:04}" for number in range(10_000)], dtype="S4").view(np.uint32)
_KEPT = (
    np.where(np.arange(_INLINE) < np.arange(_INLINE + 1)[:, None], 0xFF, 0).astype(np.uint8).view(np.uint32)
)
_EIGHT_DIGITS, _FOUR_DIGITS = np.uint64(10**8), np.uint32(10**4)


def as_e164(value: U64) -> pl.Series:
    """Return `+` and the digits as String, null where the value is 0."""
    # A view: size, the first four bytes, which buffer, where in it; or the size and up to 12 bytes.
    views = np.empty((len(value), 4), dtype=np.uint32)
    texts = np.empty((len(value), 4), dtype=np.uint32)
    for begin in range(0, len(value), _BLOCK_ROWS):
        block = slice(begin, begin + _BLOCK_ROWS)
        _write(views[block], texts[block], value[block], begin)
    known = np.packbits(value != 0, bitorder="little")
    buffers = [pa.py_buffer(known), pa.py_buffer(views), pa.py_buffer(texts)]
    column = pl.Series(pa.Array.from_buffers(pa.string_view(), len(value), buffers))
    longer = np.flatnonzero(value >= _TENS[-1])
    if len(longer):
        column = column.scatter(longer, "+" + pl.Series(value[longer]).cast(pl.String))
    return column


def _write(views: npt.NDArray[np.uint32], texts: npt.NDArray[np.uint32], value: U64, begin: int) -> None:
    """Fill a block of both buffers; its texts begin behind those of `begin` rows."""
    size = np.ones(len(value), dtype=np.uint8)
    for power in _TENS[:-1]:
        size += value >= power
    # The digits move to the left end of 15; of longer numbers only the size has to make sense.
    left = value * _TENS.take(_DIGITS_MAX + 1 - size)
    high = left // _EIGHT_DIGITS
    low = (left - high * _EIGHT_DIGITS).astype(np.uint32)
    for column, half in ((0, high.astype(np.uint32)), (2, low)):
        upper = half // _FOUR_DIGITS
        # The seven digits of the upper half begin with a 0, which makes room for the +.
        texts[:, column] = _FOUR.take(upper, mode="clip")
        texts[:, column + 1] = _FOUR.take(half - upper * _FOUR_DIGITS)
    texts.view(np.uint8)[:, 0] = ord("+")
    views[:, 0] = size
    views[:, 1] = texts[:, 0]
    views[:, 2] = 0
    views[:, 3] = np.arange(16 * begin, 16 * (begin + len(value)), 16, dtype=np.uint32)
    short = np.flatnonzero(size <= _INLINE)
    views[short, 1:] = texts[short, :3] & _KEPT[size[short]]
