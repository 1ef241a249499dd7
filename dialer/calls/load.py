"""Load a campaign's lists: every row becomes a contact, a reject or a duplicate, and the books balance.

Each file is read, normalized and sorted first, and then written in one transaction: an interrupted load
leaves all of a file or nothing of it. SQLite has one writer at a time: a load waits for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import orjson
import polars as pl
import structlog
from sqlalchemy import Connection, text

from dialer.base.errors import BadInput, Busy
from dialer.calls import again, campaigns, groups, mended
from dialer.calls.books import Books as Books
from dialer.calls.books import Example as Example
from dialer.calls.known import read_taken
from dialer.calls.mended import MendedBatch, MendedList, as_mended
from dialer.calls.told import RAGGED
from dialer.campaign import Campaign
from dialer.campaign.campaign import ListSection
from dialer.contacts import normalize
from dialer.contacts.accept import REJECT_COLUMNS, Sorted, accept
from dialer.contacts.taken import Taken
from dialer.lists import Batch, ListFile, find_column, find_lists, likely_phone_columns, open_list, shown
from dialer.lists.names import spoken_names
from dialer.store.bulk import AlreadyThere, Stage
from dialer.store.database import Dialects, Store, StoreBusy

log = structlog.get_logger()

TRY_S = 2.0
"""How long a load tries to begin to write while another process does, before it says so and heeds Ctrl-C."""
TRIES_MAX = 300
"""How often it tries."""

LOAD_LOCK = 4_242_002
"""PostgreSQL's advisory lock, with a campaign's id, that lets one process at a time write a load of it."""

ADD_LOAD = Dialects(
    """
    INSERT INTO loads (campaign_id, file, sha256, settings, encoding, delimiter, columns, rows_read,
        rows_accepted, rows_rejected, rows_duplicate, loaded_at_us)
    VALUES (:campaign_id, :file, :sha256, :settings, :encoding, :delimiter, :columns, :rows_read,
        :rows_accepted, :rows_rejected, :rows_duplicate, :now_us)
    RETURNING load_id"""
)

LOADED = Dialects(
    """
    SELECT settings FROM loads WHERE campaign_id = :campaign_id AND sha256 = :sha256 ORDER BY load_id"""
)

Watch = Callable[[Books, int, int], None]
"""Called after each batch with the books so far, the bytes read and the bytes in all."""


def open_lists(campaign: Campaign, file: Path | None = None) -> list[ListFile]:
    """Open the campaign's lists (or `file` in their place) and make sure that every named column is there.

    An export of rejects is opened as the list that it came from.

    Raises:
        BadInput: a list is missing, empty or unreadable, or a column is not in it or holds no numbers.
    """
    paths = [file] if file is not None else find_lists(campaign.list.files, campaign.folder)
    section = campaign.list
    opened = [
        as_mended(open_list(path, section.sheets, section.phone or (), section.encoding)) for path in paths
    ]
    for one in opened:
        if section.phone is None:
            raise BadInput(_which_phone(campaign, one))
        try:
            _check_columns(campaign.list, one)
            _check_kinds(campaign.list, one)
        except BadInput as error:
            raise BadInput(f"{one.info.path}: {error}") from error
    return opened


def check_lists(
    campaign: Campaign,
    lists: Sequence[ListFile] | None = None,
    watch: Watch | None = None,
    contacts: Callable[[pl.DataFrame], None] | None = None,
) -> list[Books]:
    """Return what loading would do, as if nothing were loaded yet (see `loaded_before`); writes nothing.

    `contacts` is given each batch of them, with the columns of CONTACT_COLUMNS.
    """
    taken = Taken()
    all_books = []
    for one in open_lists(campaign) if lists is None else lists:
        books = Books(_shown(one, campaign), one.info.notes, one.info.found())
        for sorted_rows, _ in _sort(campaign, one, taken, books, watch):
            if contacts is not None:
                contacts(sorted_rows.contacts)
        all_books.append(books)
    return all_books


def loaded_before(store: Store, campaign: Campaign, lists: Sequence[ListFile]) -> list[bool]:
    """Return which of the lists `load` would pass over, because it loaded their very bytes in this way."""
    with store.read() as connection:
        known = campaigns.find(store, connection, campaign.name)
    if known is None:
        return [False] * len(lists)
    return [_as_it_is(campaign.list, _loaded(store, known.campaign_id, one)) for one in lists]


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
        Busy: somebody else loaded the same numbers at the same time, or was writing for ten minutes;
            nothing of the file is written.
    """
    opened = open_lists(campaign) if lists is None else lists
    with _in_turn(store.write) as connection:
        known = campaigns.register(store, connection, campaign)
        if known.state == "canceled":
            campaigns.refuse_unless_startable(known)
    taken: Taken | None = None
    all_books = []
    for one in opened:
        books = Books(_shown(one, campaign), one.info.notes, one.info.found())
        all_books.append(books)
        before = _loaded(store, known.campaign_id, one)
        if only_new and _as_it_is(campaign.list, before):
            books.skipped = True
            continue
        if taken is None:  # not before: a list that did not change is passed over at once
            with store.read() as connection:
                taken = read_taken(connection, known.campaign_id)
        numbered = groups.Numbered(store, known.campaign_id)
        with Stage(store) as stage:
            for sorted_rows, origin in _sort(campaign, one, taken, books, watch):
                _put(stage, campaign, known.campaign_id, sorted_rows, origin, numbered)
            _write(store, campaign, known.campaign_id, one, books, stage, before)
    return all_books


