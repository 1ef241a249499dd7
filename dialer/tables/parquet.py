"""Frames -> a Parquet file with zstd, one row group after another.

Texts and 64-bit integers are made into pages by compiled code where there is some, anything else by pyarrow.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

import numpy as np
import polars as pl

from dialer.tables.render.footer import MAGIC, Column, footer, row_group
from dialer.tables.render.pages import ZSTD_LEVEL, Group, can_page, row_groups
from dialer.tables.render.thrift import Struct

if TYPE_CHECKING:
    import pyarrow.parquet

SAMPLED_VALUES = 10_000


class Pages(NamedTuple):
    """Columns, and row groups of them that are ready to be written."""

    columns: tuple[Column, ...]
    groups: list[Group]


class ParquetWriter:
    """Parquet with zstd; times are timestamps in microseconds, UTC."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._writer: _PageFile | _ArrowFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            self._file.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Add the frame's rows, as a row group."""
        self.put(self.render(frame))

    def render(self, frame: pl.DataFrame, wanted: pl.Series | None = None) -> Pages | pyarrow.Table:
        """Return the frame as row groups, or as Arrow's table; text is copied as little as possible."""
        if can_page(frame):
            which = None if wanted is None or wanted.all() else np.flatnonzero(wanted.to_numpy())
            columns = tuple(Column(name, kind == pl.String) for name, kind in frame.schema.items())
            return Pages(columns, list(row_groups(frame, which)))
        some = frame if wanted is None else frame.filter(wanted)
        words = some.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
        plain = not any(_needs_name(kind) for kind in words.dtypes)
        return words.to_arrow(compat_level=pl.CompatLevel.newest() if plain else pl.CompatLevel.oldest())

    def put(self, rendered: Pages | pyarrow.Table) -> None:
        """Add what `render` returned."""
        if isinstance(rendered, Pages):
            self._writer = self._writer or _PageFile(self._file, rendered.columns)
        else:
            self._writer = self._writer or _ArrowFile(self._file)
        self._writer.put(rendered)


class _PageFile:
    """A file of row groups that are ready."""

    def __init__(self, file: BinaryIO, columns: tuple[Column, ...]) -> None:
        self._file, self._columns = file, columns
        self._groups: list[Struct] = []
        self._rows, self._at = 0, len(MAGIC)
        self._file.write(MAGIC)

    def put(self, pages: Any) -> None:
        for group in pages.groups:
            self._groups.append(row_group(group, self._columns, self._at, len(self._groups)))
            for chunk in group.chunks:
                self._file.write(chunk.data)
                self._at += len(chunk.data)
            self._rows += group.rows

    def close(self) -> None:
        self._file.write(footer(self._columns, self._groups, self._rows))


class _ArrowFile:
    """A file that pyarrow writes; its first rows decide how."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._schema: pyarrow.Schema | None = None
        self._writer: pyarrow.parquet.ParquetWriter | None = None

    def put(self, table: Any) -> None:
        self._schema = self._schema or table.schema
        if table.num_rows:
            self._writer = self._writer or self._open(table)
            self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is None and self._schema is not None:
            self._writer = self._open(self._schema.empty_table())
        if self._writer is not None:
            self._writer.close()

    def _open(self, table: pyarrow.Table) -> pyarrow.parquet.ParquetWriter:
        import pyarrow.parquet

        # A dictionary of values that hardly repeat costs a third of the time and saves nothing, and so do
        # the least and the greatest text of some thousands in no order: 0.42 s for a million rows of 13
        # columns, 0.33 without, 2 cores, 2026-11.
        repeating = [name for name in table.column_names if _repeats(table.column(name))]
        ordered = [field.name for field in table.schema if not _is_text(field.type)]
        # Numbers of rows in order: a tenth of the bytes, and half the time.
        counted = [
            field.name
            for field in table.schema
            if pyarrow.types.is_integer(field.type) and field.name not in repeating
        ]
        # Arrow's own schema would tell readers of this library's newest kind of text, which few know.
        newest = any(pyarrow.types.is_string_view(field.type) for field in table.schema)
        return pyarrow.parquet.ParquetWriter(
            self._file,
            table.schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=repeating,
            column_encoding=dict.fromkeys(counted, "DELTA_BINARY_PACKED"),
            write_statistics=ordered,
            store_schema=not newest,
        )


def _repeats(cells: pyarrow.ChunkedArray) -> bool:
    """Return whether a column's first values come again and again."""
    import pyarrow.types as known

    kind = cells.type
    if known.is_nested(kind) or known.is_boolean(kind):
        return False
    some = cells.slice(0, SAMPLED_VALUES)
    return len(some.unique()) <= len(some) / 2


def _is_text(kind: pyarrow.DataType) -> bool:
    import pyarrow.types as known

    return bool(known.is_string_view(kind) or known.is_large_string(kind) or known.is_string(kind))


def _needs_name(kind: pl.DataType) -> bool:
    """Return whether Parquet's types alone do not say what a column is."""
    if isinstance(kind, pl.Datetime):
        return kind.time_zone not in (None, "UTC")
    return kind.is_nested() or kind in (pl.Duration, pl.Null)
