"""Phone columns of a workbook that somebody formatted as dates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from dialer.contacts import normalize
from dialer.lists import open_list

NUMBERS = [919876543210, 9876543211, 91234567, None]


def workbook(file: Path, cells: list, form: str) -> Path:
    with xlsxwriter.Workbook(file) as book:
        sheet, dated = book.add_worksheet(), book.add_format({"num_format": form})
        sheet.write_row(0, 0, ["name", "phone"])
        for row, cell in enumerate(cells, start=1):
            sheet.write(row, 0, "x")
            if isinstance(cell, str):
                sheet.write_string(row, 1, cell)
            elif cell is not None:
                sheet.write_number(row, 1, cell, dated)
    return file


def phones(file: Path) -> list[str | None]:
    opened = open_list(file, None, ("phone",))
    return [None if cell is None else str(cell) for batch in opened.batches() for cell in batch.rows["phone"]]


@pytest.mark.parametrize("form", ["yyyy-mm-dd", "h:mm", "[h]:mm:ss"])
@pytest.mark.parametrize("beside", [[], ["+91 98765 43212"]])
def test_numbers_shown_as_dates_are_read_as_the_numbers_they_are(
    tmp_path: Path, form: str, beside: list[str]
) -> None:
    file = workbook(tmp_path / "list.xlsx", [*NUMBERS, *beside], form)
    assert phones(file) == ["919876543210", "9876543211", "91234567", None, *beside]
    notes = open_list(file, None, ("phone",)).info.notes
    assert any("numbers shown as dates are read as numbers: 3" in note for note in notes)


def test_a_date_in_a_phone_column_is_nobodys_number(tmp_path: Path) -> None:
    days = (dt.date(2026, 3, 4) - dt.date(1899, 12, 30)).days
    cells = phones(workbook(tmp_path / "list.xlsx", [days, days + 1], "yyyy-mm-dd"))
    assert cells == ["2026-03-04T00:00:00", "2026-03-05T00:00:00"]
    assert normalize(pl.DataFrame({"phone": cells}), "phone", "DE")["phone"].to_list() == [None, None]


def test_a_time_of_no_day_is_a_time_and_keeps_its_milliseconds(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 3, 4, 1, 2, 3, 456_000)
    rows = {"at": [dt.time(12), dt.time(9, 30, 15)], "seen": [moment, moment.replace(microsecond=0)]}
    mixed = {"beside": ["noon", dt.time(12)], "day": [dt.date(2026, 3, 4), None]}
    with xlsxwriter.Workbook(tmp_path / "list.xlsx") as book:
        sheet, form = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        for place, (name, cells) in enumerate({**rows, **mixed}.items()):
            sheet.write_column(0, place, [name])
            sheet.write_column(1, place, cells, form)
    (batch,) = open_list(tmp_path / "list.xlsx").batches()
    assert batch.rows.to_dict(as_series=False) == {
        "at": ["12:00:00", "09:30:15"],
        "seen": ["2026-03-04T01:02:03.456", "2026-03-04T01:02:03"],
        "beside": ["noon", "12:00:00"],
        "day": ["2026-03-04", None],
    }
