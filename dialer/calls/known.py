"""The contacts that a campaign has already, read back as what a load must know of them."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from dialer.contacts.taken import Taken

ROWS_AT_ONCE = 100_000
SCANNED_MAX = 10
"""So many rows of the table may be passed over for one of ours; beyond it the index is the better way."""

SCHEMA = {"number": pl.Int64, "list_id": pl.String, "list_row": pl.Int64, "load_id": pl.Int64}

FILES = "SELECT load_id, file, rows_accepted FROM loads WHERE campaign_id = :campaign_id ORDER BY load_id"

CONTACTS = """
    SELECT CAST(substr(phone, 2) AS BIGINT), list_id, list_row, load_id
    FROM contacts {how} WHERE campaign_id = {campaign_id:d} ORDER BY contact_id"""


def read_taken(connection: Connection, campaign_id: int) -> Taken:
    """Return the numbers and keys of the campaign's contacts, with their places, in the order they came."""
    loads = connection.execute(text(FILES), {"campaign_id": campaign_id}).fetchall()
    taken = Taken()
    if not loads:
        return taken
    files = {load_id: file for load_id, file, _ in loads}
    for frame in _contacts(connection, campaign_id, sum(accepted for *_, accepted in loads)):
        for (load_id,), part in frame.group_by("load_id", maintain_order=True):
            taken.begin_file(files[load_id])
            taken.add(part)
    return taken


def _contacts(connection: Connection, campaign_id: int, expected: int) -> Iterator[pl.DataFrame]:
    """Yield the contacts in batches, through the driver: 1.1 s for a million rows against 6 by SQLAlchemy."""
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield from _copied(raw, CONTACTS.format(how="", campaign_id=campaign_id))
        return
    there = raw.execute("SELECT max(contact_id) FROM contacts").fetchone()[0] or 0
    # The index would lead from number to number, and each to another end of the table.
    how = "NOT INDEXED" if there <= expected * SCANNED_MAX else ""
    cursor = raw.execute(CONTACTS.format(how=how, campaign_id=campaign_id))
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _copied(raw: Any, query: str) -> Iterator[pl.DataFrame]:
    with raw.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)") as copy:
        rows = iter(copy)
        while some := b"".join(islice(rows, ROWS_AT_ONCE)):
            yield pl.read_csv(BytesIO(some), has_header=False, schema=SCHEMA)
