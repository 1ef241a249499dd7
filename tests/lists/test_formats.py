"""Files as people send them: any encoding, delimiter, line end, packing; Parquet; Excel."""

import datetime as dt
import gzip
import hashlib
import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.base.errors import BadInput
from dialer.lists import ListFile, find_column, find_lists, open_list
from dialer.lists import records as records_room
from dialer.lists.split import can_split

ROWS = [("Zoë", "+44 20 7946 0958"), ("José", "0049 30 123456")]
TEXT = "name,phone\n" + "".join(f"{name},{phone}\n" for name, phone in ROWS)


def rows_of(opened: ListFile, rows: int = 250_000) -> list[tuple]:
    return [row for batch in opened.batches(rows) for row in batch.rows.rows()]


@pytest.fixture
def write(tmp_path: Path):
    """Return a function that writes bytes to a file and returns its path."""

    def write_bytes(data: bytes | str, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write_bytes


@pytest.mark.parametrize(
    ("codec", "mark", "found"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8-sig"),
        ("utf-16-le", b"\xff\xfe", "utf-16-le"),
        ("utf-16-be", b"\xfe\xff", "utf-16-be"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("utf-32-le", b"\xff\xfe\x00\x00", "utf-32-le"),
        ("windows-1252", b"", "windows-1252"),
    ],
)
def test_the_encoding_is_found_and_said(write, codec: str, mark: bytes, found: str):
    opened = open_list(write(mark + TEXT.encode(codec)))
    assert opened.info.encoding == found
    assert bool(opened.info.notes) == (not found.startswith("utf-8"))
    assert rows_of(opened) == ROWS


@pytest.mark.parametrize("codec", ["cp1250", "shift_jis", "koi8-r", "utf-16-le", "utf-16-be", "utf-8"])
def test_an_encoding_that_is_named_is_taken_and_what_was_found_is_said(write, codec: str):
    city = {"cp1250": "Łódź", "shift_jis": "東京", "koi8-r": "Москва"}.get(codec, "Zürich")
    opened = open_list(write(f"name,phone\n{city},1\n".encode(codec)), encoding=codec.upper())
    assert rows_of(opened) == [(city, "1")]
    assert opened.info.encoding == codec
    guessed = {"cp1250", "shift_jis", "koi8-r"}
    assert any("as asked for; it looks like" in note for note in opened.info.notes) == (codec in guessed)


def test_bytes_that_a_named_encoding_does_not_have_stay_to_be_seen(write):
    opened = open_list(write(b"name,phone\nA\x83B,1\n"), encoding="cp1250")
    assert rows_of(opened) == [("A\\x83B", "1")]


def test_an_encoding_that_nobody_knows_is_refused_with_those_there_are(write):
    with pytest.raises(BadInput, match=r"encoding = 'cp125x', expected .*did you mean 'cp125\d'.*koi8-r"):
        open_list(write(TEXT), encoding="cp125x")


def test_quotation_marks_of_windows_1252_are_read(write):
    opened = open_list(write("name,phone\n“Bäcker”,1\n".encode("windows-1252")))
    assert opened.info.notes == ("Windows-1252 text, not UTF-8",)
    assert rows_of(opened) == [("“Bäcker”", "1")]


def test_bytes_that_windows_1252_lacks_make_it_latin_1(write):
    opened = open_list(write("name,phone\nZo\xeb\x81,1\n".encode("latin-1")))
    assert opened.info.notes == ("Latin-1 text, not UTF-8",)
    assert rows_of(opened) == [("Zo\xeb\x81", "1")]


def test_one_pasted_windows_row_in_a_utf_8_file_spoils_no_other(write):
    data = TEXT.encode() * 1 + "Zoë,1\nMüller,2\n".encode() + "Müller,3\n".encode("windows-1252")
    opened = open_list(write(data))
    assert opened.info.encoding == "utf-8"
    assert "not UTF-8" in opened.info.notes[0]
    assert rows_of(opened)[-2:] == [("Müller", "2"), ("Müller", "3")]


def test_a_wrong_byte_far_into_a_large_file_is_found_before_the_first_row(write):
    opened = open_list(write(b"name,phone\n" + b"Anna,12345678\n" * 700_000 + b"Zo\xeb,1\n"))
    assert opened.info.encoding == "windows-1252"
    *_, last = opened.batches()
    assert last.rows.row(-1) == ("Zoë", "1")
    assert last.list_line[-1] == 700_002


def test_characters_cut_by_a_block_are_still_utf_8(write):
    opened = open_list(write("name,phone\n" + "नाम,१\n" * 400_000))
    assert opened.info.encoding == "utf-8"
    object.__setattr__(opened, "block_bytes", 1_000_003)
    batches = list(opened.batches())
    assert sum(batch.rows.height for batch in batches) == 400_000
    assert all((batch.rows["name"] == "नाम").all() for batch in batches)


def test_nul_bytes_are_left_out_and_said(write):
    opened = open_list(write(b"name,phone\nA\x00nna,1\nB,2\n\x00\x00\x00"))
    assert opened.info.notes == ("4 NUL bytes left out",)
    assert rows_of(opened) == [("Anna", "1"), ("B", "2")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_end_are_found(write, delimiter: str, end: str):
    lines = [["id", "name", "phone"], ["1", f'"Doe{delimiter} ""J"""', "+1 202"], ["2", "", "007"]]
    opened = open_list(write(end.join(delimiter.join(line) for line in lines), "list.txt"))
    assert opened.info.delimiter == delimiter
    (batch,) = opened.batches()
    assert batch.rows.rows() == [("1", f'Doe{delimiter} "J"', "+1 202"), ("2", None, "007")]
    assert batch.list_line.to_list() == [2, 3]
    assert batch.broken.is_empty()


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("name;amount;phone\nA;1,5;1\nB;2,75;2\n", ";"),
        ("name;city, country;phone\nA;Paris, France;1\nB;Rome, Italy;2\n", ";"),
        ("a,b,c\n1,2,3\n1,2\n1;2;3\n4,5,6\n", ","),
        ("name,phones\nA,1;2;3\nB,4;5\n", ","),
        ("name\tphone\tnote\nA\t1\tx, y, z\nB\t2\tu, v\n", "\t"),
        ('name|note|phone\nA|"1|2|3"|1\n', "|"),
        ('"name, first";phone\n"Doe, J";1\n', ";"),
        ("sep=|\nname,x|phone\nA|1\n", "|"),
        ("phone\n1, 2\n3\n", None),
    ],
)
def test_the_delimiter_is_the_one_that_cuts_header_and_rows_alike(write, text: str, delimiter: str | None):
    opened = open_list(write(text))
    assert opened.info.delimiter == delimiter


def test_one_column_keeps_commas_and_skips_blank_lines(write):
    opened = open_list(write('phone\n1, 2\n\n"3\n4"\n""\n5'))
    (batch,) = opened.batches()
    assert batch.rows["phone"].to_list() == ["1, 2", "3\n4", None, "5"]
    assert batch.list_line.to_list() == [2, 4, 6, 7]


@pytest.mark.parametrize("compiled", [True, False])
def test_no_character_of_a_text_cuts_a_list_of_one_column(write, monkeypatch, compiled: bool):
    monkeypatch.setattr(records_room, "can_split", lambda: compiled and can_split())
    cells = "".join(map(chr, (9, 11, 12, 26, 27, 31, 32, 35, 44, 59, 124, 127, 133, 0x2028)))
    opened = open_list(write(f'id{chr(31)}phone\n{cells}\n"a{cells}"\n{chr(0)}{chr(31)}\n'))
    assert (opened.info.columns, opened.info.delimiter) == ((f"id{chr(31)}phone",), None)
    (batch,) = opened.batches()
    assert batch.rows.to_series().to_list() == [cells, f"a{cells}", chr(31)]
    assert batch.broken.is_empty()


def test_a_line_that_names_the_delimiter_counts_as_a_line(write):
    (batch,) = open_list(write("sep=;\r\nname;phone\r\nA;1\r\n")).batches()
    assert batch.rows.rows() == [("A", "1")]
    assert batch.list_line.to_list() == [3]


def test_phone_texts_come_through_untouched(write):
    texts = ["007", "+0012", " 12 ", "1.0", "9.1E+11", "'12", "NA", "null", "true", "1" * 40, "１２\u00a0３"]
    opened = open_list(write("phone,x\n" + "".join(f"{text},1\n" for text in texts)))
    assert [phone for phone, _ in rows_of(opened)] == texts


def test_quoted_newlines_keep_the_lines_of_an_editor(write):
    opened = open_list(write('name,phone\r\n"A\r\nB\rC",1\r\n\r\nD,2\r\n'))
    (batch,) = opened.batches()
    assert batch.rows.rows() == [("A\r\nB\rC", "1"), ("D", "2")]
    assert batch.list_line.to_list() == [2, 6]


def test_a_header_over_two_lines_moves_the_first_row_down(write):
    opened = open_list(write('\n"full\nname",phone\nA,1\n'))
    assert opened.info.columns == ("full\nname", "phone")
    (batch,) = opened.batches()
    assert batch.list_line.to_list() == [4]


def test_blank_and_double_names_are_mended_and_said(write):
    opened = open_list(write("phone,,phone, city ,phone_2\n1,2,3,4,5\n"))
    assert opened.info.columns == ("phone", "column_2", "phone_3", "city", "phone_2")
    assert len(opened.info.notes) == 3
    assert rows_of(opened) == [("1", "2", "3", "4", "5")]


def test_an_empty_last_column_of_every_row_is_a_column(write):
    opened = open_list(write("a,b\n1,2,\n3,4,\n"))
    assert opened.info.columns == ("a", "b", "column_3")
    assert rows_of(opened) == [("1", "2", None), ("3", "4", None)]


def test_a_header_with_one_delimiter_too_many_is_cut(write):
    opened = open_list(write("a,b,\n1,2\n3,4\n"))
    assert opened.info.columns == ("a", "b")
    assert rows_of(opened) == [("1", "2"), ("3", "4")]


def test_a_row_short_of_its_last_field_is_ragged(write):
    (batch,) = open_list(write("a,b,c\n1,2,3\n1,2\n")).batches()
    assert batch.rows.height == 1
    assert batch.broken["row"].to_list() == ["1,2"]


def test_packed_text_is_read_by_its_first_bytes(write):
    packed = gzip.compress(TEXT.encode()[:20]) + gzip.compress(TEXT.encode()[20:])
    zstd = pa.compress(TEXT.encode(), "zstd", asbytes=True)
    for data, name, found, noted in [
        (packed, "list.csv.gz", "gzip", 0),
        (zstd, "list.csv.zst", "zstd", 0),
        (packed, "list.csv", "gzip", 1),
        (TEXT.encode(), "plain.csv.gz", None, 1),
    ]:
        opened = open_list(write(data, name))
        assert (opened.info.compression, len(opened.info.notes)) == (found, noted)
        assert (opened.info.bytes, opened.sha256()) == (len(data), hashlib.sha256(data).hexdigest())
        *_, last = opened.batches()
        assert last.bytes_read == len(data)
        assert rows_of(opened) == ROWS


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_torn_archive_is_refused_before_the_first_row(write, kind: str):
    text = TEXT.encode() * 1000
    data = gzip.compress(text) if kind == "gzip" else pa.compress(text, "zstd", asbytes=True)
    with pytest.raises(BadInput, match=r"list\.csv: cannot be read to its end"):
        open_list(write(data[: len(data) // 2]))


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"", "list.csv", r"is empty \(0 bytes\)"),
        (b"\xef\xbb\xbf\r\n\r\n", "list.csv", "blank lines only"),
        (gzip.compress(b"", mtime=0), "list.csv.gz", "blank lines only"),
        (TEXT.encode(), "list.xlsx", "is named .xlsx but is not an Excel workbook"),
        (TEXT.encode(), "list.parquet", "is named .parquet but is not a Parquet file"),
        (b"PK\x03\x04" + b"x" * 50, "list.xlsx", "damaged Excel or zip"),
        (b"PAR1" + b"x" * 50, "list.parquet", "cannot be read as Parquet"),
        (b"%PDF-1.7 and so on", "list.csv", "PDF document"),
        (gzip.compress(b"PK\x03\x04" + b"x" * 50), "list.xlsx.gz", "Excel workbook or a zip archive, packed"),
        (gzip.compress(b"PAR1" + b"x" * 50), "list.parquet.gz", "a Parquet file, packed with gzip; unpack"),
        (gzip.compress(gzip.compress(TEXT.encode())), "list.csv.gz", "a gzip archive, packed with gzip"),
        (bytes(range(1, 32)) * 50, "list.csv", "is not text"),
        (b"<!DOCTYPE html><table>", "list.csv", "web page"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "list.xls", r"old kind \(.xls\)"),
        (b"John,+91 98765 43210\nAnna,+91 98765 43211\n", "list.csv", r"'John,\+91 98765 43210'"),
        (b"1,Customer 1,+905123294129,TR\n2,Customer 2,,GB\n", "list.csv", "looks like data"),
        (b"1,Customer 1,9876543210,12.50\n2,Customer 2,,1\n", "list.csv", "looks like data"),
        (b'[{"phone":"+905123294129"}]\n', "list.csv", "is JSON and no list"),
        (b"{\\rtf1 phone}", "list.csv", "word processor"),
        (b"john@example.com\nanna@example.com\n", "list.csv", "looks like data"),
        (b'name,"phone\n1,2\n', "list.csv", "header cannot be read"),
    ],
)
def test_what_is_no_list_is_refused_in_a_sentence(write, data: bytes, name: str, says: str):
    path = write(data, name)
    with pytest.raises(BadInput, match=says) as caught:
        open_list(path)
    assert str(caught.value).startswith(str(path))


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="is a folder"):
        open_list(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        open_list(tmp_path / "none.csv")


def test_a_pipe_is_refused_at_once_and_a_long_name_said(tmp_path: Path):
    os.mkfifo(tmp_path / "list.csv")
    (path,) = find_lists(["list.csv"], tmp_path)
    for place, says in (
        (path, "list.csv: is a pipe, which is not read here; write it to a file first"),
        (Path("/dev/null"), "/dev/null: is a device or a socket"),
        (tmp_path / ("a" * 300), "no file has so long a name"),
    ):
        with pytest.raises(BadInput, match=says):
            open_list(place)
    with pytest.raises(BadInput, match="no file has so long a name"):
        find_lists(["a" * 300], tmp_path)


def test_a_name_that_fills_pages_is_told_in_a_line(write):
    info = open_list(write(f"{'long ' * 1000},phone\nA,1\n")).info
    with pytest.raises(BadInput, match=r"there is no column 'x'; the list has 'long .*…', 'phone'") as told:
        find_column("x", info.columns)
    with pytest.raises(BadInput, match="'c49' and 50 more"):
        find_column("x", [f"c{number}" for number in range(100)])
    assert max(len(str(told.value)), len(info.found()), *map(len, info.notes)) < 200


def test_a_header_that_only_mentions_digits_is_a_header(write):
    assert open_list(write("phone,2026010112\n1,2\n")).info.columns == ("phone", "2026010112")
    assert open_list(write("region,2026010112\n1,2\n")).info.columns == ("region", "2026010112")


def test_a_header_without_rows_opens_and_says_so(write):
    opened = open_list(write("name,phone\n"))
    assert opened.info.notes == ("there is a header and no row",)
    assert list(opened.batches()) == []


def test_a_file_that_changes_while_it_is_read_is_refused(write):
    path = write(TEXT)
    opened = open_list(path)
    path.write_text(TEXT + "more,1\n")
    with pytest.raises(BadInput, match="changed while it was read"):
        list(opened.batches())


@pytest.mark.parametrize("rows", [1, 2, 3, 250])
def test_batches_hold_at_most_the_rows_asked_for_broken_ones_too(write, rows: int):
    lines = [f"{number},{number}" if number % 3 else f"{number}" for number in range(1, 11)]
    batches = list(open_list(write("a,b\n" + "\n".join(lines))).batches(rows))
    sizes = [batch.rows.height + batch.broken.height for batch in batches]
    assert sum(sizes) == 10
    assert all(0 < size <= rows for size in sizes)
    numbers = [number for batch in batches for number in [*batch.list_row, *batch.broken["list_row"]]]
    assert sorted(numbers) == list(range(1, 11))
    assert [number for batch in batches for number in batch.broken["list_row"]] == [3, 6, 9]


@pytest.mark.parametrize("phones", [[919876543210, None], [919876543210.0, None], ["0049", None]])
def test_parquet_keeps_its_own_dtypes(tmp_path: Path, phones: list):
    frame = pl.DataFrame({"phone": phones, "n": [1, 2]})
    frame.write_parquet(tmp_path / "list.parquet")
    opened = open_list(tmp_path / "list.parquet")
    assert (opened.info.format, opened.info.columns) == ("parquet", ("phone", "n"))
    first, second = opened.batches(1)
    assert pl.concat([first.rows, second.rows]).equals(frame)
    assert (first.list_row.to_list(), second.list_row.to_list()) == ([1], [2])
    assert second.list_line.to_list() == [None]
    assert second.bytes_read == opened.info.bytes


def test_an_excel_cell_keeps_its_kind(write_workbook):
    path = write_workbook(
        {
            "Sheet1": [
                ["name", "phone", "since", "seen", "mixed"],
                ["A", 919876543210, dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4, 5), "0049"],
                [],
                ["B", 919876543211, None, None, 491234567890],
            ]
        }
    )
    opened = open_list(path)
    (batch,) = opened.batches()
    assert batch.rows.rows() == [
        ("A", 919876543210.0, "2026-01-02", "2026-01-02T03:04:05", "0049"),
        ("B", 919876543211.0, None, None, "491234567890"),
    ]
    assert batch.list_row.to_list() == [1, 3]
    assert batch.list_line.to_list() == [None, None]


