"""Lines above a header: passed over and said where it is sure which line is the header."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.base.errors import BadInput
from dialer.lists import open_list

TABLE = "id,name,phone\nk1,Ann,+442079460018\nk2,Bob,+442079460019\n"


def put(folder: Path, text: str) -> Path:
    file = folder / "list.csv"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "title",
    [
        "Customers of spring 2026\n\n",
        "Customers of spring,,\n\n",
        "# made on Monday, by us\n# keep it\n",
        ",Contact,\nof the customer,,\n",
    ],
)
def test_a_title_above_the_header_is_passed_over_and_said(tmp_path: Path, title: str) -> None:
    opened = open_list(put(tmp_path, title + TABLE), None, ("phone",))
    (batch,) = opened.batches()
    assert opened.info.columns == ("id", "name", "phone")
    assert (batch.list_row.to_list(), batch.list_line.to_list()) == ([1, 2], [4, 5])
    assert any(note.startswith("above the header and not read: ") for note in opened.info.notes)


def test_a_title_does_not_choose_the_delimiter(tmp_path: Path) -> None:
    text = "All customers, spring, as of May\n" + TABLE.replace(",", ";")
    opened = open_list(put(tmp_path, text), None, ("mobile", "phone"))
    assert (opened.info.delimiter, opened.info.columns) == (";", ("id", "name", "phone"))


def test_a_row_above_that_may_be_the_header_is_refused_with_the_rows_shown(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"row 2 has the wanted names.*'a,b,c', 'id,name,phone'"):
        open_list(put(tmp_path, "a,b,c\n" + TABLE), None, ("phone",))


def test_without_the_wanted_names_the_first_row_is_the_header(tmp_path: Path) -> None:
    opened = open_list(put(tmp_path, "note,tel,x\n" + TABLE), None, ("mobile",))
    assert opened.info.columns == ("note", "tel", "x")
    assert sum(batch.rows.height for batch in opened.batches()) == 3