def _sort(
    campaign: Campaign, one: ListFile, taken: Taken, books: Books, watch: Watch | None
) -> Iterator[tuple[Sorted, pl.DataFrame | None]]:
    """Yield each batch sorted, and the rejects that its rows were where the file is an export of rejects."""
    section = campaign.list
    assert section.phone is not None
    taken.begin_file(books.file)
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
            list_id=section.id,
            time_zone=section.time_zone,
            state=section.state,
            postal_code=section.postal_code,
            metadata=section.metadata,
        )
        sorted_rows = sorted_rows._replace(rejects=_with_broken(sorted_rows.rejects, batch))
        books.count(sorted_rows)
        if watch is not None:
            watch(books, batch.bytes_read, one.info.bytes)
        yield sorted_rows, batch.origin if isinstance(batch, MendedBatch) else None


def _with_broken(rejects: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    if batch.broken.is_empty():
        return rejects
    broken = batch.broken.with_columns(
        pl.lit(None, pl.String).alias("column_name"),
        pl.col("row").alias("raw"),
        pl.lit(RAGGED).alias("suggestion"),
    ).select(REJECT_COLUMNS)
    return pl.concat([rejects, broken]).sort("list_row")


def _put(
    stage: Stage,
    campaign: Campaign,
    campaign_id: int,
    sorted_rows: Sorted,
    origin: pl.DataFrame | None,
    numbered: groups.Numbered,
) -> None:
    """Stage a batch; what an export of rejects brings updates nobody and calls nobody again."""
    stage.put("contacts", numbered.groups(sorted_rows.contacts))
    rejects = sorted_rows.rejects
    if origin is None:
        stage.put("rejected_rows", rejects.with_columns(pl.lit(None, pl.Int64).alias("origin_reject_id")))
        if campaign.list.again != "skip":
            same = pl.col("same_number")
            by_number = numbered.groups(sorted_rows.again.filter(same))
            by_key = sorted_rows.again.filter(~same).drop("window_key")
            stage.put(again.TABLE, pl.concat([by_number, by_key], how="diagonal"))
        return
    ours = origin.filter(pl.col("campaign_id") == campaign_id).select("list_row", "reject_id")
    stage.put(mended.TABLE, ours.select("reject_id"))
    origins = ours.rename({"reject_id": "origin_reject_id"})
    stage.put("rejected_rows", rejects.join(origins, on="list_row", how="left", maintain_order="left"))


def _write(
    store: Store,
    campaign: Campaign,
    campaign_id: int,
    one: ListFile,
    books: Books,
    stage: Stage,
    before: Sequence[str],
) -> None:
    try:
        with _in_turn(stage.write) as connection:
            _refuse_rival(store, connection, campaign_id, one, before)
            load_id = store.execute(
                connection,
                ADD_LOAD,
                campaign_id=campaign_id,
                file=books.file,
                sha256=one.sha256(),
                settings=campaign.list.model_dump_json(),
                encoding=one.info.encoding,
                delimiter=one.info.delimiter,
                columns=orjson.dumps(one.info.columns).decode(),
                rows_read=books.rows_read,
                rows_accepted=books.accepted,
                rows_rejected=books.rejected,
                rows_duplicate=books.duplicate,
                now_us=store.now_us(connection),
            )[0][0]
            stage.pour(connection, "contacts", campaign_id=campaign_id, load_id=load_id)
            stage.pour(connection, "rejected_rows", campaign_id=campaign_id, load_id=load_id)
            if isinstance(one, MendedList):
                mended.apply_mended(connection, stage, campaign_id, load_id)
            elif campaign.list.again != "skip":
                # The very same file calls nobody twice, whatever the campaign says of lists by now.
                may_call = campaign.list.again == "call_again" and not before
                again.apply_again(store, connection, stage, campaign, campaign_id, books, may_call=may_call)
    except AlreadyThere as error:
        raise Busy(
            f"{books.file}: somebody else loaded the same numbers into '{campaign.name}' at the same time; "
            "nothing of this file was written, load it again"
        ) from error


class _Write(Protocol):
    def __call__(self, *, patience_s: float) -> AbstractContextManager[Connection]: ...


@contextmanager
def _in_turn(write: _Write) -> Iterator[Connection]:
    """Begin a transaction that writes as soon as no other process does; it is said once that it waits."""
    with ExitStack() as transaction:
        tries = 1
        while True:
            try:
                connection = transaction.enter_context(write(patience_s=TRY_S))
                break
            except StoreBusy:
                if tries == TRIES_MAX:
                    raise
                if tries == 1:
                    log.info("load.waits", why="another process is writing to the database")
            tries += 1
        yield connection


def _refuse_rival(
    store: Store, connection: Connection, campaign_id: int, one: ListFile, before: Sequence[str]
) -> None:
    """Let one load of a campaign be written at a time, and none of a file that was loaded meanwhile."""
    if not store.is_sqlite:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:lock, CAST(:campaign_id AS integer))"),
            {"lock": LOAD_LOCK, "campaign_id": campaign_id},
        )
    loaded = store.execute(connection, LOADED, campaign_id=campaign_id, sha256=one.sha256())
    if len(loaded) != len(before):
        raise Busy(
            f"{one.info.path}: somebody else loaded the same file at the same time; "
            "nothing of it was written here, load it again"
        )


