"""Every record of a text file comes out once, as Python's csv module reads it, with its line."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.base.errors import BadInput
from dialer.lists import Batch, open_list
from dialer.lists import exact as exact_room
from dialer.lists import marks as marks_room
from dialer.lists import records as records_room
from dialer.lists import split as split_room
from dialer.lists.exact import scan
from dialer.lists.records import RecordReader
from dialer.lists.split import can_split, split
from dialer.lists.text import TextList

CELLS = st.text(st.sampled_from("ab1+ ,;\"\n\r'é\u0928\U0001f600"), max_size=6)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])


def read_all(data: bytes, width: int, delimiter: str | None, block: int) -> list[Batch]:
    """Return the records of `data` read in blocks of so many bytes."""
    reader = RecordReader(tuple(f"column {at}" for at in range(width)), delimiter, next_line=1)
    pieces, rest = [], b""
    for start in range(0, len(data), block):
        found, rest = reader.read(rest + data[start : start + block], final=False)
        pieces += found
    found, rest = reader.read(rest, final=True)
    assert rest == b""
    return [*pieces, *found]


def together(pieces) -> list[tuple[int, int, tuple | str]]:
    """Return (number, line, fields or original text) of every record in order."""
    found = []
    for piece in pieces:
        assert piece.rows.height == len(piece.list_row) == len(piece.list_line)
        assert all(dtype == pl.String for dtype in piece.rows.dtypes)
        found += zip(piece.list_row, piece.list_line, piece.rows.rows(), strict=True)
        found += piece.broken.select("list_row", "list_line", "row").rows()
    return sorted(found)


def expected(text: str, width: int, delimiter: str) -> list[tuple[int, int, tuple | str]]:
    """Return the same by Python's csv module; text must be well formed."""
    lines = io.StringIO(text, newline="").read()
    fed, offset = [], 0
    while offset < len(lines):
        ends = [at for at in (lines.find("\n", offset), lines.find("\r", offset)) if at >= 0]
        end = min(ends, default=len(lines) - 1) + 1
        end += lines[end - 1 : end + 1] == "\r\n"
        fed.append(lines[offset:end])
        offset = end
    reader = csv.reader(iter(fed), delimiter=delimiter)
    found, number, line = [], 0, 0
    for fields in reader:
        start, line = line, reader.line_num
        raw = "".join(fed[start:line])
        stripped = raw[: -2 if raw.endswith("\r\n") else -1] if raw.endswith(("\n", "\r")) else raw
        if stripped == "":
            continue
        number += 1
        row = tuple(field or None for field in fields) if len(fields) == width else stripped
        found.append((number, start + 1, row))
    return found


@st.composite
def tables(draw):
    """Return text that a csv writer may have made, ragged here and there, and its shape."""
    width, delimiter, end = draw(st.integers(1, 4)), draw(DELIMITERS), draw(LINE_ENDS)
    rows = draw(
        st.lists(st.lists(CELLS, min_size=1, max_size=5) | st.lists(CELLS, min_size=width, max_size=width))
    )
    out = []
    for row in rows:
        cells = []
        for cell in row:
            must = any(character in cell for character in f'{delimiter}"\n\r')
            quoted = must or draw(st.booleans())
            cells.append('"' + cell.replace('"', '""') + '"' if quoted else cell)
        out.append(delimiter.join(cells) + (end if draw(st.integers(0, 9)) else end * 2))
    text = "".join(out)
    if draw(st.booleans()):
        text = text.removesuffix(end)
    return text, width, delimiter


@pytest.mark.parametrize("compiled", [True, False])
@settings(deadline=None)  # other work on the machine must not fail it
@given(tables(), st.integers(1, 40), st.sampled_from([1, 8, 64 << 10]))
def test_records_equal_those_of_the_csv_module(compiled, table, block, exact_bytes):
    text, width, delimiter = table
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records_room, "can_split", lambda: compiled and can_split())
        patch.setattr(records_room, "EXACT_BYTES", exact_bytes)
        found = together(read_all(text.encode(), width, delimiter, block))
    assert found == expected(text, width, delimiter)


