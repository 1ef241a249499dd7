"""Loading: every row is a contact, a reject or a duplicate, and the books balance."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import orjson
import polars as pl
import pytest
from sqlalchemy import Connection, event, inspect, text

from dialer.base.errors import BadInput, Busy, NotReady
from dialer.calls import load as loading
from dialer.calls.load import check_lists, load
from dialer.store import bulk
from dialer.store.bulk import Stage
from dialer.store.database import Store
from tests.calls.spring import CAMPAIGN, LIST, campaign_in, rows


def test_every_row_is_a_contact_a_reject_or_a_duplicate(store: Store, tmp_path: Path) -> None:
    [books] = load(store, campaign_in(tmp_path, people=LIST))
    assert books.line() == "people.csv: 8 rows read = 3 accepted + 3 rejected + 2 duplicate"
    assert rows(store, "SELECT list_row, phone, region, list_id FROM outcomes ORDER BY list_row") == [
        (1, "+12125550101", "US", "k1"),
        (4, "+442079460018", "GB", "k3"),
        (8, "+919876543210", "IN", "k7"),
    ]
    assert rows(store, 'SELECT list_row, list_line, "column", reason FROM rejects ORDER BY list_row') == [
        (2, 4, "mobile", "duplicate"),
        (3, 5, "mobile", "duplicate"),
        (5, 7, "mobile", "spreadsheet_damage"),
        (6, 8, "mobile", "blank"),
        (7, 9, "mobile", "no_digits"),
    ]


def test_a_duplicate_says_where_its_number_or_key_was_before(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    details = rows(store, "SELECT detail FROM rejects WHERE reason = 'duplicate' ORDER BY list_row")
    assert details == [
        ("the same number as row 1 of people.csv",),
        ("the same key as row 1 of people.csv",),
    ]


def test_a_rejected_row_is_kept_whole(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    [(row,)] = rows(store, 'SELECT "row" FROM rejects WHERE list_row = 7')
    assert pl.Series([str(row)]).str.json_decode(pl.Struct({"key": pl.String, "mobile": pl.String}))[0] == {
        "key": "k6",
        "mobile": "call office",
    }


def test_metadata_travels_and_a_known_zone_of_the_list_wins(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    found = dict(rows(store, "SELECT list_row, metadata FROM contacts"))
    assert found[1] == '{"key":"k1","note":"with, comma\\nand line"}'
    zones = dict(rows(store, "SELECT list_row, time_zones FROM contacts"))
    assert (zones[4], zones[8]) == ("Europe/London", "Asia/Calcutta")


def test_a_number_counts_once_over_files_and_over_loads(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, a=LIST, b="key,mobile,landline,country,note,zone\nz1,2125550101,,US,,\n")
    first, second = load(store, campaign)
    assert (first.accepted, second.duplicate) == (3, 1)
    again, _ = load(store, campaign)
    assert (again.rows_read, again.accepted, again.rejected, again.duplicate) == (8, 0, 3, 5)
    assert rows(store, "SELECT rows_read, accepted, rejected, duplicate FROM campaign_progress") == [
        (18, 3, 6, 9)
    ]


def test_only_new_skips_a_file_that_was_loaded_and_takes_a_changed_one(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, people=LIST)
    load(store, campaign, only_new=True)
    assert [books.skipped for books in load(store, campaign, only_new=True)] == [True]
    campaign_in(tmp_path, people=LIST + "k9,2125550199,,US,,\n")
    [books] = load(store, campaign, only_new=True)
    assert (books.skipped, books.accepted) == (False, 1)


def test_a_load_of_an_earlier_version_is_known_and_one_with_other_settings_is_not(
    store: Store, tmp_path: Path
) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    [(settings,)] = rows(store, "SELECT settings FROM loads")
    known = orjson.loads(str(settings))
    with store.write() as connection:
        earlier = {name: value for name, value in known.items() if name not in ("sheets", "again")}
        connection.execute(text("UPDATE loads SET settings = :it"), {"it": orjson.dumps(earlier).decode()})
    assert load(store, campaign_in(tmp_path), only_new=True)[0].skipped
    other = campaign_in(tmp_path, CAMPAIGN.replace('region = "US"', 'region = "CA"'))
    assert not load(store, other, only_new=True)[0].skipped


def test_an_interrupted_load_leaves_nothing_of_the_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Stage.pour

    def fail_at_rejects(stage: Stage, connection: Connection, table: str, **same: int) -> None:
        if table == "rejected_rows":
            raise KeyboardInterrupt
        real(stage, connection, table, **same)

    monkeypatch.setattr(Stage, "pour", fail_at_rejects)
    with pytest.raises(KeyboardInterrupt):
        load(store, campaign_in(tmp_path, people=LIST))
    for table in ("contacts", "rejected_rows", "loads"):
        assert rows(store, f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_load_waits_for_another_process_that_writes(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: two loads of long lists at once both end. Method: the rival ends when we say that we wait."""
    campaign = campaign_in(tmp_path, people=LIST)
    rival, rival_writes, said = Store(sqlite_url), ExitStack(), []
    monkeypatch.setattr(loading, "TRY_S", 0.01)
    store = Store(sqlite_url)

    class Log:
        def info(self, event: str, **fields: object) -> None:
            said.append(event)
            rival_writes.close()

    monkeypatch.setattr(loading, "log", Log())
    rival_writes.enter_context(rival.write())
    [books] = load(store, campaign)
    assert (books.accepted, said) == (3, ["load.waits"])

    rival_writes.enter_context(rival.write())
    monkeypatch.setattr(loading, "TRIES_MAX", 1)
    with pytest.raises(
        Busy, match=r"another process is writing to it, .* Try again when it has ended"
    ) as told:
        load(store, campaign)
    assert (told.value.exit_code, isinstance(told.value, NotReady)) == (75, True)
    rival_writes.close()
    rival.close()
    store.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from dialer.base.settings import Settings
