"""Bytes of any text file -> which encoding they are in, and the same text as blocks of UTF-8.

UTF-8 where every byte agrees. UTF-16 and UTF-32 by their byte order mark, or by the zero bytes that
ASCII leaves in them. Else Windows-1252, which reads any byte. A few stray Windows-1252 bytes in a
file that otherwise is UTF-8 (lists pasted together) are read as what they are, and said. What a person
names is taken instead; what was found is said all the same.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dialer.base.encodings import WIDE, named_encoding
from dialer.base.errors import BadInput
from dialer.lists.arrow import is_utf8
from dialer.lists.shape import SPOKEN_ENCODINGS
from dialer.lists.source import Source, ahead, blocks, overlapping, packed_kind, readable

SURVEY_BYTES = 4 << 20
HEAD_BYTES = 64 << 10
LINE_BYTES = 64 << 10
"""A line that began so far before the end of a block is not read again with the next one."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like UTF-16's: asked first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SPOKEN = {
    "utf-16-le": "UTF-16 text (little endian)",
    "utf-16-be": "UTF-16 text (big endian)",
    "utf-32-le": "UTF-32 text (little endian)",
    "utf-32-be": "UTF-32 text (big endian)",
}
UNDEFINED_1252 = (0x81, 0x8D, 0x8F, 0x90, 0x9D)


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """How a text file's bytes are read: Python's name, its mark's length, and what to say of it."""

    name: str
    mark_bytes: int
    pure: bool
    notes: tuple[str, ...]


class _Tally:
    """What the bytes of a file that has no wide encoding give away, block by block."""

    def __init__(self) -> None:
        self.sequences = 0
        self.wrong = 0
        self.valid = True
        self.high = np.zeros(256, dtype=np.int64)

    def add(self, block: bytes) -> None:
        if block.isascii():
            return
        values = np.frombuffer(block, dtype=np.uint8)
        valid = is_utf8(block)
        if valid and self.valid:
            self.sequences += 1  # at least
            return
        self.valid = self.valid and valid
        sequences, wrong = _count_utf8(values)
        self.sequences += sequences
        self.wrong += wrong
        self.high += np.bincount(values, minlength=256)


def find_encoding(source: Source, named: str | None = None) -> TextEncoding:
    """Return the encoding of the whole file, or the one that is `named`: every block was looked at.

    Raises:
        BadInput: the file is not text, or cannot be read to its end, or there is no encoding of that name.
    """
    wanted = _wanted(source, named) if named else None
    found = _survey(source)
    return found if wanted is None else _as_named(source, wanted, found)


def _wanted(source: Source, named: str) -> str:
    try:
        return named_encoding(named)
    except ValueError as error:
        raise BadInput(f"{source.path}: encoding = {named!r}, expected {error}") from error


def _as_named(source: Source, wanted: str, found: TextEncoding) -> TextEncoding:
    """Return the encoding that a person named, with a note where the bytes look like another one."""
    if codecs.lookup(wanted).name == codecs.lookup(found.name.removesuffix("-sig")).name:
        return found
    if wanted in ("utf-16", "utf-32"):
        wanted = found.name if found.name.startswith(wanted) else f"{wanted}-le"
        if wanted == found.name:
            return found
    with readable(source.path):
        head = next(blocks(source, HEAD_BYTES), (b"", 0))[0]
    mark = next((mark for mark, name in BYTE_ORDER_MARKS if head.startswith(mark) and wanted == name), b"")
    looks = SPOKEN.get(found.name, f"{SPOKEN_ENCODINGS[found.name]} text")
    return TextEncoding(wanted, len(mark), False, (f"read as {wanted}, as asked for; it looks like {looks}",))


def _survey(source: Source) -> TextEncoding:
    wide: TextEncoding | None = None
    tally, nul_bytes, held, mark = _Tally(), 0, b"", 0
    for number, (block, _) in enumerate(ahead(blocks(source, SURVEY_BYTES))):
        if number == 0:
            wide = _wide(block[:HEAD_BYTES])
            mark = len(codecs.BOM_UTF8) if block.startswith(codecs.BOM_UTF8) else 0
            if wide is None:
                _refuse_binary(source, block[:HEAD_BYTES])
        if wide is not None:
            continue  # to the end, because a damaged archive is to be known before the first row
        nul_bytes += block.count(0) if 0 in block else 0  # looking is a tenth of counting
        whole = held + block
        cut = _whole_characters(whole)
        held = whole[cut:]
        tally.add(whole[:cut])
    tally.add(held)
    return wide or _narrow(tally, nul_bytes, mark)


