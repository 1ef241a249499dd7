"""A list becomes clean numbers and rejects: every row in just one place, both files whole or not there."""

from __future__ import annotations

import datetime as dt
import gc
import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.base.errors import BadInput, NotReady
from dialer.calls.told import RAGGED
from dialer.lists import open_list
from dialer.tables import clean as cleaning
from dialer.tables import excel
from dialer.tables.clean import CleanBooks, Numbers, clean
from dialer.tables.clean_rows import ADDED
from dialer.tables.excel import ExcelWriter
from dialer.tables.firsts import Firsts
from dialer.tables.whole import whole_file

LIST = (
    "key,phone,country\n"
    "k1,020 7946 0018,GB\n"
    'k2,"(212) 555-0101",US\n'
    "k3,+44 20 7946 0018,\n"
    "k4,only three,fields,here\n"
    "k5,919876543210.0,IN\n"
    "k6,call me,GB\n"
    "k7,,GB\n"
)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(LIST)
    return file


def run(
    people: Path, to: str = "clean.parquet", *, unique: bool = False, rejects: str = "r.parquet"
) -> CleanBooks:
    folder = people.parent
    numbers = Numbers(("phone",), None, "country")
    return clean(open_list(people), folder / to, numbers, rejects=folder / rejects, unique=unique)


def read(file: Path) -> pl.DataFrame:
    match file.suffix:
        case ".csv" | ".gz":
            return pl.read_csv(file, infer_schema=False)
        case ".jsonl":
            return pl.read_ndjson(file, infer_schema_length=None)
        case _:
            return pl.read_parquet(file)


@pytest.mark.parametrize(
    "cells",
    [
        pl.Series([["020 7946 0018", "+44 20 7946 0019"], ["none"], [], None]),
        pl.Series([[442079460018, 442079460019], [12], [None], None]),
    ],
)
def test_a_list_in_a_cell_of_parquet_is_several_numbers(tmp_path: Path, cells: pl.Series) -> None:
    frame = pl.DataFrame({"phone": cells.alias("phone"), "key": range(4)})
    frame.write_parquet(tmp_path / "list.parquet")
    books = clean(
        open_list(tmp_path / "list.parquet"),
        tmp_path / "clean.parquet",
        Numbers(("phone",), "GB"),
        rejects=tmp_path / "r.csv",
    )
    assert (books.accepted, books.rejected) == (1, 3)
    good = read(tmp_path / "clean.parquet")
    assert good["phone"].to_list() == ["+442079460018"]
    assert good["list_phone"].to_list() == [cells[0].to_list()]
    assert read(tmp_path / "r.csv")["reason"].to_list()[1:] == ["blank", "blank"]


def test_every_row_is_in_one_of_the_two_files(people: Path) -> None:
    books = run(people)
    assert books.line().endswith("7 rows read = 4 accepted + 3 rejected + 0 duplicate")
    assert books.reasons == {"ragged": 1, "no_digits": 1, "blank": 1}
    good, bad = read(people.parent / "clean.parquet"), read(people.parent / "r.parquet")
    assert good.columns == ["key", "list_phone", "country", *ADDED]
    assert good.select("list_row", "key", "phone", "list_phone", "repaired").rows() == [
        (1, "k1", "+442079460018", "020 7946 0018", None),
        (2, "k2", "+12125550101", "(212) 555-0101", None),
        (3, "k3", "+442079460018", "+44 20 7946 0018", None),
        (5, "k5", "+919876543210", "919876543210.0", "spreadsheet .0 dropped"),
    ]
    assert bad.select("key", "list_file", "list_row", "list_line", "reason", "raw").rows() == [
        (None, "people.csv", 4, 5, "ragged", "k4,only three,fields,here"),
        ("k6", "people.csv", 6, 7, "no_digits", "call me"),
        ("k7", "people.csv", 7, 8, "blank", None),
    ]
    assert bad["suggestion"][0] == RAGGED
    assert bad["row"][1] == '{"key":"k6","phone":"call me","country":"GB"}'


