"""A list -> a file of clean numbers and a file of rejects, no campaign needed; streamed, in order.

Reading, normalizing, rendering and writing overlap, a few batches at a time, so that memory does not grow
with the list. Both files appear when they are complete, or not at all.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import polars as pl

from dialer.base.errors import BadInput
from dialer.contacts import normalize
from dialer.lists import Batch, ListFile, find_column, shown
from dialer.tables.clean_rows import Answers, accepted_rows, count_reasons, no_rows, reasons, rejected_rows
from dialer.tables.firsts import Firsts
from dialer.tables.formats import Writer, writer_for
from dialer.tables.whole import check_place, whole_file

BATCH_ROWS = 131_072  # a tenth less work than with half or twice as many; 2 cores, 2026-11
THREADS = max(2, min(os.cpu_count() or 1, 4))
AHEAD = THREADS - 1  # one more in hand has no processor to wait for; it costs 170 MiB and a tenth of the time

Item = TypeVar("Item")
Result = TypeVar("Result")


class Numbers(NamedTuple):
    """Where a list has its numbers, and the region of those that are written without a country code."""

    phone: tuple[str, ...]
    region: str | None = None
    region_column: str | None = None


@dataclass
class CleanBooks:
    """What became of a list's rows: rows_read = accepted + rejected + duplicate."""

    file: str
    rows_read: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    repaired: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    """What the files could not hold."""

    def line(self) -> str:
        """Return the books in one line."""
        return (
            f"{self.file}: {self.rows_read} rows read = {self.accepted} accepted"
            f" + {self.rejected} rejected + {self.duplicate} duplicate"
        )

    def add(self, accepted: int, repaired: int, counts: Counter[str]) -> None:
        """Count one batch."""
        duplicate = counts["duplicate"]
        self.accepted += accepted
        self.repaired += repaired
        self.duplicate += duplicate
        self.rejected += counts.total() - duplicate
        self.rows_read += accepted + counts.total()
        self.reasons.update(counts)


Watch = Callable[[CleanBooks, int], None]
"""Called after each batch with the books so far and the bytes of the list that are behind us."""


def clean(
    one: ListFile,
    to: Path,
    numbers: Numbers,
    *,
    rejects: Path | None = None,
    unique: bool = False,
    watch: Watch | None = None,
) -> CleanBooks:
    """Write the list's dialable rows to `to` and the others to `rejects`; return the books.

    `unique` keeps the first row of each number; the others are rejects of reason `duplicate`.

    Raises:
        BadInput: nothing was written: a column, a region or a place for a file that is not there.
        NotReady: a file could not be written to its end; what was there before is still there.
    """
    _check(one, to, rejects, numbers)
    books, name = CleanBooks(shown(one.info.path)), shown(Path(one.info.path.name))
    with ExitStack() as files:
        # The last one opened is the first one complete: where there is a clean file, its rejects are too.
        good = _open(files, to)
        bad = _open(files, rejects) if rejects else None
        with ThreadPoolExecutor(THREADS) as pool, ThreadPoolExecutor(1) as hand:

            def render(answers: Answers) -> _Parts:
                return _parts(answers, name, numbers.phone, good, bad)

            parts = _rendered(one, numbers, unique, pool, render)
            for part in _in_order(hand, lambda part: _put(part, good, bad), parts):
                books.add(part.accepted, part.repaired, part.reasons)
                if watch is not None:
                    watch(books, part.bytes_read)
        if not books.rows_read:
            _put(_parts(no_rows(one.info.columns), name, numbers.phone, good, bad), good, bad)
        written = [(to, good), *([(rejects, bad)] if rejects and bad else [])]
        books.notes = [f"{shown(Path(path.name))}: {note}" for path, file in written for note in file.notes()]
    return books


def _check(one: ListFile, to: Path, rejects: Path | None, numbers: Numbers) -> None:
    path, columns = one.info.path, one.info.columns
    for column in (*numbers.phone, *([numbers.region_column] if numbers.region_column else [])):
        try:
            find_column(column, columns)
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from error
    for place in (to, *([rejects] if rejects else [])):
        writer_for(place)
        check_place(place)
        if place.exists() and place.samefile(path):
            raise BadInput(f"{place}: is the list itself, which is never written over; choose another name")
    if rejects is not None and to.resolve() == rejects.resolve():
        raise BadInput(f"{to}: is named for the clean rows and for the rejects; choose two names")
    # A region that does not exist is known before the first row is read.
    normalize(pl.DataFrame(schema=dict.fromkeys(columns, pl.String)), *numbers)


def _open(files: ExitStack, path: Path) -> Writer:
    part = files.enter_context(whole_file(path))
    writer: Writer = writer_for(path)(part)
    return files.enter_context(writer)


class _Parts(NamedTuple):
    """A batch as it goes into the files, and what its books need."""

    accepted: int
    repaired: int
    reasons: Counter[str]
    bytes_read: int
    good: Any
    bad: Any


def _rendered(
    one: ListFile, numbers: Numbers, unique: bool, pool: Executor, parts: Callable[[Answers], _Parts]
) -> Iterator[_Parts]:
    """Yield the batches as they go into the files, in order."""

    def answer(batch: Batch) -> Answers:
        return _answer(one, batch, numbers)

    batches = one.batches(BATCH_ROWS)
    if not unique:  # a batch needs no other: it goes all the way in one thread
        return _in_order(pool, lambda batch: parts(answer(batch)), batches)
    return _in_order(pool, parts, _without_doubles(_in_order(pool, answer, batches)))


def _in_order(pool: Executor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield what `work` makes of the items, in their order; a few are worked on ahead."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _answer(one: ListFile, batch: Batch, numbers: Numbers) -> Answers:
    try:
        answer = normalize(batch.rows, *numbers)
    except BadInput as error:
        raise BadInput(f"{one.info.path}: {error}") from error
    return Answers(batch, answer, answer["phone"].is_not_null())


def _without_doubles(answers: Iterable[Answers]) -> Iterator[Answers]:
    """Yield the answers; a row whose number came before is not accepted any more."""
    firsts = Firsts()
    for one in answers:
        numbers = one.numbers["phone"].filter(one.accepted).str.slice(1).cast(pl.Int64)
        earlier = np.zeros(len(one.accepted), dtype=np.int64)
        rows = one.batch.list_row.filter(one.accepted)
        earlier[one.accepted.to_numpy()] = firsts.add(numbers.to_numpy(), rows.to_numpy())
        first = pl.Series("first", earlier)
        yield one._replace(accepted=one.accepted & (first == 0), first=first)


def _parts(one: Answers, file: str, phones: Sequence[str], good: Writer, bad: Writer | None) -> _Parts:
    why = reasons(one)
    repaired = one.accepted & one.numbers["repaired"].is_not_null()
    return _Parts(
        int(one.accepted.sum()),
        int(repaired.sum()),
        count_reasons(why, one.batch.broken),
        one.batch.bytes_read,
        good.render(accepted_rows(one), one.accepted),
        bad.render(rejected_rows(one, why, file, phones)) if bad else None,
    )


def _put(part: _Parts, good: Writer, bad: Writer | None) -> _Parts:
    good.put(part.good)
    if bad is not None:
        bad.put(part.bad)
    return part._replace(good=None, bad=None)
