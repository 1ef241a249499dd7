"""Excel workbooks -> batches of rows; every visible sheet with a column of numbers is part of the list.

A sheet's first filled row is its header. Sheets with the same names are one table; a column that a
sheet does not have is null in its rows, so that no row of any sheet is lost. Numbers stay numbers, whole
ones where all of a column are, and dates become ISO text. A sheet holds a million rows at most, so the
workbook is read whole.

A sheet without the columns of numbers (notes, a pivot table) is left out and said. One that looks as if
it had numbers under another name is refused: that would be a lost list.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.lists.columns import likely_phone_columns, looks_like_data, mend_names
from dialer.lists.names import spoken_names
from dialer.lists.shape import BATCH_ROWS, Batch, ListInfo, no_broken
from dialer.lists.source import Source, digest, readable, refuse_change
from dialer.lists.undated import Undated, plain_dates
from dialer.lists.whole import as_text, as_whole

TITLE_ROWS_MAX = 10
_CUT = r"^-?(\d+\.\d+|0)$"
"""How a number comes out beside texts when its digits may be cut."""


@dataclass(frozen=True, slots=True)
class ExcelList:
    """An open workbook: all rows of its sheets, and their numbers."""

    source: Source
    info: ListInfo
    rows: pl.DataFrame
    list_row: pl.Series

    def sha256(self) -> str:
        """Return the digest of the file's bytes."""
        return digest(self.source)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the rows of the sheets in order, at most `rows` at a time.

        `list_row` counts a sheet's rows below its header, empty ones too, so that it leads to the
        row that Excel shows; empty rows themselves are left out.
        """
        for start in range(0, self.rows.height, rows):
            part = self.rows.slice(start, rows)
            yield Batch(
                rows=part,
                list_row=self.list_row.slice(start, rows),
                list_line=pl.Series([None], dtype=pl.Int64).new_from_index(0, part.height),
                broken=no_broken(),
                bytes_read=self.source.bytes * (start + part.height) // self.rows.height,
            )


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    rows: pl.DataFrame
    numbers: pl.Series
    height: int
    notes: tuple[str, ...]


def open_excel(source: Source, wanted: Sequence[str] | None = None, phones: Sequence[str] = ()) -> ExcelList:
    """Return the open workbook with the wanted sheets, or all visible ones that have a column of `phones`.

    Raises:
        BadInput: it cannot be read, a wanted sheet is not there, no sheet holds a header, or one that is
            not wanted seems to hold numbers in another column than `phones`.
    """
    with readable(source.path):
        content = source.path.read_bytes()
    import fastexcel  # 0.1 s that only a workbook costs

    # It warns of empty columns and of charts; neither is news to the owner of the workbook.
    for name in ("fastexcel", "calamine"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        reader = fastexcel.read_excel(content)
        sheets, notes = _read_sheets(source, reader, Undated(content), wanted, phones)
    except fastexcel.FastExcelError as error:
        said = str(error).splitlines()[0]
        raise BadInput(f"{source.path}: cannot be read as Excel ({said}); save it anew as .xlsx") from error
    if not sheets:
        raise BadInput(f"{source.path}: no sheet holds anything, expected a header and rows")
    if wanted is None and phones:
        sheets, left = _with_phones(source, sheets, phones)
        notes += left
    rows, numbers = _together(sheets)
    notes += _places(sheets) if len(reader.sheet_names) > 1 else []
    notes += [note for sheet in sheets for note in sheet.notes]
    notes += _different_columns(sheets)
    if not rows.height:
        notes.append("there is a header and no row")
    info = ListInfo(
        path=source.path,
        format="xlsx",
        encoding=None,
        delimiter=None,
        compression=None,
        columns=tuple(rows.columns),
        notes=tuple(notes),
        bytes=source.bytes,
    )
    refuse_change(source)
    return ExcelList(source, info, rows, numbers)


def _read_sheets(
    source: Source, reader: Any, undated: Undated, wanted: Sequence[str] | None, phones: Sequence[str]
) -> tuple[list[_Sheet], list[str]]:
    names = list(reader.sheet_names)
    missing = [name for name in wanted or () if name not in names]
    if missing:
        there = ", ".join(f"'{name}'" for name in names)
        near = did_you_mean(missing[0], names)
        raise BadInput(f"{source.path}: there is no sheet '{missing[0]}'{near}; the workbook has {there}")
    sheets: list[_Sheet] = []
    notes: list[str] = []
    for name in names if wanted is None else dict.fromkeys(wanted):
        sheet = reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
        if wanted is None and sheet.visible != "visible":
            notes.append(f"sheet '{name}' is hidden and not read")
        elif sheet.width and sheet.height:
            texts, errors = sheet.to_arrow_with_errors()
            found = _read_sheet(source, reader, undated, name, _cells(pl.DataFrame(texts)), phones)
            sheets += found
            if wanted is not None and not found:
                notes.append(f"sheet '{name}' is empty")
            if errors:
                notes.append(f"sheet '{name}': formula errors are read as empty cells: {len(errors.errors)}")
    return sheets, notes


def _read_sheet(
    source: Source, reader: Any, undated: Undated, name: str, texts: pl.DataFrame, phones: Sequence[str]
) -> list[_Sheet]:
    """Return the sheet's rows, or nothing where nothing stands on it; `texts` is all of it as text."""
    at, above = _header_at(texts, phones)
    if at is None:
        return []
    header = [cell or "" for cell in texts.row(at)]
    has_cells = [texts[column][at + 1 :].is_not_null().any() for column in texts.columns]
    kept = [place for place, cell in enumerate(header) if cell.strip() or has_cells[place]]
    cells = [header[place] for place in kept]
    if looks_like_data(cells):
        raise BadInput(
            f"{source.path}: the first row of sheet '{name}' looks like data, not like a header:"
            f" {spoken_names(cells)}; add a first row with the names of the columns"
        )
    columns, notes = mend_names(cells)
    if at + 1 >= texts.height:
        rows = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    else:
        # Anew, because only a column without its header shows what kind its cells are.
        loaded = _cells(_below(reader, name, at + 1))
        rows = loaded.select(loaded.columns[place] for place in kept)
        rows.columns = list(columns)
        for place, column in zip(kept, columns, strict=True):
            if column in phones:
                with_numbers, count = undated.with_numbers(rows[column], name, at + 1, place)
                rows = rows.with_columns(with_numbers)
                if count:
                    notes += (f"column '{column}': numbers shown as dates are read as numbers: {count}",)
    rows = rows.select(_plain(rows[column], in_full=column in phones) for column in columns)
    present = ~rows.select(pl.all_horizontal(pl.all().is_null())).to_series()
    sheet = _Sheet(
        name=name,
        rows=rows.filter(present),
        numbers=pl.int_range(1, rows.height + 1, dtype=pl.Int64, eager=True).filter(present),
        height=rows.height,
        notes=tuple(f"sheet '{name}': {note}" for note in (*above, *notes)),
    )
    return [sheet]