def test_the_first_row_of_a_number_is_kept_and_the_others_name_it(people: Path) -> None:
    books = run(people, unique=True)
    assert (books.accepted, books.rejected, books.duplicate) == (3, 3, 1)
    bad = read(people.parent / "r.parquet").filter(reason="duplicate")
    assert bad.select("list_row", "detail").rows() == [(3, "the same number as row 1")]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl"])
def test_every_format_holds_the_same_rows(people: Path, ending: str) -> None:
    run(people)
    run(people, f"clean.{ending}", rejects=f"r.{ending}")
    for name in ("clean", "r"):
        whole = read(people.parent / f"{name}.parquet").cast(pl.String)
        other = read(people.parent / f"{name}.{ending}").cast(pl.String)
        assert other.equals(whole)


def test_many_batches_are_written_in_the_order_of_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "BATCH_ROWS", 7)
    file = tmp_path / "people.csv.gz"
    lines = [f"k{at},+44207946{at % 90 + 1000 if at % 5 else 'x'}\n" for at in range(1, 200)]
    file.write_bytes(gzip.compress(("key,phone\n" + "".join(lines)).encode()))
    seen: list[int] = []
    books = clean(
        open_list(file),
        tmp_path / "clean.parquet",
        Numbers(("phone",)),
        rejects=tmp_path / "r.parquet",
        unique=True,
        watch=lambda books, bytes_read: seen.append(books.rows_read),
    )
    good, bad = read(tmp_path / "clean.parquet"), read(tmp_path / "r.parquet")
    assert (books.rows_read, books.accepted, books.duplicate) == (199, 72, 88)
    assert seen == sorted(seen)
    assert seen[-1] == 199
    assert good["list_row"].is_sorted()
    assert sorted([*good["list_row"], *bad["list_row"]]) == list(range(1, 200))
    assert good["phone"].is_unique().all()


def test_parquet_keeps_the_types_of_the_lists_own_columns(tmp_path: Path) -> None:
    frame = pl.DataFrame({"phone": [442079460018, None], "tags": [["a"], None], "blob": [b"x", b"\xff"]})
    frame.write_parquet(tmp_path / "people.parquet")
    books = run_plain(tmp_path / "people.parquet")
    assert (books.accepted, books.rejected) == (1, 1)
    good = read(tmp_path / "clean.parquet")
    assert (good["list_phone"][0], good["tags"][0].to_list(), good["blob"][0]) == (442079460018, ["a"], "x")
    assert read(tmp_path / "r.csv")["blob"].to_list() == ["\\xff"]


def run_plain(file: Path) -> CleanBooks:
    folder = file.parent
    return clean(
        open_list(file), folder / "clean.parquet", Numbers(("phone",), "GB"), rejects=folder / "r.csv"
    )


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_a_time_of_the_list_is_the_same_moment_in_every_format(tmp_path: Path, ending: str) -> None:
    """Goal: no Z that nobody said, no local time told as UTC. Method: the same clock in two columns."""
    clock = pl.Series([dt.datetime(2020, 1, 1, 6, 32, 3)])
    frame = pl.DataFrame({"phone": ["+442079460018"], "local": clock, "far": [float("nan")]})
    frame = frame.with_columns(fine=pl.Series([1_577_860_323_000_000_001]).cast(pl.Datetime("ns")))
    zoned = frame.with_columns(seen=clock.cast(pl.Datetime("ms")).dt.replace_time_zone("Asia/Kolkata"))
    pl.concat([zoned, zoned.with_columns(phone=pl.lit("none"))]).write_parquet(tmp_path / "list.parquet")
    places = tmp_path / f"clean.{ending}", tmp_path / f"rejects.{ending}"
    clean(open_list(tmp_path / "list.parquet"), places[0], Numbers(("phone",)), rejects=places[1])
    local, moment = dt.datetime(2020, 1, 1, 6, 32, 3), dt.datetime(2020, 1, 1, 1, 2, 3)
    for place in places:
        told = pl.read_excel(place) if ending == "xlsx" else read(place)
        if ending in ("csv", "jsonl"):
            texts = (
                local.isoformat(timespec="microseconds"),
                moment.isoformat(timespec="microseconds") + "Z",
            )
            assert told.select("local", "seen", "fine").row(0) == (*texts, "2020-01-01T06:32:03.000000001")
        else:
            seen = told["seen"][0]
            assert told["local"][0] == local
            assert (seen.astimezone(dt.UTC).replace(tzinfo=None) if seen.tzinfo else seen) == moment


