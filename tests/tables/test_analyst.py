"""`import dialer` as analysts use it: quick, and enough."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dialer
from dialer.base.clock import ManualClock
from dialer.base.errors import BadInput, NotReady
from dialer.store.database import Store
from dialer.tables.frames import read_view
from tests.tables.story import tell


def test_import_dialer_is_enough(store: Store, clock: ManualClock, store_url: str) -> None:
    tell(store, clock)
    assert dialer.outcomes("spring", database_url=store_url).equals(read_view(store, "outcomes", "spring"))
    assert dialer.attempts(database_url=store_url).equals(read_view(store, "attempts"))
    assert dialer.rejects("spring", database_url=store_url).equals(read_view(store, "rejects", "spring"))


def test_the_tables_can_be_called_in_whatever_order_their_rooms_are_imported() -> None:
    program = (
        "import dialer.outcomes.collect, dialer.attempts.ledger, sys\n"
        "import dialer\n"
        "assert callable(dialer.outcomes) and callable(dialer.attempts) and callable(dialer.rejects)\n"
        "assert dialer.outcomes.collect.Collector and dialer.attempts is sys.modules['dialer.attempts']\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_importing_dialer_waits_for_no_library() -> None:
    program = (
        "import dialer, sys\n"
        "assert not {'polars', 'sqlalchemy', 'pydantic', 'httpx'} & set(sys.modules)\n"
        "assert dialer.contacts.normalize\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_database_of_dialer_toml_is_read_where_no_other_is_given(
    sqlite_url: str, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(sqlite_url, clock)
    tell(store, clock)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dialer.toml").write_text('database_url = "sqlite:///dialer.db"\n')
    assert dialer.outcomes("spring").height == 9
    with pytest.raises(BadInput, match="did you mean 'spring'"):
        dialer.outcomes("sprnig")
    store.close()


def test_a_database_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="there is no database"):
        dialer.outcomes(database_url=f"sqlite:///{tmp_path}/mistyped.db")
    assert list(tmp_path.iterdir()) == []


def test_what_dialer_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'dialer' has no attribute 'outcome'"):
        _ = dialer.outcome
