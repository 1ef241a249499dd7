"""`render.c` as Python sees it: rows of text columns as CSV and as JSON objects.

Each function returns None where there is no compiled code or the columns are not for it; whoever calls has
another way with the same answer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from dialer.base.compiled import compiled
from dialer.contacts.kernel.binding import TextColumn, TextsGiven
from dialer.lists.arrow import VIEW, as_texts_of

Rows = npt.NDArray[np.int64]

_SOURCE = Path(__file__).with_name("render.c")
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64
_FUNCTIONS = {
    "dialer_bytes": (_INT, [_POINTER]),
    "dialer_csv": (_INT, [_POINTER] * 2),
    "dialer_json": (_INT, [_POINTER] * 4),
}
SPARE = 16
"""Bytes that may be written behind the last text."""
_BYTES_MAX = (1 << 31) - 1
"""Places in a column of texts are kept in 32 bits."""


class TableGiven(ctypes.Structure):
    """Table of render_texts.h."""

    _fields_ = (("columns", _POINTER), ("width", _INT), ("which", _POINTER), ("rows", _INT))


class _NamesGiven(ctypes.Structure):
    """Names of render_json.h."""

    _fields_ = (("bytes", _POINTER), ("sizes", _POINTER))


class Table(NamedTuple):
    """A table for the compiled code, and what must live as long."""

    given: TableGiven
    kept: tuple[object, ...]

    @classmethod
    def of(cls, columns: Sequence[pl.Series], which: Rows | None) -> Table:
        """Return columns of texts; of the rows `which`, or of all of them."""
        texts = [TextColumn(column) for column in columns]
        given = (TextsGiven * len(texts))(*(text.given for text in texts))
        rows = len(columns[0]) if which is None else len(which)
        place = None if which is None else which.ctypes.data
        return cls(TableGiven(ctypes.addressof(given), len(texts), place, rows), (texts, given, which))


def csv_rows(frame: pl.DataFrame, which: Rows | None = None) -> memoryview | None:
    """Return rows of a frame of texts and integers as CSV, with no cell that starts a formula."""
    code = library()
    plain = all(kind == pl.String or kind.is_integer() for kind in frame.dtypes)
    if code is None or not plain or not frame.width:
        return None
    table = Table.of([column.cast(pl.String) for column in frame], which)
    texts = code.dialer_bytes(ctypes.byref(table.given))
    text = np.empty(2 * texts + 4 * table.given.rows * frame.width + SPARE, np.uint8)
    size = code.dialer_csv(ctypes.byref(table.given), text.ctypes.data)
    return text[:size].data


def json_objects(frame: pl.DataFrame) -> pl.Series | None:
    """Return the rows of a frame of texts as JSON objects."""
    code = library()
    if code is None or not frame.width or any(kind != pl.String for kind in frame.dtypes):
        return None
    table, rows = Table.of(frame.get_columns(), None), frame.height
    names = _names(tuple(frame.columns))
    head = b"".join(names)
    room = 6 * code.dialer_bytes(ctypes.byref(table.given)) + rows * (len(head) + 4 * len(names) + 1)
    if room > _BYTES_MAX:
        return None
    sizes = np.array([len(name) for name in names], dtype=np.int64)
    given = _NamesGiven(ctypes.cast(ctypes.c_char_p(head), _POINTER), sizes.ctypes.data)
    text, views = np.empty(room, np.uint8), np.empty(rows * VIEW, np.uint8)
    size = code.dialer_json(
        ctypes.byref(table.given), ctypes.byref(given), text.ctypes.data, views.ctypes.data
    )
    return as_texts_of(views, rows, [pa.py_buffer(text[:size])])


@lru_cache(maxsize=16)
def _names(columns: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return what stands before each value; polars says how names are written in JSON."""
    written = [
        pl.select(pl.struct(pl.lit(None, pl.String).alias(name)).struct.json_encode()).item()
        for name in columns
    ]
    starts = [object_.removesuffix("null}") for object_ in written]
    return tuple(
        (start if at == 0 else "," + start.removeprefix("{")).encode() for at, start in enumerate(starts)
    )


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled code, None where there is none."""
    code = compiled(_SOURCE)
    if code is not None:
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(code, name)
            function.restype, function.argtypes = result, arguments
    return code
