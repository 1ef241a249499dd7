"""One door to the results database: open it, begin a transaction, ask its clock.

SQLite (WAL, synchronous=FULL) and PostgreSQL (synchronous_commit=on): a committed intent survives a
kill and a power cut on both, which is what "never twice" stands on.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, Row, create_engine, event, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from dialer.base.clock import Clock, SystemClock
from dialer.base.errors import BadInput, Busy, NotReady

_SQLITE = SQLiteDialect_pysqlite(paramstyle="named")
_POSTGRESQL = PGDialect_psycopg()  # type: ignore[no-untyped-call]

Rows = list[Row[*tuple[Any, ...]]]

PATIENCE_S = 30.0
"""How long a transaction waits for another writer before it is given up."""
STATE_LIST = re.compile(r"((?:\w+\.)?state) IN \(((?:'\w+', ){2,}'\w+')\)")
READ_ONLY = "25006"
"""PostgreSQL's code for a write where only reading is allowed: at a standby, around a failover."""


class StoreBusy(Busy, NotReady):
    """Another process was writing to the database for longer than a transaction waits; it wrote nothing."""

    exit_code = Busy.exit_code


class Store:
    """The results database of one deployment; close it when done.

    `clock` decides what time it is where it is given (tests), and on SQLite, whose only clock is the
    machine's. On PostgreSQL the server's clock decides, so that no worker's clock can.
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.url = url
        self.engine = _open_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._clock = clock or (SystemClock() if self.is_sqlite else None)

    @property
    def file(self) -> Path | None:
        """The database file, None on PostgreSQL."""
        return Path(self.engine.url.database or "") if self.is_sqlite else None

    @contextmanager
    def write(self, *, attached: Path | None = None, patience_s: float = PATIENCE_S) -> Iterator[Connection]:
        """Begin a transaction that writes; commit at the end, roll back on any error.

        On SQLite the write lock is taken at once, so that the transaction cannot fail half-way; `attached`
        is a further SQLite file, whose tables are `staged.<name>` in the transaction.

        Raises:
            NotReady: the database cannot be reached, is read-only or full.
            StoreBusy: another process was writing to it for `patience_s` (SQLite).
        """
        with self._translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection = connection.execution_options(dialer_begin="BEGIN IMMEDIATE")
            with (
                _attached(connection, attached),
                _patient(connection, patience_s if self.is_sqlite else PATIENCE_S),
                connection.begin(),
            ):
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a transaction that reads one consistent state."""
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    def now_us(self, connection: Connection) -> int:
        """Return the database's own time, in UTC microseconds since 1970."""
        if self._clock is not None:
            return self._clock.now_us()
        now = connection.scalar(
            text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
        )
        assert isinstance(now, int)
        return now

    def execute(self, connection: Connection, statements: Dialects, **values: Any) -> Rows:
        """Run the statement written for this database; return its rows, if it gives any."""
        result = connection.exec_driver_sql(statements.driver_text(self.is_sqlite), values)
        return list(result.all()) if result.returns_rows else []

    def change(self, connection: Connection, statements: Dialects, **values: Any) -> int:
        """Run a statement that gives no rows; return how many it changed.

        On SQLite every row that a statement gives lets go of the interpreter and waits for it again, which
        costs both threads as much as changing the row: ask for rows only where they are needed.
        """
        return connection.exec_driver_sql(statements.driver_text(self.is_sqlite), values).rowcount

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, sqlite3.OperationalError) as error:
            if _is_locked(error):
                raise StoreBusy(
                    f"database {_shown(self.url)}: another process is writing to it, such as the load of a"
                    " long list; nothing was written here. Try again when it has ended"
                ) from error
            raise NotReady(f"database {_shown(self.url)}: {_first_line(error)}") from error
        except DBAPIError as error:
            if not (
                error.connection_invalidated
                or "not a database" in str(error.orig)
                or getattr(error.orig, "sqlstate", None) == READ_ONLY
            ):
                raise
            raise NotReady(f"database {_shown(self.url)}: {_first_line(error)}") from error


class Dialects:
    """One statement, written once for each database where one text cannot serve both.

    In both texts `ROWS(name type, ...)` stands for the rows of the JSON parameter `:rows`, a list of
    lists in the order of the names: one parameter for a whole batch, one round trip. `state IN (...)`
    is written for SQLite as its partial indexes have it (`sqlite_lists`).
    """

    def __init__(self, sqlite: str, postgresql: str | None = None) -> None:
        self._sqlite = text(_expand_rows(sqlite_lists(sqlite), _sqlite_rows))
        self._postgresql = text(_expand_rows(postgresql or sqlite, _postgresql_rows))

    def for_(self, dialect: str) -> Any:
        """Return the executable text for the dialect."""
        return self._sqlite if dialect == "sqlite" else self._postgresql

    def driver_text(self, is_sqlite: bool) -> str:
        """Return the statement as the driver takes it: a short page is a fifth cheaper for it."""
        return self._sqlite_text if is_sqlite else self._postgresql_text

    @cached_property
    def _sqlite_text(self) -> str:
        return str(self._sqlite.compile(dialect=_SQLITE))

    @cached_property
    def _postgresql_text(self) -> str:
        return str(self._postgresql.compile(dialect=_POSTGRESQL))


