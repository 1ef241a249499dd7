"""One record at a time, exactly: the way for text whose quotes no column expression can trust.

The rules are those of Python's csv module: a quote opens a field only as its first character, two
quotes inside are one, text after the closing quote is kept. Three more keep one wrong quote from
swallowing the rows after it: a quote that is never closed, a quoted field that crosses lines and is
then followed by other text, and one that is long and full of what reads like the rows of the list,
break only the line on which the quote stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

QUOTE = b'"'
FIELD_BYTES_MAX = 32 << 20
"""A quote whose next quote is further away than this, and on another line, was never closed."""
SURE_BYTES = 1 << 20
"""Where the next quote is further away than this, and on another line, what is between them is looked at."""
ROWS_SHARE = 0.8
"""Text is rows when so many of its lines have as many fields as the list has columns."""

_LINE_END = re.compile(rb"\r\n|\n|\r")


class Record(NamedTuple):
    """One record: `data[start:end]`, and `after` where the next one starts.

    `fields` is None where the record cannot be told apart into fields; `detail` then says why.
    """

    start: int
    end: int
    after: int
    fields: list[bytes] | None
    detail: str = ""

    @property
    def blank(self) -> bool:
        """Whether nothing stands on the line."""
        return self.start == self.end


def scan(data: bytes, delimiter: bytes, final: bool, columns: int | None = None) -> Iterator[Record]:
    """Yield the records of `data` in order, blank lines too; `columns` says how many fields a row has.

    Ends early, before a record that may go on in what was not read yet, unless `final`.
    """
    start = 0
    while start < len(data):
        record = _record(data, start, delimiter, final, columns)
        if record is None:
            return
        yield record
        start = record.after


def _record(data: bytes, start: int, delimiter: bytes, final: bool, columns: int | None) -> Record | None:
    line = _line_end(data, start, final)
    if line is None and final is False and data.find(QUOTE, start) < 0:
        return None
    if line is not None:
        text = data[start : line[0]]
        if QUOTE not in text or not (text.startswith(QUOTE) or delimiter + QUOTE in text):
            return Record(start, line[0], line[1], text.split(delimiter))
    return _quoted_record(data, start, delimiter, final, columns)


def _quoted_record(
    data: bytes, start: int, delimiter: bytes, final: bool, columns: int | None
) -> Record | None:
    fields: list[bytes] = []
    position = start
    while True:
        quoted = data.startswith(QUOTE, position)
        close = _closing(data, position, delimiter, final, columns) if quoted else position
        if close is None:
            return None
        if close < 0:
            return _broken(
                data, start, position, final, f"the quote of field {len(fields) + 1} is not closed"
            )
        tail = close + 1 if quoted else position
        end = _field_end(data, tail, delimiter, final)
        if end is None:
            return None
        rest = data[tail:end]
        if quoted and rest.strip(b" \t") and _LINE_END.search(data, position, close):
            detail = f"the quote of field {len(fields) + 1} is not closed on its line, and the next one is"
            return _broken(data, start, position, final, f"{detail} followed by other text")
        fields.append(data[position + 1 : close].replace(b'""', QUOTE) + rest if quoted else rest)
        if data.startswith(delimiter, end):
            position = end + len(delimiter)
            continue
        line = _line_end(data, end, final)
        return Record(start, end, line[1], fields) if line else None


def _closing(data: bytes, opening: int, delimiter: bytes, final: bool, columns: int | None) -> int | None:
    """Return where the quote that stands at `opening` is closed, -1 if never, None if not known yet."""
    position = opening + 1
    while True:
        close = data.find(QUOTE, position, position + FIELD_BYTES_MAX)
        if close < 0 and position + FIELD_BYTES_MAX <= len(data):
            line = _LINE_END.search(data, opening)
            if line is None and final is False:
                return None
            close = data.find(QUOTE, position, line.start() if line else len(data))
        if close < 0:
            return -1 if final or position + FIELD_BYTES_MAX <= len(data) else None
        if close - position >= SURE_BYTES and _is_rows(data, position, close, delimiter, columns):
            return -1
        if close + 1 == len(data) and not final:
            return None  # the next byte may be a second quote
        if not data.startswith(QUOTE, close + 1):
            return close
        position = close + 2


def _is_rows(data: bytes, start: int, end: int, delimiter: bytes, columns: int | None) -> bool:
    """Return whether the lines of a long stretch without a quote read like rows, by the first of them."""
    lines = [line for line in data[start : min(end, start + SURE_BYTES)].splitlines()[1:-1] if line]
    alike = sum(line.count(delimiter) + 1 == columns for line in lines)
    return bool(lines) and alike >= ROWS_SHARE * len(lines)


def _broken(data: bytes, start: int, opening: int, final: bool, detail: str) -> Record | None:
    line = _line_end(data, opening, final)
    return Record(start, line[0], line[1], None, detail) if line else None


def _line_end(data: bytes, position: int, final: bool) -> tuple[int, int] | None:
    """Return where the line ends and where the next starts; None when that is not known yet."""
    found = _LINE_END.search(data, position)
    if found is None:
        return (len(data), len(data)) if final else None
    if found.end() == len(data) and found.group() == b"\r" and not final:
        return None  # the next byte may be its line feed
    return found.start(), found.end()


def _field_end(data: bytes, position: int, delimiter: bytes, final: bool) -> int | None:
    found = _field_ends(delimiter).search(data, position)
    if found is None:
        return len(data) if final else None
    return found.start()


@cache
def _field_ends(delimiter: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"[\r\n]|" + re.escape(delimiter))


def line_ends(text: bytes) -> int:
    """Return how many line ends a text editor sees: CRLF, LF and lone CR count one each."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")
