"""Files for other programs: whole or not there, with the list's own columns, harmless in a spreadsheet."""

from __future__ import annotations

import json
from pathlib import Path

import fastexcel
import polars as pl
import pytest

from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput, NotReady
from dialer.store.database import Store
from dialer.tables import excel
from dialer.tables import export as exporting
from dialer.tables.export import export
from dialer.tables.fields import fields_of, names_beside
from dialer.tables.formats import harmless
from dialer.tables.frames import SCHEMAS, read_view
from tests.seed import phone
from tests.tables.story import run_sql, set_metadata, tell

WHAT = ("contacts", "attempts", "outcomes", "rejects")


def read(file: Path) -> pl.DataFrame:
    match file.suffix:
        case ".csv" | ".gz":
            return pl.read_csv(file, infer_schema=False)
        case ".jsonl":
            return pl.read_ndjson(file, infer_schema_length=None)
        case ".xlsx":
            return fastexcel.read_excel(file).load_sheet(0).to_polars()
        case _:
            return pl.read_parquet(file)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet", "xlsx"])
@pytest.mark.parametrize("what", WHAT)
def test_every_table_goes_into_every_format_with_all_its_rows(
    store: Store, clock: ManualClock, tmp_path: Path, what: str, ending: str
) -> None:
    tell(store, clock)
    file = tmp_path / f"{what}.{ending}"
    rows = read_view(store, what, "spring").height
    assert export(store, what, file, "spring") == rows > 0
    assert read(file).height == rows
    assert [path.name for path in tmp_path.glob(f"*{what}*")] == [file.name]