from dialer.calls.load import load
from dialer.campaign import read_campaign
from dialer.store import bulk
from dialer.store.database import Store

pour, bulk.ROWS_FOR_A_FILE = bulk.Stage.pour, 1

def pour_contacts_and_die(stage, connection, table, **same):
    if table != "contacts":
        os.kill(os.getpid(), signal.SIGKILL)
    pour(stage, connection, table, **same)

bulk.Stage.pour = pour_contacts_and_die
home = Path(sys.argv[2])
load(Store(sys.argv[1]), read_campaign(home, Settings(campaigns=home.parent)))
"""


def test_a_killed_load_leaves_nothing_of_the_file(store: Store, store_url: str, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, people=LIST)
    words = [sys.executable, "-c", KILLED, store_url, str(campaign.folder)]
    assert subprocess.run(words, env={**os.environ, "TMPDIR": str(tmp_path)}).returncode == -signal.SIGKILL
    for table in ("contacts", "rejected_rows", "loads"):
        assert rows(store, f"SELECT count(*) FROM {table}") == [(0,)]
    [books] = load(store, campaign)
    assert books.accepted == 3


@pytest.mark.parametrize("rows_for_a_file", [1, 1000])
def test_a_full_disk_leaves_nothing_of_the_file(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_for_a_file: int
) -> None:
    monkeypatch.setattr(bulk, "ROWS_FOR_A_FILE", rows_for_a_file)
    many = "".join(f"m{n},212555{n:04},,US,{'x' * 500},\n" for n in range(100, 200))
    campaign = campaign_in(tmp_path, people=LIST + many)
    store = Store(sqlite_url)
    pages = rows(store, "PRAGMA page_count")[0][0]
    full = event.listens_for(store.engine, "checkout")
    full(lambda raw, *_: raw.execute(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(NotReady, match="full"):
        load(store, campaign)
    for table in ("contacts", "rejected_rows", "loads"):
        assert rows(store, f"SELECT count(*) FROM {table}") == [(0,)]
    store.close()


def test_one_refused_list_of_several_refuses_them_all(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, a=LIST, b="key,phone\n1,2\n")
    with pytest.raises(BadInput, match=r"b\.csv"):
        load(store, campaign)
    assert rows(store, "SELECT count(*) FROM contacts") == [(0,)]


def test_a_phone_column_that_holds_no_numbers_is_told_with_its_file_and_type(
    store: Store, tmp_path: Path
) -> None:
    """And nothing of the good list before it is written."""
    words = CAMPAIGN.replace('"*.csv"', '"a.csv", "b.parquet"')
    campaign = campaign_in(tmp_path, words, a=LIST)
    good = pl.read_csv(campaign.folder / "a.csv", infer_schema=False).head(1)
    kinds = {"Boolean": True, "Struct": {"number": "1"}, "Date": date(2026, 1, 1), "List": [[1]]}
    for kind, cell in kinds.items():
        good.with_columns(pl.Series("landline", [cell])).write_parquet(campaign.folder / "b.parquet")
        said = rf"b\.parquet: column 'landline' is {kind}.*, expected text.*; put its numbers into a column"
        with pytest.raises(BadInput, match=said):
            load(store, campaign)
        with pytest.raises(BadInput, match=said):
            check_lists(campaign)
    assert rows(store, "SELECT count(*) FROM contacts") == [(0,)]


def test_parquet_and_csv_give_the_same_contacts(store: Store, tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, CAMPAIGN.replace("*.csv", "*.parquet"))
    frame = pl.read_csv(LIST.encode(), infer_schema=False)
    frame.write_parquet(campaign.folder / "people.parquet")
    [books] = load(store, campaign)
    assert (books.accepted, books.rejected, books.duplicate) == (3, 3, 2)
    assert rows(store, "SELECT count(*) FROM rejected_rows WHERE list_line IS NOT NULL") == [(0,)]


def test_more_rows_than_fit_into_memory_go_through_a_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "ROWS_IN_MEMORY", 2)
    monkeypatch.setattr(bulk, "ROWS_FOR_A_FILE", 2)
    [books] = load(store, campaign_in(tmp_path, people=LIST))
    assert (books.accepted, books.rejected, books.duplicate) == (3, 3, 2)
    assert rows(store, "SELECT list_row, phone, status, list_id FROM contacts ORDER BY contact_id") == [
        (1, "+12125550101", "waiting", "k1"),
        (4, "+442079460018", "waiting", "k3"),
        (8, "+919876543210", "waiting", "k7"),
    ]
    [again] = load(store, campaign_in(tmp_path, people=LIST))
    assert (again.accepted, again.rejected, again.duplicate) == (0, 3, 5)
    with store.read() as connection:
        assert {"contacts_once_per_campaign", "contacts_waiting"} <= {
            index["name"] for index in inspect(connection).get_indexes("contacts")
        }


def test_ctrl_c_is_not_left_to_the_driver_that_fills_the_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: 130 and a word. In the main thread the driver takes SIGINT for itself and fails for it."""
    ingest, ran_in = bulk._ingest, []

    def watched(file: Path, frames: list[tuple[str, pl.DataFrame]]) -> None:
        ran_in.append(threading.current_thread())
        ingest(file, frames)

    monkeypatch.setattr(bulk, "ROWS_FOR_A_FILE", 2)
    monkeypatch.setattr(bulk, "_ingest", watched)
    load(store, campaign_in(tmp_path, people=LIST))
    assert threading.main_thread() not in ran_in
    assert bool(ran_in) == store.is_sqlite


