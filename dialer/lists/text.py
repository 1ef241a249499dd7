"""CSV, TSV and other delimited text, plain or packed, in any usual encoding -> batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from dialer.base.errors import BadInput
from dialer.lists.dialect import Dialect, find_dialect
from dialer.lists.encoding import TextEncoding, find_encoding, line_blocks, utf8_blocks
from dialer.lists.records import Piece, RecordReader
from dialer.lists.shape import BATCH_ROWS, Batch, ListInfo
from dialer.lists.source import Source, ahead, digest

HEAD_BYTES = 256 << 10
BLOCK_BYTES = 6 << 20
"""A little less than what a batch of usual rows holds: most batches are one block, and nothing is cut."""
BATCH_BYTES_MAX = 32 << 20


@dataclass(frozen=True, slots=True)
class TextList:
    """An open text file; `block_bytes` are read at a time."""

    source: Source
    encoding: TextEncoding
    dialect: Dialect
    info: ListInfo
    block_bytes: int = BLOCK_BYTES

    def sha256(self) -> str:
        """Return the digest of the file's bytes."""
        return digest(self.source)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the records in order, at most `rows` at a time, and fewer where they are very long."""
        waiting: list[Piece] = []
        since = 0
        for pieces, position, size in self._pieces():
            waiting.extend(pieces)
            since += size
            while _records(waiting) >= rows or (waiting and since >= BATCH_BYTES_MAX):
                first, waiting = _split(waiting, rows)
                since = 0
                yield _batch(first, position)
            # To wait for the other half would be to put together what lies apart.
            if 2 * _records(waiting) >= rows:
                yield _batch(waiting, position)
                waiting, since = [], 0
        if waiting:
            yield _batch(waiting, self.source.bytes)

    def _pieces(self) -> Iterator[tuple[list[Piece], int, int]]:
        """Yield the pieces of each block, how far the file is read, and the size of the block."""
        reader = RecordReader(self.info.columns, self.dialect.delimiter, self.dialect.rows_line)
        to_skip, rest, position = self.dialect.rows_at, b"", 0
        try:
            for block, position, again in ahead(line_blocks(self.source, self.encoding, self.block_bytes)):
                skipped = min(to_skip, len(block))
                pieces, rest = reader.read(rest + block[skipped:], final=False)
                yield pieces, position, len(block) - again
                # What the next block begins with once more was read already, or is left over now.
                left = min(len(rest), again)
                rest = rest[: len(rest) - left]
                to_skip += again - left - skipped
            pieces, _ = reader.read(rest, final=True)
            yield pieces, position, 0
        except BadInput as error:
            told = str(error)
            named = told if told.startswith(str(self.source.path)) else f"{self.source.path}: {told}"
            raise BadInput(named) from error
        except pl.exceptions.PolarsError as error:
            where = f"{self.source.path}: cannot be read after line {reader.next_line}"
            raise BadInput(f"{where} ({error}); save it as UTF-8") from error


def open_text(source: Source, wanted: Sequence[str] = (), encoding_name: str | None = None) -> TextList:
    """Return the open text file: its encoding, delimiter and header found, the latter by `wanted` names."""
    encoding = find_encoding(source, encoding_name)
    head, complete = _head(source, encoding)
    dialect = find_dialect(source.path, head, complete, wanted)
    info = ListInfo(
        path=source.path,
        format="csv",
        encoding=encoding.name,
        delimiter=dialect.delimiter,
        compression=source.compression,
        columns=dialect.columns,
        notes=(*_packing(source), *encoding.notes, *dialect.notes),
        bytes=source.bytes,
    )
    return TextList(source, encoding, dialect, info)


def _packing(source: Source) -> tuple[str, ...]:
    named = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}.get(source.path.suffix.lower())
    if named == source.compression:
        return ()
    if source.compression:
        return (f"packed with {source.compression}, though its name does not say so",)
    return (f"plain text, though its name says {named}",)


def _head(source: Source, encoding: TextEncoding) -> tuple[bytes, bool]:
    """Return the start of the text as UTF-8, and whether that is all of it."""
    head = b""
    for block, *_ in utf8_blocks(source, encoding, HEAD_BYTES):
        head += block
        if len(head) >= HEAD_BYTES // 2:
            return head, False
    return head, True


def _records(pieces: list[Piece]) -> int:
    return sum(piece.rows.height + piece.broken.height for piece in pieces)


def _split(pieces: list[Piece], records: int) -> tuple[list[Piece], list[Piece]]:
    """Return the first `records` records and the others."""
    first: list[Piece] = []
    for at, piece in enumerate(pieces):
        size = piece.rows.height + piece.broken.height
        if size > records:
            head, tail = _cut(piece, records)
            return [*first, head], [tail, *pieces[at + 1 :]]
        first.append(piece)
        records -= size
    return first, []


def _cut(piece: Piece, records: int) -> tuple[Piece, Piece]:
    """Return the piece's first `records` records and the rest: their numbers follow each other."""
    numbers = [series[0] for series in (piece.list_row, piece.broken["list_row"]) if len(series)]
    limit = min(numbers) + records
    rows = int(piece.list_row.search_sorted(limit))
    broken = int(piece.broken["list_row"].search_sorted(limit))
    head = Piece(piece.rows[:rows], piece.list_row[:rows], piece.list_line[:rows], piece.broken[:broken])
    tail = Piece(piece.rows[rows:], piece.list_row[rows:], piece.list_line[rows:], piece.broken[broken:])
    return head, tail


def _batch(pieces: list[Piece], bytes_read: int) -> Batch:
    if len(pieces) == 1:
        return Batch(*pieces[0], bytes_read=bytes_read)
    return Batch(
        rows=pl.concat([piece.rows for piece in pieces]),
        list_row=pl.concat([piece.list_row for piece in pieces]),
        list_line=pl.concat([piece.list_line for piece in pieces]),
        broken=pl.concat([piece.broken for piece in pieces]),
        bytes_read=bytes_read,
    )