@pytest.mark.parametrize("compiled", [True, False])
@settings(deadline=None)
@given(
    st.text(st.sampled_from('ab,"\n\r \t'), max_size=60),
    st.integers(1, 4),
    st.integers(1, 40),
    st.sampled_from([(16 << 10, 1 << 20), (1, 1), (4, 16)]),
)
def test_wild_quotes_lose_nothing_and_give_the_same_for_any_block_size(compiled, text, width, block, looks):
    """Goal: nothing is lost or read twice. Method: records in order, cut out of the text, are the text."""
    data = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records_room, "EXACT_BYTES", looks[0])
        patch.setattr(records_room, "NEAR_BYTES", looks[1])
        patch.setattr(records_room, "can_split", lambda: compiled and can_split())
        patch.setattr(records_room, "DOUBTFUL_BYTES", looks[0])
        patch.setattr(split_room, "_BROKEN_MAX", 2)
        found = together(read_all(data, width, ",", block))
        assert found == together(read_all(data, width, ",", len(data) + 1))
    assert [number for number, _, _ in found] == list(range(1, len(found) + 1))
    scanned = [record for record in scan(data, b",", final=True) if not record.blank]
    assert len(scanned) == len(found)
    for record, (_, line, row) in zip(scanned, found, strict=True):
        assert line == 1 + sum(
            data[: record.start].count(end) * sign for end, sign in ((b"\n", 1), (b"\r", 1), (b"\r\n", -1))
        )
        if isinstance(row, str):
            assert row.encode() == data[record.start : record.end]
        else:
            assert row == tuple(field.decode() or None for field in record.fields)


@settings(deadline=None)
@given(st.text(st.sampled_from('a1,"\n\r'), max_size=60))
def test_scanned_records_and_their_line_ends_are_the_whole_text(text):
    data = text.encode()
    after = 0
    for record in scan(data, b",", final=True):
        assert record.start == after
        assert data[record.end : record.after] in (b"\n", b"\r\n", b"\r", b"")
        after = record.after
    assert after == len(data)


