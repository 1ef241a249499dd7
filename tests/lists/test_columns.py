"""Which files, which columns: found by exact name, guessed only when asked."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.base.errors import BadInput
from dialer.lists import find_column, find_lists, likely_phone_columns, open_list
from dialer.lists.columns import mend_names


def test_lists_are_found_once_and_sorted(tmp_path: Path):
    for name in ("b.csv", "a.csv", "c.tsv"):
        (tmp_path / name).touch()
    found = find_lists(["*.csv", "b.*", "c.tsv"], tmp_path)
    assert found == [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.tsv"]


def test_absolute_names_and_names_with_brackets_are_taken_as_they_are(tmp_path: Path):
    odd = tmp_path / "list[1].csv"
    odd.touch()
    assert find_lists(["list[1].csv"], tmp_path) == [odd]
    assert find_lists([str(odd)], Path()) == [odd]


def test_folders_are_crossed_by_two_stars(tmp_path: Path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "x.csv").touch()
    assert find_lists(["**/*.csv"], tmp_path) == [tmp_path / "deep" / "er" / "x.csv"]


def test_what_excel_keeps_beside_an_open_workbook_is_no_list(tmp_path: Path):
    (tmp_path / "people.xlsx").touch()
    (tmp_path / "~$people.xlsx").touch()
    assert find_lists(["*.xlsx"], tmp_path) == [tmp_path / "people.xlsx"]


def test_a_pattern_without_a_file_is_refused_with_what_is_there(tmp_path: Path):
    (tmp_path / "people.csv").touch()
    (tmp_path / "old").mkdir()
    with pytest.raises(BadInput, match=r"no file matches '\*\.tsv'; the folder holds people\.csv"):
        find_lists(["people.csv", "*.tsv"], tmp_path)
    with pytest.raises(BadInput, match=r"'o\*' matches a folder .* such as 'old/\*\.csv'"):
        find_lists(["o*"], tmp_path)
    with pytest.raises(BadInput, match="no list files are named"):
        find_lists([], tmp_path)
    with pytest.raises(BadInput, match="is not a folder"):
        find_lists(["*.csv"], tmp_path / "none")


def test_a_column_is_found_by_its_exact_name_only():
    assert find_column("Phone", ["name", "Phone"]) == "Phone"
    with pytest.raises(BadInput, match=r"no column 'phone' \(did you mean 'Phone'\?\); .* 'name', 'Phone'"):
        find_column("phone", ["name", "Phone"])


@given(st.lists(st.sampled_from(["", " ", "a", "a_2", "column_1", "b ", "\ufeffb"]), min_size=1, max_size=8))
def test_mended_names_are_distinct_and_good_ones_stay(header: list[str]):
    names, _ = mend_names(header)
    assert len(set(names)) == len(header)
    assert all(names)
    for name in {raw.strip(" \ufeff") for raw in header} - {""}:
        assert name in names


def test_likely_phone_columns_come_by_name_and_by_content(tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_text(
        "customer_id,name,Reachable,phone_type,backup_phone,joined,zip,amount,empty_mobile\n"
        "10000001,A,+91 98765 43210,mobile,,2026-01-02,110001,100.50,\n"
        "10000002,B,+91 98765 43211,landline,011-2345678,2026-02-02,110002,20000000,\n"
    )
    opened = open_list(path)
    first = next(iter(opened.batches()))
    assert likely_phone_columns(first) == ["backup_phone", "Reachable"]
    assert likely_phone_columns(opened.info) == ["backup_phone", "empty_mobile", "phone_type"]
