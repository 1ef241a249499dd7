"""The digits of many texts at once, for texts that hold digits and the usual marks between them only.

Texts are laid side by side, one row of bytes each, and all bytes are judged at once. Then neighbours are
joined: two bytes to a number of up to two digits, two of these to one of up to four, and so on.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from dialer.contacts.numbers import I64, U64, Flags

BLOCK_ROWS = 1 << 16
"""Rows at work at one time: few enough for the processor's caches, and enough for two threads side by side.

After each operation on arrays a thread waits for the interpreter: with a quarter of the rows two threads take
longer than one after the other.
"""

_SHORT, _LONG = 16, 32
_WORD = 8
_EACH_BYTE = np.uint64(0x0101010101010101)
_SPACES = np.uint64(0x2020202020202020)


class Digits(NamedTuple):
    """Per row: the digits as one integer (wrong beyond 19), how many, and whether a + stands before them.

    `odd` marks texts with anything else in them, too long ones, and a + at an unusual place; `parted` those
    with a full stop or a slash.
    """

    value: U64
    length: npt.NDArray[np.uint8]
    plus: Flags
    odd: Flags
    parted: Flags

    def of(self, rows: I64 | slice) -> Digits:
        """Return the same for some of the rows."""
        value, length, plus, odd, parted = self
        return Digits(value[rows], length[rows], plus[rows], odd[rows], parted[rows])


def _kept(width: int) -> U64:
    """Return for each size of a text the bits of its bytes, as words."""
    mask = np.where(np.arange(width) < np.arange(width + 1)[:, None], 0xFF, 0).astype(np.uint8)
    words: U64 = mask.view(np.uint64)
    return words


_KEPT = {_SHORT: _kept(_SHORT), _LONG: _kept(_LONG)}


def read_digits(texts: pl.Series) -> Digits:
    """Return the digits of each text; a null reads as an empty text."""
    array = (texts.fill_null("") if texts.null_count() else texts).rechunk().to_arrow()
    _, offsets, data = array.buffers()
    offset = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(texts) + 1]
    stored = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    low, high = (int(offset[0]), int(offset[-1])) if len(offset) else (0, 0)
    # Spare bytes behind the last text, because every text is read as if it had the full width.
    buffer = np.concatenate([stored[low:high], np.full(_LONG, 0x20, dtype=np.uint8)])
    start, size = offset[:-1] - low, np.diff(offset)
    rows = len(texts)
    found = Digits(
        np.empty(rows, dtype=np.uint64),
        np.empty(rows, dtype=np.uint8),
        np.empty(rows, dtype=np.bool_),
        np.empty(rows, dtype=np.bool_),
        np.empty(rows, dtype=np.bool_),
    )
    for begin in range(0, rows, BLOCK_ROWS):
        block = slice(begin, begin + BLOCK_ROWS)
        part = _read_block(buffer, start[block], size[block], _SHORT)
        longer = np.flatnonzero(size[block] > _SHORT)
        if len(longer):
            more = _read_block(buffer, start[block][longer], size[block][longer], _LONG)
            _place(part, longer, more)
        _place(found, block, part)
    return found


def _place(whole: Digits, where: I64 | slice, part: Digits) -> None:
    for name in Digits._fields:
        column: npt.NDArray[Any] = getattr(whole, name)
        column[where] = getattr(part, name)


def _read_block(buffer: npt.NDArray[np.uint8], start: I64, size: I64, width: int) -> Digits:
    windows = np.ndarray((len(buffer) - _LONG + 1,), dtype=f"V{width}", buffer=buffer, strides=(1,))
    words = windows[start].view(np.uint64).reshape(len(start), width // _WORD)
    # What follows a text in memory becomes spaces.
    words ^= _SPACES
    words &= _KEPT[width].take(np.minimum(size, width), axis=0)
    words ^= _SPACES
    byte = words.view(np.uint8)
    digit = byte - np.uint8(ord("0"))
    is_digit = digit < 10
    is_plus = byte == ord("+")
    # From ( to 9 all are usual but * and a comma.
    usual = byte - np.uint8(ord("(")) < 18
    usual &= byte != ord("*")
    usual &= byte != ord(",")
    usual |= byte == ord(" ")
    plus = is_plus[:, 0] | (is_plus[:, 1] & ~is_digit[:, 0])
    odd = _any(~usual) | (_count(is_plus) > plus) | (size > width)
    # Bit 0 is all that a full stop and a slash differ in.
    parted = _any(byte | 1 == ord("/"))
    return Digits(_joined(digit, is_digit), _count(is_digit), plus, odd, parted)


def _any(flags: npt.NDArray[np.bool_]) -> Flags:
    """Return whether any byte of each row is set."""
    found: Flags = reduce(np.bitwise_or, flags.view(np.uint64).T) != 0
    return found


def _count(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return how many bytes of each row are set."""
    words = reduce(np.add, flags.view(np.uint64).T)
    counted: npt.NDArray[np.uint8] = (words * _EACH_BYTE >> np.uint64(56)).astype(np.uint8)
    return counted


def _joined(digit: npt.NDArray[np.uint8], is_digit: npt.NDArray[np.bool_]) -> U64:
    """Return each row's digits as one number; what is no digit counts for nothing."""
    ones = is_digit.view(np.uint8)
    value: npt.NDArray[Any] = digit * ones
    factor: npt.NDArray[Any] = ones * np.uint8(9) + np.uint8(1)
    for wider in (np.uint16, np.uint32, np.uint64):
        # The first of two neighbours is the low one in memory.
        half = wider(4 * np.dtype(wider).itemsize)
        low = wider((1 << int(half)) - 1)
        value, factor = value.view(wider), factor.view(wider)
        scale = factor >> half
        value = (value & low) * scale + (value >> half)
        factor = (factor & low) * scale
    number: U64 = value[:, 0].copy()
    for column in range(1, value.shape[1]):
        number *= factor[:, column]
        number += value[:, column]
    return number
