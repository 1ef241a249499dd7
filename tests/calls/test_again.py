"""A number or a key that the campaign has already, in a later list: skipped, updated or called once more."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from dialer.base.errors import Busy
from dialer.calls import load as loading
from dialer.calls.load import load
from dialer.campaign import Campaign
from dialer.lists.text import TextList
from dialer.store.database import Store
from dialer.tables.audit import audit
from tests.calls.spring import CAMPAIGN, LIST, campaign_in, end_calls, rows

HEAD = "key,mobile,landline,country,note,zone\n"
LATER = (
    HEAD
    + """n1,(212) 555-0101 x7,,US,new note,America/Los_Angeles
k3,+1 212 555 0144,,,the key of k3 with another number,
k9,2125550199,,US,a new person,
k9,2125550101,,US,the first number once more,
"""
)


def again(folder: Path, how: str, more: str = "", **files: str) -> Campaign:
    words = CAMPAIGN.replace("[call]", f'again = "{how}"\n[call]') + more
    return campaign_in(folder, words, **files)


def test_skip_leaves_the_contact_as_it_was(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    before = rows(store, "SELECT * FROM contacts ORDER BY contact_id")
    [_, books] = load(store, again(tmp_path, "skip", people=LIST, zlater=LATER), only_new=True)
    assert (books.accepted, books.duplicate, books.updated) == (1, 3, 0)
    assert rows(store, "SELECT * FROM contacts ORDER BY contact_id LIMIT 3") == before


def test_update_gives_the_contact_what_the_first_row_says(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    end_calls(store, 1)
    [_, books] = load(store, again(tmp_path, "update", people=LIST, zlater=LATER), only_new=True)
    assert books.line() == ("zlater.csv: 4 rows read = 1 accepted + 0 rejected + 3 duplicate (2 updated)")
    columns = "list_row, phone, list_id, phone_extension, time_zones, metadata, status, calls"
    assert rows(store, f"SELECT {columns} FROM contacts ORDER BY contact_id LIMIT 2") == [
        (1, "+12125550101", "n1", "7", "America/Los_Angeles", '{"key":"n1","note":"new note"}', "done", 1),
        (
            4,
            "+442079460018",
            "k3",
            None,
            "Europe/London",
            '{"key":"k3","note":"the key of k3 with another number"}',
            "waiting",
            0,
        ),
    ]
    groups = "SELECT window_groups.key FROM contacts JOIN window_groups ON group_id = window_group"
    assert "Los_Angeles" in str(rows(store, f"{groups} WHERE list_row = 1"))
    assert "London" in str(rows(store, f"{groups} WHERE list_row = 4"))


def test_a_key_that_another_contact_has_stays_there(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    later = HEAD + "k3,2125550101,,US,,\n"
    load(store, again(tmp_path, "update", people=LIST, zlater=later), only_new=True)
    assert rows(store, "SELECT list_id FROM contacts ORDER BY contact_id") == [("k1",), ("k3",), ("k7",)]


def test_the_first_row_of_a_file_wins_over_batches_too(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    monkeypatch.setattr(TextList.batches, "__defaults__", (1,))
    later = HEAD + "k1,2125550101,,US,first,\nk1,2125550101,,US,second,\nk1,,020 7946 0018,GB,third,\n"
    [_, books] = load(store, again(tmp_path, "update", people=LIST, zlater=later), only_new=True)
    assert (books.rows_read, books.duplicate, books.updated) == (3, 3, 2)
    notes = [str(row[0]) for row in rows(store, "SELECT metadata FROM contacts ORDER BY contact_id")]
    assert ["first" in notes[0], "third" in notes[1]] == [True, True]


@pytest.mark.parametrize("how", ["update", "call_again"])
def test_nothing_of_a_contact_changes_while_its_call_is_open(store: Store, tmp_path: Path, how: str) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    with store.write() as connection:
        connection.execute(text("UPDATE contacts SET status = 'calling' WHERE list_row = 1"))
        connection.execute(text("UPDATE contacts SET status = 'leased', worker = 'w' WHERE list_row = 4"))
    before = rows(store, "SELECT * FROM contacts ORDER BY contact_id")
    [_, books] = load(store, again(tmp_path, how, people=LIST, zlater=LATER), only_new=True)
    assert (books.updated, books.called_again, books.in_flight) == (0, 0, 2)
    assert rows(store, "SELECT * FROM contacts ORDER BY contact_id LIMIT 3") == before


def test_who_is_done_is_called_once_more_and_the_audit_agrees(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    end_calls(store, 1, 4)
    with store.write() as connection:
        connection.execute(text("UPDATE contacts SET status = 'suppressed' WHERE list_row = 8"))
    later = LATER + "k7,,,,suppressed,\nx,+91 98765 43210,,,suppressed,\n"
    [_, books] = load(store, again(tmp_path, "call_again", people=LIST, zlater=later), only_new=True)
    assert (books.accepted, books.updated, books.called_again) == (1, 3, 2)
    found = rows(store, "SELECT list_row, status, calls, calls_granted FROM contacts ORDER BY contact_id")
    assert found[:3] == [(1, "waiting", 1, 1), (4, "waiting", 1, 1), (8, "suppressed", 0, 0)]
    assert audit(store).ok


def test_the_very_same_file_calls_nobody_again_whatever_the_campaign_says_by_now(
    store: Store, tmp_path: Path
) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    end_calls(store, 1, 4)
    campaign = again(tmp_path, "call_again", people=LIST, copy=LIST)
    for _ in range(2):
        for books in load(store, campaign, only_new=True) + load(store, campaign):
            assert books.called_again == 0
    assert rows(store, "SELECT count(*) FROM contacts WHERE status = 'done'") == [(2,)]


def test_calls_max_that_the_campaign_says_is_kept(store: Store, tmp_path: Path) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    end_calls(store, 1, 4)
    one = again(tmp_path, "call_again", "[redial]\ncalls_max = 1\n", people=LIST, zlater=LATER)
    [_, books] = load(store, one, only_new=True)
    assert (books.called_again, books.not_again) == (0, 2)
    more = "[redial]\ncalls_max = 2\nno_answer = '1h'\n"
    two = again(tmp_path, "call_again", more, people=LIST, zlater=LATER + "k8,,,,,\n")
    [_, books] = load(store, two, only_new=True)
    assert (books.called_again, books.not_again) == (2, 0)
    assert rows(store, "SELECT sum(calls_granted) FROM contacts") == [(0,)]


def test_two_processes_that_load_one_file_at_once_call_nobody_twice(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(store, campaign_in(tmp_path, people=LIST))
    end_calls(store, 1)
    later = HEAD + "k1,2125550101,,US,,\n"
    campaign = again(tmp_path, "call_again", people=LIST, zlater=later)
    real = loading._sort
    rivals = iter([True])

    def sort_late(*words: object) -> object:
        if next(rivals, False):  # the rival comes between our look at what is loaded and our write
            load(store, campaign, only_new=True)
            end_calls_again(store)
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "_sort", sort_late)
    with pytest.raises(Busy, match="somebody else loaded the same file"):
        load(store, campaign, only_new=True)
    assert rows(store, "SELECT calls_granted FROM contacts WHERE list_row = 1") == [(1,)]
    assert rows(store, "SELECT count(*) FROM loads") == [(3,)]


def end_calls_again(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE contacts SET status = 'done', calls = 2 WHERE list_row = 1"))