def test_every_visible_sheet_is_part_of_the_list(write_workbook):
    path = write_workbook(
        {
            "May": [["name", "phone"], ["A", 1], ["B", 2]],
            "Empty": [],
            "June": [[], ["phone", "name"], ["0049", "C"]],
            "Notes": [["remark"], ["hello"]],
            "Secret": [["phone"], [5]],
        },
        hidden=("Secret",),
    )
    opened = open_list(path)
    assert opened.info.columns == ("name", "phone", "remark")
    assert any("'Secret' is hidden" in note for note in opened.info.notes)
    assert any("'Notes' has other columns" in note for note in opened.info.notes)
    assert rows_of(opened, 3) == [
        ("A", "1", None),
        ("B", "2", None),
        ("C", "0049", None),
        (None, None, "hello"),
    ]
    assert [number for batch in opened.batches(2) for number in batch.list_row] == [1, 2, 3, 4]


def test_sheets_without_a_phone_column_are_left_out_and_said(write_workbook):
    path = write_workbook(
        {
            "May": [["name", "phone"], ["A", "+442079460018"]],
            "Pivot": [["city", "people"], ["Rome", 3], ["Bonn", 4]],
            "June": [["phone", "name"], ["+442079460019", "B"]],
        }
    )
    opened = open_list(path, phones=["mobile", "phone"])
    assert opened.info.columns == ("name", "phone")
    assert rows_of(opened) == [("A", "+442079460018"), ("B", "+442079460019")]
    assert opened.info.notes == (
        "sheet 'Pivot' has no column 'mobile' or 'phone' and is not read",
        "sheets read: 'May' (1 row), 'June' (1 row, counted from 2)",
    )
    assert open_list(path, phones=["number"]).info.columns == ("name", "phone", "city", "people")


