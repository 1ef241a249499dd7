"""What a load knows of the contacts that its campaign has already."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.calls import known
from dialer.calls.load import load
from dialer.store.database import Store
from tests.calls.spring import campaign_in, rows

HEADER = "key,mobile,landline,country,note,zone\n"
FIRST = HEADER + '"a, ""b""\nc",2125550101,,US,,\n\\N,2125550102,,US,,\n,2125550103,,US,,\n'
LATER = (
    HEADER + '"a, ""b""\nc",2125550104,,US,,\n\\N,2125550105,,US,,\n,2125550106,,US,,\nz,2125550103,,US,,\n'
)


@pytest.mark.parametrize("scanned_max", [10, 0])
def test_numbers_and_any_keys_are_known_in_a_later_load(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned_max: int
) -> None:
    """With 0 the contacts are found by the index, as those of a small campaign among large ones are."""
    monkeypatch.setattr(known, "SCANNED_MAX", scanned_max)
    load(store, campaign_in(tmp_path, first=FIRST))
    [_, books] = load(store, campaign_in(tmp_path, later=LATER), only_new=True)
    assert (books.accepted, books.duplicate) == (1, 3)
    assert rows(
        store, "SELECT list_row, detail FROM rejects WHERE reason = 'duplicate' ORDER BY list_row"
    ) == [
        (1, "the same key as row 1 of first.csv"),
        (2, "the same key as row 2 of first.csv"),
        (4, "the same number as row 3 of first.csv"),
    ]
