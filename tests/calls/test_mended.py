"""Rejects, exported, mended by a person and loaded again: each row counts once, wherever it is by now."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dialer.calls.load import load, open_lists
from dialer.store.database import Store
from dialer.tables.audit import audit
from dialer.tables.export import export
from tests.calls.spring import CAMPAIGN, LIST, campaign_in, end_calls, rows

PROGRESS = "SELECT rows_read, accepted, rejected, duplicate FROM campaign_progress"


def exported(store: Store, file: Path) -> pl.DataFrame:
    export(store, "rejects", file)
    match file.suffix:
        case ".csv":
            return pl.read_csv(file, infer_schema=False)
        case ".xlsx":
            return pl.read_excel(file, infer_schema_length=0)
        case _:
            return pl.read_parquet(file)


def put(frame: pl.DataFrame, file: Path) -> Path:
    match file.suffix:
        case ".csv":
            frame.write_csv(file)
        case ".xlsx":
            frame.write_excel(file)
        case _:
            frame.write_parquet(file)
    return file


def mend(frame: pl.DataFrame, key: str, number: str) -> pl.DataFrame:
    mobile = pl.when(pl.col("key") == key).then(pl.lit(number)).otherwise("mobile").alias("mobile")
    return frame.with_columns(mobile)


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_what_was_mended_is_a_contact_and_no_reject_any_more(
    store: Store, tmp_path: Path, ending: str
) -> None:
    campaign = campaign_in(tmp_path, people=LIST)
    load(store, campaign)
    assert rows(store, PROGRESS) == [(8, 3, 3, 2)]
    frame = exported(store, tmp_path / f"r.{ending}")
    assert frame.columns[:6] == ["key", "mobile", "landline", "country", "note", "zone"]
    better = mend(mend(frame, "k4", "+91 98765 43211"), "k6", "212 555 0166")
    file = put(better, tmp_path / f"mended.{ending}")
    [books] = load(store, campaign, open_lists(campaign, file), only_new=True)
    assert (books.rows_read, books.accepted, books.rejected, books.duplicate) == (5, 2, 1, 2)
    assert rows(store, PROGRESS) == [(8, 5, 1, 2)]
    left = exported(store, tmp_path / f"left.{ending}")
    assert sorted(left["key"]) == ["k1", "k2", "k5"]
    assert left.columns == frame.columns
    assert audit(store).ok


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_an_export_without_rejects_is_a_list_without_rows(store: Store, tmp_path: Path, ending: str) -> None:
    header, *people = LIST.splitlines()
    good = next(line for line in people if line.startswith("k3"))
    campaign = campaign_in(tmp_path, people=f"{header}\n{good}\n")
    [books] = load(store, campaign)
    assert (books.rows_read, books.accepted) == (1, 1)
    frame = exported(store, tmp_path / f"r.{ending}")
    assert frame.height == 0
    assert frame.columns[:6] == ["key", "mobile", "landline", "country", "note", "zone"]
    [books] = load(store, campaign, open_lists(campaign, tmp_path / f"r.{ending}"), only_new=True)
    assert (books.rows_read, books.accepted, books.rejected, books.duplicate) == (0, 0, 0, 0)
    assert rows(store, PROGRESS) == [(1, 1, 0, 0)]
    assert exported(store, tmp_path / f"again.{ending}").columns == frame.columns


def test_one_export_may_be_mended_and_loaded_bit_by_bit(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, people=LIST)
    load(store, campaign)
    frame = exported(store, tmp_path / "r.csv")
    for number, key in enumerate(("k4", "k6", "k5", "k2")):
        frame = mend(frame, key, f"212 555 016{number}")
        load(store, campaign, open_lists(campaign, put(frame, tmp_path / "mended.csv")), only_new=True)
    assert rows(store, PROGRESS) == [(8, 7, 0, 1)]
    frame = mend(exported(store, tmp_path / "r2.csv").with_columns(key=pl.lit("new")), "new", "212 555 0170")
    load(store, campaign, open_lists(campaign, put(frame, tmp_path / "mended.csv")), only_new=True)
    assert rows(store, PROGRESS) == [(8, 8, 0, 0)]
    assert exported(store, tmp_path / "empty.csv").height == 0
    assert rows(store, "SELECT count(*) FROM rejects") == [(0,)]
    assert audit(store).ok


def test_cells_that_look_like_formulas_come_back_as_they_were(store: Store, tmp_path: Path) -> None:
    notes = ["=1+1", "'=1+1", "+1 212", "'+1", "-x", "@y", "'quoted'", "plain;semi", 'a "b"']
    column = "=note"
    table = pl.DataFrame({"mobile": ["no"] * len(notes), column: notes, "extra": [None] * len(notes)})
    words = f"""[list]\nfiles = ["*.csv"]\nphone = "mobile"\nregion = "US"\nmetadata = ["{column}"]
