"""Parquet -> batches of rows, in the file's own dtypes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dialer.base.errors import BadInput
from dialer.lists.shape import BATCH_ROWS, Batch, ListInfo, no_broken
from dialer.lists.source import Source, digest, refuse_change


@dataclass(frozen=True, slots=True)
class ParquetList:
    """An open Parquet file of `height` rows."""

    source: Source
    info: ListInfo
    height: int

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the rows in order, at most `rows` at a time."""
        before = 0
        with _readable(self.source.path):
            refuse_change(self.source)
            # Frames may be larger than asked for: a page of the file is read whole.
            for frame in pl.scan_parquet(self.source.path, glob=False).collect_batches(chunk_size=rows):
                for part in frame.iter_slices(rows):
                    yield self._batch(part, before)
                    before += part.height
            refuse_change(self.source)

    def _batch(self, rows: pl.DataFrame, before: int) -> Batch:
        last = before + rows.height
        return Batch(
            rows=rows,
            list_row=pl.int_range(before + 1, last + 1, dtype=pl.Int64, eager=True),
            list_line=pl.Series([None], dtype=pl.Int64).new_from_index(0, rows.height),
            broken=no_broken(),
            bytes_read=self.source.bytes * last // max(self.height, 1),
        )


def open_parquet(source: Source) -> ParquetList:
    """Return the open Parquet file: its columns and how many rows it has."""
    with _readable(source.path):
        scanned = pl.scan_parquet(source.path, glob=False)
        columns = tuple(scanned.collect_schema())
        height = int(scanned.select(pl.len()).collect().item())
    if not columns:
        raise BadInput(f"{source.path}: has no columns, expected at least one with phone numbers")
    info = ListInfo(
        path=source.path,
        format="parquet",
        encoding=None,
        delimiter=None,
        compression=None,
        columns=columns,
        notes=() if height else ("there are columns and no row",),
        sha256=digest(source),
        bytes=source.bytes,
    )
    return ParquetList(source, info, height)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        said = str(error).splitlines()[0]
        raise BadInput(f"{path}: cannot be read as Parquet ({said}); copy or make it anew") from error