def _loaded(store: Store, campaign_id: int, one: ListFile) -> list[str]:
    """Return the list settings of each load of this very file into the campaign."""
    with store.read() as connection:
        rows = store.execute(connection, LOADED, campaign_id=campaign_id, sha256=one.sha256())
        return [row[0] for row in rows]


def _as_it_is(section: ListSection, loads: Sequence[str]) -> bool:
    return any(_same_settings(section, settings) for settings in loads)


def _same_settings(section: ListSection, before: str) -> bool:
    """Return whether a file was loaded as it would be now.

    A setting that an earlier version did not know had its default there, and is no news.
    """
    # Which files there are says nothing of how one of them is read.
    defaults = ListSection.model_construct(files=()).model_dump(mode="json", exclude={"files"})
    loaded, now = orjson.loads(before), section.model_dump(mode="json")
    return all(loaded.get(name, default) == now[name] for name, default in defaults.items())


def _check_columns(section: ListSection, one: ListFile) -> None:
    single: Sequence[str | None] = (section.region_column, section.id, section.time_zone)
    for column in (*(section.phone or ()), *(name for name in single if name), *section.metadata):
        find_column(column, one.info.columns)


def _check_kinds(section: ListSection, one: ListFile) -> None:
    """Make sure that the columns hold what can be read, before anything of any list is written."""
    if one.info.kinds is None:
        return
    normalize(
        pl.DataFrame(schema=one.info.kinds),
        phone=section.phone or (),
        region=section.region,
        region_column=section.region_column,
        types=section.types,
    )


def _which_phone(campaign: Campaign, one: ListFile) -> str:
    likely = likely_phone_columns(next(one.batches(1000), one.info))
    hint = f'; likely: phone = "{likely[0]}"' if likely else ""
    columns = spoken_names(one.info.columns, quote="")
    return (
        f"{campaign.file}: list.phone is missing, expected the column that holds the numbers. "
        f"{one.info.path.name} has the columns {columns}{hint}"
    )


def _shown(one: ListFile, campaign: Campaign) -> str:
    path = one.info.path
    return shown(path.relative_to(campaign.folder) if path.is_relative_to(campaign.folder) else path)
