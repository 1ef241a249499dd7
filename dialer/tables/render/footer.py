"""The end of a Parquet file, which says what stands where in it.

Source: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dialer import __version__
from dialer.tables.render.pages import Chunk, Group
from dialer.tables.render.thrift import Long, Short, Struct, packed

MAGIC = b"PAR1"

_INT64, _BYTE_ARRAY = 2, 6
_REQUIRED, _OPTIONAL = 0, 1
_UTF8 = 0
_ZSTD = 6
_VERSION = 2
_NOTHING: Struct = {}


class Column(NamedTuple):
    """A column of texts or, where it is none of these, of integers."""

    name: str
    is_text: bool


def row_group(group: Group, columns: Sequence[Column], at: int, number: int) -> Struct:
    """Return what is said of a row group, the `number`-th, whose bytes begin `at`."""
    begin, chunks = at, []
    for chunk, column in zip(group.chunks, columns, strict=True):
        chunks.append({2: Long(at), 3: _chunk(chunk, column, group.rows, at)})
        at += len(chunk.data)
    unpacked = sum(chunk.unpacked_bytes for chunk in group.chunks)
    return {
        1: chunks,
        2: Long(unpacked),
        3: Long(group.rows),
        5: Long(begin),
        6: Long(at - begin),
        7: Short(number) if number < 1 << 15 else None,
    }


def footer(columns: Sequence[Column], groups: list[Struct], rows: int) -> bytes:
    """Return the end of a file whose row groups are all written."""
    root = {3: _REQUIRED, 4: "schema", 5: len(columns)}
    file = {
        1: _VERSION,
        2: [root, *(_element(column) for column in columns)],
        3: Long(rows),
        4: groups,
        6: f"dialer version {__version__}",
        7: [{1: _NOTHING}] * len(columns),
    }
    about = packed(file)
    return about + len(about).to_bytes(4, "little") + MAGIC


def _element(column: Column) -> Struct:
    if column.is_text:
        return {1: _BYTE_ARRAY, 3: _OPTIONAL, 4: column.name, 6: _UTF8, 10: {1: _NOTHING}}
    return {1: _INT64, 3: _OPTIONAL, 4: column.name}


def _chunk(chunk: Chunk, column: Column, rows: int, at: int) -> Struct:
    known: dict[int, object] = {3: Long(chunk.nulls)}
    if chunk.bounds is not None:
        least, greatest = (bound.to_bytes(8, "little", signed=True) for bound in chunk.bounds)
        known |= {5: greatest, 6: least}
    return {
        1: _BYTE_ARRAY if column.is_text else _INT64,
        2: list(chunk.encodings),
        3: [column.name],
        4: _ZSTD,
        5: Long(rows),
        6: Long(chunk.unpacked_bytes),
        7: Long(len(chunk.data)),
        9: Long(at + chunk.dictionary_bytes),
        11: Long(at) if chunk.dictionary_bytes else None,
        12: known,
    }
