"""Frames -> files: CSV, Parquet, Excel, JSON lines, one frame after another, so that memory stays bounded.

A CSV file is often opened in a spreadsheet, where a cell that begins with = + - @ is run as a formula.
Such cells get an apostrophe in front, unless they hold nothing but a sign, digits and what stands in
numbers (space . , / ( ) -): those can call nothing, and a number in E.164 stays exactly what it is, for
scripts. A cell that begins with an apostrophe before such a sign gets one more, so that taking one off
gives back every cell. (A spreadsheet shows +919876543210 without its plus; import the column as text to
keep it.)
"""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import polars as pl
from polars import selectors

from dialer.base.errors import BadInput
from dialer.tables.excel import ExcelWriter, counted
from dialer.tables.flat import dated, flat
from dialer.tables.parquet import ParquetWriter
from dialer.tables.render.binding import csv_rows

STARTS_A_FORMULA = r"^'*[=+\-@\t\r\n＝＋－＠]"
FIRST_WIDE = "＋"
"""The first in order of the wide characters above; the others are before 0, or from = to @."""
ONLY_A_NUMBER = r"^[+-][0-9 .,/()-]*$"
GZIP_LEVEL = 6


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

    def render(self, frame: pl.DataFrame, wanted: pl.Series | None = None) -> Any:
        """Return the frame as the format wants it, for `put`; may run in several threads.

        Where `wanted` is given, which says it of each row, only these rows are written.
        """
        ...

    def put(self, rendered: Any) -> None:
        """Add what `render` returned; the rows come in the order of these calls."""
        ...

    def notes(self) -> list[str]:
        """Return what of the rows so far the format could not hold, each kind once."""
        ...


class _Text:
    """What CSV and JSON lines share: a file of bytes, and times as ISO 8601 text."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._begun = False
        self._numbers_lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Add the frame's rows."""
        self.put(self.render(frame))

    def render(
        self, frame: pl.DataFrame, wanted: pl.Series | None = None
    ) -> tuple[pl.DataFrame, Buffer, int]:
        """Return the columns without rows, the rows as text, and how many numbers it has no words for."""
        some = frame if wanted is None else frame.filter(wanted)
        told = dated(some)
        return told.clear(), self._rows(told), self._lost(told)

    def put(self, rendered: tuple[pl.DataFrame, Buffer, int]) -> None:
        """Add the rows, after the header if they are the first."""
        columns, rows, lost = rendered
        self._numbers_lost += lost
        # Through Python's file, so that a full disk is an OSError.
        if not self._begun:
            self._file.write(self._header(columns))
        self._file.write(rows)
        self._begun = True

    def notes(self) -> list[str]:
        """Return what JSON could not hold."""
        lost = self._numbers_lost
        return [f"{counted(lost, 'number')} NaN or infinite, which JSON cannot say: null"] if lost else []

    def _lost(self, frame: pl.DataFrame) -> int:
        return 0

    def _header(self, frame: pl.DataFrame) -> Buffer:
        return b""

    def _rows(self, frame: pl.DataFrame) -> Buffer:
        raise NotImplementedError


class CsvWriter(_Text):
    """UTF-8, comma, quoted where needed, one header; null is an empty cell."""

    def _header(self, frame: pl.DataFrame) -> Buffer:
        return harmless(flat(frame)).write_csv().encode()

    def _rows(self, frame: pl.DataFrame) -> Buffer:
        compiled = csv_rows(frame)
        if compiled is not None:
            return compiled
        text = BytesIO()
        harmless(flat(frame)).write_csv(text, include_header=False)
        return text.getbuffer()


class GzipCsvWriter(CsvWriter):
    """The same, packed: every frame is a gzip member of its own, which readers take for one file."""

    def _header(self, frame: pl.DataFrame) -> Buffer:
        return gzip.compress(super()._header(frame), mtime=0)

    def _rows(self, frame: pl.DataFrame) -> Buffer:
        return gzip.compress(super()._rows(frame), GZIP_LEVEL, mtime=0)


class JsonLinesWriter(_Text):
    """One JSON object per row; null is null."""

    def _rows(self, frame: pl.DataFrame) -> Buffer:
        text = BytesIO()
        frame.write_ndjson(text)
        return text.getbuffer()

    def _lost(self, frame: pl.DataFrame) -> int:
        return sum(int((~column.is_finite()).sum()) for column in frame.select(selectors.float()))


Buffer = bytes | memoryview

FileWriter = type[CsvWriter] | type[JsonLinesWriter] | type[ParquetWriter] | type[ExcelWriter]

WRITERS: dict[str, FileWriter] = {
    ".csv": CsvWriter,
    ".csv.gz": GzipCsvWriter,
    ".jsonl": JsonLinesWriter,
    ".parquet": ParquetWriter,
    ".xlsx": ExcelWriter,
}


def writer_for(to: Path) -> FileWriter:
    """Return what writes a file with the path's ending.

    Raises:
        BadInput: no file of that ending can be written.
    """
    name = to.name.lower()
    for ending, writer in WRITERS.items():
        if name.endswith(ending):
            return writer
    ending = "".join(to.suffixes[-2:]).lower() if name.endswith(".gz") else to.suffix.lower()
    shown = f"'{ending}' is not an ending that can be written" if ending else "the name has no ending"
    raise BadInput(f"{to}: {shown}, expected .csv, .csv.gz, .parquet, .xlsx or .jsonl")


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with an apostrophe before each text, and each name, that could start a formula."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    cells = frame.with_columns(_guarded(frame[name]) for name in texts)
    names = _guarded(pl.Series(frame.columns, dtype=pl.String))
    return cells.rename(dict(zip(frame.columns, names, strict=True)))


def _guarded(texts: pl.Series) -> pl.Series:
    # Comparing looks at four bytes that lie beside the text; the pattern for every cell costs far more.
    maybe = (texts < "0") | ((texts >= "=") & (texts < "A")) | (texts >= FIRST_WIDE)
    rows = maybe.arg_true()
    if not len(rows):
        return texts
    some = texts.gather(rows)
    risky = some.str.contains(STARTS_A_FORMULA) & ~some.str.contains(ONLY_A_NUMBER)
    if not risky.any():
        return texts
    return texts.scatter(rows.filter(risky), "'" + some.filter(risky))