def _below(reader: Any, name: str, skip_rows: int) -> pl.DataFrame:
    """Return the cells below a header, each column of its kind; all as text where the kinds do not mix."""
    import fastexcel

    try:
        found = reader.load_sheet(
            name, header_row=None, skip_rows=skip_rows, schema_sample_rows=None
        ).to_polars()
    except fastexcel.UnsupportedColumnTypeCombinationError:  # lengths of time beside texts
        found = reader.load_sheet(name, header_row=None, skip_rows=skip_rows, dtypes="string").to_polars()
    below: pl.DataFrame = found
    return _in_full(reader, name, skip_rows, below)


def _in_full(reader: Any, name: str, skip_rows: int, below: pl.DataFrame) -> pl.DataFrame:
    """Return the cells, with all digits of the numbers beside texts: they come out cut to nine decimals."""
    places = [
        place
        for place, cells in enumerate(below)
        if cells.dtype == pl.String and cells.str.contains(_CUT).any()
    ]
    if not places:
        return below
    floats = reader.load_sheet(
        name, header_row=None, skip_rows=skip_rows, use_columns=places, dtypes="float"
    ).to_polars()
    mended = []
    for place, numbers in zip(places, floats, strict=True):
        texts = below[:, place]
        # A text gives the same float both ways, and stays as it is written.
        cut = (texts.cast(pl.Float64, strict=False) != numbers).fill_null(value=False)
        mended.append(as_text(numbers).zip_with(cut, texts).alias(texts.name))
    return below.with_columns(mended)


