"""Numbers that a workbook shows as dates: a phone column that was formatted so by mistake.

A phone number is further ahead than the last day that Excel knows, and its cell would be read as empty. The
number itself is in the file; it comes out where the formats are left away.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import polars as pl

LAST_DATE = 2_958_465
"""31 December 9999, as Excel counts days."""

STYLES = "xl/styles.xml"
_FAR_DATE = r"^\+\d{5,}-\d\d-\d\d "
"""How a number of up to eight digits that is formatted as a date comes out beside texts."""
FIRST_DAY = datetime(1900, 1, 1)
"""Excel's first day; what is before it is a time of no day, which comes out as one of the day before."""
_TIME_BESIDE_TEXTS = r"^1899-12-31 (\d\d:\d\d:\d\d(?:\.\d+)?)$"
_DATED = re.compile(rb'numFmtId="(1[4-9]|2[0-2]|4[5-7])"|formatCode="[^"]*[dmyhsDMYHS]')


def plain_dates(cells: pl.Series, in_full: bool = False) -> pl.Series:
    """Return dates and times as ISO text, all else as it is.

    `in_full` writes day and time of all: the digits of a day alone are a number in Germany.
    """
    if isinstance(cells.dtype, pl.Datetime):
        if in_full:
            return cells.dt.strftime("%Y-%m-%dT%H:%M:%S")
        times = cells < FIRST_DAY
        days = ((cells.dt.truncate("1d") == cells) | times).all()
        dated = cells.dt.strftime("%Y-%m-%d" if days else "%Y-%m-%dT%H:%M:%S%.f")
        return cells.dt.strftime("%H:%M:%S%.f").zip_with(times, dated)
    if cells.dtype == pl.String and not in_full:
        return cells.str.replace(_TIME_BESIDE_TEXTS, "$1")
    return cells.dt.to_string("iso") if cells.dtype.is_temporal() else cells


class Undated:
    """A workbook whose dates can be read as the numbers that they are."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def with_numbers(self, cells: pl.Series, sheet: str, skip_rows: int, place: int) -> tuple[pl.Series, int]:
        """Return a column below its header, with the numbers that no date can show, and how many there are.

        `place` is the column's on the sheet.
        """
        if cells.dtype == pl.String:
            suspect = cells.is_null() | cells.str.contains(_FAR_DATE).fill_null(value=False)
        else:
            suspect = pl.repeat(cells.dtype.is_temporal(), len(cells), eager=True)
        if not suspect.any() or not self._has_dates:
            return cells, 0
        loaded = self._reader.load_sheet(sheet, header_row=None, skip_rows=skip_rows, dtypes="string")
        bare = loaded.to_polars()[:, place]
        hidden = suspect & (bare.cast(pl.Float64, strict=False) > LAST_DATE).fill_null(value=False)
        if not hidden.any():
            return cells, 0
        # What is hidden is no date at all, and some of it is beyond what a date's text can be made of.
        dates = plain_dates(pl.select(pl.when(~hidden).then(cells)).to_series(), in_full=True)
        return bare.zip_with(hidden, dates).alias(cells.name), int(hidden.sum())

    @cached_property
    def _has_dates(self) -> bool:
        with ZipFile(BytesIO(self._content)) as archive:
            return STYLES in archive.namelist() and bool(_DATED.search(archive.read(STYLES)))

    @cached_property
    def _reader(self) -> Any:
        import fastexcel  # 0.1 s that only a workbook costs

        bare = BytesIO()
        with ZipFile(BytesIO(self._content)) as archive, ZipFile(bare, "w") as copy:
            for entry in archive.infolist():
                if entry.filename != STYLES:
                    copy.writestr(entry, archive.read(entry))
        return fastexcel.read_excel(bare.getvalue())
