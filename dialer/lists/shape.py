"""What a list is once it is open: what was found (`ListInfo`), and its rows in batches (`Batch`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from dialer.lists.names import spoken_names

BATCH_ROWS = 250_000
"""Records per batch where the caller does not say."""

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SPOKEN_FORMATS = {"parquet": "Parquet", "xlsx": "an Excel workbook"}
SPOKEN_ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 (with a byte order mark)",
    "utf-16-le": "UTF-16 (little endian)",
    "utf-16-be": "UTF-16 (big endian)",
    "utf-32-le": "UTF-32 (little endian)",
    "utf-32-be": "UTF-32 (big endian)",
    "windows-1252": "Windows-1252",
    "latin-1": "Latin-1",
}

BROKEN_SCHEMA = {
    "list_row": pl.Int64,
    "list_line": pl.Int64,
    "reason": pl.String,
    "detail": pl.String,
    "row": pl.String,
}


@dataclass(frozen=True, slots=True)
class ListInfo:
    """What was found in a file, before any row is read.

    `format` is `csv` (any text), `parquet` or `xlsx`; `compression` is `gzip`, `zstd` or None.
    `encoding` is a name that Python knows, None for Parquet and Excel. `delimiter` is None there too,
    and for a text file of one column. `columns` are the header's names after blank and duplicate
    ones were mended. `notes` are sentences for a person. `bytes` is the size of the file as it lies on disk.
    `kinds` are the columns' types where the file itself says them, as Parquet does.
    """

    path: Path
    format: str
    encoding: str | None
    delimiter: str | None
    compression: str | None
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    bytes: int
    kinds: Mapping[str, pl.DataType] | None = None

    def found(self) -> str:
        """Return in a few words how the file is read, for a person who wants to see that it is right."""
        packed = f", packed with {self.compression}" if self.compression else ""
        columns = f"{len(self.columns)} column{'' if len(self.columns) == 1 else 's'}"
        names = spoken_names(self.columns, quote="")
        if self.encoding is None:
            return f"{SPOKEN_FORMATS[self.format]}, {columns}: {names}"
        cut = f", fields separated by {DELIMITERS[self.delimiter]}" if self.delimiter else ""
        encoding = SPOKEN_ENCODINGS.get(self.encoding, self.encoding)
        return f"{encoding} text{packed}{cut}, {columns}: {names}"


@dataclass(frozen=True, slots=True)
class Batch:
    """The next records of a list: every record is either in `rows` or in `broken`, exactly once.

    `rows` has the list's own columns: all String for text files, an empty field as null; Parquet's
    own dtypes; Excel's numbers as numbers and dates as ISO text. `list_row` (Int64) numbers the data
    rows from 1 over the whole file, sheets of a workbook counted on. `list_line` (Int64) is the line
    where the record starts as a text editor counts, null for Parquet and Excel. `broken` holds what
    cannot be read as a row of this table: list_row and list_line (Int64), reason (`ragged`), detail
    (a sentence), row (the original text). `bytes_read` of the file are behind us after this batch.
    """

    rows: pl.DataFrame
    list_row: pl.Series
    list_line: pl.Series
    broken: pl.DataFrame
    bytes_read: int


class ListFile(Protocol):
    """An open list: what was found, and its rows as often as they are asked for."""

    @property
    def info(self) -> ListInfo:
        """What was found in the file."""
        ...

    def sha256(self) -> str:
        """Return the digest of the file's bytes as they lie on disk, in hexadecimal; reads all of it once."""
        ...

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the records in order, at most `rows` at a time, from the start of the file.

        Memory stays bounded by the batch for text and Parquet. A list with a header and no rows
        yields nothing.

        Raises:
            BadInput: the file changed since it was opened, or cannot be read to its end.
        """
        ...


def no_broken() -> pl.DataFrame:
    """Return an empty frame in the shape of `Batch.broken`."""
    return pl.DataFrame(schema=BROKEN_SCHEMA)
