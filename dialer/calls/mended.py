"""Rejects that come back: an export of rejects, mended by a person, is read as the list that it came from.

Each row of such a file says in `reject_id` which reject it was. Its own columns are the list's, ours are
dropped, and the apostrophes that keep a spreadsheet from running cells of a CSV file are taken off again.
Once loaded, a row is told by the load that brought it back: what was mended is a contact and counts once,
what was not is a reject of that load, and the reject that it was before is told no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl
from sqlalchemy import Connection, text

from dialer.calls.told import TOLD
from dialer.lists import Batch, ListFile, ListInfo
from dialer.lists.shape import BATCH_ROWS
from dialer.store.bulk import Stage

TABLE = "rejects_again"

OURS = (*TOLD, "reject_id")
"""The columns that an export of rejects has beside the list's own, with one prefix for all of them."""
PREFIX = "reject_"
ORIGIN = r"^R(\d+)-(\d+)$"
GUARDED = r"^'+[=+\-@\t\r\n＝＋－＠]"
"""How a cell begins that got an apostrophe from us."""

MAKE = "CREATE TEMPORARY TABLE rejects_again (reject_id bigint, is_contact integer DEFAULT 0)"

# Brought back before, and no reject is left of it: what is told here again is told as a contact.
FIND_CONTACTS = """
    UPDATE rejects_again SET is_contact = 1
    WHERE EXISTS (
            SELECT 1 FROM rejected_rows AS r WHERE r.reject_id = rejects_again.reject_id
                AND r.again_load_id IS NOT NULL
        )
        AND NOT EXISTS (
            SELECT 1 FROM rejected_rows AS r WHERE r.origin_reject_id = rejects_again.reject_id
                AND r.again_load_id IS NULL AND r.load_id <> :load_id
        )"""

TOLD_HERE = """
    UPDATE rejected_rows SET again_load_id = :load_id
    WHERE campaign_id = :campaign_id AND load_id <> :load_id AND again_load_id IS NULL
        AND {column} IN (SELECT reject_id FROM rejects_again)"""

TOLD_AS_CONTACT = """
    UPDATE rejected_rows SET again_load_id = :load_id
    WHERE load_id = :load_id AND reason = 'duplicate'
        AND origin_reject_id IN (SELECT reject_id FROM rejects_again WHERE is_contact = 1)"""


@dataclass(frozen=True, slots=True)
class MendedBatch(Batch):
    """A batch of rows that were rejects: `origin` (campaign_id, reject_id; null where a person added one)."""

    origin: pl.DataFrame


@dataclass(frozen=True, slots=True)
class MendedList:
    """An export of rejects, read as the list it came from."""

    file: ListFile
    info: ListInfo
    names: tuple[str, ...]
    """What the file calls the list's own columns."""
    origin: str

    def sha256(self) -> str:
        """Return the digest of the file's bytes."""
        return self.file.sha256()

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the rows with the list's own columns, each batch a MendedBatch."""
        for batch in self.file.batches(rows):
            own = batch.rows.select(self.names)
            if self.info.format == "csv":
                own = own.select(_without_guard(pl.col(name)) for name in self.names)
            own = own.rename(dict(zip(self.names, self.info.columns, strict=True)))
            yield MendedBatch(
                own,
                batch.list_row,
                batch.list_line,
                batch.broken,
                batch.bytes_read,
                _origin_of(batch.rows[self.origin]),
            )


def as_mended(file: ListFile) -> ListFile:
    """Return the list that an export of rejects stands for; any other list as it is."""
    for name in file.info.columns:
        prefix = name.removesuffix("reject_id")
        if prefix == name or prefix.replace(PREFIX, ""):
            continue
        first = next(file.batches(1000), None)
        cells = [] if first is None else first.rows[name].cast(pl.String).drop_nulls().to_list()
        if cells and all(re.match(ORIGIN, cell.strip()) for cell in cells):
            ours = {prefix + word for word in OURS}
            names = tuple(column for column in file.info.columns if column not in ours)
            plain = pl.Series(names, dtype=pl.String).to_frame("name")
            if file.info.format == "csv":
                plain = plain.select(_without_guard(pl.col("name")))
            note = "an export of rejects: its rows are told by this load from now on"
            info = replace(file.info, columns=tuple(plain["name"]), notes=(*file.info.notes, note))
            return MendedList(file, info, names, name)
    return file


def apply_mended(connection: Connection, stage: Stage, campaign_id: int, load_id: int) -> None:
    """Let the rows of TABLE, whose rejects of this load are written, be told by this load alone."""
    connection.execute(text(MAKE))
    stage.pour(connection, TABLE)
    here = {"campaign_id": campaign_id, "load_id": load_id}
    connection.execute(text(FIND_CONTACTS), {"load_id": load_id})
    for column in ("reject_id", "origin_reject_id"):
        connection.execute(text(TOLD_HERE.format(column=column)), here)
    connection.execute(text(TOLD_AS_CONTACT), {"load_id": load_id})
    connection.execute(text(f"DROP TABLE {TABLE}"))


def _origin_of(cells: pl.Series) -> pl.DataFrame:
    texts = cells.cast(pl.String).str.strip_chars().to_frame("text")
    return texts.select(
        pl.col("text").str.extract(ORIGIN, number).cast(pl.Int64).alias(name)
        for number, name in ((1, "campaign_id"), (2, "reject_id"))
    )


def _without_guard(cells: pl.Expr) -> pl.Expr:
    return pl.when(cells.str.contains(GUARDED)).then(cells.str.slice(1)).otherwise(cells).name.keep()
