"""Blocks of UTF-8 text -> rows and broken records, each with its number and its line.

Three ways, and the cheapest that is exact is taken for each stretch of text:

- *plain*, no quote in it: lines are records. When the delimiters add up and polars, which refuses a
  row with too many fields, takes it, then every row has exactly its fields.
- *columns*, quotes that are well formed or rows that are ragged: which newlines and delimiters stand
  outside quotes is decided for the whole stretch by the parity of quotes; polars reads the good rows.
- *exact*, a quote that is not well formed: record by record, until the text is well formed again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dialer.base.errors import BadInput
from dialer.lists.exact import FIELD_BYTES_MAX, QUOTE, Record, line_ends, scan
from dialer.lists.shape import BROKEN_SCHEMA, no_broken

ALONE = b"\x1f"
"""The delimiter of a file of one column: a character that no text holds."""

EXACT_BYTES = 64 << 10
RECORD_BYTES_MAX = 64 << 20

Positions = NDArray[np.int64]


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
        self.next_line = next_line
        names = [f"c{number}" for number in range(len(columns))]
        self._header = self.delimiter.join(name.encode() for name in names) + b"\n"
        self._schema = dict.fromkeys(names, pl.String)

    def read(self, data: bytes, final: bool) -> tuple[list[Piece], bytes]:
        """Return the pieces of the complete records, and the bytes of the one that goes on."""
        pieces: list[Piece] = []
        exact_bytes = EXACT_BYTES
        while data:
            good, bad = self._good_end(data, final)
            if good:
                pieces.append(self._well_formed(data[:good]))
                data = data[good:]
            elif bad or final or len(data) > FIELD_BYTES_MAX:
                piece, used = self._exactly(data, final, exact_bytes)
                if not used:
                    break
                pieces.append(piece)
                data = data[used:]
                exact_bytes *= 2  # so that a block full of wrong quotes is not measured over and over
            else:
                break
        if len(data) > RECORD_BYTES_MAX:
            limit = f"{RECORD_BYTES_MAX >> 20} MiB"
            raise BadInput(f"line {self.next_line}: is longer than {limit}, which is no row of a list")
        return pieces, data

    def _good_end(self, data: bytes, final: bool) -> tuple[int, bool]:
        """Return where the last complete record before any bad quote ends, and whether one is bad."""
        if QUOTE not in data:
            last = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
            return (len(data) if final else last), False
        values = np.frombuffer(data, dtype=np.uint8)
        quotes = np.flatnonzero(values == ord(QUOTE))
        bad = _first_bad_quote(values, quotes, self.delimiter[0], final)
        if final and bad is None and len(quotes) % 2 == 0:
            return len(data), False
        limit = len(data) if bad is None else bad
        # A carriage return at the very end may have its line feed in the next block.
        ends = np.flatnonzero((values[:limit] == 10) | (values[:limit] == 13))
        if len(ends) and ends[-1] == len(data) - 1 and values[-1] == 13:
            ends = ends[:-1]
        ends = ends[_outside(quotes, ends)]
        return int(ends[-1]) + 1 if len(ends) else 0, bad is not None

    def _well_formed(self, data: bytes) -> Piece:
        return self._by_columns(data) if QUOTE in data else self._plain(data)

    def _plain(self, data: bytes) -> Piece:
        """Read text without quotes; a stretch where it does not add up goes by columns."""
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        values = np.frombuffer(data, dtype=np.uint8)
        delimiters = int(np.count_nonzero(values == self.delimiter[0]))
        width = len(self.columns)
        if delimiters != lines * (width - 1) or (width == 1 and (b"\n\n" in data or data.startswith(b"\n"))):
            return self._by_columns(data)
        try:
            rows = self._frame(data, quoted=False)
        except pl.exceptions.ComputeError:
            return self._by_columns(data)
        if rows.height != lines:
            return self._by_columns(data)
        starts = np.arange(lines, dtype=np.int64)
        piece = Piece(rows, _series(self.next_row + starts), _series(self.next_line + starts), no_broken())
        self.next_row += lines
        self.next_line += lines
        return piece

    def _by_columns(self, data: bytes) -> Piece:
        """Read whole records with well-formed quotes, if any; the ragged ones are set aside."""
        lines = line_ends(data) + (not data.endswith((b"\n", b"\r")))
        data = _unix_ends(data)
        values = np.frombuffer(data, dtype=np.uint8)
        quotes = np.flatnonzero(values == ord(QUOTE))
        ends = np.flatnonzero(values == 10)
        breaks = ends if b"\r" not in data else _line_breaks(values)
        delimiters = np.flatnonzero(values == self.delimiter[0])
        ends, delimiters = ends[_outside(quotes, ends)], delimiters[_outside(quotes, delimiters)]
        if not len(ends) or ends[-1] != len(data) - 1:
            ends = np.append(ends, len(data))
        starts = np.concatenate(([0], ends[:-1] + 1))
        fields = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
        present = ends > starts
        good = present & (fields == len(self.columns))
        numbers = self.next_row - 1 + np.cumsum(present)
        line = self.next_line + np.searchsorted(breaks, starts)
        if not good.all():
            kept = np.repeat(good, ends + 1 - starts)[: len(values)]
            clean = values[kept].tobytes()
        else:
            clean = data
        rows = self._frame(clean, quoted=len(quotes) > 0)
        assert rows.height == np.count_nonzero(good), "polars and we disagree on the records of a stretch"
        broken = [
            (int(numbers[at]), int(line[at]), data[starts[at] : ends[at]], self._miscounted(int(fields[at])))
            for at in np.flatnonzero(present & ~good)
        ]
        self.next_row += int(np.count_nonzero(present))
        self.next_line += lines
        return Piece(rows, _series(numbers[good]), _series(line[good]), _broken(broken))

    def _exactly(self, data: bytes, final: bool, stretch: int) -> tuple[Piece, int]:
        """Read record by record until `stretch` bytes are behind; also return how many were used."""
        used = 0
        good: list[tuple[int, int, list[bytes]]] = []
        broken: list[tuple[int, int, bytes, str]] = []
        for record in scan(data, self.delimiter, final):
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
        # The header line keeps polars from taking the first bytes for a byte order mark or an archive.
        rows = pl.read_csv(
            self._header + data,
            separator=self.delimiter.decode(),
            quote_char='"' if quoted else None,
            schema=self._schema,
        )
        rows.columns = list(self.columns)
        if quoted and b'""' in data:
            rows = rows.with_columns(pl.when(pl.all() != "").then(pl.all()))
        return rows


def _first_bad_quote(values: NDArray[np.uint8], quotes: Positions, delimiter: int, final: bool) -> int | None:
    """Return the first quote that neither opens a field, nor closes one, nor is one of a pair."""
    edges = np.array([10, 13, delimiter, ord(QUOTE)], dtype=np.uint8)
    opening, closing = quotes[0::2], quotes[1::2]
    before = values[np.maximum(opening - 1, 0)]
    wrong_opening = ~np.isin(before, edges) & (opening > 0)
    after = values[np.minimum(closing + 1, len(values) - 1)]
    wrong_closing = ~np.isin(after, edges) & (closing < len(values) - 1)
    wrong_closing |= closing - opening[: len(closing)] > FIELD_BYTES_MAX
    bad = [int(found[0]) for found in (opening[wrong_opening], closing[wrong_closing]) if len(found)]
    if len(opening) > len(closing) and (final or len(values) - int(opening[-1]) > FIELD_BYTES_MAX + 1):
        bad.append(int(opening[-1]))
    return min(bad, default=None)


def _outside(quotes: Positions, positions: Positions) -> NDArray[np.bool_]:
    """Return which positions stand outside quotes: after an even number of them."""
    before = np.searchsorted(quotes, positions)
    return np.equal(before % 2, 0)


def _unix_ends(data: bytes) -> bytes:
    """Return the records with a line feed after each; what stands inside quotes is left as it is."""
    if b"\r" not in data:
        return data
    if QUOTE not in data:
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    values = np.frombuffer(data, dtype=np.uint8).copy()
    returns = np.flatnonzero(values == 13)
    returns = returns[_outside(np.flatnonzero(values == ord(QUOTE)), returns)]
    with_feed = values[np.minimum(returns + 1, len(values) - 1)] == 10
    values[returns] = 10
    return np.delete(values, returns[with_feed]).tobytes()


def _line_breaks(values: NDArray[np.uint8]) -> Positions:
    """Return where a text editor ends a line: at LF, and at CR without LF."""
    feeds = values == 10
    feed_follows = np.append(feeds[1:], False)
    return np.flatnonzero(feeds | ((values == 13) & ~feed_follows))


def _series(values: Positions) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64)


def _broken(records: list[tuple[int, int, bytes, str]]) -> pl.DataFrame:
    if not records:
        return no_broken()
    texts = [(number, line, "ragged", detail, raw.decode()) for number, line, raw, detail in records]
    return pl.DataFrame(texts, schema=BROKEN_SCHEMA, orient="row")