@pytest.mark.parametrize("ending", ["csv", "jsonl", "xlsx"])
def test_nothing_is_an_empty_cell_and_a_length_of_time_has_one_form(tmp_path: Path, ending: str) -> None:
    day = dt.timedelta(days=1, seconds=5)
    cells = {"tags": [["a"], None], "owner": [{"x": 1}, None], "since": [day, None]}
    once = pl.DataFrame({"phone": ["+442079460018"] * 2, **cells})
    pl.concat([once, once.with_columns(phone=pl.lit("none"))]).write_parquet(tmp_path / "list.parquet")
    places = tmp_path / f"clean.{ending}", tmp_path / f"rejects.{ending}"
    books = clean(open_list(tmp_path / "list.parquet"), places[0], Numbers(("phone",)), rejects=places[1])
    for place in places:
        told = pl.read_excel(place) if ending == "xlsx" else read(place)
        assert told["since"].to_list() == ["P1DT5S", None]
        assert told.select("tags", "owner")[1].rows() == [(None, None)]
    assert [json.loads(row)["since"] for row in told["row"]] == ["P1DT5S", None]
    assert books.notes == []


def test_what_a_format_cannot_hold_is_said_once_for_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel, "CELL_CHARACTERS", 20)
    monkeypatch.setattr(cleaning, "BATCH_ROWS", 2)
    far, long = [float("nan"), float("inf"), float("nan"), 1.0], ["x" * 21] * 3 + ["x" * 20]
    rows = pl.DataFrame({"phone": ["+442079460018"] * 4, "far": far, "long": long})
    rows.write_parquet(tmp_path / "list.parquet")

    def notes(to: str) -> list[str]:
        return clean(open_list(tmp_path / "list.parquet"), tmp_path / to, Numbers(("phone",))).notes

    assert (notes("c.csv"), notes("c.parquet")) == ([], [])
    assert notes("c.jsonl") == ["c.jsonl: 3 numbers are NaN or infinite, which JSON cannot say: null"]
    assert notes("c.xlsx") == [
        "c.xlsx: 3 texts are longer than 20 characters, which is all that a cell holds: cut, and ends in …",
        "c.xlsx: 2 numbers are NaN, which Excel does not know: empty",
    ]


