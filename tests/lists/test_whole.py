"""Whole numbers that a program keeps as floats."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from dialer.lists import open_list
from dialer.lists.whole import as_text, as_whole


def workbook(file: Path, *sheets: list[tuple]) -> Path:
    with xlsxwriter.Workbook(file) as book:
        for rows in sheets:
            sheet = book.add_worksheet()
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)
    return file


def read(file: Path) -> pl.DataFrame:
    return pl.concat(batch.rows for batch in open_list(file).batches())


@pytest.mark.parametrize("kind", [pl.Float32, pl.Float64])
def test_whole_numbers_that_parquet_keeps_as_floats_are_whole(
    tmp_path: Path, kind: type[pl.DataType]
) -> None:
    ids = pl.Series("id", [1001, None, float("nan"), -3], dtype=kind, strict=False)
    shares = pl.Series("share", [1, 2, 2.5, None], dtype=kind)
    pl.DataFrame([ids, shares, shares.clear(4).alias("none")]).write_parquet(tmp_path / "list.parquet")
    rows = read(tmp_path / "list.parquet")
    assert rows.rows() == [(1001, 1, None), (None, 2, None), (None, 2.5, None), (-3, None, None)]
    assert rows.dtypes == [pl.Int64, kind, kind]


def test_whole_numbers_of_a_workbook_are_whole_over_all_its_sheets(tmp_path: Path) -> None:
    one, two = [("id", "price", "far"), (1001, 3, 2**53)], [("id", "price", "far"), (1002, 2.5, 1)]
    rows = read(workbook(tmp_path / "list.xlsx", one, two))
    assert rows.rows() == [(1001, 3, 2**53), (1002, 2.5, 1)]
    assert rows.dtypes == [pl.Int64, pl.Float64, pl.Float64]


def test_a_number_beside_texts_keeps_all_its_digits(tmp_path: Path) -> None:
    cells = [12.97159876543, "x", 0.4155552676, 1e-12, 10001, "1.50", "0.415555267600", -5.1000000001, True]
    rows = read(workbook(tmp_path / "list.xlsx", [("city", "cell"), *(("y", cell) for cell in cells)]))
    told = ["12.97159876543", "x", "0.4155552676", "1e-12", "10001"]
    assert rows["cell"].to_list() == [*told, "1.50", "0.415555267600", "-5.1000000001", "true"]


def test_a_float_that_may_stand_for_several_whole_numbers_stays_a_float() -> None:
    for kind, limit in ((pl.Float32, 2**24), (pl.Float64, 2**53)):
        assert as_whole(pl.Series([limit - 1], dtype=kind)).dtype == pl.Int64
        assert as_whole(pl.Series([limit], dtype=kind)).dtype == kind
    assert as_whole(pl.Series([float("inf")])).dtype == pl.Float64


def test_floats_as_text_are_what_a_person_would_type() -> None:
    assert as_text(pl.Series([1001, 2.5, None, float("nan")], strict=False)).to_list() == [
        "1001",
        "2.5",
        None,
        None,
    ]
    assert as_text(pl.Series([7])).to_list() == ["7"]