def test_a_quote_that_is_never_closed_breaks_its_own_line_only(tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_text('name,phone\nA,1\n"B,2\nC,3\n"D",4\nE,"5"\n')
    (batch,) = open_list(path).batches()
    assert batch.rows.rows() == [("A", "1"), ("C", "3"), ("D", "4"), ("E", "5")]
    assert batch.list_line.to_list() == [2, 4, 5, 6]
    assert batch.broken.select("list_row", "list_line", "reason", "row").rows() == [(2, 3, "ragged", '"B,2')]
    assert "not closed" in batch.broken["detail"][0]


def test_an_open_quote_at_the_end_breaks_the_last_line(tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_text('name,phone\nA,1\nB,"2')
    (batch,) = open_list(path).batches()
    assert batch.rows.rows() == [("A", "1")]
    assert batch.broken.rows() == [(2, 3, "ragged", "the quote of field 2 is not closed", 'B,"2')]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("end", ['C,"3"\n', 'C",3\n'])
def test_a_quote_closed_far_behind_other_rows_is_taken_as_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool, end: str
):
    monkeypatch.setattr(records_room, "can_split", lambda: compiled and can_split())
    path = tmp_path / "list.csv"
    path.write_text('name,phone\n"A,1\n' + "B,2\n" * 400_000 + end)
    found = list(open_list(path).batches())
    assert sum(batch.rows.height for batch in found) == 400_001
    assert [row for batch in found for row in batch.broken["row"]] == ['"A,1']
    assert found[-1].list_line[-1] == 400_003


@pytest.mark.parametrize("compiled", [True, False])
def test_a_long_text_of_many_lines_is_a_field_whatever_is_read_at_a_time(
    monkeypatch: pytest.MonkeyPatch, compiled: bool
):
    monkeypatch.setattr(records_room, "can_split", lambda: compiled and can_split())
    long = "Dear Sir,\nas you know, we\n\nare; a, b, and c\n" * 60_000
    data = f'a,b,c\n1,"{long}",2\nx,"y",z\n'.encode()
    for block in (len(data), 700_000):
        found = together(read_all(data, 3, ",", block))
        assert found == [(1, 1, ("a", "b", "c")), (2, 2, ("1", long, "2")), (3, 240_003, ("x", "y", "z"))]


def test_a_field_longer_than_the_limit_breaks_its_own_line_only(monkeypatch: pytest.MonkeyPatch):
    for room in (exact_room, marks_room, split_room, records_room):
        monkeypatch.setattr(room, "SURE_BYTES", 100)
    monkeypatch.setattr(exact_room, "FIELD_BYTES_MAX", 1000)
    for size in (998, 999, 1000, 1001):
        data = b'1,"' + b"x\n" + b"y" * (size - 2) + b'",1\nb,2,3\n'
        found = together(read_all(data, 3, ",", 70))
        assert found == together(read_all(data, 3, ",", len(data)))
        assert found[0][2] == '1,"x' if size >= 1000 else found[0][2][2] == "1"
        assert found[-1][2] == ("b", "2", "3")


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("power", [10, 11, 12, 14, 15, 16])
def test_a_cell_that_goes_on_in_the_next_block_is_waited_for_whatever_was_read(
    monkeypatch: pytest.MonkeyPatch, compiled: bool, power: int
):
    """Goal: no block is looked at for ever. Method: all limits 1/1024 of what they are, so that blocks of
    1, 2, 4, 16, 32 and 64 KiB, and of a few bytes less and more, stand for as many MiB."""
    monkeypatch.setattr(records_room, "can_split", lambda: compiled and can_split())
    for room in (exact_room, marks_room, split_room, records_room):
        monkeypatch.setattr(room, "SURE_BYTES", 1 << 10)
    monkeypatch.setattr(exact_room, "FIELD_BYTES_MAX", 32 << 10)
    monkeypatch.setattr(records_room, "RECORD_BYTES_MAX", 64 << 10)
    monkeypatch.setattr(records_room, "NEAR_BYTES", 1 << 10)
    for name in ("DOUBTFUL_BYTES", "EXACT_BYTES"):
        monkeypatch.setattr(records_room, name, 16)
    rounds = 0
    for method in ("_split", "_next"):
        once = getattr(RecordReader, method)

        def counted(self, *given, once=once):
            nonlocal rounds
            rounds += 1
            assert rounds < 200, "the same text is looked at again and again"
            return once(self, *given)

        monkeypatch.setattr(RecordReader, method, counted)
    for size in range((1 << power) - 2, (1 << power) + 3):
        for cell in (700, 1023, 1024, 1025, 1026, 1100, min(size - 60, 30_000)):
            head = b"a,b\n" * (max(size - cell, 0) // 4)
            block = (head + b'c,"' + b"x" * size)[:size]
            ends = b'x\n"\nd,e\n'
            rounds = 0
            reader = RecordReader(("x", "y"), ",", next_line=1)
            pieces, rest = reader.read(block, final=False)
            last, left = reader.read(rest + ends, final=True)
            long = (block[len(head) :] + ends).split(b'"')[1].decode()
            rows = [found for *_, found in together([*pieces, *last])]
            assert rows == [("a", "b")] * (len(head) // 4) + [("c", long), ("d", "e")]
            assert left == b""


def test_a_quoted_field_of_one_line_may_have_any_length(tmp_path: Path):
    path = tmp_path / "list.csv"
    long = "y," * (5 << 19)
    path.write_text(f'name,phone\nA,1\n"{long}",2\nB,"3{long}"\nC,4\n')
    rows = [row for batch in open_list(path).batches() for row in batch.rows.rows()]
    assert rows == [("A", "1"), (long, "2"), ("B", f"3{long}"), ("C", "4")]


def test_the_result_does_not_depend_on_where_blocks_end(tmp_path: Path):
    """Goal: quotes near the limit of a field. Method: a field just under and just over a mebibyte."""
    for size in ((1 << 20) - 2, (1 << 20) - 1, 1 << 20, (1 << 20) + 1):
        data = b'"' + b"x\n" + b"y" * (size - 2) + b'",1\nb,2\n'
        whole = together(read_all(data, 2, ",", len(data)))
        assert whole == together(read_all(data, 2, ",", 700_000))
        assert whole[-1][2] == ("b", "2")


def test_ragged_rows_are_kept_as_they_were(tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"a,b,c\r\n1,2,3\r\n1,2\r\n\r\n1,2,3,4\r\n4,5,6\r\n")
    (batch,) = open_list(path).batches()
    assert batch.rows.rows() == [("1", "2", "3"), ("4", "5", "6")]
    assert batch.list_row.to_list() == [1, 4]
    assert batch.list_line.to_list() == [2, 6]
    assert batch.broken.rows() == [
        (2, 3, "ragged", "2 fields where the header has 3", "1,2"),
        (3, 5, "ragged", "4 fields where the header has 3", "1,2,3,4"),
    ]


@pytest.mark.parametrize("row", ['"a","b",', '"a",b,""', '"a","b\nc",', '"a"', '"a\nb"', '"a","",'])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_quoted_row_with_a_field_too_many_or_too_few_is_ragged_wherever_it_stands(row: str, end: str):
    good = ('"1","2"\n', ("1", "2"))
    assert [found for *_, found in together(read_all(f"{good[0]}{row}{end}".encode(), 2, ",", 999))] == [
        good[1],
        row,
    ]
    assert [found for *_, found in together(read_all(f"{row}\n{good[0]}".encode(), 2, ",", 999))] == [
        row,
        good[1],
    ]


def test_fields_that_even_out_over_rows_are_still_ragged():
    found = together(read_all(b"1,2\n1\n1,2,3\n", 2, ",", 100))
    assert [row for _, _, row in found] == [("1", "2"), "1", "1,2,3"]


def test_a_line_longer_than_any_row_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(records_room, "RECORD_BYTES_MAX", 1000)
    path = tmp_path / "list.csv"
    path.write_bytes(b"a,b\n" + b"x" * 5000)
    opened = open_list(path)
    object.__setattr__(opened, "block_bytes", 500)
    with pytest.raises(BadInput, match=r"list\.csv: line 2: is longer"):
        list(opened.batches())


@pytest.mark.skipif(not can_split(), reason="no compiled code here")
def test_text_that_changed_into_something_else_is_not_split():
    """Goal: no view of bytes that are no text. Method: what a file holds that was overwritten meanwhile."""
    assert split(b"a,b\n\xff\xfe,2\n", 0, ("x", "y"), ord(","), True) is None


@pytest.mark.skipif(not can_split(), reason="no compiled code here")
def test_fields_of_any_length_are_split_at_any_distance_from_the_end():
    lengths = [*range(20), 63, 64, 65, 127, 128, 1000]
    for tail in (b"", b"\n", b"\r\n"):
        data = b"\n".join(b"%s,%s" % (b"x" * size, b'"' + b'y""' * size + b'"') for size in lengths) + tail
        found = split(data, 0, ("x", "y"), ord(","), True)
        assert found is not None
        assert found.used == len(data)
        assert found.rows.rows() == [("x" * size or None, 'y"' * size or None) for size in lengths]


@pytest.mark.parametrize("seed", range(12))
def test_a_list_reads_the_same_whatever_is_read_at_a_time(tmp_path: Path, seed: int) -> None:
    """Blocks of plain UTF-8 end with a line where they can; what they end in the middle of comes again."""
    random = Random(seed)
    parts = ["a", "é", "1", ",", ",", "\n", "\r\n", "\r", '"x,y"', '"a\nb"', '"', "\x00", "😀"]
    title = random.choice(["", "Title of the list\n\n", "\ufeff"])
    file = tmp_path / "list.csv"
    file.write_text(title + "phone,name,x\n" + "".join(random.choices(parts, k=150)), "utf-8", newline="")
    opened = open_list(file, phones=["phone"])
    assert isinstance(opened, TextList)

    def rows(block_bytes: int) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for batch in replace(opened, block_bytes=block_bytes).batches(7):
            found += zip(batch.list_row, batch.list_line, batch.rows.rows(), strict=True)
            found += batch.broken.rows()
        return sorted(found, key=lambda row: str(row[0]))

    whole = rows(1 << 20)
    assert whole
    for block_bytes in (4, 7, 13, 64, 200):
        assert rows(block_bytes) == whole
