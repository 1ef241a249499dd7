"""What a text turned out to be: a number with its region, line type and time zones, or why not.

Answers are kept as two arrays, one value and one small code a row, so that a million rows stay a million
integers. A code is an index into the list of all outcomes met so far; there are a few thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from phonenumbers import PhoneNumberType, ValidationResult

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]


class Verdict(IntEnum):
    """What became of one text; the parsed ones come first, `VALID` is the only one to dial."""

    VALID = 0
    NOT_VALID = 1
    TOO_SHORT = 2
    TOO_LONG = 3
    BAD_LENGTH = 4
    LOCAL_ONLY = 5
    NOT_A_NUMBER = 6
    UNKNOWN_CODE = 7
    NO_REGION = 8
    SHORT_TEXT = 9
    LONG_TEXT = 10
    DAMAGED = 11
    BLANK = 12
    TORN = 13


PARSED_MAX = Verdict.LOCAL_ONLY
"""Verdicts up to this one come with a number in E.164, good or bad."""

TYPES = {
    PhoneNumberType.FIXED_LINE: "fixed_line",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_line_or_mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium_rate",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
    PhoneNumberType.UNKNOWN: "unknown",
}
"""Our word for each of libphonenumber's line types."""


POSSIBLE = {
    ValidationResult.IS_POSSIBLE: Verdict.NOT_VALID,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: Verdict.LOCAL_ONLY,
    ValidationResult.TOO_SHORT: Verdict.TOO_SHORT,
    ValidationResult.TOO_LONG: Verdict.TOO_LONG,
    ValidationResult.INVALID_LENGTH: Verdict.BAD_LENGTH,
}
"""What libphonenumber says of a number's length, where it is not valid."""


class Outcome(NamedTuple):
    """Everything about a number but its digits."""

    verdict: Verdict
    region: str | None = None
    type: str | None = None
    zones: str | None = None


class Outcomes:
    """All outcomes met so far, numbered as they came; safe for several threads."""

    def __init__(self, known: Iterable[Outcome] = ()) -> None:
        self._lock = Lock()
        self._codes: dict[Outcome, int] = {}
        self.all: list[Outcome] = []
        self._known: tuple[npt.NDArray[np.uint8], pl.DataFrame] | None = None
        for outcome in known:
            self.code(outcome)

    def code(self, outcome: Outcome) -> int:
        """Return the outcome's number, a new one the first time."""
        with self._lock:
            code = self._codes.get(outcome)
            if code is None:
                code = self._codes[outcome] = len(self.all)
                self.all.append(outcome)
            return code

    def verdicts(self) -> npt.NDArray[np.uint8]:
        """Return the verdict of every code."""
        return self._fields()[0]

    def columns(self) -> pl.DataFrame:
        """Return region, type and zones of every code, to gather from, and nulls for one code more."""
        return self._fields()[1]

    def _fields(self) -> tuple[npt.NDArray[np.uint8], pl.DataFrame]:
        known = self._known
        if known is None or len(known[0]) != len(self.all):
            every = self.all.copy()
            fields = {
                name: pl.Series([*(getattr(outcome, name) for outcome in every), None], dtype=pl.String)
                for name in ("region", "type", "zones")
            }
            verdicts = np.array([outcome.verdict for outcome in every], dtype=np.uint8)
            known = self._known = (verdicts, pl.DataFrame(fields))
        return known


class Sparse(NamedTuple):
    """Texts for the few rows that have one."""

    rows: I64
    texts: pl.Series

    @classmethod
    def empty(cls) -> Sparse:
        """Return no text for any row."""
        return cls(np.zeros(0, dtype=np.int64), pl.Series(dtype=pl.String))

    def joined(self, more: Sparse) -> Sparse:
        """Return the texts of both."""
        if not len(more.rows):
            return self
        return Sparse(np.concatenate([self.rows, more.rows]), pl.concat([self.texts, more.texts]))

    def shifted(self, rows: I64) -> Sparse:
        """Return the same texts for the rows of a larger frame that ours were taken from."""
        return Sparse(rows[self.rows], self.texts)


class Parts(NamedTuple):
    """Cells of several numbers, in the given rows, of which the first one was chosen.

    `other_rows` and `other_values` are the other dialable numbers of these cells, in their order.
    """

    rows: I64
    other_rows: I64
    other_values: U64

    @classmethod
    def none(cls) -> Parts:
        """Return no cell."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, np.zeros(0, dtype=np.uint64))


class Numbers(NamedTuple):
    """One answer a row.

    `value` holds the digits of E.164 as an integer, 0 where nothing was parsed; `outcome` the code;
    `extension` what is dialled after the call is answered. `long` holds the E.164 of the odd number of more
    than 19 digits: parsed, never valid, and too long for an integer. `unusual` are the rows that a repair may
    change: their text holds more than digits and the most usual marks. `parts` are the cells that were split.
    """

    value: U64
    outcome: I32
    extension: Sparse
    long: Sparse
    unusual: I64
    parts: Parts = Parts.none()


def as_e164(value: U64) -> pl.Series:
    """Return `+` and the digits, null where the value is 0."""
    frame = pl.DataFrame({"value": value})
    known = pl.when(pl.col("value") != 0).then(pl.col("value"))
    return frame.select(phone=pl.lit("+") + known.cast(pl.String))["phone"]
