"""The door to the database: both engines, their clock, their refusals."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from dialer.base.errors import BadInput, Busy, NotReady
from dialer.store.database import Dialects, Store
from dialer.store.lock import only_dialer
from dialer.store.migrate import check, newest_version, prepare, upgrade
from dialer.store.tables import OPEN, metadata
from dialer.store.views import VIEWS


def test_migrations_make_just_the_tables_of_tables_py(store: Store) -> None:
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_view_can_be_read_while_empty(store: Store) -> None:
    with store.read() as connection:
        for view in VIEWS:
            assert list(connection.execute(text(f"SELECT * FROM {view}"))) == []


def test_upgrading_twice_changes_nothing(store: Store) -> None:
    assert upgrade(store) == upgrade(store) == check(store) == newest_version()


def test_an_empty_database_is_made_ready_and_one_of_another_version_is_refused(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/new.db")
    prepare(store)
    assert check(store) == newest_version()
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NotReady, match="newer than this dialer"):
        prepare(store)
    store.close()


def test_rows_travel_as_one_parameter_with_nulls_and_unusual_text(store: Store) -> None:
    statement = Dialects(
        "SELECT r.name, r.number + 1 FROM ROWS(name text, number bigint) AS r ORDER BY r.number"
    )
    rows = [['o\'Brien\n"x" ☎', 1], [None, 2**53]]
    with store.read() as connection:
        found = store.execute(connection, statement, rows=orjson.dumps(rows).decode())
    assert [tuple(row) for row in found] == [('o\'Brien\n"x" ☎', 2), (None, 2**53 + 1)]


def test_a_failed_block_writes_nothing(store: Store) -> None:
    def fail_half_way() -> None:
        with store.write() as connection:
            connection.execute(text("INSERT INTO accounts (account) VALUES ('a')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with store.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM accounts")) == 0


def test_sqlite_commits_survive_a_power_cut(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    with store.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    store.close()


def test_postgresql_commits_are_synchronous_and_times_are_utc(postgres_url: str) -> None:
    store = Store(postgres_url)
    with store.read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"
        assert store.now_us(connection) > 1_700_000_000_000_000
    store.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_could_not_keep_the_promise_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="database_url"):
        Store(url)


def test_an_unreachable_postgresql_is_one_message_without_the_password() -> None:
    store = Store("postgresql://me:secret@127.0.0.1:1/x")
    with pytest.raises(NotReady, match=r"127\.0\.0\.1") as caught, store.read():
        pass
    assert "secret" not in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="nowhere"):
        Store(f"sqlite:///{tmp_path}/nowhere/x.db")


def test_only_one_dialer_at_a_time_holds_a_sqlite_file(tmp_path: Path) -> None:
    file = tmp_path / "dialer.db"
    with only_dialer(file), pytest.raises(Busy, match=r"dialer\.db"), only_dialer(file):
        pass
    with only_dialer(file):
        pass


def test_sqlite_finds_open_attempts_by_the_words_of_its_partial_indexes(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/dialer.db")
    upgrade(store)
    asking = Dialects(f"SELECT phone FROM ledger WHERE phone = :phone AND {OPEN}")
    with store.read() as connection:
        indexes = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE tbl_name = 'ledger'")
        ).scalars()
        assert not [sql for sql in indexes if sql and "INDEX" in sql and " IN (" in sql]
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {asking.for_('sqlite')}"), {"phone": ""}).scalars(
            "detail"
        )
        assert "ledger_one_open_per_phone" in " ".join(plan)
    store.close()
