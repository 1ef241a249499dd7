"""Load a campaign's lists: every row becomes a contact, a reject or a duplicate, and the books balance.

Each file is read, normalized and sorted first, and then written in one transaction: an interrupted load
leaves all of a file or nothing of it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import polars as pl
from sqlalchemy import Connection, text

from dialer.base.errors import BadInput, Busy
from dialer.calls import campaigns
from dialer.campaign import Campaign
from dialer.contacts import normalize
from dialer.contacts.accept import NOTHING_TAKEN, REJECT_COLUMNS, Sorted, Taken, accept
from dialer.lists import Batch, ListFile, find_column, find_lists, likely_phone_columns, open_list
from dialer.store.bulk import AlreadyThere, append
from dialer.store.database import Dialects, Store

ROWS_IN_MEMORY = 1_000_000
"""Sorted rows beyond this many wait for their transaction in a temporary file."""

ADD_LOAD = Dialects(
    """
    INSERT INTO loads (campaign_id, file, sha256, settings, encoding, delimiter, rows_read, rows_accepted,
        rows_rejected, rows_duplicate, loaded_at_us)
    VALUES (:campaign_id, :file, :sha256, :settings, :encoding, :delimiter, :rows_read, :rows_accepted,
        :rows_rejected, :rows_duplicate, :now_us)
    RETURNING load_id"""
)

LOADED = Dialects(
    """
    SELECT 1 FROM loads
    WHERE campaign_id = :campaign_id AND sha256 = :sha256 AND settings = :settings LIMIT 1"""
)

TAKEN = """
    SELECT contacts.phone, contacts.list_id, contacts.list_row, loads.file
    FROM contacts JOIN loads ON loads.load_id = contacts.load_id
    WHERE contacts.campaign_id = :campaign_id ORDER BY contacts.contact_id"""


class Example(NamedTuple):
    """A rejected row, to show a person."""

    list_row: int
    list_line: int | None
    raw: str | None
    detail: str | None
    suggestion: str | None


@dataclass
class Books:
    """What became of a file's rows: rows_read = accepted + rejected + duplicate."""

    file: str
    notes: tuple[str, ...] = ()
    skipped: bool = False
    rows_read: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def line(self) -> str:
        """Return the books in one line."""
        return (
            f"{self.file}: {self.rows_read} rows read = {self.accepted} accepted"
            f" + {self.rejected} rejected + {self.duplicate} duplicate"
        )

    def count(self, sorted_rows: Sorted, examples: int = 3) -> None:
        """Add one batch."""
        contacts, rejects = sorted_rows.contacts, sorted_rows.rejects
        by_reason = dict(rejects["reason"].value_counts().iter_rows())
        self.reasons.update(by_reason)
        self.regions.update(dict(contacts["phone_region"].value_counts().iter_rows()))
        self.types.update(dict(contacts["phone_type"].value_counts().iter_rows()))
        self.repaired += contacts.height - contacts["repaired"].null_count()
        self.accepted += contacts.height
        self.duplicate += by_reason.get("duplicate", 0)
        self.rejected += rejects.height - by_reason.get("duplicate", 0)
        self.rows_read += contacts.height + rejects.height
        for reason in by_reason:
            shown = self.examples.setdefault(reason, [])
            if len(shown) < examples:
                some = rejects.filter(pl.col("reason") == reason).head(examples - len(shown))
                columns = ("list_row", "list_line", "raw", "detail", "suggestion")
                shown.extend(Example(*row) for row in some.select(columns).iter_rows())


Watch = Callable[[Books, int, int], None]
"""Called after each batch with the books so far, the bytes read and the bytes in all."""


def open_lists(campaign: Campaign, file: Path | None = None) -> list[ListFile]:
    """Open the campaign's lists (or `file` in their place) and make sure that every named column is there.

    Raises:
        BadInput: a list is missing, empty or unreadable, or a column is not in it.
    """
    paths = [file] if file is not None else find_lists(campaign.list.files, campaign.folder)
    section = campaign.list
    opened = [open_list(path, section.sheets, section.phone or ()) for path in paths]
    for one in opened:
        _check_columns(campaign, one)
    return opened


def check_lists(campaign: Campaign, file: Path | None = None, watch: Watch | None = None) -> list[Books]:
    """Return what loading would do, as if nothing were loaded yet; writes nothing."""
    taken = NOTHING_TAKEN
    all_books = []
    for one in open_lists(campaign, file):
        books = Books(_shown(one, campaign), one.info.notes)
        for sorted_rows in _sort(campaign, one, taken, books, watch):
            taken = sorted_rows.taken
        all_books.append(books)
    return all_books


def load(
    store: Store,
    campaign: Campaign,
    lists: Sequence[ListFile] | None = None,
    *,
    only_new: bool = False,
    watch: Watch | None = None,
) -> list[Books]:
    """Load the campaign's lists (or the opened `lists` in their place); return the books of each.

    `only_new` skips files whose very bytes were loaded before with the same list settings.

    Raises:
        BadInput: a list was refused; nothing of any list is written.
        Busy: somebody else loaded the same numbers at the same time; nothing of the file is written.
    """
    opened = open_lists(campaign) if lists is None else lists
    with store.write() as connection:
        known = campaigns.register(store, connection, campaign)
        if known.state == "canceled":
            campaigns.refuse_unless_startable(known)
        taken = _taken(connection, known.campaign_id)
    all_books = []
    for one in opened:
        books = Books(_shown(one, campaign), one.info.notes)
        all_books.append(books)
        if only_new and _was_loaded(store, known.campaign_id, campaign, one):
            books.skipped = True
            continue
        with Spool() as spool:
            for sorted_rows in _sort(campaign, one, taken, books, watch):
                taken = sorted_rows.taken
                spool.put(sorted_rows)
            _write(store, campaign, known.campaign_id, one, books, spool)
    return all_books


