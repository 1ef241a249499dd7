"""The digits of many texts at once, for texts that hold digits and the usual marks between them only.

Bytes are looked up in pairs: one table says which digits a pair adds, and whether it holds anything unusual.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from dialer.contacts.numbers import I64, U64, Flags

_BLOCK_ROWS = 1 << 16
_SHORT, _LONG = 16, 32
_MARKS = b" -().[]/"
# An entry of a pair table: the value in the low 7 bits, how many digits in the next two, then flags.
_COUNT_SHIFT = 7
_ODD, _PLUS, _DOT, _SLASH = 1 << 9, 1 << 10, 1 << 11, 1 << 12


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

    def of(self, rows: I64) -> Digits:
        """Return the same for some of the rows."""
        value, length, plus, odd, parted = self
        return Digits(value[rows], length[rows], plus[rows], odd[rows], parted[rows])


def _pair_table(first: bool) -> npt.NDArray[np.uint16]:
    """Return for each pair of bytes: its value, the number of its digits, and its flags."""
    byte = np.arange(256)
    digit = (byte >= ord("0")) & (byte <= ord("9"))
    plus = byte == ord("+")
    usual = digit | plus | np.isin(byte, list(_MARKS))
    value = np.where(digit, byte - ord("0"), 0)
    factor = np.where(digit, 10, 1)
    # Little-endian: the first byte of a pair is the low one.
    early, late = np.meshgrid(byte, byte, indexing="xy")
    both = value[early] * factor[late] + value[late]
    pluses = plus[early].astype(int) + plus[late]
    odd = ~usual[early] | ~usual[late] | (pluses > 1) | (digit[early] & plus[late])
    if not first:
        odd |= pluses > 0
    table = both + ((digit[early].astype(int) + digit[late]) << _COUNT_SHIFT)
    for flag, holds in (
        (_ODD, odd),
        (_PLUS, pluses > 0),
        (_DOT, (early == ord(".")) | (late == ord("."))),
        (_SLASH, (early == ord("/")) | (late == ord("/"))),
    ):
        table = table + np.where(holds, flag, 0)
    entries: npt.NDArray[np.uint16] = table.reshape(-1).astype(np.uint16)
    return entries


_FIRST, _LATER = _pair_table(True), _pair_table(False)
# Keeps the first bytes of a text and makes spaces of what follows it in memory.
_KEEP = np.array([[0xFF] * size + [0] * (_LONG - size) for size in range(_LONG + 1)], dtype=np.uint8)
_SPACES = np.array([[0] * size + [0x20] * (_LONG - size) for size in range(_LONG + 1)], dtype=np.uint8)


def read_digits(texts: pl.Series) -> Digits:
    """Return the digits of each text; a null reads as an empty text."""
    array = texts.fill_null("").rechunk().to_arrow()
    _, offsets, data = array.buffers()
    offset = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(texts) + 1]
    stored = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    low, high = (int(offset[0]), int(offset[-1])) if len(offset) else (0, 0)
    # Spare bytes behind the last text, because every text is read as if it had the full width.
    buffer = np.concatenate([stored[low:high], np.full(_LONG, 0x20, dtype=np.uint8)])
    start, size = offset[:-1] - low, np.diff(offset)
    rows = len(texts)
    found = Digits(
        np.zeros(rows, dtype=np.uint64),
        np.zeros(rows, dtype=np.uint8),
        np.zeros(rows, dtype=np.bool_),
        np.zeros(rows, dtype=np.bool_),
        np.zeros(rows, dtype=np.bool_),
    )
    for begin in range(0, rows, _BLOCK_ROWS):
        block = slice(begin, begin + _BLOCK_ROWS)
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
    words = windows[start].view(np.uint64).reshape(len(start), width // 8)
    kept = np.minimum(size, width)
    # All masks at once, eight bytes a time.
    words &= _KEEP[:, :width].copy().view(np.uint64)[kept]
    words |= _SPACES[:, :width].copy().view(np.uint64)[kept]
    pairs = np.ascontiguousarray(words.view(np.uint16).T)
    flags = np.zeros(len(start), dtype=np.uint16)
    count = np.zeros(len(start), dtype=np.uint8)
    value = np.zeros(len(start), dtype=np.uint64)
    for word in range(0, width // 2, 4):
        number = np.zeros(len(start), dtype=np.uint32)
        scale = np.ones(len(start), dtype=np.uint32)
        for place in range(word, word + 4):
            entry = (_LATER if place else _FIRST).take(pairs[place])
            flags |= entry
            more = (entry >> _COUNT_SHIFT).astype(np.uint8) & 3
            count += more
            # 1, 10 or 100 for no digit, one or two.
            factor = (more & 1) * np.uint8(9) + (more >> 1) * np.uint8(99) + np.uint8(1)
            number *= factor
            number += entry & 127
            scale *= factor
        value *= scale
        value += number
    odd = (flags & _ODD != 0) | (size > width)
    return Digits(value, count, flags & _PLUS != 0, odd, flags & (_DOT | _SLASH) != 0)
