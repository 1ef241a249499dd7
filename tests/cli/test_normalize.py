"""`dialer normalize` and `dialer check` as a person types them."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import polars as pl
import pytest

from dialer.cli import main

LIST = "key,mobile,country\nk1,020 7946 0018,GB\nk2,98765 43210,India\nk3,none,GB\nk4,+44 20 7946 0018,\n"


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "people.csv"
    file.write_text(LIST)
    return file


def test_a_list_is_cleaned_and_the_books_are_said(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["normalize", "people.csv", "--phone", "mobile", "--region-column", "country", "--unique"]
    assert main([*words, "--to", "clean.csv", "--rejects", "r.csv"]) == 0
    assert capsys.readouterr() == (
        "people.csv: 4 rows read = 2 accepted + 1 rejected + 1 duplicate\n"
        "  duplicate: 1\n"
        "  no_digits: 1\n"
        "2 rows in clean.csv\n"
        "2 rows in r.csv\n",
        "",
    )
    assert pl.read_csv("clean.csv", infer_schema=False)["phone"].to_list() == [
        "+442079460018",
        "+919876543210",
    ]


def test_a_named_encoding_is_used_and_a_wrong_one_refused(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people.write_bytes("name,mobile\nŁódź,+442079460018\n".encode("cp1250"))
    words = ["normalize", "people.csv", "--phone", "mobile", "--to", "clean.csv", "--encoding"]
    assert main([*words, "windows-1250"]) == 0
    assert "note: read as cp1250, as asked for; it looks like Windows-1252 text" in capsys.readouterr().out
    assert pl.read_csv("clean.csv", infer_schema=False)["name"].to_list() == ["Łódź"]
    assert main([*words, "klingon"]) == 2
    assert "there are utf-8, utf-16" in capsys.readouterr().err


def test_equal_counts_come_in_the_same_order_each_time(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ("12", "x", "", "+999123456789", "9" * 30, "9.1E+11", "123", "+4420")
    people.write_text("name,mobile\n" + "".join(f"A,{kind}\nB,{kind}\n" for kind in kinds))
    words = ["normalize", "people.csv", "--phone", "mobile", "--region", "IN", "--to", "c.jsonl", "--json"]
    for _ in range(5):
        assert main(words) == 0
        reasons = orjson.loads(capsys.readouterr().out)["reasons"]
        assert len(reasons) > 4
        assert list(reasons) == sorted(reasons)


def test_the_figures_come_as_json(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["normalize", "people.csv", "--phone", "mobile", "--to", "c.jsonl", "--json"]) == 0
    figures = orjson.loads(capsys.readouterr().out)
    assert (figures["rows_read"], figures["accepted"], figures["rejected"]) == (4, 1, 3)
    assert figures["reasons"] == {"no_region": 2, "no_digits": 1}
    assert figures["rejects"] is None


def test_what_a_file_cannot_hold_is_told_with_the_figures(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"phone": ["+442079460018"], "far": [float("inf")]}).write_parquet("list.parquet")
    words = ["normalize", "list.parquet", "--phone", "phone", "--to", "c.jsonl"]
    note = "c.jsonl: 1 number is NaN or infinite, which JSON cannot say: null"
    assert main(words) == 0
    assert f"  note: {note}\n" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["notes"] == [note]


def test_a_phone_column_is_proposed_and_never_assumed(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["normalize", "people.csv", "--to", "clean.csv"]) == 2
    said = capsys.readouterr().err
    assert "--phone is missing" in said
    assert "--phone mobile --region-column country   # 3 of the first 4 rows can be dialled" in said
    assert not Path("clean.csv").exists()


@pytest.fixture
def spring(people: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOKEN", "none")
    Path("dialer.toml").write_text('[accounts.unleashx]\ntoken = "env:TOKEN"\n')
    folder = Path("campaigns/spring")
    folder.mkdir(parents=True)
    (folder / "people.csv").write_text(LIST.replace("98765 43210", "'9876543210.0"))
    return folder / "campaign.toml"


CALL = '[call]\naccount = "unleashx"\nagent = "1"\n'


def test_check_shows_how_a_list_is_read_and_what_becomes_of_it(
    spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spring.write_text('[list]\nfiles = ["*.csv"]\nphone = "mobile"\nregion_column = "country"\n' + CALL)
    assert main(["check", "spring"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:11] == [
        "spring: account unleashx, agent 1",
        "people.csv: UTF-8 text, fields separated by comma, 3 columns: key, mobile, country",
        "people.csv: 4 rows read = 2 accepted + 1 rejected + 1 duplicate",
        "  duplicate: 1",
        "    row 4 (line 5): '+44 20 7946 0018': the same number as row 1 of people.csv",
        "  no_digits: 1",
        "    row 3 (line 4): 'none': there is no digit in the cell",
        "  countries: GB 1, IN 1",
        "  line types: fixed_line 1, mobile 1",
        "  time zones: Asia/Calcutta 1, Europe/London 1",
        "  repaired: 1 (leading apostrophe dropped 1, spreadsheet .0 dropped 1)",
    ]
    assert said[11] == "rules: auto: those of each contact's region"
    assert main(["check", "spring", "--json"]) == 0
    [one] = orjson.loads(capsys.readouterr().out)["lists"]
    assert (one["encoding"], one["delimiter"], one["columns"]) == ("utf-8", ",", ["key", "mobile", "country"])
    assert one["examples"]["no_digits"][0]["raw"] == "none"


def test_check_asks_for_the_phone_column_with_the_line_to_write(
    spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spring.write_text('[list]\nfiles = ["*.csv"]\n' + CALL)
    assert main(["check", "spring"]) == 2
    said = capsys.readouterr().err
    assert "campaign.toml:1: list.phone is missing" in said
    assert '  phone = "mobile"   # 3 of the first 4 rows can be dialled' in said
    assert '  region_column = "country"' in said


def test_check_refuses_a_list_without_a_header_and_shows_its_first_row(
    spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spring.write_text('[list]\nfiles = ["*.csv"]\n' + CALL)
    (spring.parent / "people.csv").write_text("k1,+44 20 7946 0018,GB\nk2,+91 98765 43210,IN\n")
    assert main(["check", "spring"]) == 2
    assert "looks like data, not like a header: 'k1,+44 20 7946 0018,GB'" in capsys.readouterr().err


def test_a_panic_in_polars_is_told_in_a_sentence(
    people: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(*_: object) -> None:
        raise pl.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr("dialer.cli.normalize.open_list", panic)
    assert main(["normalize", str(people), "--phone", "mobile", "--to", "clean.csv"]) == 1
    said = capsys.readouterr().err
    assert "polars" in said
    assert "index out of bounds" in said
    assert "Traceback" not in said


def test_check_and_load_read_a_list_in_the_encoding_that_is_named(
    spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spring.write_text('[list]\nfiles = ["people.csv"]\nphone = "mobile"\nregion_column = "country"\n' + CALL)
    for word in ("check", "load"):
        assert main([word, "spring", "--encoding", "latin1"]) == 0
        assert "read as iso8859-1, as asked for; it looks like UTF-8 text" in capsys.readouterr().out
    assert main(["check", "spring", "--encoding", "klingon"]) == 2
    assert "--encoding klingon: expected the name of an encoding; there are" in capsys.readouterr().err


def test_an_owners_key_is_the_same_in_text_and_in_a_workbook(
    spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = (
        '[list]\nfiles = ["a.csv", "b.xlsx", "c.parquet"]\nphone = "mobile"\nid = "id"\nmetadata = ["id"]\n'
    )
    spring.write_text(lists + CALL)
    (spring.parent / "a.csv").write_text("id,mobile\n1001,+14155552671\n")
    pl.DataFrame({"id": [1001], "mobile": ["+14155552699"]}).write_excel(spring.parent / "b.xlsx")
    rows = {"id": [1001.0, 1002.0, None], "mobile": ["+14155552698", "+14155552697", "none"]}
    pl.DataFrame(rows).write_parquet(spring.parent / "c.parquet")
    assert main(["load", "spring"]) == 0
    said = capsys.readouterr().out
    assert "b.xlsx: 1 rows read = 0 accepted + 0 rejected + 1 duplicate" in said
    assert "c.parquet: 3 rows read = 1 accepted + 1 rejected + 1 duplicate" in said
    assert main(["export", "outcomes", "--to", "o.csv"]) == 0
    outcomes = pl.read_csv("o.csv", infer_schema=False)
    assert outcomes["list_id"].to_list() == outcomes["id"].to_list() == ["1001", "1002"]
    assert main(["export", "rejects", "--to", "r.csv"]) == 0
    rejects = pl.read_csv("r.csv", infer_schema=False)["row"].to_list()
    assert rejects[0] == '{"id":1001,"mobile":"+14155552699"}'


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_list_whose_name_is_no_text_is_read_and_told(
    spring: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    spring.write_text(f'[list]\nfiles = ["li*.{ending}"]\nphone = "mobile"\n' + CALL)
    odd = os.fsdecode(b"li\xffst." + ending.encode())
    people = pl.DataFrame({"mobile": ["+14155552671", "none"]})
    place = spring.parent / odd
    place.write_bytes(people.write_csv().encode())
    if ending == "parquet":
        people.write_parquet(place.with_name("plain"))
        place.with_name("plain").rename(place)
    books = rf"li\xffst.{ending}: 2 rows read = 1 accepted + 1 rejected + 0 duplicate"
    clean = os.fsdecode(b"cl\xfe.") + ending
    words = ["normalize", str(place), "--phone", "mobile", "--to", clean, "--rejects", "r.csv"]
    for command in (words, ["check", "spring"], ["load", "spring"]):
        assert main(command) == 0
        assert books in capsys.readouterr().out
    assert pl.read_csv("r.csv")["list_file"].to_list() == [rf"li\xffst.{ending}"]
    for command in (words, ["check", "spring"], ["load", "spring"]):
        assert main([*command, "--json"]) == 0
        assert orjson.loads(capsys.readouterr().out)
    assert main(["export", "rejects", "--to", "r.jsonl"]) == 0
    assert pl.read_ndjson("r.jsonl")["list_file"].to_list() == [rf"li\xffst.{ending}"]
    assert main(["suppress", "import", str(place), "--phone", "mobile", "--reason", "asked"]) == 0
    assert main(["suppress", "list", "--json"]) == 0
    assert rf'"li\\xffst.{ending}"' in capsys.readouterr().out


@pytest.mark.parametrize("named", [True, False])
def test_check_and_normalize_say_where_the_region_of_numbers_may_come_from(
    spring: Path, capsys: pytest.CaptureFixture[str], named: bool
) -> None:
    spring.write_text('[list]\nfiles = ["people.csv"]\nphone = "mobile"\n' + CALL)
    if not named:
        (spring.parent / "people.csv").write_text("key,mobile\nk1,020 7946 0018\n")
    assert main(["check", "spring"]) == 0
    wanted = 'region_column = "country"' if named else 'region = "DE", if they are German'
    said = capsys.readouterr().out
    assert f"numbers without a country code need a line below [list]: {wanted}" in said
    file = str(spring.parent / "people.csv")
    assert main(["normalize", file, "--phone", "mobile", "--to", "clean.csv"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("--region-column country" if named else "the column that names countries")


def test_check_and_load_say_that_a_plus_may_be_missing(
    spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Goal: see the numbers that libphonenumber takes for lines of a village before anyone calls there."""
    spring.write_text('[list]\nfiles = ["people.csv"]\nphone = "mobile"\nregion = "DE"\n' + CALL)
    numbers = ("4917141672110", "4917141672111", "04941 12345", "017141672112", "+4917141672113")
    (spring.parent / "people.csv").write_text("mobile\n" + "".join(f"{number}\n" for number in numbers))
    for word in ("check", "load"):
        assert main([word, "spring"]) == 0
        said = capsys.readouterr().out
        assert "2 numbers begin with their country code twice, such as +494917141672110" in said
        assert "if +4917141672110 is meant" in said


def test_ctrl_c_inside_of_a_command_is_said(
    people: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dialer.cli.normalize.open_list", interrupt)
    assert main(["normalize", str(people), "--phone", "mobile", "--to", "clean.csv"]) == 130
    assert "interrupted" in capsys.readouterr().err
