"""How results look: tables and bars on a terminal, plain lines and JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:  # what takes long to import, and is only named here
    from dialer.calls.books import Books
    from dialer.calls.load import Watch


UNFOLDED = 10_000


def out() -> Console:
    """Return the console for results."""
    return _console(sys.stdout)


def err() -> Console:
    """Return the console for everything else."""
    return _console(sys.stderr)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2).decode() + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers to the right."""
    if title:
        out().print(title, markup=False, style="bold")
    table = Table()
    kept = [list(row) for row in rows]
    for number, column in enumerate(columns):
        right = bool(kept) and all(isinstance(row[number], int | float | None) for row in kept)
        table.add_column(column, justify="right" if right else "left")
    for row in kept:
        table.add_row(*(_cell(cell) for cell in row))
    out().print(table)


def print_books(all_books: Sequence[Books]) -> None:
    """Print what became of each list's rows, with its notes and the reasons for rejects."""
    console = out()
    for books in all_books:
        if books.skipped:
            console.print(f"{books.file}: loaded before, unchanged", markup=False)
            continue
        console.print(books.line(), markup=False)
        for note in (*books.notes, *books.doubts()):
            console.print(f"  note: {note}", markup=False)
        for reason, count in most_first(books.reasons):
            console.print(f"  {reason}: {count}", markup=False)


def most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the counts, the greatest first, and by name where they are equal."""
    return sorted(counts.items(), key=lambda one: (-one[1], str(one[0])))


@contextmanager
def loading_bar() -> Iterator[Watch | None]:
    """Show how far reading a list is; nothing moves where stderr is no terminal."""
    console = err()
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def watch(books: Books, done: int, whole: int) -> None:
            if books.file not in tasks:
                tasks[books.file] = progress.add_task(f"reading {books.file}", total=whole)
            progress.update(tasks[books.file], completed=done)

        yield watch


def _cell(value: object) -> str:
    return "" if value is None else escape(str(value))


def _console(stream: TextIO) -> Console:
    # Where nobody looks, nothing is folded: scripts read lines.
    return Console(file=stream, highlight=False, width=None if stream.isatty() else UNFOLDED)


def _plain(value: object) -> object:
    if hasattr(value, "_asdict"):
        return value._asdict()
    raise TypeError
