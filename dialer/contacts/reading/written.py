"""What is written in a cell that was rejected: how many digits, with a + or not, or nothing at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from dialer.contacts.kernel import HAS_PLUS, IS_BARE, IS_BLANK, IS_FOREIGN
from dialer.contacts.numbers import I64, U64, Flags
from dialer.contacts.reading.digits import read_digits
from dialer.contacts.reading.reader import READER

COUNTED_MAX = 9999
"""Digits of a text are counted so far."""

_BARE = r"^[^0-9+]*[1-9][0-9 ().-]*$"


class Written(NamedTuple):
    """Per text: how many digits, in any script; whether a + stands before them; whether it is blank.

    `bare` texts are digits and marks behind at most a label, and do not begin with 0; their digits are
    `value`, which is wrong beyond 19 of them and means nothing for other texts.
    """

    digits: I64
    plus: Flags
    blank: Flags
    bare: Flags
    value: U64


def look_at(texts: pl.Series, rows: I64) -> Written:
    """Return what is written in the given rows."""
    if READER.kernel is None:
        return _look_at(texts.gather(rows))
    digits, value, about = READER.kernel.describe(texts, rows)
    found = Written(digits, (about & HAS_PLUS) != 0, (about & IS_BLANK) != 0, (about & IS_BARE) != 0, value)
    foreign = np.flatnonzero(about & IS_FOREIGN)
    if len(foreign):
        more = _look_at(texts.gather(rows[foreign]))
        for ours, theirs in zip(found, more, strict=True):
            ours[foreign] = theirs
    return found


def _look_at(texts: pl.Series) -> Written:
    found = read_digits(texts)
    count, plus = found.length.astype(np.int64), found.plus.copy()
    odd = np.flatnonzero(found.odd)
    if len(odd):
        some = texts.gather(odd)
        count[odd] = some.str.count_matches(r"\d").fill_null(0).to_numpy()
        plus[odd] = some.str.contains(r"^[^0-9]*[+＋]").fill_null(False).to_numpy()
    blank = (texts.fill_null("").str.strip_chars() == "").to_numpy().copy()
    bare = texts.str.contains(_BARE).fill_null(False).to_numpy().copy()
    value = np.zeros(len(texts), dtype=np.uint64)
    some = texts.gather(np.flatnonzero(bare)).str.replace_all(r"[^0-9]", "")
    value[bare] = some.cast(pl.UInt64, strict=False).fill_null(0).to_numpy()
    return Written(np.minimum(count, COUNTED_MAX), plus, blank, bare, value)