def _wide(head: bytes) -> TextEncoding | None:
    for mark, name in BYTE_ORDER_MARKS[1:]:
        if head.startswith(mark):
            return TextEncoding(name, len(mark), False, (f"{SPOKEN[name]}, with a byte order mark",))
    values = np.frombuffer(head[: len(head) // 2 * 2], dtype=np.uint8)
    if not len(values):
        return None
    zero_even, zero_odd = float((values[0::2] == 0).mean()), float((values[1::2] == 0).mean())
    if min(zero_even, zero_odd) > 0.02 or max(zero_even, zero_odd) < 0.3:
        return None
    name = "utf-16-le" if zero_odd > zero_even else "utf-16-be"
    return TextEncoding(name, 0, False, (f"{SPOKEN[name]}, without a byte order mark",))


def _refuse_binary(source: Source, head: bytes) -> None:
    if source.compression and (kind := packed_kind(head)):
        raise BadInput(f"{source.path}: holds {kind}, packed with {source.compression}; unpack it first")
    values = np.frombuffer(head, dtype=np.uint8)
    control = (values < 0x20) & ~np.isin(values, (0, 9, 10, 11, 12, 13, 26, 27, 31))
    start = head.lstrip(codecs.BOM_UTF8 + b" \t\r\n")[:15].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml", b"<table")):
        raise BadInput(f"{source.path}: is a web page or XML and no list; export it as CSV or .xlsx")
    if start.startswith((b'{"', b"[{", b"{\\rtf")) or start in (b"{", b"["):
        said = "a document of a word processor" if start.startswith(b"{\\rtf") else "JSON"
        raise BadInput(f"{source.path}: is {said} and no list; export it as CSV, Parquet or .xlsx")
    if float(control.mean()) > 0.02:
        raise BadInput(f"{source.path}: is not text; expected CSV, TSV, Parquet or Excel (.xlsx)")


def _narrow(tally: _Tally, nul_bytes: int, mark: int) -> TextEncoding:
    nul = (f"{nul_bytes} NUL {'byte' if nul_bytes == 1 else 'bytes'} left out",) if nul_bytes else ()
    if tally.valid:
        return TextEncoding("utf-8-sig" if mark else "utf-8", mark, True, nul)
    if mark or tally.sequences > tally.wrong:
        said = "UTF-8 text with some bytes that are not UTF-8; those were read as Windows-1252"
        return TextEncoding("utf-8-sig" if mark else "utf-8", mark, False, (said, *nul))
    if tally.high[list(UNDEFINED_1252)].any():
        return TextEncoding("latin-1", 0, False, ("Latin-1 text, not UTF-8", *nul))
    same = "" if tally.high[0x80:0xA0].any() else " (Latin-1 would read the same)"
    return TextEncoding("windows-1252", 0, False, (f"Windows-1252 text, not UTF-8{same}", *nul))


class Block(NamedTuple):
    """Text as UTF-8, and how far the file is read; the next block begins with the last `again` bytes."""

    text: bytes
    position: int
    again: int = 0


def utf8_blocks(source: Source, encoding: TextEncoding, size: int) -> Iterator[Block]:
    """Yield the file's text as UTF-8, without byte order mark and NUL, and how far the file is read.

    A block may end inside a line, never inside a character unless the file was UTF-8 all through.
    """
    name = encoding.name.removesuffix("-sig")
    # A byte that the encoding does not have stays to be seen, as \\x81.
    usual = name in ("utf-8", "windows-1252", "latin-1")
    errors = WINDOWS_1252 if usual else "replace" if name in WIDE else "backslashreplace"
    decoder = codecs.getincrementaldecoder(name)(errors)
    mark = encoding.mark_bytes
    position = 0
    for raw, position in blocks(source, size):
        block, mark = raw[mark:], 0
        if not encoding.pure and not (
            name in ("windows-1252", "latin-1") and block.isascii()
        ):  # ASCII is the same in UTF-8
            block = decoder.decode(block).encode("utf-8", "replace")
        yield Block(_without_nul(block), position)
    if not encoding.pure and (rest := decoder.decode(b"", final=True)):
        yield Block(rest.encode("utf-8"), position)


def line_blocks(source: Source, encoding: TextEncoding, size: int) -> Iterator[Block]:
    """Yield the same text, each block from the start of a line where that can be had without copying it."""
    if source.compression or not encoding.pure:
        yield from utf8_blocks(source, encoding, size)
        return
    mark = encoding.mark_bytes
    for raw, again, position in overlapping(source, size, LINE_BYTES):
        block, mark = raw[mark:], 0
        text = _without_nul(block)
        left = len(_without_nul(block[-again:])) if again and text is not block else again
        yield Block(text, position, left)


def _without_nul(block: bytes) -> bytes:
    return block.replace(b"\x00", b"") if 0 in block else block


def _count_utf8(values: NDArray[np.uint8]) -> tuple[int, int]:
    """Return how many characters of several bytes are whole, and how many bytes belong to none."""
    padded = np.concatenate((values, np.zeros(3, dtype=np.uint8)))
    follows = (padded & 0xC0) == 0x80
    one, two, three = follows[1:-2], follows[2:-1], follows[3:]
    pairs = np.count_nonzero((values >= 0xC2) & (values < 0xE0) & one & ~two)
    triples = np.count_nonzero((values >= 0xE0) & (values < 0xF0) & one & two & ~three)
    fours = np.count_nonzero((values >= 0xF0) & (values < 0xF5) & one & two & three)
    high = np.count_nonzero(values >= 0x80)
    return int(pairs + triples + fours), int(high - 2 * pairs - 3 * triples - 4 * fours)


def _whole_characters(block: bytes) -> int:
    """Return how many bytes to keep so that the block does not end inside a UTF-8 character."""
    for back in range(1, min(3, len(block)) + 1):
        value = block[-back]
        if value >= 0xC0:
            needed = 2 if value < 0xE0 else 3 if value < 0xF0 else 4
            return len(block) - back if needed > back else len(block)
        if value < 0x80:
            break
    return len(block)


WINDOWS_1252 = "dialer.windows_1252"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that a decoder cannot as Windows-1252, and where that has none, as Latin-1."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    known = (bytes((value,)) for value in wrong)
    text = "".join(one.decode("latin-1" if one[0] in UNDEFINED_1252 else "windows-1252") for one in known)
    return text, error.end


codecs.register_error(WINDOWS_1252, _as_windows_1252)
