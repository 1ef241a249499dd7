"""Cells that hold several numbers: which of them is dialled, and never a piece of one.

`089/1234567; 0171/7654321` are two numbers and four pieces. The rule:

1. `;` `,` `|` `&`, a new line, and the words "or" and "and" separate numbers, and so does a slash with a
   space beside it, unless fewer than seven digits stand before it. What begins like an extension ("ext 12")
   belongs to the number before it. Nothing is separated where `;ext=`, `;phone-context=`, `;isub=` or `,,`
   stands.
2. A bare slash separates numbers only where the text around it is no valid number as a whole, at least seven
   digits stand on either side, and the left side is a dialable number.
3. A cell that libphonenumber reads as one valid number is that number, unless the first of several is
   dialable by itself, and it and another one have seven digits or more.
4. Otherwise the first dialable one is the answer and the others are kept. But behind a fragment (no number,
   six digits at most, such as an area code or `+44`) it is not sure where a number begins: there only those
   count that are written with a + of their own, or stand behind an "or" or an "and".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

DIGITS_OF_A_NUMBER = 7
"""A part of a cell with as many digits is a number of its own, not an extension."""

PARTED = r"[;,|/\r\n&]|(?i)\s(?:or|and)\s"
"""A text without this holds one number at most."""

_ONE_NUMBER = re.compile(r"(?i);\s*(?:ext|phone-context|isub)=|,,")
_WORD = re.compile(r"(?i)\s(?:or|and)\s")
_EXTENSION = r"(?:extn?|extension|xtn?|x|int|anexo|доб|[#＃~～])[:.．\s,-]*\d"
_SEPARATOR = re.compile(rf"(?i)[;,|&\r\n](?![;,|&\s]*{_EXTENSION})")
_SPACED_SLASH = re.compile(r"\s/+\s*|/+\s+")
_SLASHES = re.compile(r"/+")
_OWN_PLUS = re.compile(r"^[^\d]*[+＋]")
_DIGIT = re.compile(r"\d")
_AREA_AND_NUMBER = 2
_SLASHES_MAX = 7


class Piece(NamedTuple):
    """A part of a cell. `begins`: no fragment before it can belong to it. `at_slashes` are its own parts."""

    text: str
    begins: bool
    at_slashes: tuple[str, ...] = ()

    def texts(self) -> Iterator[str]:
        """Give all texts that must be read before anyone can choose."""
        yield self.text
        for first in range(len(self.at_slashes)):
            yield "/".join(self.at_slashes[first:])
            for size in range(1, _AREA_AND_NUMBER + 1):
                yield "/".join(self.at_slashes[first : first + size])


class Read(NamedTuple):
    """What a text is: `at` says where its answer stands."""

    valid: bool
    dialable: bool
    at: int


class Choice(NamedTuple):
    """Where the answer of a cell's number stands, its rank in the cell, and where the others' answers are."""

    at: int
    rank: int
    others: tuple[int, ...] = ()


TORN = Choice(-1, 0)
"""There is a number, but it is not sure where it begins."""


def split(text: str) -> list[Piece]:
    """Return the parts of a cell that have digits; invisible characters must have been dropped before."""
    if _ONE_NUMBER.search(text):
        return [Piece(text, begins=True)]
    pieces = []
    for group in _WORD.split(text):
        begins = True
        for part in _SEPARATOR.split(group):
            for piece in _split_at_spaced_slashes(part):
                if _DIGIT.search(piece):
                    pieces.append(Piece(piece, begins, _at_slashes(piece)))
                    begins = False
    return pieces


def may_be_several(pieces: Sequence[Piece]) -> bool:
    """Return whether there is more than one number to choose from."""
    return len(pieces) > 1 or any(piece.at_slashes for piece in pieces)


def choose(whole_valid: bool, pieces: Sequence[Piece], read: Callable[[str], Read]) -> Choice | None:
    """Return which number of a cell is the answer; None where the cell as a whole is."""
    numbers = [number for piece in pieces for number in _numbers(piece, read)]
    if len(numbers) < 2:
        return None
    answers = [read(number.text) for number in numbers]
    long = [_digits(number.text) >= DIGITS_OF_A_NUMBER for number in numbers]
    if whole_valid and not (answers[0].dialable and long[0] and any(long[1:])):
        return None
    sure, torn = [], False
    for number, answer, is_long in zip(numbers, answers, long, strict=True):
        torn = torn and not number.begins
        sure.append(not torn or _OWN_PLUS.match(number.text) is not None)
        torn = torn or not (is_long or answer.dialable)
    dialable = [rank for rank, answer in enumerate(answers) if answer.dialable and sure[rank]]
    if dialable:
        first, *others = dialable
        return Choice(answers[first].at, first + 1, tuple(answers[rank].at for rank in others))
    if any(answer.dialable for answer in answers):
        return TORN
    valid = [rank for rank, answer in enumerate(answers) if answer.valid and sure[rank]]
    # It is not allowed to dial any of them, and the first one says why.
    return Choice(answers[valid[0]].at, valid[0] + 1) if valid else None


def said_of_rank(rank: int) -> str:
    """Return the note about a cell of several numbers of which the one of this rank, from 1, was chosen."""
    ordinal = {1: "1st", 2: "2nd", 3: "3rd"}.get(rank, f"{rank}th")
    return f"{ordinal} number of the cell used"


def _split_at_spaced_slashes(text: str) -> Iterator[str]:
    begin = 0
    for slash in _SPACED_SLASH.finditer(text):
        if _digits(text[begin : slash.start()]) >= DIGITS_OF_A_NUMBER:
            yield text[begin : slash.start()]
            begin = slash.end()
    yield text[begin:]


def _at_slashes(text: str) -> tuple[str, ...]:
    """Return the parts of a text between bare slashes, none where these cannot separate numbers."""
    if "/" not in text or _digits(text) < 2 * DIGITS_OF_A_NUMBER:
        return ()
    return tuple(_SLASHES.split(text, _SLASHES_MAX))


def _numbers(piece: Piece, read: Callable[[str], Read]) -> Iterator[Piece]:
    """Give the numbers of a piece that bare slashes separate."""
    rest, begins = piece.at_slashes, piece.begins
    if not rest or read(piece.text).valid:
        yield piece
        return
    size = 1
    while size < len(rest) and size <= _AREA_AND_NUMBER:
        left, right = "/".join(rest[:size]), "/".join(rest[size:])
        if min(_digits(left), _digits(right)) >= DIGITS_OF_A_NUMBER and read(left).dialable:
            yield Piece(left, begins)
            rest, begins, size = rest[size:], False, 0
        size += 1
    yield Piece("/".join(rest), begins)


def _digits(text: str) -> int:
    return len(_DIGIT.findall(text))
