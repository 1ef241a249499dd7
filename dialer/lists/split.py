"""Text -> its records as columns, in one pass of compiled code, as far as nothing about them is doubtful.

The columns are views into the text: no field is copied, and a row costs a tenth of a microsecond. Records
with too many or too few fields are told apart on the way. `records.py` reads what is left, and everything
where there is no compiled code.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from dialer.base.compiled import compiled
from dialer.lists.arrow import VIEW, as_texts_of, is_utf8
from dialer.lists.exact import SURE_BYTES
from dialer.lists.marks import Positions

_SOURCE = Path(__file__).with_name("split.c")
_BROKEN_MAX = 1 << 16
_SIZE_MAX = (1 << 31) - 1
"""Places in a text are kept in 32 bits."""

_POINTER, _INT, _SHORT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


class _Split(ctypes.Structure):
    """Split of split.c."""

    _fields_ = (
        ("data", _POINTER),
        ("size", _INT),
        ("start", _INT),
        ("views", _POINTER),
        ("known", _POINTER),
        ("number", _POINTER),
        ("line", _POINTER),
        ("unescaped", _POINTER),
        ("broken", _POINTER),
        ("room", _INT),
        ("broken_room", _INT),
        ("sure_bytes", _INT),
        ("width", _SHORT),
        ("delimiter", _SHORT),
        ("final", _SHORT),
        ("rows", _INT),
        ("broken_rows", _INT),
        ("records", _INT),
        ("lines", _INT),
        ("used", _INT),
        ("unescaped_used", _INT),
    )


class Ended(IntEnum):
    """Why there are no more records: of split.c."""

    READ = 0
    """What is left, if anything, goes on in what was not read yet."""
    DOUBTFUL = 1
    FULL = 2
    """There are more, for another call."""


class Records(NamedTuple):
    """The records of a text from `start` up to `used`.

    `number` and `line` say how many records and line ends are before each row. A row of `broken` is number,
    line, start, end and count of fields of a record that has not as many as there are columns.
    """

    rows: pl.DataFrame
    number: Positions
    line: Positions
    broken: Positions
    records: int
    lines: int
    used: int
    ended: Ended


def can_split() -> bool:
    """Return whether there is compiled code."""
    return _library() is not None


def split(data: bytes, start: int, columns: tuple[str, ...], delimiter: int, final: bool) -> Records | None:
    """Return the records of `data` from `start` on; None where that is not possible at all."""
    library = _library()
    if library is None or len(data) > _SIZE_MAX or not is_utf8(data):
        return None
    values = np.frombuffer(data, dtype=np.uint8)
    room, width = library.dialer_room(values.ctypes.data + start, len(data) - start), len(columns)
    known_size = (room + 7) // 8
    views = np.empty((width, room, VIEW), dtype=np.uint8)
    known = np.zeros((width, known_size), dtype=np.uint8)
    number, line = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    unescaped = np.empty(len(data) - start if b'""' in data else 1, dtype=np.uint8)
    broken = np.empty((_BROKEN_MAX, 5), dtype=np.int64)
    arrays = (views, known, number, line, unescaped, broken)
    given = _Split(
        values.ctypes.data, len(data), start, *(array.ctypes.data for array in arrays), room, _BROKEN_MAX,
        SURE_BYTES, width, delimiter, final, used=start,
    )  # fmt: skip
    ended = library.dialer_split(ctypes.byref(given))
    rows = given.rows
    frame = pl.DataFrame(
        [
            _column(name, rows, known[at], views[at], data, unescaped[: max(given.unescaped_used, 1)])
            for at, name in enumerate(columns)
        ]
    )
    return Records(
        frame, number[:rows], line[:rows], broken[: given.broken_rows],
        given.records, given.lines, given.used, Ended(ended),
    )  # fmt: skip


def _column(name: str, rows: int, known: Any, views: Any, data: bytes, unescaped: Any) -> pl.Series:
    buffers = [pa.py_buffer(data), pa.py_buffer(unescaped)]
    return as_texts_of(views[:rows], rows, buffers, known, -1).rename(name)


@cache
def _library() -> ctypes.CDLL | None:
    library = compiled(_SOURCE)
    if library is not None:
        library.dialer_room.restype, library.dialer_room.argtypes = _INT, [_POINTER, _INT]
    return library
