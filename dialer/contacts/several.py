"""Cells that hold several numbers: which of them is dialled, and never a piece of one.

`089/1234567; 0171/7654321` are two numbers and four pieces. The rule:

1. `;` `,` `|` `&`, a new line, and words such as "or" separate numbers, and so does a slash with a space
   beside it, unless fewer than seven digits stand before it, or what follows is no full number (see 5) and
   what stands before it begins with neither + nor 0. What begins like an extension ("ext 12") belongs to the
   number before it. Nothing is separated where `;ext=`, `;phone-context=`, `;isub=` or `,,` stands.
2. A bare slash separates numbers only where the text around it is no valid number as a whole, at least seven
   digits stand on either side, the left side is a dialable number, and one of them is full.
3. Dates, hours, labels behind a number, and ordinals ("1) ...; 2) ...") are no part of a number. Letters are
   no digits here. Other words behind a number may mean anything: the cell is refused.
4. A cell that libphonenumber reads as one valid number is that number, unless the first of several is
   dialable by itself, and it and another one have seven digits or more.
5. Otherwise the first dialable one is the answer and the others are kept. But what stands behind another part
   may lack its area code: it counts only if it is full, which is to say written with a +, with a 0 in front,
   with nine digits, or with as many as each part before it. And behind a fragment (no number, six digits at
   most, such as an area code or `+44`) only those count that have a + of their own, or stand behind a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dialer.contacts.mend import NEW_LINES
from dialer.contacts.words import EXTENSION, are_labels, without_words

DIGITS_OF_A_NUMBER = 7
"""A part of a cell with as many digits is a number of its own, not an extension."""

_DIGITS_OF_A_FULL_NUMBER = 9
_WORDS = r"or|and|oder|od\.|und|ou|et|och|eller|y|o|e|en|of|lub|i|ili|ve|veya|и|или|або"
_MARKS = r";,|&\r\n；，、・"

PARTED = rf"[{_MARKS}/／{NEW_LINES}]|(?i)\s(?:{_WORDS})\s"
"""A text without this holds one number at most."""

_ONE_NUMBER = re.compile(r"(?i);\s*(?:ext|phone-context|isub)=|,,")
_WORD = re.compile(rf"(?i)\s(?:{_WORDS})\s")
_RUN = re.compile(rf"([{_MARKS}])[{_MARKS}\s]*")
_SEPARATOR = re.compile(rf"[{_MARKS}](?! ?{EXTENSION})", re.IGNORECASE)
_SPACED_SLASH = re.compile(r"\s[/／]\s?|[/／]\s")
_SLASHES = re.compile(r"[/／]+")
_SPACES = re.compile(r"[^\S\r\n]+")
_DATE = re.compile(
    r"(?<![\d.-])(?:\d{1,2}([./-])\d{1,2}\1(?:19|20)\d\d|(?:19|20)\d\d([./-])\d{1,2}\2\d{1,2})(?![\d.-]*\d)"
)
_HOUR = r"(?:[01]?\d|2[0-4])[:.h]?(?:00|15|30|45)"
_HOURS = re.compile(rf"\D*{_HOUR}\s*[-–]\s*{_HOUR}\D*")
_ORDINAL = re.compile(r"[^\d+]*([1-9]\d?)(?:[).:\]]\s*|\s)(?=\D*\d)")
_COUNTED = re.compile(r"\A(?:[^\d+(]*[1-9]\d?\)|[^\d+]*[^\W\d_]\.?\s?[1-9](?=\s))\s*(?=(?:\D*\d){7})")
_NO_NUMBER = re.compile(r"(?i)[^\d+]*\b(?:(?:tele)?fax|id|ref|kd|kdnr|kunden\w*|customer\w*|plz|zip)\b")
_ENDS = re.compile(r"(?<=\d)\D*?[^\W\d_#＃]")
_OWN_PLUS = re.compile(r"[^\d]*[+＋]")
_DIGIT = re.compile(r"\d")
_AREA_AND_NUMBER = 2
_SLASHES_MAX = 31


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
    """Where the answer of a cell's number stands, its rank in the cell, and where the others' answers are.

    `rank` counts from 1; 0 says that the cell holds no other number, but other words.
    """

    at: int
    rank: int
    others: tuple[int, ...] = ()


TORN = Choice(-1, 0)
"""There is a number, but it is not sure where it begins."""


def split(text: str) -> list[Piece] | None:
    """Return the parts of a cell that have digits; invisible characters must have been dropped before.

    None where a note stands beside the numbers that may mean anything.
    """
    if _ONE_NUMBER.search(text):
        return [Piece(text, begins=True)]
    # With single separators no pattern looks at the same characters again and again.
    text = _SLASHES.sub("/", _RUN.sub(r"\1 ", _SPACES.sub(" ", text)))
    text = _DATE.sub(" ", text)
    found: list[tuple[str, bool]] = []
    for group in _WORD.split(text):
        begins = True
        for part in _SEPARATOR.split(group):
            for piece in _split_at_spaced_slashes(part):
                if not _DIGIT.search(piece):
                    if found and not are_labels(piece):
                        return None
                    continue
                if _HOURS.fullmatch(piece) or _NO_NUMBER.match(piece):
                    continue
                short = without_words(piece)
                if short is not None and not short.sure:
                    return None
                found.append((short.text if short else piece, begins))
                begins = False
    texts = _without_ordinals([piece for piece, _ in found])
    return [Piece(piece, begins, _at_slashes(piece)) for piece, (_, begins) in zip(texts, found, strict=True)]


def choose(whole_valid: bool, pieces: Sequence[Piece], read: Callable[[str], Read]) -> Choice | None:
    """Return which number of a cell is the answer; None where the cell as a whole is."""
    numbers = [number for piece in pieces for number in _numbers(piece, read)]
    answers = [read(number.text) for number in numbers]
    digits = [_digits(number.text) for number in numbers]
    if not numbers or (len(numbers) == 1 and (whole_valid or not answers[0].dialable)):
        return None
    if len(numbers) == 1:
        return Choice(answers[0].at, 0)
    several = min(digits[0], max(digits[1:])) >= DIGITS_OF_A_NUMBER
    if whole_valid and not (answers[0].dialable and several):
        return None
    sure = [True] * len(numbers)
    torn, most = False, 0
    for rank, number in enumerate(numbers):
        torn = torn and not number.begins
        own_plus = _OWN_PLUS.match(number.text) is not None
        sure[rank] = own_plus or (not torn and (rank == 0 or _is_full(number.text, most)))
        most = max(most, digits[rank])
        torn = torn or (digits[rank] < DIGITS_OF_A_NUMBER and not answers[rank].dialable)
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
    """Return the note about a cell of which the number of this rank was chosen."""
    if not rank:
        return "other words of the cell dropped"
    ordinal = {1: "1st", 2: "2nd", 3: "3rd"}.get(rank, f"{rank}th")
    return f"{ordinal} number of the cell used"


def _split_at_spaced_slashes(text: str) -> Iterator[str]:
    begin = digits = done = 0
    slashes = list(_SPACED_SLASH.finditer(text))
    for at, slash in enumerate(slashes):
        digits += _digits(text[done : slash.start()])
        done = slash.end()
        if digits < DIGITS_OF_A_NUMBER:
            continue
        right = text[done : slashes[at + 1].start() if at + 1 < len(slashes) else None]
        if not _DIGIT.search(right) or _begins_full(text, begin) or _is_full(right, digits):
            yield text[begin : slash.start()]
            begin, digits = done, 0
    yield text[begin:]


def _without_ordinals(pieces: list[str]) -> list[str]:
    """Return the parts without the numbers in front of them that only count them."""
    if len(pieces) < 2:
        return pieces
    rest = []
    for rank, piece in enumerate(pieces, 1):
        ordinal = _ORDINAL.match(piece)
        if ordinal is None or int(ordinal[1]) != rank:
            return [_COUNTED.sub("", piece, count=1) for piece in pieces]
        rest.append(piece[ordinal.end() :])
    return rest


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
        digits = _digits(left)
        full = _begins_full(left) or _is_full(right, digits)
        if min(digits, _digits(right)) >= DIGITS_OF_A_NUMBER and full and read(left).dialable:
            yield Piece(left, begins)
            rest, begins, size = rest[size:], False, 0
        size += 1
    yield Piece("/".join(rest), begins)


def _is_full(text: str, digits_before: int) -> bool:
    """Return whether a number is written so that no area code of another one can be missing."""
    # The digits of an extension do not count.
    extension = _ENDS.search(text)
    number = text[: extension.start()] if extension else text
    return _begins_full(text) or _digits(number) >= min(_DIGITS_OF_A_FULL_NUMBER, digits_before)


def _begins_full(text: str, begin: int = 0) -> bool:
    digit = _DIGIT.search(text, begin)
    return _OWN_PLUS.match(text, begin) is not None or (digit is not None and int(digit.group()) == 0)


def _digits(text: str) -> int:
    return len(_DIGIT.findall(text))
