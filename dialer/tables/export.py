"""Views -> files: contacts, attempts, outcomes, rejects, whole or not at all.

The columns are those of the view. The list's own columns stand beside them, one each: what travels with
the call (`metadata`) behind the columns of contacts and outcomes, where a name that is taken gets the
prefix `metadata_`; the whole row as it was in the list before the columns of rejects, where it is ours
that give way: all of them get the prefix `reject_` where one of their names is taken. So the file can be
mended and loaded again, and the load knows each row by its `reject_id`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import orjson
import polars as pl
from sqlalchemy import text

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.store.database import Store
from dialer.tables.fields import MoreKeys, names_beside, with_fields
from dialer.tables.formats import writer_for
from dialer.tables.frames import SCHEMAS, read_view_batches
from dialer.tables.query import campaign_id_of
from dialer.tables.whole import check_place, whole_file

# What can be written, and the column that holds the list's own columns as JSON.
JSON_COLUMNS = {"contacts": "metadata", "attempts": None, "outcomes": "metadata", "rejects": "row"}


def export(
    store: Store, what: str, to: Path, campaign: str | None = None, notes: list[str] | None = None
) -> int:
    """Write a table to `to`, in the format of its ending; return how many rows.

    The file appears when it is complete, in the place of one that was there before. To `notes` is added what
    the format could not hold.

    Raises:
        BadInput: nothing was written: no such table or campaign, an unknown ending, no such folder.
        NotReady: it could not be written to its end; what was there before is still there.
    """
    if what not in JSON_COLUMNS:
        known = ", ".join(JSON_COLUMNS)
        raise BadInput(
            f"'{what}' cannot be exported{did_you_mean(what, JSON_COLUMNS)}, expected one of {known}"
        )
    writer_for(to)
    check_place(to)
    keys = _list_columns(store, campaign) if what == "rejects" else None
    while True:
        try:
            rows, lost = _write(to, _frames(store, what, campaign, keys))
        except MoreKeys as more:
            keys = more.keys
            continue
        if notes is not None:
            notes.extend(lost)
        return rows


def _frames(
    store: Store, what: str, campaign: str | None, keys: tuple[str, ...] | None
) -> Generator[pl.DataFrame, None, None]:
    """Yield the rows as they stand in the file; the first frame is empty where nothing else comes."""
    column = JSON_COLUMNS[what]
    view = "rejects_to_mend" if what == "rejects" else what
    batches = _at_least_one(read_view_batches(store, view, campaign), SCHEMAS[view])
    if column is None:
        yield from batches
        return
    for frame, fields in with_fields(batches, column, keys):
        if what == "rejects":
            prefix = ""
            while any(prefix + name in fields.columns for name in frame.columns):
                prefix += "reject_"
            frame = frame.rename(lambda name: prefix + name)  # noqa: B023 called at once
            yield pl.concat([fields, frame], how="horizontal")
        else:
            fields = fields.rename(names_beside(fields.columns, frame.columns, "metadata_"))
            yield pl.concat([frame, fields], how="horizontal")


def _list_columns(store: Store, campaign: str | None) -> tuple[str, ...] | None:
    """Return the columns of the lists that have rejects, in their order; None where no list says them.

    They are there to be filled even where nothing of the rejected rows could be read. Where no list has
    rejects they are those of every list, so that a file without rows is a list like the one with rows.
    """
    with store.read() as connection:
        campaign_id = campaign_id_of(connection, campaign)
        here = "" if campaign_id is None else f"AND campaign_id = {campaign_id:d}"
        lists = connection.execute(
            text(
                "SELECT columns, rows_rejected + rows_duplicate > 0 FROM loads"
                f" WHERE columns IS NOT NULL {here} ORDER BY load_id"
            )
        ).all()
    some = [columns for columns, rejects in lists if rejects]
    every = [columns for columns, _ in lists]
    names = dict.fromkeys(name for one in some or every for name in orjson.loads(one))
    return tuple(names) or None


def _at_least_one(batches: Iterator[pl.DataFrame], schema: pl.Schema) -> Iterator[pl.DataFrame]:
    first = next(batches, None)
    yield pl.DataFrame(schema=schema) if first is None else first
    yield from batches


def _write(to: Path, frames: Generator[pl.DataFrame, None, None]) -> tuple[int, list[str]]:
    rows = 0
    with closing(frames), whole_file(to) as part, writer_for(to)(part) as writer:
        for frame in frames:
            writer.write(frame)
            rows += frame.height
        return rows, writer.notes()