class Spool:
    """Sorted rows between reading and writing: in memory, and in a temporary file beyond that."""

    def __init__(self) -> None:
        self._frames: list[tuple[str, pl.DataFrame]] = []
        self._files: list[tuple[str, Path]] = []
        self._rows = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def put(self, sorted_rows: Sorted) -> None:
        """Keep one batch."""
        self._frames += [("contacts", sorted_rows.contacts), ("rejected_rows", sorted_rows.rejects)]
        self._rows += sorted_rows.contacts.height + sorted_rows.rejects.height
        if self._rows > ROWS_IN_MEMORY:
            self._spill()

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield each table's name with a frame for it, in the order of the list."""
        for table, path in self._files:
            yield table, pl.read_ipc(path)
        yield from self._frames

    def _spill(self) -> None:
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="dialer-load-")
        for table, frame in self._frames:
            path = Path(self._folder.name, f"{len(self._files)}.arrow")
            frame.write_ipc(path, compression="lz4")
            self._files.append((table, path))
        self._frames, self._rows = [], 0


def _sort(
    campaign: Campaign, one: ListFile, taken: Taken, books: Books, watch: Watch | None
) -> Iterator[Sorted]:
    section = campaign.list
    assert section.phone is not None
    for batch in one.batches():
        numbers = normalize(
            batch.rows,
            phone=section.phone,
            region=section.region,
            region_column=section.region_column,
            types=section.types,
        )
        sorted_rows = accept(
            batch.rows,
            numbers,
            batch.list_row,
            batch.list_line,
            taken,
            file=books.file,
            list_id=section.id,
            time_zone=section.time_zone,
            metadata=section.metadata,
        )
        sorted_rows = sorted_rows._replace(rejects=_with_broken(sorted_rows.rejects, batch))
        taken = sorted_rows.taken
        books.count(sorted_rows)
        if watch is not None:
            watch(books, batch.bytes_read, one.info.bytes)
        yield sorted_rows


def _with_broken(rejects: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    if batch.broken.is_empty():
        return rejects
    broken = batch.broken.with_columns(
        pl.lit(None, pl.String).alias("column_name"),
        pl.col("row").alias("raw"),
        pl.lit(None, pl.String).alias("suggestion"),
    ).select(REJECT_COLUMNS)
    return pl.concat([rejects, broken]).sort("list_row")


def _write(
    store: Store, campaign: Campaign, campaign_id: int, one: ListFile, books: Books, spool: Spool
) -> None:
    try:
        with store.write() as connection:
            load_id = store.execute(
                connection,
                ADD_LOAD,
                campaign_id=campaign_id,
                file=books.file,
                sha256=one.info.sha256,
                settings=campaign.list.model_dump_json(),
                encoding=one.info.encoding,
                delimiter=one.info.delimiter,
                rows_read=books.rows_read,
                rows_accepted=books.accepted,
                rows_rejected=books.rejected,
                rows_duplicate=books.duplicate,
                now_us=store.now_us(connection),
            )[0][0]
            keys = [pl.lit(campaign_id).alias("campaign_id"), pl.lit(load_id).alias("load_id")]
            for table, frame in spool.frames():
                append(connection, table, frame.with_columns(keys))
    except AlreadyThere as error:
        raise Busy(
            f"{books.file}: somebody else loaded the same numbers into '{campaign.name}' at the same time; "
            "nothing of this file was written, load it again"
        ) from error


def _taken(connection: Connection, campaign_id: int) -> Taken:
    frames = list(
        pl.read_database(
            text(TAKEN),
            connection,
            execute_options={"parameters": {"campaign_id": campaign_id}},
            iter_batches=True,
            batch_size=250_000,
            schema_overrides={
                "phone": pl.String,
                "list_id": pl.String,
                "list_row": pl.Int64,
                "file": pl.String,
            },
        )
    )
    if not frames:
        return NOTHING_TAKEN
    known = pl.concat(frames).with_columns(pl.format("row {} of {}", "list_row", "file").alias("place"))
    return Taken(
        known.select(pl.col("phone").str.slice(1).cast(pl.Int64).alias("number"), "place"),
        known.filter(pl.col("list_id").is_not_null()).select("list_id", "place"),
    )


def _was_loaded(store: Store, campaign_id: int, campaign: Campaign, one: ListFile) -> bool:
    with store.read() as connection:
        settings = campaign.list.model_dump_json()
        return bool(
            store.execute(
                connection, LOADED, campaign_id=campaign_id, sha256=one.info.sha256, settings=settings
            )
        )


def _check_columns(campaign: Campaign, one: ListFile) -> None:
    section = campaign.list
    if section.phone is None:
        raise BadInput(_which_phone(campaign, one))
    single: Sequence[str | None] = (section.region_column, section.id, section.time_zone)
    for column in (*section.phone, *(name for name in single if name), *section.metadata):
        try:
            find_column(column, one.info.columns)
        except BadInput as error:
            raise BadInput(f"{one.info.path}: {error}") from error


def _which_phone(campaign: Campaign, one: ListFile) -> str:
    likely = likely_phone_columns(next(one.batches(1000), one.info))
    hint = f'; likely: phone = "{likely[0]}"' if likely else ""
    columns = ", ".join(one.info.columns)
    return (
        f"{campaign.file}: list.phone is missing, expected the column that holds the numbers. "
        f"{one.info.path.name} has the columns {columns}{hint}"
    )


def _shown(one: ListFile, campaign: Campaign) -> str:
    path = one.info.path
    return str(path.relative_to(campaign.folder)) if path.is_relative_to(campaign.folder) else str(path)
