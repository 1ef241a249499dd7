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
    """A batch of rows that were rejects.

    `origin` has list_row, campaign_id, reject_id; the latter are null where a person added a row. Rows that
    were none of their list (`ragged`), and that nobody filled in since, are in `broken` again.
    """

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
            origin = _origin_of(batch.rows[self.origin]).with_columns(batch.list_row.alias("list_row"))
            untouched = self._untouched(batch.rows, own)
            broken = batch.broken
            if untouched.any():
                broken = pl.concat([broken, self._broken(batch, untouched)]).sort("list_row")
            yield MendedBatch(
                own.filter(~untouched),
                batch.list_row.filter(~untouched),
                batch.list_line.filter(~untouched),
                broken,
                batch.bytes_read,
                origin,
            )

    def _untouched(self, rows: pl.DataFrame, own: pl.DataFrame) -> pl.Series:
        """Return which rows were no rows of their list (`ragged`), and have nothing in its columns yet."""
        reason = self._ours("reason")
        if reason not in rows.columns:
            return pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
        filled = pl.any_horizontal(pl.all().cast(pl.String).str.strip_chars().fill_null("") != "")
        untouched = rows.select(pl.col(reason).cast(pl.String).eq_missing("ragged")).to_series()
        return untouched & ~own.select(filled).to_series()

    def _broken(self, batch: Batch, which: pl.Series) -> pl.DataFrame:
        """Return those rows as they were told before."""
        told = batch.rows.filter(which)
        texts = (
            pl.lit(None, pl.String) if self._ours(word) not in told.columns else pl.col(self._ours(word))
            for word in ("reason", "detail", "row")
        )
        named = zip(texts, ("reason", "detail", "row"), strict=True)
        return told.select(
            batch.list_row.filter(which).alias("list_row"),
            batch.list_line.filter(which).alias("list_line"),
            *(_without_guard(text.cast(pl.String)).alias(word) for text, word in named),
        )

    def _ours(self, word: str) -> str:
        """Return what the file calls a column of ours."""
        return self.origin.removesuffix("reject_id") + word


def as_mended(file: ListFile) -> ListFile:
    """Return the list that an export of rejects stands for; any other list as it is."""
    for name in file.info.columns:
        prefix = name.removesuffix("reject_id")
        if prefix == name or prefix.replace(PREFIX, ""):
            continue
        first = next(file.batches(1000), None)
        cells = [] if first is None else first.rows[name].cast(pl.String).drop_nulls().to_list()
        ours = {prefix + word for word in OURS}
        without_rows = first is None and ours.issubset(file.info.columns)
        if without_rows or (cells and all(re.match(ORIGIN, cell.strip()) for cell in cells)):
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