def test_a_list_without_rows_becomes_files_without_rows(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("key,phone\n")
    assert run_plain(tmp_path / "people.csv").rows_read == 0
    assert read(tmp_path / "clean.parquet").columns[:2] == ["key", "list_phone"]
    assert (tmp_path / "r.csv").read_text().startswith("key,phone,campaign,list_file,")


@pytest.mark.parametrize(
    ("to", "rejects", "numbers", "says"),
    [
        ("c.parquet", None, Numbers(("fone",)), r"no column 'fone' \(did you mean 'phone'\?\)"),
        ("c.parquet", None, Numbers(("phone",), "Atlantis"), "region = 'Atlantis'"),
        ("people.csv", None, Numbers(("phone",)), "is the list itself"),
        ("link.csv", None, Numbers(("phone",)), "is the list itself"),
        ("c.csv", "c.csv", Numbers(("phone",)), "choose two names"),
        ("none/c.csv", None, Numbers(("phone",)), "there is no folder"),
        ("pipe.csv", None, Numbers(("phone",)), "is a pipe or a device"),
        ("c.txt", None, Numbers(("phone",)), r"expected \.csv"),
        ("c.csv", "r.txt", Numbers(("phone",)), r"expected \.csv"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    people: Path, to: str, rejects: str | None, numbers: Numbers, says: str
) -> None:
    folder = people.parent
    (folder / "link.csv").symlink_to(people)
    os.mkfifo(folder / "pipe.csv")
    with pytest.raises(BadInput, match=says):
        clean(open_list(people), folder / to, numbers, rejects=folder / rejects if rejects else None)
    assert sorted(path.name for path in folder.iterdir()) == ["link.csv", "people.csv", "pipe.csv"]
    assert people.read_text() == LIST


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_run_leaves_what_was_there_before(
    people: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    run(people)
    before = (people.parent / "clean.parquet").read_bytes()

    def fail(self: object, rendered: object) -> None:
        raise error

    monkeypatch.setattr("dialer.tables.formats.CsvWriter.put", fail)
    with pytest.raises((NotReady, KeyboardInterrupt)):
        run(people, rejects="r.csv")
    assert sorted(path.name for path in people.parent.iterdir()) == [
        "clean.parquet",
        "people.csv",
        "r.parquet",
    ]
    assert (people.parent / "clean.parquet").read_bytes() == before


def test_the_draft_of_a_killed_process_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    """Goal: only drafts of the dead go. Method: one of a process that killed itself, two being written."""
    to = tmp_path / "clean.csv"
    die = (
        "import os, signal, sys; from pathlib import Path; from dialer.tables.whole import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part: os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", die, str(to)]).returncode == -signal.SIGKILL
    [stale] = tmp_path.iterdir()
    kept = [tmp_path / name for name in (".clean.csv.notes.part", ".clean.csv.0123abcd.part~", "my.part")]
    for path in kept:
        path.write_text("not ours")
    with whole_file(to) as alive:
        assert not stale.exists()
        with whole_file(to) as other:
            assert {alive, other} < set(tmp_path.iterdir())
            other.write_text("first")
        assert to.read_text() == "first"
        alive.write_text("second")
    assert to.read_text() == "second"
    assert set(tmp_path.iterdir()) == {to, *kept}


def test_a_workbook_on_a_full_disk_fails_once_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: one error and no draft of a sheet. Method: a disk that is always full; nothing is let go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = pl.DataFrame({"phone": ["+442079460018"] * 5000})
    with pytest.raises(OSError, match="No space left"), ExcelWriter(Path("/dev/full")) as writer:
        writer.write(rows)
    gc.collect()
    assert list(tmp_path.iterdir()) == []


LINES = st.lists(
    st.sampled_from(
        ["+44 20 7946 0018", '"020 7946\n0019"', "9.1E+11", "", "x", '"open', "+12125550101,1,2", "é\x00"]
    ).flatmap(lambda phone: st.sampled_from([f"k,{phone}", phone, f'"k",{phone}'])),
    max_size=12,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.sampled_from(["utf-8", "utf-16", "windows-1252"]), st.booleans())
def test_whatever_the_rows_are_the_books_and_the_files_balance(
    tmp_path: Path, lines: list[str], codec: str, unique: bool
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes("\n".join(["key,phone", *lines]).encode(codec))
    books = run_in(file, unique)
    assert books.rows_read == books.accepted + books.rejected + books.duplicate
    good, bad = read(tmp_path / "clean.parquet"), read(tmp_path / "r.parquet")
    assert (good.height, bad.height) == (books.accepted, books.rejected + books.duplicate)
    assert sorted([*good["list_row"], *bad["list_row"]]) == list(range(1, books.rows_read + 1))


def run_in(file: Path, unique: bool) -> CleanBooks:
    to, rejects = file.with_name("clean.parquet"), file.with_name("r.parquet")
    return clean(open_list(file), to, Numbers(("phone",), "GB"), rejects=rejects, unique=unique)


def test_the_first_row_of_a_number_is_found_over_any_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: no number is let through twice. Method: random batches against a dictionary."""
    monkeypatch.setattr("dialer.tables.firsts.RUN_MAX", 60)
    draw = np.random.default_rng(3)
    firsts, known, row = Firsts(), {}, 0
    for _ in range(60):
        numbers = draw.integers(0, 150, size=draw.integers(0, 20))
        rows = np.arange(row + 1, row + 1 + len(numbers))
        row += len(numbers)
        expected = []
        for number, place in zip(numbers.tolist(), rows.tolist(), strict=True):
            expected.append(known.get(number, 0))
            known.setdefault(number, place)
        assert firsts.add(numbers, rows).tolist() == expected
