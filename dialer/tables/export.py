"""Views -> files: contacts, attempts, outcomes, rejects, whole or not at all.

The columns are those of the view. The list's own columns stand beside them, one each: what travels with
the call (`metadata`) behind the columns of contacts and outcomes, where a name that is taken gets the
prefix `metadata_`; the whole row as it was in the list before the columns of rejects, where it is ours
that give way (`reject_`), so that the file can be mended and loaded again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import polars as pl

from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.store.database import Store
from dialer.tables.fields import MoreKeys, names_beside, with_fields
from dialer.tables.formats import writer_for
from dialer.tables.frames import SCHEMAS, read_view_batches
from dialer.tables.whole import check_place, whole_file

# What can be written, and the column that holds the list's own columns as JSON.
JSON_COLUMNS = {"contacts": "metadata", "attempts": None, "outcomes": "metadata", "rejects": "row"}


def export(store: Store, what: str, to: Path, campaign: str | None = None) -> int:
    """Write a table to `to`, in the format of its ending; return how many rows.

    The file appears when it is complete, in the place of one that was there before.

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
    keys: tuple[str, ...] | None = None
    while True:
        try:
            return _write(to, _frames(store, what, campaign, keys))
        except MoreKeys as more:
            keys = more.keys


def _frames(
    store: Store, what: str, campaign: str | None, keys: tuple[str, ...] | None
) -> Generator[pl.DataFrame, None, None]:
    """Yield the rows as they stand in the file; the first frame is empty where nothing else comes."""
    column = JSON_COLUMNS[what]
    batches = _at_least_one(read_view_batches(store, what, campaign), SCHEMAS[what])
    if column is None:
        yield from batches
        return
    for frame, fields in with_fields(batches, column, keys):
        if what == "rejects":
            frame = frame.rename(names_beside(frame.columns, fields.columns, "reject_"))
            yield pl.concat([fields, frame], how="horizontal")
        else:
            fields = fields.rename(names_beside(fields.columns, frame.columns, "metadata_"))
            yield pl.concat([frame, fields], how="horizontal")


def _at_least_one(batches: Iterator[pl.DataFrame], schema: pl.Schema) -> Iterator[pl.DataFrame]:
    first = next(batches, None)
    yield pl.DataFrame(schema=schema) if first is None else first
    yield from batches


def _write(to: Path, frames: Generator[pl.DataFrame, None, None]) -> int:
    rows = 0
    with closing(frames), whole_file(to) as part, writer_for(to)(part) as writer:
        for frame in frames:
            writer.write(frame)
            rows += frame.height
    return rows