def test_checking_says_what_loading_would_do(tmp_path: Path) -> None:
    [books] = check_lists(campaign_in(tmp_path, people=LIST))
    assert (books.rows_read, books.accepted, books.reasons["duplicate"]) == (8, 3, 2)
    assert books.examples["no_digits"][0].raw == "call office"
    assert books.regions == {"US": 1, "GB": 1, "IN": 1}


def test_a_list_whose_phone_column_is_not_named_is_refused_with_a_proposal(tmp_path: Path) -> None:
    campaign = campaign_in(tmp_path, CAMPAIGN.replace('phone = ["mobile", "landline"]\n', ""), people=LIST)
    with pytest.raises(BadInput, match=r'list\.phone is missing.*likely: phone = "(mobile|landline)"'):
        check_lists(campaign)


def test_odd_texts_survive_the_way_into_both_databases(store: Store, tmp_path: Path) -> None:
    note = 'a "quoted", comma; back\\slash \\N and ünïcode ☎'
    quoted = note.replace('"', '""')
    campaign = campaign_in(
        tmp_path, people=f'key,mobile,landline,country,note,zone\n"","2125550101",,US,"{quoted}",\n'
    )
    load(store, campaign)
    [(metadata, key)] = rows(store, "SELECT metadata, list_id FROM contacts")
    assert pl.Series([str(metadata)]).str.json_decode(pl.Struct({"note": pl.String}))[0]["note"] == note
    assert key is None
