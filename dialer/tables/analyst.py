"""What `import dialer` gives an analyst: outcomes, attempts and rejects as polars frames."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dialer.base.errors import NotReady
from dialer.base.settings import read_settings
from dialer.store.database import Store
from dialer.store.migrate import check
from dialer.tables.frames import read_view


def outcomes(campaign: str | None = None, *, database_url: str | None = None) -> pl.DataFrame:
    """Return one row per contact, with the columns of the view `outcomes`."""
    return _read("outcomes", campaign, database_url)


def attempts(campaign: str | None = None, *, database_url: str | None = None) -> pl.DataFrame:
    """Return one row per submission, with the columns of the view `attempts`."""
    return _read("attempts", campaign, database_url)


def rejects(campaign: str | None = None, *, database_url: str | None = None) -> pl.DataFrame:
    """Return one row per rejected row, with the columns of the view `rejects`."""
    return _read("rejects", campaign, database_url)


def _read(view: str, campaign: str | None, database_url: str | None) -> pl.DataFrame:
    """Read a view of the given database, or of the one that dialer.toml or DIALER_DATABASE_URL names.

    Raises:
        NotReady: the database is not there, cannot be reached or is of another version of dialer.
        BadInput: there is no such campaign, or the settings are wrong.
    """
    store = Store(database_url or read_settings().database_url)
    try:
        # SQLite would make an empty file of a mistyped name.
        if store.file is not None and not store.file.exists():
            where = Path.cwd() if not store.file.is_absolute() else store.file.parent
            raise NotReady(
                f"there is no database {store.file} in {where}; "
                "start in the folder of dialer.toml, or give database_url"
            )
        check(store)
        return read_view(store, view, campaign)
    finally:
        store.close()
