"""Parquet -> batches of rows, in the file's own dtypes; bytes are read as the text that they mostly are.

Some programs write text into Parquet without saying that it is text, and whole numbers as floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from dialer.base.errors import BadInput
from dialer.lists.columns import mend_names
from dialer.lists.shape import BATCH_ROWS, Batch, ListInfo, no_broken
from dialer.lists.source import Source, digest, refuse_change, shown
from dialer.lists.whole import are_whole


@dataclass(frozen=True, slots=True)
class ParquetList:
    """An open Parquet file of `height` rows."""

    source: Source
    info: ListInfo
    height: int

    def sha256(self) -> str:
        """Return the digest of the file's bytes."""
        return digest(self.source)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the rows in order, at most `rows` at a time."""
        before = 0
        with _readable(self.source.path):
            refuse_change(self.source)
            # Frames may be larger than asked for: a page of the file is read whole.
            for frame in _scanned(self.source.path).rows.collect_batches(chunk_size=rows):
                for part in frame.iter_slices(rows):
                    yield self._batch(part, before)
                    before += part.height
            refuse_change(self.source)

    def _batch(self, rows: pl.DataFrame, before: int) -> Batch:
        last = before + rows.height
        kinds = self.info.kinds or {}
        return Batch(
            rows=rows.select(_as_kind(cells, kinds[cells.name]) for cells in rows),
            list_row=pl.int_range(before + 1, last + 1, dtype=pl.Int64, eager=True),
            list_line=pl.Series([None], dtype=pl.Int64).new_from_index(0, rows.height),
            broken=no_broken(),
            bytes_read=self.source.bytes * last // max(self.height, 1),
        )


def open_parquet(source: Source) -> ParquetList:
    """Return the open Parquet file: its columns and how many rows it has."""
    with _readable(source.path):
        scanned, mended = _scanned(source.path)
        schema = scanned.collect_schema()
        floats = {name: kind for name, kind in schema.items() if kind.is_float()}
        asked = [are_whole(name, kind).alias(name) for name, kind in floats.items()]
        height = int(scanned.select(pl.len()).collect().item())
        answers = scanned.select(asked).collect(engine="streaming").row(0) if asked else ()
    whole = {name for name, answer in zip(floats, answers, strict=True) if answer}
    kinds = {name: pl.Int64() if name in whole else _as_usual(kind) for name, kind in schema.items()}
    columns = tuple(kinds)
    if not columns:
        raise BadInput(f"{source.path}: has no columns, expected at least one with phone numbers")
    info = ListInfo(
        path=source.path,
        format="parquet",
        encoding=None,
        delimiter=None,
        compression=None,
        columns=columns,
        notes=(
            *mended,
            *(
                f"column '{name}' holds {kind}, read as text"
                for name, kind in schema.items()
                if _is_odd(kind)
            ),
            *(() if height else ("there are columns and no row",)),
        ),
        bytes=source.bytes,
        kinds=kinds,
    )
    return ParquetList(source, info, height)


class _Scanned(NamedTuple):
    rows: pl.LazyFrame
    notes: tuple[str, ...]


def _scanned(path: Path) -> _Scanned:
    """Return the file's columns under mended names, and what is to be said of these."""
    if shown(path) != str(path):
        return _scanned_by_place(path)  # polars takes the name of a file only as text
    try:
        scanned = pl.scan_parquet(path, glob=False)
        header = tuple(scanned.collect_schema())
    except pl.exceptions.DuplicateError:
        return _scanned_by_place(path)
    names, notes = mend_names(header)
    return _Scanned(scanned.rename(dict(zip(header, names, strict=True))), notes)


def _scanned_by_place(path: Path) -> _Scanned:
    """Return the same of a file that polars does not read: with several columns of one name."""
    from pyarrow.parquet import ParquetFile

    with path.open("rb") as file:
        header = ParquetFile(file).schema_arrow
    names, notes = mend_names(header.names)

    def frames(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        assert predicate is None
        assert rows is None
        with path.open("rb") as file:
            for some in ParquetFile(file).iter_batches(batch_size=batch or BATCH_ROWS):
                frame = pl.DataFrame(some.rename_columns(names))
                yield frame if columns is None else frame.select(columns)

    schema = pl.DataFrame(header.empty_table().rename_columns(names)).schema
    return _Scanned(register_io_source(frames, schema=schema), notes)


def _is_odd(kind: pl.DataType) -> bool:
    return _as_usual(kind) != kind


def _as_usual(kind: pl.DataType) -> pl.DataType:
    """Return the type with text in the place of bytes and huge integers, however deep they are."""
    if kind in (pl.Binary, pl.Int128, pl.UInt128):  # the latter are no Arrow, and no other program's
        return pl.String()
    if isinstance(kind, pl.List):
        return pl.List(_as_usual(_made(kind.inner)))
    if isinstance(kind, pl.Array):
        return pl.Array(_as_usual(_made(kind.inner)), kind.shape)
    if isinstance(kind, pl.Struct):
        return pl.Struct({field.name: _as_usual(_made(field.dtype)) for field in kind.fields})
    return kind


def _made(kind: Any) -> pl.DataType:
    made: pl.DataType = kind() if isinstance(kind, type) else kind
    return made


def _as_kind(cells: pl.Series, kind: pl.DataType) -> pl.Series:
    """Return bytes as UTF-8, or what is none as Python would show it, and whole floats as whole numbers."""
    if cells.dtype.is_float() and kind == pl.Int64:
        return cells.cast(pl.Int64, strict=False)
    if not _is_odd(cells.dtype):
        return cells
    try:
        return cells.cast(_as_usual(cells.dtype))
    except pl.exceptions.PolarsError:
        if cells.dtype != pl.Binary:
            return pl.Series(cells.name, [None if cell is None else str(cell) for cell in cells], pl.String)
        texts = (None if cell is None else cell.decode("utf-8", "backslashreplace") for cell in cells)
        return pl.Series(cells.name, texts, dtype=pl.String)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0]
        raise BadInput(f"{path}: cannot be read as Parquet ({said}); copy or make it anew") from error
