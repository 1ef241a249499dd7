"""`kernel.c` as Python sees it: the compiled library, its structures, and columns of texts without a copy."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dialer.base.compiled import compiled
from dialer.contacts.plans.lookup import Lookup
from dialer.lists.arrow import VIEW, Bytes

_SOURCE = Path(__file__).with_name("kernel.c")
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64

_LARGE = 1 << 22
"""Bytes from which on large pages pay."""

_FUNCTIONS = {
    "dialer_read": (None, [_POINTER] * 5),
    "dialer_columns": (None, [_POINTER, _POINTER, _INT, _POINTER, _POINTER]),
    "dialer_spread": (None, [_POINTER, _POINTER, _INT, _POINTER, _POINTER, _INT] + [_POINTER] * 3),
    "dialer_index": (_INT, [_POINTER] * 5),
    "dialer_repeat": (None, [_POINTER, _INT, _POINTER]),
    "dialer_group": (_INT, [_POINTER, _INT] + [_POINTER] * 3),
    "dialer_describe": (None, [_POINTER, _POINTER, _POINTER, _INT] + [_POINTER] * 3),
    "dialer_abroad": (None, [_POINTER, _INT, _POINTER, _POINTER]),
}


class TextsGiven(ctypes.Structure):
    """Texts of kernel.c."""

    _fields_ = (
        ("views", _POINTER),
        ("validity", _POINTER),
        ("first", _INT),
        ("rows", _INT),
        ("data", _POINTER),
        ("sizes", _POINTER),
        ("buffers", _INT),
    )


class LookupGiven(ctypes.Structure):
    """Lookup of kernel.c."""

    _fields_ = (
        ("keys", _POINTER),
        ("factor", _POINTER),
        ("base", _POINTER),
        ("first", _POINTER),
        ("last", _INT),
    )

    @classmethod
    def of(cls, lookup: Lookup) -> LookupGiven:
        """Return the arrays of a look-up, which must outlive this."""
        arrays = (lookup.keys, lookup.factor, lookup.base, lookup.first)
        return cls(*(array.ctypes.data for array in arrays), lookup.last)


class PlansGiven(ctypes.Structure):
    """Plans of kernel.c."""

    _fields_ = (
        ("plans", LookupGiven),
        ("kinds", LookupGiven),
        ("runs", _POINTER),
        ("outcome", _POINTER),
        ("verdict", _POINTER),
        ("symbols", _POINTER),
        ("symbols_known", _INT),
        ("national", _POINTER),
        ("again", _POINTER),
        ("regions", _INT),
    )


class AnswersTaken(ctypes.Structure):
    """Answers of kernel.c."""

    _fields_ = (
        ("value", _POINTER),
        ("outcome", _POINTER),
        ("rest", _POINTER),
        ("rest_head", _POINTER),
        ("rest_count", _POINTER),
        ("rest_plus", _POINTER),
        ("suspects", _POINTER),
        ("extended", _POINTER),
        ("extensions", _POINTER),
        ("counts", _INT * 3),
    )


class PartsTaken(ctypes.Structure):
    """Parts of kernel.c."""

    _fields_ = (
        ("dialable", _POINTER),
        ("parted", _POINTER),
        ("other_rows", _POINTER),
        ("other_values", _POINTER),
        ("room", _INT),
        ("counts", _INT * 2),
    )


class FieldsGiven(ctypes.Structure):
    """Fields of kernel.c."""

    _fields_ = (("views", _POINTER * 3), ("known", _POINTER * 3), ("shown", _POINTER), ("codes", _INT))


class ColumnsTaken(ctypes.Structure):
    """Columns of kernel.c."""

    _fields_ = (
        ("phones", _POINTER),
        ("bytes", _POINTER),
        ("validity", _POINTER),
        ("field", _POINTER * 3),
        ("field_validity", _POINTER * 3),
        ("hidden", _POINTER),
        ("size", _INT),
        ("hidden_rows", _INT),
        ("nulls", _INT * 3),
    )


class TextColumn:
    """A column of texts as the kernel sees it, alive as long as this is."""

    def __init__(self, texts: pl.Series) -> None:
        array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
        validity, views, *data = array.buffers()
        self.data: list[Any] = data
        self.views = views.address + array.offset * VIEW if views is not None else 0
        self._kept = (array, np.array([buffer.address for buffer in data], dtype=np.uint64))
        self._sizes = np.array([buffer.size for buffer in data], dtype=np.int64)
        self.given = TextsGiven(
            self.views,
            validity.address if validity is not None else None,
            array.offset,
            len(array),
            self._kept[1].ctypes.data,
            self._sizes.ctypes.data,
            len(data),
        )


def new_memory(size: int) -> Bytes:
    """Return zeros for a column, in large pages where the system has them, as small ones take longer."""
    if size < _LARGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(size, np.uint8)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


@cache
def load_library() -> ctypes.CDLL | None:
    """Return the compiled kernel, None where there is none, where it is of other source, or is turned off."""
    library = compiled(_SOURCE)
    if library is not None:
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    return library
