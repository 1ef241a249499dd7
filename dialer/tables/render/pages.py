"""Rows of texts and integers -> a row group of a Parquet file: its bytes, and what the file's end says of it.

Compiled code makes the pages straight from the columns, zstd packs them; several threads may do so at once.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from dialer.contacts.kernel.binding import TextsGiven
from dialer.tables.render.binding import SPARE, Rows, Table, TableGiven, library
from dialer.tables.render.thrift import Struct, packed

ZSTD_LEVEL = 1
"""Polars' own level, 3, packs a clean list to 4 % less, in twice the time; 2 cores, 2026-11."""

_SEATS, _DIFFERENT_MAX = 1 << 14, 1 << 13
_ROWS_MAX = 1 << 18
_BYTES_MAX = 1 << 30
_ROW_BYTES, _MORE_BYTES = 10, 512
"""What a page needs beside its texts, at most: differences of eight bytes and a bit a row, and the rest of the
last block of differences, which is a whole one.
"""

_DATA, _DICTIONARY = 0, 2
PLAIN, RLE, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, RLE_DICTIONARY = 0, 3, 5, 6, 8
"""Encodings: the numbers of parquet.thrift, like those above and in `parquet.py`."""


class Chunk(NamedTuple):
    """One column of a row group: its bytes, with headers, and what they would be without packing.

    `dictionary_bytes` come first, 0 where there is none. `bounds` are the least and the greatest integer.
    """

    data: bytes
    unpacked_bytes: int
    dictionary_bytes: int
    encodings: tuple[int, ...]
    nulls: int
    bounds: tuple[int, int] | None


class Group(NamedTuple):
    """A row group."""

    rows: int
    chunks: list[Chunk]


class _PageGiven(ctypes.Structure):
    """Page of render_pages.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("data", "dictionary", "index", "seats", "first", "words")),
        *((name, ctypes.c_int64) for name in ("data_size", "dictionary_size", "different")),
        *((name, ctypes.c_int64) for name in ("nulls", "least", "greatest")),
    )


class _Room(threading.local):
    """What a thread works in, from page to page: new memory takes longer than a page."""

    def __init__(self) -> None:
        self.page = _PageGiven()
        self.seats = np.empty(_SEATS, np.int32)
        self.first = np.empty(_DIFFERENT_MAX, np.int64)
        self.words = np.empty(2 * _DIFFERENT_MAX, np.uint64)
        self.index = np.empty(0, np.uint16)
        self.data = np.empty(0, np.uint8)
        self.dictionary = np.empty(0, np.uint8)

    def grown(self, rows: int, text_bytes: int) -> _PageGiven:
        """Return the place for a page of so many rows and bytes of text."""
        if len(self.index) < rows:
            self.index = np.empty(rows, np.uint16)
        if len(self.data) < (size := text_bytes + _ROW_BYTES * rows + _MORE_BYTES + SPARE):
            self.data = np.empty(size, np.uint8)
        if len(self.dictionary) < (size := text_bytes + 4 * _DIFFERENT_MAX + SPARE):
            self.dictionary = np.empty(size, np.uint8)
        for name in ("data", "dictionary", "index", "seats", "first", "words"):
            setattr(self.page, name, getattr(self, name).ctypes.data)
        return self.page


_ROOM = _Room()


def can_page(frame: pl.DataFrame) -> bool:
    """Return whether there is compiled code, and all columns are for it."""
    kinds = frame.dtypes
    return library() is not None and bool(kinds) and all(kind in (pl.String, pl.Int64) for kind in kinds)


def row_groups(frame: pl.DataFrame, which: Rows | None) -> Iterator[Group]:
    """Yield the row groups of a frame that `can_page`: of the rows `which`, all of them where left out."""
    rows = frame.height if which is None else len(which)
    if not rows:
        return
    tables = [_table(column, which) for column in frame]
    if rows == 1 or (rows <= _ROWS_MAX and all(table.text_bytes <= _BYTES_MAX for table in tables)):
        yield Group(rows, [_chunk(table) for table in tables])
        return
    for half in np.array_split(np.arange(rows) if which is None else which, 2):
        yield from row_groups(frame, half)


class _Column(NamedTuple):
    """A column for the compiled code; `numbers` is where its integers stand, None for texts."""

    table: Table
    text_bytes: int
    numbers: int | None


def _table(column: pl.Series, which: Rows | None) -> _Column:
    if column.dtype != pl.String:
        return _numbers(column, which)
    table = Table.of([column], which)
    return _Column(table, _compiled().dialer_bytes(ctypes.byref(table.given)), None)


def _chunk(column: _Column) -> Chunk:
    given = column.table.given
    page, bounds = _ROOM.grown(given.rows, column.text_bytes), None
    if column.numbers is None:
        _compiled().dialer_text_page(ctypes.byref(given), ctypes.byref(page))
        encoding = RLE_DICTIONARY if page.different >= 0 else DELTA_LENGTH_BYTE_ARRAY
    else:
        _compiled().dialer_number_page(ctypes.byref(given), column.numbers, ctypes.byref(page))
        encoding = DELTA_BINARY_PACKED
        bounds = (page.least, page.greatest) if page.nulls < given.rows else None
    dictionary, unpacked = b"", 0
    encodings: tuple[int, ...] = (RLE, encoding)
    if encoding == RLE_DICTIONARY:
        about = {1: page.different, 2: PLAIN, 3: False}
        dictionary, unpacked = _page(_ROOM.dictionary[: page.dictionary_size], _DICTIONARY, {7: about})
        encodings = (PLAIN, *encodings)
    about = {1: given.rows, 2: encoding, 3: RLE, 4: RLE}
    data, more = _page(_ROOM.data[: page.data_size], _DATA, {5: about})
    return Chunk(dictionary + data, unpacked + more, len(dictionary), encodings, page.nulls, bounds)


def _page(content: np.typing.NDArray[np.uint8], kind: int, about: Struct) -> tuple[bytes, int]:
    """Return a page with its header, and its size without packing."""
    small: bytes = pa.Codec("zstd", ZSTD_LEVEL).compress(pa.py_buffer(content), asbytes=True)
    header = packed({1: kind, 2: len(content), 3: len(small), **about})
    return header + small, len(header) + len(content)


def _numbers(column: pl.Series, which: Rows | None) -> _Column:
    """Return the validity of a column of integers, and where these stand."""
    array = column.rechunk().to_arrow()
    validity, data = array.buffers()
    given = TextsGiven(
        None, validity.address if validity is not None else None, array.offset, len(array), None, None, 0
    )
    place, rows = (None, len(array)) if which is None else (which.ctypes.data, len(which))
    numbers = data.address + 8 * array.offset if data is not None else 0
    table = TableGiven(ctypes.addressof(given), 1, place, rows)
    return _Column(Table(table, (array, given, which)), 0, numbers)


@cache
def _compiled() -> ctypes.CDLL:
    found = library()
    assert found is not None, "asked for pages where can_page said no"
    return found