def test_a_sheet_with_numbers_under_another_name_is_not_passed_over(write_workbook):
    path = write_workbook(
        {"May": [["phone"], ["+442079460018"]], "June": [["mobile no"], ["+44 20 7946 0019"]]}
    )
    with pytest.raises(BadInput, match="sheet 'June' has no column 'phone', and its column 'mobile no'"):
        open_list(path, phones=["phone"])
    assert rows_of(open_list(path, ["May"], ["phone"])) == [("+442079460018",)]


def test_named_sheets_are_read_hidden_or_not(write_workbook):
    path = write_workbook({"A": [["phone"], [1]], "B": [["phone"], [2]]}, hidden=("B",))
    assert rows_of(open_list(path, ["B", "B"])) == [(2,)]
    with pytest.raises(BadInput, match="no sheet 'C'; the workbook has 'A', 'B'"):
        open_list(path, ["C"])


def test_a_title_above_the_header_is_passed_over_and_said(write_workbook):
    path = write_workbook(
        {"A": [["Customers of May"], [], ["name", "phone"], ["x", "+442079460018"], [], ["y", "1"]]}
    )
    opened = open_list(path, phones=["phone"])
    assert opened.info.columns == ("name", "phone")
    assert opened.info.notes == ("sheet 'A': above the header and not read: 'Customers of May'",)
    assert [number for batch in opened.batches() for number in batch.list_row] == [1, 3]
    assert open_list(path).info.columns == ("Customers of May", "column_2")


