"""Frames -> an Excel workbook: one sheet, or several of the same columns where a sheet is full.

Texts stay texts, whatever they begin with: no cell of a workbook is run as a formula unless it was written
as one. Times are Excel's own, in UTC where their zone is known. A text that is longer than a cell can hold
(32,767 characters) is cut and ends in an ellipsis. What is no number (NaN) is an empty cell.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import polars as pl
from polars import selectors

from dialer.tables.disk import Disk
from dialer.tables.flat import flat, in_utc

SHEET_ROWS = 1_048_575
"""Rows that fit below the header."""
CELL_CHARACTERS = 32_767
WHOLE_NUMBER_MAX = 2**53
"""Beyond it Excel, which has only floats, would change a whole number: it is written as text."""

Rows = tuple[list[str], list[tuple[Any, ...]]]


class ExcelWriter:
    """A workbook that grows row by row and keeps one row in memory."""

    def __init__(self, file: Path) -> None:
        import xlsxwriter  # 0.1 s that only a workbook costs

        self._file = Disk(file)
        self._drafts = TemporaryDirectory()
        options = {"constant_memory": True, "in_memory": False, "tmpdir": self._drafts.name}
        self._workbook = xlsxwriter.Workbook(self._file, options)
        self._bold = self._workbook.add_format({"bold": True})
        self._time = self._workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._sheet: Any = None
        self._next_row = 0
        self._texts_cut = 0
        self._numbers_lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        from xlsxwriter.exceptions import XlsxWriterException

        try:
            if kind is None:
                self._workbook.close()
        except XlsxWriterException as error:
            raise OSError(str(error)) from error
        finally:
            with self._drafts:
                self._file.close()

    def write(self, frame: pl.DataFrame) -> None:
        """Add the frame's rows."""
        self.put(self.render(frame))

    def render(self, frame: pl.DataFrame, wanted: pl.Series | None = None) -> Rows:
        """Return the names and the rows, times in UTC and without a zone: Excel knows none."""
        some = frame if wanted is None else frame.filter(wanted)
        moments = selectors.datetime(time_zone="*")
        plain = in_utc(flat(some)).with_columns(moments.dt.replace_time_zone(None))
        return plain.columns, plain.rows()

    def put(self, rendered: Rows) -> None:
        """Add the rows, on a further sheet where this one is full."""
        names, rows = rendered
        if self._sheet is None:
            self._begin_sheet(names)
        for row in rows:
            if self._next_row > SHEET_ROWS:
                self._begin_sheet(names)
            for column, value in enumerate(row):
                if value is not None and value == value:
                    self._put_cell(column, value)
                elif value is not None:
                    self._numbers_lost += 1
            self._next_row += 1

    def notes(self) -> list[str]:
        """Return what the workbook could not hold."""
        found = []
        if self._texts_cut:
            cut, most = counted(self._texts_cut, "text"), f"{CELL_CHARACTERS:,} characters"
            found.append(f"{cut} longer than {most}, which is all that a cell holds: cut, and ends in …")
        if self._numbers_lost:
            found.append(f"{counted(self._numbers_lost, 'number')} NaN, which Excel does not know: empty")
        return found

    def _begin_sheet(self, names: list[str]) -> None:
        self._sheet = self._workbook.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(names):
            self._sheet.write_string(0, column, name, self._bold)
        self._next_row = 1

    def _put_cell(self, column: int, value: object) -> None:
        if isinstance(value, datetime):
            self._sheet.write_datetime(self._next_row, column, value, self._time)
        elif isinstance(value, bool):
            self._sheet.write_boolean(self._next_row, column, value)
        elif isinstance(value, int | float) and abs(value) <= WHOLE_NUMBER_MAX:
            self._sheet.write_number(self._next_row, column, value)
        else:
            text = str(value)
            if len(text) > CELL_CHARACTERS:
                text = text[: CELL_CHARACTERS - 1] + "…"
                self._texts_cut += 1
            self._sheet.write_string(self._next_row, column, text)


def counted(number: int, what: str) -> str:
    """Return how many of something are: `1 text is`, `2 texts are`."""
    return f"1 {what} is" if number == 1 else f"{number} {what}s are"