def test_parquet_keeps_dtypes_and_brings_the_lists_own_columns(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    tell(store, clock)
    export(store, "outcomes", tmp_path / "o.parquet")
    frame = read(tmp_path / "o.parquet")
    assert frame.schema == pl.Schema({**SCHEMAS["outcomes"], "row": pl.String()})
    assert frame.drop("row").equals(read_view(store, "outcomes"))
    assert frame["row"].to_list() == [str(number) for number in range(1, 10)]


def test_texts_that_a_workbook_cuts_are_said(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(store, clock)
    monkeypatch.setattr(excel, "CELL_CHARACTERS", 30)
    notes: list[str] = []
    export(store, "attempts", tmp_path / "a.csv", notes=notes)
    assert notes == []
    export(store, "attempts", tmp_path / "a.xlsx", notes=notes)
    [note] = notes
    assert note.endswith("longer than 30 characters, which is all that a cell holds: cut, and ends in …")


def test_times_are_iso_text_with_microseconds_where_the_format_has_none(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    tell(store, clock)
    for ending in ("csv", "jsonl"):
        export(store, "attempts", tmp_path / f"a.{ending}")
        assert read(tmp_path / f"a.{ending}")["sent_at"][0] == "2026-09-21T14:13:20.250001Z"


def test_metadata_columns_of_later_rows_are_not_lost(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(store, clock)
    set_metadata(store, 1, {"city": "Pune"})
    set_metadata(store, 8, {"city": "Agra", "plan": "gold"})
    set_metadata(store, 9, {"shoe": "42"})
    small = exporting.read_view_batches
    monkeypatch.setattr(exporting, "read_view_batches", lambda *args: small(*args, rows_at_once=2))
    assert export(store, "contacts", tmp_path / "c.csv") == 9
    frame = read(tmp_path / "c.csv")
    assert frame.columns[-4:] == ["city", "row", "plan", "shoe"]
    assert frame.select("city", "plan", "shoe").rows()[-2:] == [("Agra", "gold", None), (None, None, "42")]


def test_a_metadata_column_with_a_taken_name_gets_a_prefix(
    store: Store, clock: ManualClock, tmp_path: Path
) -> None:
    tell(store, clock)
    set_metadata(store, 1, {"phone": "mine", "metadata_phone": "too", "metadata": "and this"})
    export(store, "contacts", tmp_path / "c.jsonl")
    first = json.loads((tmp_path / "c.jsonl").read_text().splitlines()[0])
    assert first["phone"] == phone(0)
    assert first["metadata_metadata_phone"] == "mine"
    assert (first["metadata_phone"], first["metadata_metadata"]) == ("too", "and this")


def test_names_stay_distinct_whatever_a_list_calls_its_columns() -> None:
    renamed = names_beside(["a", "p_a", "p_p_a", "b"], {"a", "b"}, "p_")
    assert renamed == {"a": "p_p_p_a", "p_a": "p_a", "p_p_a": "p_p_a", "b": "p_b"}


def test_metadata_that_is_no_text_comes_as_its_json() -> None:
    objects = [
        '{"n":10000000000000000001,"f":1.5,"t":true,"s":"x","d":{"k":[1,"é"]}}',
        '{"s":null,"n":"1"}',
        None,
        "not json",
        '["no object"]',
    ]
    rows = fields_of(pl.Series(objects)).rows(named=True)
    assert rows[0] == {"n": "10000000000000000001", "f": "1.5", "t": "true", "s": "x", "d": '{"k": [1, "é"]}'}
    assert rows[1]["n"] == "1"
    assert all(value is None for row in rows[2:] for value in row.values())


@pytest.mark.parametrize("objects", [[None, None], ["{}", None], ["12", "7"], ["null"]])
def test_rows_without_metadata_have_no_further_columns(objects: list[str | None]) -> None:
    frame = fields_of(pl.Series(objects, dtype=pl.String))
    assert (frame.height, frame.width) == (len(objects), 0)


def test_rejects_can_be_mended_and_loaded_again(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    tell(store, clock)
    assert export(store, "rejects", tmp_path / "r.csv", "spring") == 3
    frame = read(tmp_path / "r.csv")
    assert frame.columns == [
        *("mobile", "name", "reason"),
        *("reject_campaign", "reject_list_file", "reject_list_row", "reject_list_line", "reject_column"),
        *("reject_raw", "reject_reason", "reject_detail", "reject_suggestion", "reject_row"),
        "reject_reject_id",
    ]
    assert frame["mobile"].to_list() == ["12", "+1 202 555 0000", None]
    assert frame["reason"].to_list() == ["mine", None, None]
    assert frame["reject_reason"].to_list() == ["too_short", "duplicate", "ragged"]
    assert frame["reject_raw"][2] == 'a,"b'


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+A1", "'-2+A1"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1+A1", "'＝1+A1"),
        ("=1+1", "'=1+1"),
        ("'=1+1", "''=1+1"),
        ("'+12125550101", "''+12125550101"),
        ("'plain", "'plain"),
        ("+919876543210", "+919876543210"),
        ("+91 (22) 1234-5678", "+91 (22) 1234-5678"),
        ("-12.50", "-12.50"),
        ("-", "-"),
        ("plain = text", "plain = text"),
        ("", ""),
        (None, None),
    ],
)
def test_a_cell_cannot_start_a_formula_and_a_number_stays_exact(
    cell: str | None, written: str | None
) -> None:
    assert harmless(pl.DataFrame({"x": [cell]}, schema={"x": pl.String}))["x"].to_list() == [written]


def test_formulas_are_harmless_in_the_csv_file_only(store: Store, clock: ManualClock, tmp_path: Path) -> None:
    tell(store, clock)
    set_metadata(store, 1, {"=evil()": "=evil()"})
    export(store, "outcomes", tmp_path / "o.csv")
    frame = read(tmp_path / "o.csv")
    assert frame["'=evil()"][0] == "'=evil()"
    assert frame["phone"].to_list() == [phone(number) for number in range(9)]
    export(store, "attempts", tmp_path / "a.csv")
    assert read(tmp_path / "a.csv")["transcript"].drop_nulls().to_list() == ['\'=HYPERLINK("x")']
    export(store, "attempts", tmp_path / "a.jsonl")
    assert '"transcript":"=HYPERLINK' in (tmp_path / "a.jsonl").read_text()


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet", "xlsx"])
def test_a_table_without_rows_is_a_file_with_its_columns(store: Store, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"o.{ending}"
    assert export(store, "outcomes", file) == 0
    if ending == "jsonl":
        assert file.read_bytes() == b""
    else:
        assert read(file).columns == list(SCHEMAS["outcomes"])


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(store, clock)
    file = tmp_path / "o.csv"
    file.write_text("before")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dialer.tables.formats.CsvWriter.write", full_disk)
    with pytest.raises(NotReady, match=r"o\.csv: cannot be written: No space left on device"):
        export(store, "outcomes", file)
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.glob("*o.csv*")] == ["o.csv"]


@pytest.mark.parametrize(
    ("what", "name", "campaign", "message"),
    [
        ("outcomes", "o.txt", None, r"'\.txt' is not an ending .* expected \.csv, \.csv\.gz, \.parquet"),
        ("outcomes", "outcomes", None, "the name has no ending"),
        ("outcomes", "o.xls", None, r"'\.xls' is not an ending .* \.xlsx"),
        ("outcomes", "nowhere/o.csv", None, "there is no folder .*nowhere"),
        ("outcomes", "folder.csv", None, "is a folder"),
        ("outcomes", "o.csv", "sprin", "did you mean 'spring'"),
        ("outcome", "o.csv", None, "did you mean 'outcomes'"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is(
    store: Store,
    clock: ManualClock,
    tmp_path: Path,
    what: str,
    name: str,
    campaign: str | None,
    message: str,
) -> None:
    tell(store, clock)
    (tmp_path / "folder.csv").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BadInput, match=message):
        export(store, what, tmp_path / name, campaign)
    assert sorted(path for path in tmp_path.iterdir() if "dialer.db" not in path.name) == [
        path for path in before if "dialer.db" not in path.name
    ]


def test_an_export_is_one_state_of_the_database_while_others_write(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(store, clock)
    real = exporting.read_view_batches

    def written_between(*args: object):  # type: ignore[no-untyped-def]
        for frame in real(*args, rows_at_once=3):  # type: ignore[arg-type]
            run_sql(store, "UPDATE contacts SET reason = 'later'")
            yield frame

    monkeypatch.setattr(exporting, "read_view_batches", written_between)
    export(store, "contacts", tmp_path / "c.csv")
    assert "later" not in read(tmp_path / "c.csv")["reason"].to_list()


def test_a_workbook_keeps_numbers_times_and_texts_that_look_like_formulas(
    store: Store, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(store, clock)
    set_metadata(store, 1, {"=evil()": "=evil()", "long": "x" * 40_000})
    monkeypatch.setattr(excel, "SHEET_ROWS", 5)
    export(store, "outcomes", tmp_path / "o.xlsx")
    book = fastexcel.read_excel(tmp_path / "o.xlsx")
    first, second = (book.load_sheet(name).to_polars() for name in book.sheet_names)
    assert (first.height, second.height, first.columns) == (5, 4, second.columns)
    assert [*first["phone"], *second["phone"]] == [phone(number) for number in range(9)]
    assert first["=evil()"][0] == "=evil()"
    assert (len(first["long"][0]), first["long"][0][-1]) == (32_767, "…")
    assert first["duration_s"][0] == 12.5
    assert str(first["first_called_at"][0]).startswith("2026-09-21 14:13:20")