def _header_at(texts: pl.DataFrame, phones: Sequence[str]) -> tuple[int | None, list[str]]:
    """Return which row is the header, None on an empty sheet, and what is to be said of the rows above it.

    It is the first filled row, unless that has none of the wanted names and one soon below it does: people
    put a title above a table.
    """
    filled = texts.select(~pl.all_horizontal(pl.all().is_null())).to_series().arg_true().to_list()
    if not filled:
        return None, []
    for at in filled[: TITLE_ROWS_MAX + 1]:
        if {(cell or "").strip() for cell in texts.row(at)} & set(phones):
            titles = [" ".join(cell for cell in texts.row(row) if cell) for row in filled if row < at]
            said = ", ".join(repr(title[:50]) for title in titles)
            return at, [f"above the header and not read: {said}"] if titles else []
    return filled[0], []


def _with_phones(
    source: Source, sheets: list[_Sheet], phones: Sequence[str]
) -> tuple[list[_Sheet], list[str]]:
    """Return the sheets that have one of the columns, and a sentence for each other one.

    Where no sheet has any, all of them come back: whoever looks for the columns will say which there are.
    """
    read = [sheet for sheet in sheets if any(name in sheet.rows.columns for name in phones)]
    if not read:
        return sheets, []
    notes = []
    named = " or ".join(f"'{name}'" for name in phones)
    for sheet in sheets:
        if sheet in read:
            continue
        likely = likely_phone_columns(_as_batch(sheet))
        if likely:
            others = ", ".join(f"'{one.name}'" for one in read)
            raise BadInput(
                f"{source.path}: sheet '{sheet.name}' has no column {named}, and its column '{likely[0]}'"
                " looks like numbers; give it the same name, or say which sheets to read"
                f" (here {others} would be)"
            )
        notes.append(f"sheet '{sheet.name}' has no column {named} and is not read")
    return read, notes


def _as_batch(sheet: _Sheet) -> Batch:
    lines = pl.Series([None], dtype=pl.Int64).new_from_index(0, sheet.rows.height)
    return Batch(sheet.rows, sheet.numbers, lines, no_broken(), 0)


def _places(sheets: list[_Sheet]) -> list[str]:
    """Return which rows of the list stand on which sheet, so that a row number leads to its cell."""
    said, before = [], 0
    for sheet in sheets:
        count = f"{sheet.rows.height} row{'' if sheet.rows.height == 1 else 's'}"
        where = f", counted from {before + 1}" if before and sheet.height else ""
        said.append(f"'{sheet.name}' ({count}{where})")
        before += sheet.height
    return [f"sheet{'' if len(sheets) == 1 else 's'} read: " + ", ".join(said)]


def _cells(cells: pl.DataFrame) -> pl.DataFrame:
    """Return the cells, empty texts as null like empty fields of a text file."""
    return cells.with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)))


def _plain(cells: pl.Series, *, in_full: bool) -> pl.Series:
    """Return numbers and text as they are, dates and times as ISO text."""
    if cells.dtype == pl.Null:
        return cells.cast(pl.String)
    return plain_dates(cells, in_full)


def _together(sheets: list[_Sheet]) -> tuple[pl.DataFrame, pl.Series]:
    """Return the sheets below each other; a column whose kind differs between them becomes text."""
    kinds: dict[str, set[pl.DataType]] = {}
    for sheet in sheets:
        for name, dtype in sheet.rows.schema.items():
            if sheet.rows[name].is_not_null().any():
                kinds.setdefault(name, set()).add(dtype)
    frames = []
    for sheet in sheets:
        alike = [
            as_text(cells) if len(kinds.get(cells.name, ())) > 1 else _as_kind(cells, kinds.get(cells.name))
            for cells in sheet.rows
        ]
        frames.append(pl.DataFrame(alike))
    numbers, before = [], 0
    for sheet in sheets:
        numbers.append(sheet.numbers + before)
        before += sheet.height
    rows = pl.concat(frames, how="diagonal")
    return rows.select(as_whole(cells) for cells in rows), pl.concat(numbers)


def _as_kind(cells: pl.Series, kinds: set[pl.DataType] | None) -> pl.Series:
    return cells.cast(next(iter(kinds))) if kinds else cells.cast(pl.String)


def _different_columns(sheets: list[_Sheet]) -> list[str]:
    first = sheets[0]
    return [
        f"sheet '{sheet.name}' has other columns than '{first.name}': "
        + spoken_names(sheet.rows.columns, quote="")
        for sheet in sheets[1:]
        if set(sheet.rows.columns) != set(first.rows.columns)
    ]
