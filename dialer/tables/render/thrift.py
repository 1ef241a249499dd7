"""Thrift's compact protocol, as far as Parquet's headers need it.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_TRUE, _FALSE, _SHORT, _INT, _LONG, _BYTES, _LIST, _STRUCT = 1, 2, 4, 5, 6, 8, 9, 12
_FEW = 15
"""So many elements, or so far to the next field, no longer fit into half a byte."""


class Long(NamedTuple):
    """An integer of 64 bits; a plain one has 32."""

    value: int


class Short(NamedTuple):
    """An integer of 16 bits."""

    value: int


Struct = Mapping[int, Any]
"""Values by the number of their field, in order; a field that is None is left out.

A value is a bool, an int, a Long, a Short, text, bytes, a list of values of one kind, or a struct.
"""


def packed(struct: Struct) -> bytes:
    """Return a struct as bytes."""
    told, before = bytearray(), 0
    for field, value in struct.items():
        if value is None:
            continue
        kind = (_TRUE if value else _FALSE) if isinstance(value, bool) else _kind(value)
        if field - before < _FEW + 1:
            told.append((field - before) << 4 | kind)
        else:
            told.append(kind)
            told += _zigzag(field)
        if not isinstance(value, bool):
            told += _written(value)
        before = field
    told.append(0)
    return bytes(told)


def _kind(value: Any) -> int:
    kinds = {int: _INT, Long: _LONG, Short: _SHORT, str: _BYTES, bytes: _BYTES, list: _LIST, tuple: _LIST}
    return kinds.get(type(value), _STRUCT)


def _written(value: Any) -> bytes:
    match value:
        case Long() | Short():
            return _zigzag(value.value)
        case int():
            return _zigzag(value)
        case str() | bytes():
            text = value.encode() if isinstance(value, str) else value
            return _varint(len(text)) + text
        case list() | tuple():
            kind = _kind(value[0]) if value else _STRUCT
            head = bytes([len(value) << 4 | kind]) if len(value) < _FEW else bytes([0xF0 | kind])
            size = b"" if len(value) < _FEW else _varint(len(value))
            return head + size + b"".join(_written(each) for each in value)
        case _:
            return packed(value)


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _varint(value: int) -> bytes:
    told = bytearray()
    while value >= 0x80:
        told.append(value & 0x7F | 0x80)
        value >>= 7
    told.append(value)
    return bytes(told)