[call]\naccount = "unleashx"\nagent = "962"\n"""
    campaign = campaign_in(tmp_path, words, people=table.write_csv(separator=";"))
    load(store, campaign)
    frame = exported(store, tmp_path / "r.csv")
    assert frame.columns[:3] == ["mobile", "'=note", "extra"]
    assert all(not cell.startswith(("=", "@", "-")) for cell in frame["'=note"])
    mended = frame.with_columns(mobile=pl.format("212 555 01{}", pl.int_range(10, 10 + frame.height)))
    load(store, campaign, open_lists(campaign, put(mended, tmp_path / "mended.csv")))
    found = [str(row[0]) for row in rows(store, "SELECT metadata FROM contacts ORDER BY contact_id")]
    assert (
        pl.Series(found).str.json_decode(pl.Struct({column: pl.String})).struct.field(column).to_list()
        == notes
    )


def test_mended_rows_meet_contacts_without_calling_or_changing_them(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, people=LIST)
    load(store, campaign)
    end_calls(store, 1, 4, 8)
    before = rows(store, "SELECT * FROM contacts ORDER BY contact_id")
    file = put(exported(store, tmp_path / "r.csv"), tmp_path / "mended.csv")
    later = campaign_in(tmp_path, CAMPAIGN.replace("[call]", 'again = "call_again"\n[call]'), people=LIST)
    [books] = load(store, later, open_lists(later, file))
    assert (books.updated, books.called_again, books.accepted) == (0, 0, 0)
    assert rows(store, "SELECT * FROM contacts ORDER BY contact_id") == before
    assert rows(store, PROGRESS) == [(8, 3, 3, 2)]


def test_rejects_of_another_campaign_are_rows_like_any_others(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, people=LIST)
    load(store, campaign)
    file = put(mend(exported(store, tmp_path / "r.csv"), "k4", "2125550155"), tmp_path / "mended.csv")
    other = campaign_in(tmp_path, 'name = "autumn"\n' + CAMPAIGN)
    [books] = load(store, other, open_lists(other, file))
    assert (books.rows_read, books.accepted) == (5, 3)
    assert rows(store, f"{PROGRESS} WHERE campaign = 'spring'") == [(8, 3, 3, 2)]


def test_lists_whose_own_columns_have_our_names_come_back_whole(store: Store, tmp_path: Path) -> None:
    words = CAMPAIGN.replace('["key", "note"]', '["key", "reason", "reject_reason", "reject_id"]')
    head = "key,mobile,landline,country,zone,reason,reject_reason,reject_id\n"
    campaign = campaign_in(tmp_path, words, people=head + "k1,no,,US,,mine,too,R1\n")
    load(store, campaign)
    frame = mend(exported(store, tmp_path / "r.csv"), "k1", "2125550101")
    load(store, campaign, open_lists(campaign, put(frame, tmp_path / "mended.csv")))
    [(metadata,)] = rows(store, "SELECT metadata FROM contacts")
    assert metadata == '{"key":"k1","reason":"mine","reject_reason":"too","reject_id":"R1"}'
    assert rows(store, PROGRESS) == [(1, 1, 0, 0)]


def test_broken_lines_can_be_filled_in_below_the_lists_columns(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, people=LIST.splitlines()[0] + "\nk1,2125550101,,US,,,,,too,many\n")
    load(store, campaign)
    frame = exported(store, tmp_path / "r.csv")
    assert frame.columns[:6] == ["key", "mobile", "landline", "country", "note", "zone"]
    better = frame.with_columns(key=pl.lit("k1"), mobile=pl.lit("2125550101"))
    load(store, campaign, open_lists(campaign, put(better, tmp_path / "mended.csv")))
    assert rows(store, PROGRESS) == [(1, 1, 0, 0)]
    assert rows(store, "SELECT count(*) FROM rejects") == [(0,)]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
@pytest.mark.parametrize("kind", [pl.Float32, pl.Int64])
def test_a_number_that_lost_digits_is_nobody_else_s_when_it_comes_back(
    store: Store, tmp_path: Path, ending: str, kind: type[pl.DataType]
) -> None:
    campaign = campaign_in(tmp_path, people=LIST)
    number = 9876543210 if kind == pl.Float32 else -9876543210
    people = pl.DataFrame({"key": ["f1"], "mobile": pl.Series([number], dtype=kind), "country": ["IN"]})
    people = people.with_columns(landline=None, note=None, zone=None).cast(
        {"landline": pl.String, "note": pl.String, "zone": pl.String}
    )
    people.write_parquet(tmp_path / "damaged.parquet")
    load(store, campaign, open_lists(campaign, tmp_path / "damaged.parquet"), only_new=True)
    frame = exported(store, tmp_path / f"r.{ending}")
    assert frame["reason"].to_list() == ["spreadsheet_damage"]
    load(store, campaign, open_lists(campaign, put(frame, tmp_path / f"again.{ending}")), only_new=True)
    assert rows(store, "SELECT reason FROM rejects") == [("spreadsheet_damage",)]
    better = mend(exported(store, tmp_path / f"r2.{ending}"), "f1", "+91 98765 43210")
    load(store, campaign, open_lists(campaign, put(better, tmp_path / f"mended.{ending}")), only_new=True)
    assert rows(store, "SELECT phone FROM contacts") == [("+919876543210",)]
    assert rows(store, "SELECT reason FROM rejects") == []


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_a_ragged_row_that_nobody_touched_stays_ragged(store: Store, tmp_path: Path, ending: str) -> None:
    campaign = campaign_in(tmp_path, people=LIST + "k8,one,field,too,many,here,now\nk9,few\n")
    load(store, campaign)
    told = "SELECT raw, reason, detail, row FROM rejects WHERE reason = 'ragged' ORDER BY raw"
    before = rows(store, told)
    assert len(before) == 2
    frame = exported(store, tmp_path / f"r.{ending}")
    load(store, campaign, open_lists(campaign, put(frame, tmp_path / f"again.{ending}")), only_new=True)
    assert rows(store, told) == before
    frame = exported(store, tmp_path / f"r2.{ending}")
    mine = pl.col("row").str.starts_with("k9")
    better = frame.with_columns(
        mobile=pl.when(mine).then(pl.lit("212 555 0177")).otherwise("mobile"),
        key=pl.when(mine).then(pl.lit("k9")).otherwise("key"),
    )
    load(store, campaign, open_lists(campaign, put(better, tmp_path / f"mended.{ending}")), only_new=True)
    assert [row[0] for row in rows(store, told)] == ["k8,one,field,too,many,here,now"]
    assert rows(store, PROGRESS) == [(10, 4, 4, 2)]
    assert audit(store).ok
