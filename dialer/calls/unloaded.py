"""A list that was not loaded yet, as if it were: its contacts in a table that lasts as long as the look."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from sqlalchemy import Connection

from dialer.calls.books import Books
from dialer.calls.load import Watch, check_lists
from dialer.calls.outlook import People
from dialer.calls.standing import UNLOADED
from dialer.campaign import Campaign
from dialer.lists import ListFile
from dialer.rules.places import Group
from dialer.store.bulk import append

MAKE = f"""
    CREATE TEMPORARY TABLE {UNLOADED} (contact_id bigint, list_id text, phone text, window_group bigint,
        campaign_id bigint DEFAULT 0, status text DEFAULT 'waiting', reason text, calls integer DEFAULT 0,
        calls_granted integer DEFAULT 0, next_call_at_us bigint DEFAULT 0, last_attempt_id text)"""

CAMPAIGN_ID = 0
"""No campaign of the database has this id."""


class Unloaded:
    """The contacts of lists that were read and sorted, nothing written; `books` says what became of rows."""

    def __init__(self, campaign: Campaign, lists: Sequence[ListFile], watch: Watch | None = None) -> None:
        self._frames: list[pl.DataFrame] = []
        self.books: list[Books] = check_lists(campaign, lists, watch, self._keep)

    def stage(self, connection: Connection) -> People:
        """Put the contacts into a temporary table of the connection, until `drop`."""
        columns = {"list_id": pl.String, "phone": pl.String, "window_key": pl.String}
        frame = pl.concat([pl.DataFrame(schema=columns), *self._frames]).with_row_index("contact_id", 1)
        keys = sorted(frame["window_key"].unique().to_list())
        ids = {key: number for number, key in enumerate(keys, 1)}
        groups = pl.col("window_key").replace_strict(ids, return_dtype=pl.Int64).alias("window_group")
        connection.exec_driver_sql(MAKE)
        append(connection, UNLOADED, frame.with_columns(groups).drop("window_key"))
        return People(CAMPAIGN_ID, {number: Group.of_key(key) for key, number in ids.items()}, UNLOADED)

    def drop(self, connection: Connection) -> None:
        """Take the table away again."""
        connection.exec_driver_sql(f"DROP TABLE {UNLOADED}")

    def _keep(self, contacts: pl.DataFrame) -> None:
        self._frames.append(contacts.select("list_id", "phone", "window_key"))
