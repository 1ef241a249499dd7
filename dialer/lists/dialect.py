"""The first records of a text file -> its delimiter, its header, and where the rows begin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dialer.base.errors import BadInput
from dialer.lists.columns import looks_like_data, mend_names
from dialer.lists.exact import Record, line_ends, scan
from dialer.lists.records import ALONE
from dialer.lists.shape import DELIMITERS
from dialer.lists.titles import find_titles

SAMPLE_RECORDS = 500
SHOWN_CHARACTERS = 200

_SEPARATOR_LINE = re.compile(rb'"?sep=([,;\t|])"?[ \t]*(\r\n|\n|\r)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the text is cut: `rows_at` bytes of UTF-8 and lines up to `rows_line` are the header's."""

    delimiter: str | None
    columns: tuple[str, ...]
    rows_at: int
    rows_line: int
    notes: tuple[str, ...]


def find_dialect(path: Path, head: bytes, complete: bool, wanted: Sequence[str] = ()) -> Dialect:
    """Return how the file is cut, from the start of its text; `complete` says that there is no more.

    The header is the first row, or one soon below it that has one of the `wanted` names.

    Raises:
        BadInput: there is no header, or it is not sure which row is the header, or the first row is none.
    """
    said = _SEPARATOR_LINE.match(head)
    skipped = said.end() if said else 0
    text = head[skipped:]
    if not text.strip():
        raise BadInput(f"{path}: holds blank lines only, expected a header and rows")
    delimiters = said.group(1).decode() if said else (*DELIMITERS, ALONE.decode())
    titles = find_titles(path, text, delimiters, complete, wanted)
    skipped += titles.bytes
    text = text[titles.bytes :]
    delimiter = said.group(1).decode() if said else _find_delimiter(path, text, complete)
    header, rows = _sample(text, delimiter, complete)
    if header is None or header.fields is None:
        raise BadInput(f"{path}: the header cannot be read: {header.detail if header else 'it does not end'}")
    cells = _fit([field.decode() for field in header.fields], rows)
    if looks_like_data(cells):
        shown = text[header.start : header.end].decode()[:SHOWN_CHARACTERS]
        raise BadInput(
            f"{path}: the first row looks like data, not like a header: {shown!r};"
            " add a first line with the names of the columns"
        )
    columns, notes = mend_names(cells)
    return Dialect(
        delimiter=delimiter,
        columns=columns,
        rows_at=skipped + header.after,
        rows_line=1 + line_ends(head[: skipped + header.after]),
        notes=(
            *(_spoken(delimiter) if delimiter != "," else ()),
            *(("the first line names the delimiter",) if said else ()),
            *titles.notes,
            *notes,
            *(() if rows or not complete else ("there is a header and no row",)),
        ),
    )


def _spoken(delimiter: str | None) -> tuple[str, ...]:
    if delimiter is None:
        return ("one column, no delimiter",)
    return (f"fields are separated by {DELIMITERS[delimiter]}",)


def _find_delimiter(path: Path, text: bytes, complete: bool) -> str | None:
    """Return the delimiter that cuts header and rows into the same number of fields most often.

    The header must hold it, so that decimal commas do not win over the semicolon beside them.
    Among equals the one that makes more fields wins, then the one that prose uses least.
    """
    scores: dict[str, float] = {}
    wrong = ""
    for delimiter in ("\t", ";", "|", ","):
        header, rows = _sample(text, delimiter, complete)
        wrong = wrong or (header.detail if header else "it does not end")
        width = len(header.fields) if header and header.fields else 0
        if width < 2:
            continue
        alike = sum(record.fields is not None and len(record.fields) == width for record in rows)
        agreement = alike / len(rows) if rows else 1.0
        prose = any(field.startswith(b" ") for field in header.fields or ()) if header else False
        named = path.name.lower().split(".")[-2:]
        favour = 0.05 if "tsv" in named and delimiter == "\t" else -0.05 if prose else 0.0
        scores[delimiter] = (0.1 + agreement) * (1 - 1 / width) + favour
    if not scores and wrong:
        raise BadInput(f"{path}: the header cannot be read: {wrong}")
    return max(scores, key=lambda delimiter: scores[delimiter]) if scores else None


def _sample(text: bytes, delimiter: str | None, complete: bool) -> tuple[Record | None, list[Record]]:
    """Return the header's record and those of the first rows, blank lines left out."""
    records = scan(text, delimiter.encode() if delimiter else ALONE, final=complete)
    filled = (record for record in records if not record.blank)
    return next(filled, None), list(islice(filled, SAMPLE_RECORDS))


def _fit(cells: list[str], rows: list[Record]) -> list[str]:
    """Return the header with as many cells as the rows have fields, where only empty ones differ.

    Exports end the header, or every row, with one delimiter too many. That is a property of the
    file and decided here for all its rows; a single row with another number of fields is ragged,
    because nothing says which of its fields is missing.
    """
    widths = Counter(len(record.fields) for record in rows if record.fields is not None)
    if len(widths) != 1 or sum(widths.values()) != len(rows):
        return cells
    width = next(iter(widths))
    if width == len(cells) + 1 and all(not (record.fields or [b"x"])[-1] for record in rows):
        return [*cells, ""]
    if width == len(cells) - 1 and width > 0 and not cells[-1].strip():
        return cells[:-1]
    return cells
