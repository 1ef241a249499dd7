"""Lines above a text file's header: found where it is sure which line is the header, refused where it is not.

People put a title above a table, and programs a remark. A header is known by the names that the caller
wants; without them the first line is the header.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from dialer.base.errors import BadInput
from dialer.lists.columns import INVISIBLE
from dialer.lists.exact import Record, scan

TITLE_ROWS_MAX = 10
ROWS_SHOWN = 3
SHOWN_CHARACTERS = 80


class Titles(NamedTuple):
    """How many bytes are above the header, and what is to be said of them."""

    bytes: int
    notes: tuple[str, ...]


def find_titles(
    path: Path, text: bytes, delimiters: Sequence[str], complete: bool, wanted: Sequence[str]
) -> Titles:
    """Return what stands above the first line with one of the `wanted` names; nothing where there is none.

    Raises:
        BadInput: a line above it has as many filled fields as it has, and may be the header.
    """
    found: list[tuple[int, list[Record]]] = []
    for delimiter in delimiters:
        records = scan(text, delimiter.encode(), final=complete)
        first = list(islice((record for record in records if not record.blank), TITLE_ROWS_MAX + 1))
        at = next((at for at, record in enumerate(first) if _names(record) & set(wanted)), None)
        if at == 0:
            return Titles(0, ())
        if at is not None:
            found.append((at, first))
    if not found:
        return Titles(0, ())
    # A name that is a field of its own however the line is cut is alone on it: the one column of a list.
    at, first = max(found, key=lambda each: len(_names(each[1][each[0]])))
    if any(len(_names(record)) >= len(_names(first[at])) for record in first[:at]):
        raise BadInput(
            f"{path}: row {at + 1} has the wanted names, and a row above it may be the header too:"
            f" {_shown(text, first[: max(at + 1, ROWS_SHOWN)])}; take away what is above the header"
        )
    said = f"above the header and not read: {_shown(text, first[:at])}"
    return Titles(first[at].start, (said,))


def _names(record: Record) -> set[str]:
    """Return the filled fields, as names; of a record that cannot be cut, none."""
    cells = (field.decode("utf-8", "replace").strip(INVISIBLE) for field in record.fields or ())
    return {cell for cell in cells if cell}


def _shown(text: bytes, records: Sequence[Record]) -> str:
    lines = (text[record.start : record.end].decode("utf-8", "replace") for record in records)
    return ", ".join(repr(line[:SHOWN_CHARACTERS]) for line in lines)