def as_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Return the rows as the text of a `:rows` parameter."""
    return orjson.dumps(list(map(tuple, rows))).decode()


def sqlite_lists(statement: str) -> str:
    """Return the statement with `state IN (three or more)` written as SQLite's partial indexes have it.

    For such a list SQLite fills a table, for every index that asks for it; ORs are compared one by one: 30
    instead of 37 us for opening and answering an attempt in a page of 64, 38 instead of 62 where each is a
    statement of its own. The plus keeps the planner from taking `state = 'sending'` as a reason to walk along
    an index of more: only the same words use it.
    """
    return STATE_LIST.sub(
        lambda found: "+(" + " OR ".join(f"{found[1]} = {word}" for word in found[2].split(", ")) + ")",
        statement,
    )


def _expand_rows(statement: str, spell: Callable[[list[list[str]]], str]) -> str:
    start = statement.find("ROWS(")
    if start < 0:
        return statement
    end = statement.index(")", start)
    columns = [part.split(maxsplit=1) for part in statement[start + 5 : end].split(",")]
    return statement[:start] + spell(columns) + _expand_rows(statement[end + 1 :], spell)


def _sqlite_rows(columns: list[list[str]]) -> str:
    picked = ", ".join(f"value ->> {number} AS {name}" for number, (name, _) in enumerate(columns))
    return f"(SELECT {picked} FROM json_each(:rows))"


def _postgresql_rows(columns: list[list[str]]) -> str:
    picked = ", ".join(
        f"CAST(value ->> {number} AS {kind}) AS {name}" for number, (name, kind) in enumerate(columns)
    )
    return f"(SELECT {picked} FROM jsonb_array_elements(CAST(:rows AS jsonb)))"


def _open_engine(url: str) -> Engine:
    name = make_url(url).get_backend_name()
    if name == "sqlite":
        return _open_sqlite(url)
    if name == "postgresql":
        return _open_postgresql(url)
    raise BadInput(
        f"database_url: {name} is not supported, expected sqlite:///FILE or postgresql+psycopg://..."
    )


def _open_sqlite(url: str) -> Engine:
    file = make_url(url).database
    if not file or file == ":memory:":
        raise BadInput("database_url: a database in memory would be lost, expected sqlite:///FILE")
    if sqlite3.sqlite_version_info < (3, 38):
        raise NotReady(f"SQLite {sqlite3.sqlite_version} is too old for dialer, expected 3.38 or newer")
    folder = Path(file).resolve().parent
    if not folder.is_dir():
        raise NotReady(f"database {_shown(url)}: there is no folder {folder}")
    engine = create_engine(url, connect_args={"timeout": PATIENCE_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself: write() says when, and how.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("dialer_begin", "BEGIN"))

    return engine


def _open_postgresql(url: str) -> Engine:
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 10,
            # A server with synchronous_commit=off would forget intents in a power cut. Plans are made anew
            # each time: one that was made for an empty table would walk over all of it once it is full.
            "options": "-c synchronous_commit=on -c timezone=UTC -c random_page_cost=1.1 -c jit=off"
            " -c plan_cache_mode=force_custom_plan",
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )


@contextmanager
def _attached(connection: Connection, file: Path | None) -> Iterator[None]:
    # Through the driver: SQLAlchemy would begin a transaction, and in one nothing can be detached.
    raw: Any = connection.connection.driver_connection
    if file is None:
        yield
        return
    raw.execute("ATTACH ? AS staged", (str(file),))
    raw.execute("PRAGMA temp_store=FILE")  # what is attached is long, and sorting it takes half a gigabyte
    try:
        yield
    finally:
        raw.execute("PRAGMA temp_store=MEMORY")
        raw.execute("DETACH staged")


@contextmanager
def _patient(connection: Connection, patience_s: float) -> Iterator[None]:
    """Let what begins in the block wait so long for another writer, where that is not as long as always."""
    if patience_s == PATIENCE_S:
        yield
        return
    raw: Any = connection.connection.driver_connection
    raw.execute(f"PRAGMA busy_timeout={round(patience_s * 1000)}")
    try:
        yield
    finally:
        raw.execute(f"PRAGMA busy_timeout={round(PATIENCE_S * 1000)}")


def _is_locked(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    # The lowest byte is the kind of failure, what is above it says more of it.
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().split("\n")[0]
