"""Frames -> files: CSV, Parquet, JSON lines, one frame after another, so that memory stays bounded.

A CSV file is often opened in a spreadsheet, where a cell that begins with = + - @ is run as a formula.
Such cells get an apostrophe in front, unless they hold nothing but a sign, digits and what stands in
numbers (space . , / ( ) -): those can call nothing, and a number in E.164 stays exactly what it is, for
scripts. (A spreadsheet shows +919876543210 without its plus; import the column as text to keep it.)
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import polars as pl
import pyarrow.parquet

from dialer.base.errors import BadInput

STARTS_A_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
ONLY_A_NUMBER = r"^[+-][0-9 .,/()-]*$"
TIME_AS_TEXT = "%Y-%m-%dT%H:%M:%S%.6fZ"


class Writer(Protocol):
    """A file that frames of one schema are written into, at least one; closed by leaving its block."""

    def __enter__(self) -> Self:
        """Return the open writer."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file."""
        ...

    def write(self, frame: pl.DataFrame) -> None:
        """Add the frame's rows; an empty frame brings the columns."""
        ...


class _Text:
    """What CSV and JSON lines share: a file of bytes, and times as ISO 8601 text."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Add the frame's rows."""
        text = BytesIO()
        self._put(frame.with_columns(pl.col(pl.Datetime).dt.to_string(TIME_AS_TEXT)), text)
        # Through Python's file, so that a full disk is an OSError.
        self._file.write(text.getbuffer())
        self._begun = True

    def _put(self, frame: pl.DataFrame, text: BytesIO) -> None:
        raise NotImplementedError


class CsvWriter(_Text):
    """UTF-8, comma, quoted where needed, one header; null is an empty cell."""

    def _put(self, frame: pl.DataFrame, text: BytesIO) -> None:
        harmless(frame).write_csv(text, include_header=not self._begun)


class JsonLinesWriter(_Text):
    """One JSON object per row; null is null."""

    def _put(self, frame: pl.DataFrame, text: BytesIO) -> None:
        frame.write_ndjson(text)


class ParquetWriter:
    """Parquet with zstd; times are timestamps in microseconds, UTC."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._writer: pyarrow.parquet.ParquetWriter | None = None

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
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pyarrow.parquet.ParquetWriter(self._file, table.schema, compression="zstd")
        if table.num_rows:
            self._writer.write_table(table)


def writer_for(to: Path) -> type[CsvWriter] | type[JsonLinesWriter] | type[ParquetWriter]:
    """Return what writes a file with the path's ending.

    Raises:
        BadInput: no file of that ending can be written.
    """
    match to.suffix.lower():
        case ".csv":
            return CsvWriter
        case ".jsonl":
            return JsonLinesWriter
        case ".parquet":
            return ParquetWriter
        case ".xlsx":
            raise BadInput(f"{to}: writing .xlsx is not supported yet; use .csv, .parquet or .jsonl")
        case ending:
            shown = f"'{ending}' is not an ending that can be written" if ending else "the name has no ending"
            raise BadInput(f"{to}: {shown}, expected .csv, .parquet or .jsonl")


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with an apostrophe before each text, and each name, that could start a formula."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    cells = frame.with_columns(_guarded(name) for name in texts)
    names = pl.DataFrame({"name": frame.columns}, schema={"name": pl.String}).select(_guarded("name"))
    return cells.rename(dict(zip(frame.columns, names["name"], strict=True)))


def _guarded(column: str) -> pl.Expr:
    text = pl.col(column)
    risky = text.str.contains(STARTS_A_FORMULA) & ~text.str.contains(ONLY_A_NUMBER)
    return pl.when(risky).then(pl.concat_str(pl.lit("'"), text)).otherwise(text).alias(column)
