"""What `dialer check` shows of a list: how it is read, who would be called, and who would not, and why."""

from __future__ import annotations

from collections import Counter

from dialer.calls.books import Books, Example
from dialer.cli.show import most_first, out
from dialer.lists import ListInfo

SHOWN_COUNTS = 12


def print_check(info: ListInfo, books: Books) -> None:
    """Print a list's books, with examples for each reason, and what its accepted rows are."""
    console = out()
    for line in check_lines(info, books):
        console.print(line, markup=False, soft_wrap=True)


def check_lines(info: ListInfo, books: Books) -> list[str]:
    """Return what is to be said of a list, line by line."""
    lines = [f"{books.file}: {info.found()}", books.line()]
    lines += [f"  note: {note}" for note in (*books.notes, *books.doubts())]
    for reason, count in most_first(books.reasons):
        lines.append(f"  {reason}: {count}")
        lines += [f"    {_example(one, reason)}" for one in books.examples.get(reason, ())]
    lines.append(f"  countries: {_counts(books.regions)}")
    lines.append(f"  line types: {_counts(books.types)}")
    lines.append(f"  time zones: {_counts(_zones(books.zones))}")
    repairs = f" ({_counts(_kinds(books.repairs))})" if books.repaired else ""
    lines.append(f"  repaired: {books.repaired}{repairs}")
    return lines


def _example(one: Example, reason: str) -> str:
    place = f"row {one.list_row}" + (f" (line {one.list_line})" if one.list_line else "")
    raw = "" if one.raw is None else f"{one.raw!r}: "
    mend = f" -> {one.suggestion}" if one.suggestion else ""
    return f"{place}: {raw}{one.detail or reason}{mend}"


def _counts(counts: Counter[str]) -> str:
    in_order = most_first(counts)
    shown = [f"{name} {count}" for name, count in in_order[:SHOWN_COUNTS]]
    others = in_order[SHOWN_COUNTS:]
    if others:
        shown.append(f"{len(others)} others {sum(count for _, count in others)}")
    return ", ".join(shown) or "none"


def _zones(zones: Counter[str]) -> Counter[str]:
    """Return the counts by zone; numbers that may be in one of several zones stand together."""
    found: Counter[str] = Counter()
    for names, count in zones.items():
        several = len(names.split(",")) if names else 0
        found[names if several == 1 else f"one of {several} zones" if several else "no zone"] += count
    return found


def _kinds(repairs: Counter[str]) -> Counter[str]:
    """Return the counts by kind; a cell may have been repaired in several ways."""
    found: Counter[str] = Counter()
    for notes, count in repairs.items():
        for note in notes.split("; "):
            found[note] += count
    return found
