"""Bring the database to this version of dialer, or say that it is not there yet."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from dialer.base.errors import NotReady
from dialer.store.database import Store
from dialer.store.views import create_views

UPGRADE_LOCK = 4_242_001
"""PostgreSQL's advisory lock that lets one process at a time change the schema."""


def upgrade(store: Store) -> str:
    """Create or upgrade every table and view; return the version reached. Twice equals once."""
    with store.write() as connection:
        if not store.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        create_views(connection)
    return newest_version()


def prepare(store: Store) -> None:
    """Create the tables of an empty database; check the version of one that is in use.

    Raises:
        NotReady: the database is of another version of dialer.
    """
    with store.read() as connection:
        empty = not inspect(connection).has_table("alembic_version")
    if empty:
        upgrade(store)
    else:
        check(store)


def check(store: Store) -> str:
    """Return the version of the database's schema.

    Raises:
        NotReady: it is not the version that this dialer works with.
    """
    with store.read() as connection:
        found = current_version(connection)
    wanted = newest_version()
    if found == wanted:
        return wanted
    if found is None:
        raise NotReady("the database has no tables of dialer yet; run: dialer db upgrade")
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found in known:
        raise NotReady(
            f"the database is at version {found}, this dialer needs {wanted}; run: dialer db upgrade"
        )
    raise NotReady(
        f"the database is at version {found}, which is newer than this dialer ({wanted}); update dialer"
    )


def current_version(connection: Connection) -> str | None:
    """Return the version that the database says it has."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str:
    """Return the version that this dialer brings."""
    version = ScriptDirectory.from_config(_config()).get_current_head()
    assert version is not None
    return version


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