def test_formula_errors_are_empty_and_said(write_workbook, formula_error):
    opened = open_list(write_workbook({"A": [["name", "phone"], ["x", formula_error], ["y", 12]]}))
    assert any("formula errors" in note for note in opened.info.notes)
    assert rows_of(opened) == [("x", None), ("y", 12.0)]


def test_an_excel_list_without_a_header_is_refused(write_workbook):
    with pytest.raises(BadInput, match="first row of sheet 'A' looks like data"):
        open_list(write_workbook({"A": [["John", "+91 98765 43210"], ["Anna", "+91 98765 43211"]]}))


def test_an_empty_workbook_is_refused(write_workbook):
    with pytest.raises(BadInput, match="no sheet holds anything"):
        open_list(write_workbook({"A": []}))


def test_a_workbook_named_as_text_is_still_a_workbook(write_workbook):
    assert open_list(write_workbook({"A": [["phone"], ["1"]]}, name="list.csv")).info.format == "xlsx"


def test_sheets_of_a_text_file_are_refused(write):
    with pytest.raises(BadInput, match="has no sheets"):
        open_list(write(TEXT), ["A"])


STARTS = [
    b"",
    b"a,b\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"PAR1",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
]
WILD = st.binary(max_size=60) | st.text(st.sampled_from('ab,;"\n\r\t|1+ \x00é'), max_size=60).map(str.encode)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(STARTS), WILD)
def test_any_bytes_are_a_list_or_are_refused_in_a_sentence(write, start: bytes, wild: bytes):
    path = write(start + wild)
    batches, said = [], str(path)
    try:
        batches = list(open_list(path).batches(3))
    except BadInput as refused:
        said = str(refused)
    assert said.startswith(str(path))
    numbers = [number for batch in batches for number in [*batch.list_row, *batch.broken["list_row"]]]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_names_of_parquet_columns_are_mended_as_those_of_a_text_are(tmp_path: Path):
    table = pa.table([["1", "2"], [3.0, None], ["4", "5"]], names=[" phone ", "id", "id"])
    pq.write_table(table, tmp_path / "list.parquet")
    opened = open_list(tmp_path / "list.parquet")
    assert opened.info.columns == ("phone", "id", "id_2")
    assert len(opened.info.notes) == 2
    assert rows_of(opened, 1) == [("1", 3, "4"), ("2", None, "5")]
