"""The compiled way of reading texts: `kernel.c`, where it could be compiled, through ctypes.

The kernel does what `reader.py` and `odd.py` do, row by row and without the interpreter, and leaves to them
what it is not sure of. Without it (no compiler at installing, or DIALER_KERNEL=off) they do everything.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import sys
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from dialer.contacts.lookup import Lookup
from dialer.contacts.numbers import I32, I64, U64
from dialer.contacts.tables import Tables

_SOURCE = Path(__file__).with_name("kernel.c")
_LIBRARY = Path(__file__).with_name("libkernel.so")
_VIEW = 16

_RUN = np.dtype(
    [("delta", "<i8"), ("action", "u1"), ("length", "u1"), ("extracted", "u1"), ("unused", "u1", (5,))]
)

# The symbols of kernel.c for what is not ASCII.
_DIGIT_0 = 128
_NO_BREAK, _MARK, _LETTER_MARK, _WIDE_STOP, _OTHER, _LETTER, _UNSURE, _UNKNOWN = (*range(138, 145), 255)
_SYMBOLS_KNOWN = 0x20000
_SURROGATES = slice(0xD800, 0xE000)
_MARKS = "‐‑‒–—―−－／\u3000\u2060\u200b\u00ad（）［］⁓∼"
# Letters that are equal to others if case does not matter, and all that stands in words for extensions.
_UNSURE_ONES = "İıſKóÓдобДОБ\u1c81\u1c82\u0301＃～" + "".join(
    map(chr, [*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)])
)


class Found(NamedTuple):
    """What the kernel says of each text; `outcome` is negative for the rows in `rest`, which it left open.

    `suspects` are the rows that a repair may change, `extensions` those of the rows `extended`.
    """

    value: U64
    outcome: I32
    rest: I64
    suspects: I64
    extended: I64
    extensions: pl.Series


class _Texts(ctypes.Structure):
    _fields_ = (
        ("views", ctypes.c_void_p),
        ("validity", ctypes.c_void_p),
        ("first", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("data", ctypes.c_void_p),
        ("sizes", ctypes.c_void_p),
        ("buffers", ctypes.c_int64),
    )


class _Lookup(ctypes.Structure):
    _fields_ = (
        ("keys", ctypes.c_void_p),
        ("factor", ctypes.c_void_p),
        ("base", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("last", ctypes.c_int64),
    )


class _Plans(ctypes.Structure):
    _fields_ = (
        ("plans", _Lookup),
        ("kinds", _Lookup),
        ("runs", ctypes.c_void_p),
        ("outcome", ctypes.c_void_p),
        ("verdict", ctypes.c_void_p),
        ("symbols", ctypes.c_void_p),
        ("symbols_known", ctypes.c_int64),
        ("national", ctypes.c_void_p),
        ("again", ctypes.c_void_p),
        ("regions", ctypes.c_int64),
    )


class _Answers(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("outcome", ctypes.c_void_p),
        ("rest", ctypes.c_void_p),
        ("suspects", ctypes.c_void_p),
        ("extended", ctypes.c_void_p),
        ("extensions", ctypes.c_void_p),
        ("counts", ctypes.c_int64 * 3),
    )


class Column:
    """A column of texts as the kernel sees it, alive as long as this is."""

    def __init__(self, texts: pl.Series) -> None:
        array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
        self.validity, self.views, *self.data = array.buffers()
        self._addresses = np.array([buffer.address for buffer in self.data], dtype=np.uint64)
        self._sizes = np.array([buffer.size for buffer in self.data], dtype=np.int64)
        self.given = _Texts(
            self.views.address + array.offset * _VIEW if self.views is not None else None,
            self.validity.address if self.validity is not None else None,
            array.offset,
            len(array),
            self._addresses.ctypes.data,
            self._sizes.ctypes.data,
            len(self.data),
        )


class Kernel:
    """The compiled functions together with the tables that they look into."""

    def __init__(self, library: ctypes.CDLL, tables: Tables, plans: Lookup, kinds: Lookup) -> None:
        self._library = library
        self._runs = np.zeros(len(tables.plan_key), dtype=_RUN)
        for name in ("delta", "action", "length", "extracted"):
            self._runs[name] = getattr(tables, f"plan_{name}")
        self._outcome = np.ascontiguousarray(tables.kind_outcome, dtype=np.int32)
        self._verdict = np.array([outcome.verdict for outcome in tables.outcomes], dtype=np.uint8)
        self._symbols = _symbols()
        self._plans, self._kinds = plans, kinds

    def read(self, texts: pl.Series, region: I64, national: I64, again: I64) -> Found:
        """Return what the texts are; `region` indexes `national` and `again`, the places of regions."""
        rows = len(texts)
        column = Column(texts)
        plans = _Plans(
            _lookup(self._plans),
            _lookup(self._kinds),
            self._runs.ctypes.data,
            self._outcome.ctypes.data,
            self._verdict.ctypes.data,
            self._symbols.ctypes.data,
            len(self._symbols),
            national.ctypes.data,
            again.ctypes.data,
            len(national),
        )
        value, outcome = np.empty(rows, dtype=np.uint64), np.empty(rows, dtype=np.int32)
        rest, suspects, extended = (np.empty(rows, dtype=np.int64) for _ in range(3))
        extensions = np.empty(rows * _VIEW, dtype=np.uint8)
        answers = _Answers(
            *(each.ctypes.data for each in (value, outcome, rest, suspects, extended, extensions))
        )
        region = np.ascontiguousarray(region)
        self._library.dialer_read(
            ctypes.byref(column.given), ctypes.byref(plans), region.ctypes.data, ctypes.byref(answers)
        )
        left, suspected, dialled = answers.counts
        return Found(
            value,
            outcome,
            rest[:left].copy(),
            suspects[:suspected].copy(),
            extended[:dialled].copy(),
            as_series(extensions[: dialled * _VIEW].copy(), dialled, column.data),
        )


def as_series(
    views: npt.NDArray[np.uint8],
    rows: int,
    data: list[Any],
    validity: npt.NDArray[np.uint8] | None = None,
    nulls: int = 0,
) -> pl.Series:
    """Return a String column over views that are already there, without a copy."""
    buffers = [pa.py_buffer(validity) if nulls else None, pa.py_buffer(views), *data]
    return pl.Series(pa.Array.from_buffers(pa.string_view(), rows, buffers, nulls))


@cache
def load_library() -> ctypes.CDLL | None:
    """Return the compiled kernel, None where there is none, where it is of other source, or is turned off."""
    if os.environ.get("DIALER_KERNEL") == "off" or sys.byteorder != "little":
        return None
    try:
        library = ctypes.CDLL(str(_LIBRARY))
        library.dialer_source.restype = ctypes.c_char_p
        if library.dialer_source().decode() != source_hash(_SOURCE):
            return None
    except (OSError, AttributeError):
        return None
    library.dialer_read.restype = None
    library.dialer_read.argtypes = [ctypes.c_void_p] * 4
    return library


def source_hash(source: Path) -> str:
    """Return what tells one source of the kernel from another."""
    return hashlib.sha256(source.read_bytes()).hexdigest()


def _lookup(lookup: Lookup) -> _Lookup:
    return _Lookup(
        lookup.keys.ctypes.data,
        lookup.factor.ctypes.data,
        lookup.base.ctypes.data,
        lookup.first.ctypes.data,
        lookup.last,
    )


@cache
def _symbols() -> npt.NDArray[np.uint8]:
    """Return the symbol of each code point: what `\\w` and `\\d` mean, told by `re` itself."""
    symbols = np.full(_SYMBOLS_KNOWN, _OTHER, dtype=np.uint8)
    points = [*range(_SURROGATES.start), *range(_SURROGATES.stop, _SYMBOLS_KNOWN)]
    text, place = "".join(map(chr, points)), np.array(points)
    for run in re.finditer(r"\w+", text):
        symbols[place[slice(*run.span())]] = _LETTER
    for run in re.finditer(r"\d+", text):
        symbols[place[slice(*run.span())]] = [_DIGIT_0 + unicodedata.decimal(digit) for digit in run.group()]
    symbols[:0x80] = symbols[_SURROGATES] = _UNKNOWN
    for symbol, members in ((_MARK, _MARKS), (_UNSURE, _UNSURE_ONES)):
        symbols[[ord(member) for member in members]] = symbol
    symbols[[0xA0, 0x30FC, 0xFF0E, 0xFF0B]] = (_NO_BREAK, _LETTER_MARK, _WIDE_STOP, ord("+"))
    return symbols
