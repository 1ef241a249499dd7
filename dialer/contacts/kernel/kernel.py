"""The compiled way: what `kernel.c` does with columns, where it could be compiled.

It does what `reader.py`, `odd.py` and others do with numpy and polars, row by row and without the
interpreter, and leaves to them what it is not sure of. Without it (no compiler at installing, or
DIALER_KERNEL=off) they do everything.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from dialer.contacts.kernel.binding import (
    AnswersTaken,
    ColumnsTaken,
    FieldsGiven,
    LookupGiven,
    PartsTaken,
    PlansGiven,
    TextColumn,
    new_memory,
)
from dialer.contacts.numbers import I32, I64, U64, Flags, Parts
from dialer.contacts.plans.lookup import Lookup
from dialer.contacts.plans.tables import Tables
from dialer.lists.arrow import VIEW, Bytes, as_texts_of

HAS_PLUS, IS_BLANK, IS_BARE, IS_FOREIGN = 1, 2, 4, 8
"""What is said of a text: a + stands before its digits; nothing is written there; only a label stands before
digits and marks; or the kernel does not know any of that."""

FIELDS = ("region", "type", "zones")

_RUN = np.dtype(
    [("delta", "<i8"), ("action", "u1"), ("length", "u1"), ("extracted", "u1"), ("unused", "u1", (5,))]
)
_SEATS, _DIFFERENT_MAX = 1 << 14, 1 << 13
_E164_MAX, _E164_ROOM = 20, 32

# The symbols of kernel.c for what is not ASCII.
_DIGIT_0 = 128
_NO_BREAK, _MARK, _LETTER_MARK, _WIDE_STOP, _OTHER, _LETTER, _UNSURE, _UNKNOWN = (*range(138, 145), 255)
_SYMBOLS_KNOWN = 0x20000
_SURROGATES = slice(0xD800, 0xE000)
_MARKS = "‐‑‒–—―−－／\u3000\u2060\u200b\u00ad（）［］⁓∼"
# What `re.IGNORECASE` takes for letters of ASCII, and what stands in words for extensions. As escapes,
# because tools that compose Unicode turn the sign of kelvin, U+212A, into an ordinary K.
_UNSURE_ONES = (
    "\u0130\u0131\u017f\u212a"
    "\u00d3\u00f3\u0301\u0414\u0434\u041e\u043e\u0411\u0431\u1c81\u1c82\uff03\uff5e"
    + "".join(map(chr, [*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)]))
)


class Found(NamedTuple):
    """What the kernel says of each text; `outcome` is negative for the rows in `rest`, which it left open.

    Those with too many digits for the tables have their first four in `rest_head`, the others -1.
    `suspects` are the rows that a repair may change, `extensions` those of the rows `extended`.
    """

    value: U64
    outcome: I32
    rest: I64
    rest_head: I32
    rest_count: Bytes
    rest_plus: Bytes
    suspects: I64
    extended: I64
    extensions: pl.Series
    parts: Parts


class Described(NamedTuple):
    """How many digits each text has, their value if these are 19 at most, and flags such as `HAS_PLUS`."""

    digits: I64
    value: U64
    about: Bytes


class Kernel:
    """The compiled functions together with the tables that they look into."""

    def __init__(self, library: ctypes.CDLL, tables: Tables, plans: Lookup, kinds: Lookup) -> None:
        self._library = library
        self._runs = np.zeros(len(tables.plan_key), dtype=_RUN)
        for name in ("delta", "action", "length", "extracted"):
            self._runs[name] = getattr(tables, f"plan_{name}")
        self._outcome = np.ascontiguousarray(tables.kind_outcome, dtype=np.int32)
        self._verdict = np.array([outcome.verdict for outcome in tables.outcomes], dtype=np.uint8)
        self._plans, self._kinds = plans, kinds
        _symbols()

    def read(
        self, texts: pl.Series, region: I64, national: I64, again: I64, dialable: Flags | None = None
    ) -> Found:
        """Return what the texts are; `region` indexes `national` and `again`, the places of regions.

        With `dialable`, which says of each outcome whether its numbers may be called, a cell of several
        numbers becomes the first one of these, and cells that a repair may change are told.
        """
        rows = len(texts)
        column, region = TextColumn(texts), np.ascontiguousarray(region)
        value, outcome = np.empty(rows, np.uint64), np.empty(rows, np.int32)
        rest, suspects, extended, parted, other = (np.empty(rows, np.int64) for _ in range(5))
        head, count, plus = np.empty(rows, np.int32), np.empty(rows, np.uint8), np.empty(rows, np.uint8)
        extensions, other_value = np.empty(rows * VIEW, np.uint8), np.empty(rows, np.uint64)
        arrays = (value, outcome, rest, head, count, plus, suspects, extended, extensions)
        answers = AnswersTaken(*(_address(array) for array in arrays))
        plans = self._given(national, again)
        allowed = np.ascontiguousarray(dialable[: len(self._verdict)] if dialable is not None else ())
        places = (allowed, parted, other, other_value)
        parts = PartsTaken(*(_address(array) for array in places), rows)
        self._library.dialer_read(
            ctypes.byref(column.given),
            ctypes.byref(plans),
            _address(region),
            ctypes.byref(answers),
            ctypes.byref(parts) if dialable is not None else None,
        )
        left, suspected, dialled = answers.counts
        chosen, others = parts.counts
        return Found(
            value,
            outcome,
            rest[:left].copy(),
            head[:left].copy(),
            count[:left].copy(),
            plus[:left].copy(),
            suspects[:suspected].copy(),
            extended[:dialled].copy(),
            as_texts_of(extensions[: dialled * VIEW].copy(), dialled, column.data),
            Parts(parted[:chosen].copy(), other[:others].copy(), other_value[:others].copy()),
        )

    def abroad(self, digits: U64) -> tuple[U64, I32]:
        """Return what digits become behind a +; the outcome is negative where the kernel does not know."""
        value, outcome = digits.copy(), np.empty(len(digits), np.int32)
        nowhere = np.zeros(1, np.int64)
        plans = self._given(nowhere, nowhere)
        self._library.dialer_abroad(ctypes.byref(plans), len(digits), _address(value), _address(outcome))
        return value, outcome

    def _given(self, national: I64, again: I64) -> PlansGiven:
        symbols = _symbols()
        return PlansGiven(
            LookupGiven.of(self._plans),
            LookupGiven.of(self._kinds),
            _address(self._runs),
            _address(self._outcome),
            _address(self._verdict),
            _address(symbols),
            len(symbols),
            _address(national),
            _address(again),
            len(national),
        )

    def columns(
        self, value: U64, outcome: I32, shown: Flags, fields: pl.DataFrame
    ) -> tuple[list[pl.Series], I64]:
        """Return E.164 and the `fields` of each row's outcome, and the rows where all of them are null.

        `shown` says of each outcome whether its rows have texts at all.
        """
        rows = len(value)
        bits = (rows + 7) // 8
        tables = [TextColumn(fields[name]) for name in FIELDS]
        known = [fields[name].is_not_null().to_numpy() for name in FIELDS]
        shown = np.ascontiguousarray(shown)
        given = FieldsGiven(
            _three(table.views for table in tables),
            _three(_address(each) for each in known),
            _address(shown),
            len(shown),
        )
        views = [new_memory(rows * VIEW) for _ in range(4)]
        validity = [np.zeros(bits, np.uint8) for _ in range(4)]
        text, hidden = new_memory(rows * _E164_MAX + _E164_ROOM), np.empty(rows, np.int64)
        taken = ColumnsTaken(
            _address(views[0]),
            _address(text),
            _address(validity[0]),
            _three(_address(each) for each in views[1:]),
            _three(_address(each) for each in validity[1:]),
            _address(hidden),
        )
        self._library.dialer_columns(
            _address(value), _address(outcome), rows, ctypes.byref(given), ctypes.byref(taken)
        )
        data = [[pa.py_buffer(text)], *(table.data for table in tables)]
        nulls = [taken.hidden_rows, *taken.nulls]
        made = [as_texts_of(*each) for each in zip(views, [rows] * 4, data, validity, nulls, strict=True)]
        return made, hidden[: taken.hidden_rows].copy()

    def spread(self, texts: pl.Series, which: I64, rows: I64, height: int) -> pl.Series:
        """Return a column with `texts[which]` in the given rows, null in all others."""
        table, known = TextColumn(texts), texts.is_not_null().to_numpy()
        views, validity = new_memory(height * VIEW), np.zeros((height + 7) // 8, np.uint8)
        filled = ctypes.c_int64(0)
        which, rows = np.ascontiguousarray(which, np.int64), np.ascontiguousarray(rows, np.int64)
        self._library.dialer_spread(
            table.views,
            _address(known),
            len(texts),
            _address(which),
            _address(rows),
            len(rows),
            _address(views),
            _address(validity),
            ctypes.byref(filled),
        )
        return as_texts_of(views, height, table.data, validity, height - filled.value)

    def repeat(self, text: str, height: int) -> pl.Series:
        """Return a column that holds one text in all rows."""
        table, views = TextColumn(pl.Series([text])), new_memory(height * VIEW)
        self._library.dialer_repeat(table.views, height, _address(views))
        return as_texts_of(views, height, table.data)

    def index(self, texts: pl.Series) -> tuple[I64, I64] | None:
        """Return which of the different texts each row has, and the row that had each first.

        None where there are too many different ones.
        """
        column = TextColumn(texts)
        which, first = np.empty(len(texts), np.int64), np.empty(_DIFFERENT_MAX, np.int64)
        seats, words = np.empty(_SEATS, np.int32), np.empty(2 * _DIFFERENT_MAX, np.uint64)
        different = self._library.dialer_index(
            ctypes.byref(column.given), _address(seats), _address(words), _address(which), _address(first)
        )
        return (which, first[:different]) if different >= 0 else None

    def group(self, keys: U64) -> tuple[I64, I64] | None:
        """Return the same of integers."""
        which, first = np.empty(len(keys), np.int64), np.empty(_DIFFERENT_MAX, np.int64)
        seats = np.empty(_SEATS, np.int32)
        different = self._library.dialer_group(
            _address(keys), len(keys), _address(seats), _address(which), _address(first)
        )
        return (which, first[:different]) if different >= 0 else None

    def describe(self, texts: pl.Series, rows: I64) -> Described:
        """Return what can be said of the digits in the given rows."""
        column, count = TextColumn(texts), len(rows)
        found = Described(np.empty(count, np.int64), np.empty(count, np.uint64), np.empty(count, np.uint8))
        nowhere = np.zeros(1, np.int64)
        plans = self._given(nowhere, nowhere)
        self._library.dialer_describe(
            ctypes.byref(column.given),
            ctypes.byref(plans),
            _address(rows),
            count,
            *(_address(each) for each in found),
        )
        return found


def _address(array: npt.NDArray[Any]) -> int:
    return array.ctypes.data


def _three(addresses: Iterable[int]) -> Any:
    return (ctypes.c_void_p * 3)(*addresses)


@cache
def _symbols() -> npt.NDArray[np.uint8]:
    """Return the symbol of each code point: what `\\w` and `\\d` mean, told by `re` itself."""
    symbols = np.full(_SYMBOLS_KNOWN, _OTHER, dtype=np.uint8)
    place = np.r_[: _SURROGATES.start, _SURROGATES.stop : _SYMBOLS_KNOWN]
    text = place.astype("<u4").tobytes().decode("utf-32-le")
    for run in re.finditer(r"\w+", text):
        symbols[place[slice(*run.span())]] = _LETTER
    for run in re.finditer(r"\d+", text):
        symbols[place[slice(*run.span())]] = [_DIGIT_0 + unicodedata.decimal(digit) for digit in run.group()]
    symbols[:0x80] = symbols[_SURROGATES] = _UNKNOWN
    for symbol, members in ((_MARK, _MARKS), (_UNSURE, _UNSURE_ONES)):
        symbols[[ord(member) for member in members]] = symbol
    symbols[[0xA0, 0x30FC, 0xFF0E, 0xFF0B]] = (_NO_BREAK, _LETTER_MARK, _WIDE_STOP, ord("+"))
    return symbols
