"""`dialer normalize`: a list to clean numbers, no campaign needed."""

from __future__ import annotations

import gc
import shlex
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dialer.base.errors import BadInput
from dialer.cli.guess import country_column, guess_columns, shares
from dialer.cli.show import err, most_first, out, print_json
from dialer.contacts.reading.reader import READER
from dialer.lists import ListFile, open_list, shown
from dialer.lists.names import spoken_names
from dialer.tables.clean import CleanBooks, Numbers, Watch, clean
from dialer.tables.clean_rows import own_names


def normalize(
    file: Annotated[
        Path, Parameter(help="The list: CSV, TSV or other text, Parquet, Excel; plain or packed.")
    ],
    /,
    *,
    to: Path,
    phone: tuple[str, ...] = (),
    region: str | None = None,
    region_column: str | None = None,
    unique: bool = False,
    rejects: Path | None = None,
    sheet: tuple[str, ...] = (),
    encoding: str | None = None,
    json: bool = False,
) -> int:
    """Write the rows of a list that can be dialled, with their numbers in E.164; the others to the rejects.

    Args:
        to: The file for the clean rows, by its ending: .parquet, .csv, .csv.gz, .xlsx or .jsonl.
        phone: The column that holds the numbers; several, tried in order, where it is given several times.
        region: The country of numbers without a country code, such as IN.
        region_column: A column with each row's own country, as ISO code or name; wins over --region.
        unique: Keep the first row of each number; the others go to the rejects.
        rejects: The file for the other rows, each with its line, reason and suggestion.
        sheet: The sheet of an Excel workbook to read; every visible one where left out.
        encoding: The encoding of a text file, such as cp1250; found by its bytes where left out.
        json: Print one JSON document instead of lines.
    """
    with ThreadPoolExecutor(1) as beside:
        beside.submit(READER.ready)  # the number plans are loaded while the list is looked at
        one = open_list(file, sheet or None, phone, encoding)
    if not phone:
        raise BadInput(_which_phone(one, region, region_column))
    gc.freeze()  # what was imported stays: not to be looked through again and again
    with _terminated_is_interrupted(), _bar(one) as watch:
        books = clean(
            one, to, Numbers(phone, region, region_column), rejects=rejects, unique=unique, watch=watch
        )
    if json:
        notes = [*one.info.notes, *books.notes]
        print_json({**vars(books), "notes": notes, "to": shown(to), "rejects": _text(rejects)})
        return 0
    _print(one, books, to, rejects, region_known=bool(region or region_column))
    return 0


def _print(one: ListFile, books: CleanBooks, to: Path, rejects: Path | None, *, region_known: bool) -> None:
    console = out()
    console.print(books.line(), markup=False)
    for note in one.info.notes:
        console.print(f"  note: {note}", markup=False)
    for name, new in own_names(one.info.columns).items():
        if name != new:
            console.print(
                f"  note: the list's own column '{name}' is called '{new}' in {shown(Path(to.name))}",
                markup=False,
            )
    for note in books.notes:
        console.print(f"  note: {note}", markup=False)
    for reason, count in most_first(books.reasons):
        console.print(f"  {reason}: {count}", markup=False)
    if books.repaired:
        console.print(f"  repaired: {books.repaired}", markup=False)
    console.print(f"{books.accepted} rows in {shown(to)}", markup=False)
    left = books.rejected + books.duplicate
    if rejects is not None:
        console.print(f"{left} rows in {shown(rejects)}", markup=False)
    elif left:
        console.print(f"{left} rows were left out; to see them: --rejects rejects.csv", markup=False)
    if books.reasons["no_region"] and not region_known:
        named = country_column(one)
        column = shlex.quote(named) if named else "the column that names countries"
        said = f"--region DE, if they are German, or --region-column {column}"
        console.print(f"numbers without a country code need {said}", markup=False, soft_wrap=True)


def _which_phone(one: ListFile, region: str | None, region_column: str | None) -> str:
    guess = guess_columns(one, region, region_column)
    columns = spoken_names(one.info.columns)
    said = (
        f"--phone is missing, expected the column of {one.info.path} that holds the numbers; it has {columns}"
    )
    if not guess.phones:
        return f"{said}. None of them looks like phone numbers"
    more = f" --region-column {shlex.quote(guess.region_column)}" if guess.region_column else ""
    written = [f"--phone {shlex.quote(proposal.column)}{more}" for proposal in guess.phones]
    return "\n".join([f"{said}. Likely:", *shares(guess, written)])


@contextmanager
def _bar(one: ListFile) -> Iterator[Watch | None]:
    """Show how far the list is; nothing moves where stderr is no terminal."""
    console = err()
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(shown(Path(one.info.path.name)), total=one.info.bytes, rows=0)

        def watch(books: CleanBooks, bytes_read: int) -> None:
            progress.update(task, completed=bytes_read, rows=books.rows_read)

        yield watch


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """Let SIGTERM end the work as Ctrl-C does, so that no half file stays behind."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _text(path: Path | None) -> str | None:
    return None if path is None else shown(path)
