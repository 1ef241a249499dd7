"""Blocks of UTF-8 text -> rows and broken records, each with its number and its line.

Compiled code splits the text where there is some (`split.py`). What it is in doubt about, and everything
where there is none, is read in one of four ways, the cheapest that is exact for each stretch of text:

- *plain*, no quote in it: lines are records. When the delimiters add up and polars, which refuses a
  row with too many fields, takes it, then every row has exactly its fields.
- *whole*, quotes that are well formed and no row that is blank or ragged: polars reads them all. Where it
  finds as many rows as there are newlines, each of them ends a record; else the parity of quotes says which.
- *columns*, the same with blank or ragged rows: delimiters outside quotes are counted as well, and polars
  reads the good rows.
- *exact*, a quote that is not well formed: record by record, until the text is well formed again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from dialer.base.errors import BadInput
from dialer.lists.exact import QUOTE, SURE_BYTES, Record, line_ends, scan
from dialer.lists.marks import Bytes, Marks, Positions, good_end, mark, outside_quotes
from dialer.lists.shape import BROKEN_SCHEMA, no_broken
from dialer.lists.split import Ended, can_split, split

ALONE = b"\x00"
"""The delimiter of a file of one column: none, as a NUL never comes here; text is read without them."""

EXACT_BYTES = 16 << 10
"""How much is read record by record after a bad quote, at first."""
NEAR_BYTES = 1 << 20
"""How much is looked at by column after that, at first: a block full of bad quotes stays cheap."""
DOUBTFUL_BYTES = 16 << 10
"""How much is read in the other ways where compiled code is in doubt, at first."""
RECORD_BYTES_MAX = 64 << 20


class Piece(NamedTuple):
    """Some records that follow each other; the same promises as `Batch`."""

    rows: pl.DataFrame
    list_row: pl.Series
    list_line: pl.Series
    broken: pl.DataFrame


class RecordReader:
    """Turns text into pieces, and knows the number and the line of the record that comes next."""

    def __init__(self, columns: tuple[str, ...], delimiter: str | None, next_line: int) -> None:
        self.columns = columns
        self.delimiter = delimiter.encode() if delimiter else ALONE
        self.next_row = 1
        self._split_text = can_split()
        self.next_line = next_line
        names = [f"c{number}" for number in range(len(columns))]
        self._header = self.delimiter.join(name.encode() for name in names) + b"\n"
        self._schema = dict.fromkeys(names, pl.String)

    def read(self, data: bytes, final: bool) -> tuple[list[Piece], bytes]:
        """Return the pieces of the complete records, and the bytes of the one that goes on."""
        pieces: list[Piece] = []
        at, exact_bytes = 0, EXACT_BYTES
        window = 0 if self._split_text else len(data)
        # Each round gets further in the text, or looks at more of it, until it has looked at all of it.
        while at < len(data):
            if self._split_text:
                piece, end, ended = self._split(data, at, final)
                if piece is not None:
                    pieces.append(piece)
                # Where doubt comes again and again, more is read at once in the other ways.
                window = max(DOUBTFUL_BYTES, 0 if end - at > window else window * 2)
                at = end
                if ended == Ended.FULL:
                    continue
                if ended == Ended.READ:
                    break
            last = at + window >= len(data)
            piece, used, exact = self._next(data[at : at + window], final and last, exact_bytes)
            if piece is None and last:
                break
            if piece is not None:
                assert used > 0, "a piece of no text"
                pieces.append(piece)
                at += used
            window = NEAR_BYTES if exact else window * 4
            if exact:
                exact_bytes *= 2
            elif used > EXACT_BYTES:
                exact_bytes = EXACT_BYTES
        if len(data) - at > RECORD_BYTES_MAX:
            limit = f"{RECORD_BYTES_MAX >> 20} MiB"
            raise BadInput(
                f"line {self.next_line}: is longer than {limit}, which is no row of a list;"
                " or a quote on it is not closed"
            )
        return pieces, data[at:]

    def _split(self, data: bytes, at: int, final: bool) -> tuple[Piece | None, int, Ended]:
        """Return the records up to the first that is doubtful, where that is, and why it ended."""
        found = split(data, at, self.columns, self.delimiter[0], final)
        if found is None:
            return None, at, Ended.DOUBTFUL
        broken = [
            (self.next_row + number, self.next_line + line, data[start:end], self._miscounted(fields))
            for number, line, start, end, fields in found.broken.tolist()
        ]
        piece = Piece(
            found.rows,
            _series(self.next_row + found.number),
            _series(self.next_line + found.line),
            _broken(broken),
        )
        self.next_row += found.records
        self.next_line += found.lines
        return piece if found.records else None, found.used, found.ended

    def _next(self, text: bytes, final: bool, exact_bytes: int) -> tuple[Piece | None, int, bool]:
        """Return what can be read from the start of `text` in one way, its length, and if exactly."""
        if QUOTE not in text:
            lines_end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
            used = len(text) if final else lines_end
            return (self._plain(text[:used]), used, False) if used else (None, 0, False)
        used, bad = good_end(text, self.delimiter[0], final)
        if used:
            data = text[:used]
            piece = self._whole(data)
            if piece is None:
                piece = self._by_columns(data, mark(data, self.delimiter[0], quoted=True))
            return piece, used, False
        if not (bad or final or len(text) > SURE_BYTES):
            return None, 0, False
        used = self._without_quoted_fields(text)
        if used > exact_bytes:
            return self._plain(text[:used]), used, False
        piece, used = self._exactly(text, final, exact_bytes)
        return (piece, used, True) if used else (None, 0, False)

    def _without_quoted_fields(self, text: bytes) -> int:
        """Return up to where no field starts with a quote, so that quotes are characters like any."""
        starts = (text.find(before + QUOTE) for before in (self.delimiter, b"\n", b"\r"))
        first = 0 if text.startswith(QUOTE) else min((at for at in starts if at >= 0), default=len(text) - 1)
        return max(text.rfind(b"\n", 0, first + 1), text.rfind(b"\r", 0, first)) + 1

    def _plain(self, data: bytes) -> Piece:
        """Read lines without quoted fields; a stretch where it does not add up goes by columns."""
        values = np.frombuffer(data, dtype=np.uint8)
        if b"\r" in data and _lone_returns(values):
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            values = np.frombuffer(data, dtype=np.uint8)
        lines = int(np.count_nonzero(values == 10)) + (values[-1] != 10)
        delimiters = int(np.count_nonzero(values == self.delimiter[0]))
        width = len(self.columns)
        if delimiters != lines * (width - 1) or (width == 1 and _has_blank_line(data)):
            return self._by_columns(data, mark(data, self.delimiter[0], quoted=False), quoted=False)
        try:
            rows = self._frame(data, quoted=False)
        except pl.exceptions.ComputeError:
            return self._by_columns(data, mark(data, self.delimiter[0], quoted=False), quoted=False)
        assert rows.height == lines, "polars and we disagree on the lines of a stretch"
        starts = np.arange(lines, dtype=np.int64)
        piece = Piece(rows, _series(self.next_row + starts), _series(self.next_line + starts), no_broken())
        self.next_row += lines
        self.next_line += lines
        return piece

    def _whole(self, data: bytes) -> Piece | None:
        """Read whole records with well-formed quotes, None where one of them may be blank or ragged.

        Polars refuses a row with too many fields, and one with too few has null in its last column.
        """
        values = np.frombuffer(data, dtype=np.uint8)
        # Of one column polars takes a second, empty field without a word.
        if len(self.columns) == 1 or (b"\r" in data and _lone_returns(values)):
            return None
        try:
            # At the very end polars takes one delimiter too many; before a line end it refuses it.
            rows = self._parsed(data if values[-1] == 10 else data + b"\n", quoted=True)
        except pl.exceptions.ComputeError:
            return None
        height = rows.height
        if rows[:, -1].null_count():
            delimiters = (values == self.delimiter[0]) & outside_quotes(values)
            if np.count_nonzero(delimiters) != height * (len(self.columns) - 1):
                return None
        lines = int(np.count_nonzero(values == 10)) + (values[-1] != 10)
        starts = np.arange(height, dtype=np.int64)
        if height != lines:
            found = self._starts(values)
            if len(found) != height:
                return None
            starts = found
        number = self.next_row + np.arange(height, dtype=np.int64)
        piece = Piece(self._tidy(rows, data), _series(number), _series(self.next_line + starts), no_broken())
        self.next_row += height
        self.next_line += lines
        return piece

    def _starts(self, values: Bytes) -> Positions:
        """Return how many newlines stand before each record, where some stand inside quotes."""
        newlines = np.flatnonzero(values == 10)
        ends = np.flatnonzero(outside_quotes(values)[newlines]) + 1
        last = values[-1] == 10
        return np.concatenate(([0], ends[:-1] if last else ends)).astype(np.int64)

    def _by_columns(self, data: bytes, marks: Marks, quoted: bool = True) -> Piece:
        """Read whole records with well-formed quotes, if any; the ragged ones are set aside."""
        values = np.frombuffer(data, dtype=np.uint8)
        lone = marks.lone_returns(values)
        if (lone & marks.outside).any():
            values = values.copy()
            values[marks.at[lone & marks.outside]] = 10
            data = values.tobytes()
            marks = marks._replace(kind=values[marks.at])
            lone &= ~marks.outside
        is_end = (marks.kind == 10) & marks.outside
        breaks = np.cumsum((marks.kind == 10) | lone)
        delimiters = np.cumsum((marks.kind == self.delimiter[0]) & marks.outside)
        ends, lines, counts = marks.at[is_end], breaks[is_end], delimiters[is_end]
        if values[-1] != 10:  # the last record of the file
            ends, lines = np.append(ends, len(data)), np.append(lines, np.sum((marks.kind == 10) | lone) + 1)
            counts = np.append(counts, delimiters[-1] if len(delimiters) else 0)
        starts = np.concatenate(([0], ends[:-1] + 1))
        text_ends = ends - (values[np.maximum(ends - 1, 0)] == 13)
        fields = np.diff(counts, prepend=0) + 1
        present = text_ends > starts
        good = present & (fields == len(self.columns))
        number = self.next_row - 1 + np.cumsum(present)
        line = self.next_line + np.concatenate(([0], lines[:-1]))
        clean = data if good.all() else values[np.repeat(good, ends + 1 - starts)[: len(values)]].tobytes()
        rows = self._frame(clean, quoted)
        assert rows.height == np.count_nonzero(good), "polars and we disagree on the records of a stretch"
        broken = [
            (
                int(number[at]),
                int(line[at]),
                data[starts[at] : text_ends[at]],
                self._miscounted(int(fields[at])),
            )
            for at in np.flatnonzero(present & ~good)
        ]
        self.next_row += int(np.count_nonzero(present))
        self.next_line += int(lines[-1])
        return Piece(rows, _series(number[good]), _series(line[good]), _broken(broken))

    def _exactly(self, data: bytes, final: bool, stretch: int) -> tuple[Piece, int]:
        """Read record by record until `stretch` bytes are behind; also return how many were used."""
        used = 0
        good: list[tuple[int, int, list[bytes]]] = []
        broken: list[tuple[int, int, bytes, str]] = []
        for record in scan(data, self.delimiter, final, len(self.columns)):
            if not record.blank:
                self._sort(record, data, good, broken)
                self.next_row += 1
            self.next_line += line_ends(data[record.start : record.after]) or 1
            used = record.after
            if used >= stretch:
                break
        rows = pl.DataFrame(
            [[fields[at].decode() or None for _, _, fields in good] for at in range(len(self.columns))],
            schema=dict.fromkeys(self.columns, pl.String),
            orient="col",
        )
        numbers = np.array([number for number, _, _ in good], dtype=np.int64)
        lines = np.array([line for _, line, _ in good], dtype=np.int64)
        return Piece(rows, _series(numbers), _series(lines), _broken(broken)), used

    def _sort(
        self,
        record: Record,
        data: bytes,
        good: list[tuple[int, int, list[bytes]]],
        broken: list[tuple[int, int, bytes, str]],
    ) -> None:
        if record.fields is not None and len(record.fields) == len(self.columns):
            good.append((self.next_row, self.next_line, record.fields))
            return
        detail = record.detail or self._miscounted(len(record.fields or ()))
        broken.append((self.next_row, self.next_line, data[record.start : record.end], detail))

    def _miscounted(self, fields: int) -> str:
        counted = "1 field" if fields == 1 else f"{fields} fields"
        return f"{counted} where the header has {len(self.columns)}"

    def _frame(self, data: bytes, quoted: bool) -> pl.DataFrame:
        rows = self._parsed(data, quoted)
        return self._tidy(rows, data) if quoted else rows

    def _parsed(self, data: bytes, quoted: bool) -> pl.DataFrame:
        # The header line keeps polars from taking the first bytes for a byte order mark or an archive.
        rows = pl.read_csv(
            self._header + data,
            separator=self.delimiter.decode(),
            quote_char='"' if quoted else None,
            schema=self._schema,
        )
        rows.columns = list(self.columns)
        return rows

    def _tidy(self, rows: pl.DataFrame, data: bytes) -> pl.DataFrame:
        """Return the rows with null for fields of two quotes and nothing between them."""
        return rows.with_columns(pl.when(pl.all() != "").then(pl.all())) if b'""' in data else rows


def _lone_returns(values: Bytes) -> bool:
    returns = values == 13
    return bool(
        returns[-1] or np.count_nonzero(returns) != np.count_nonzero(returns[:-1] & (values[1:] == 10))
    )


def _has_blank_line(data: bytes) -> bool:
    return data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data


def _series(values: Positions) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64)


def _broken(records: list[tuple[int, int, bytes, str]]) -> pl.DataFrame:
    if not records:
        return no_broken()
    texts = [(number, line, "ragged", detail, raw.decode()) for number, line, raw, detail in records]
    return pl.DataFrame(texts, schema=BROKEN_SCHEMA, orient="row")
