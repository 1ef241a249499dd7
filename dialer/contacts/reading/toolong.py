"""Texts of 19 digits and more: nearly all are two numbers in one cell, and none can be parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from phonenumbers import PhoneMetadata, phonenumberutil

from dialer.contacts.numbers import I64, Flags
from dialer.contacts.plans.kinds import NSN_MAX, main_metadata
from dialer.contacts.plans.patterns import Path, UnknownSyntax, parse_pattern, paths

_CODE_DIGITS_MAX = 3
_HEAD_DIGITS = 4
_ANY_DIGIT = 0b1111111111


class TooLong:
    """How many digits can be stripped at most from texts that begin with given four digits."""

    def __init__(self) -> None:
        self._known: dict[str | None, I64] = {}
        mains = [main_metadata(code) for code in phonenumberutil.COUNTRY_CODE_TO_REGION_CODE]
        self._abroad = _CODE_DIGITS_MAX + max(_stripped(metadata) for metadata in mains)

    def surely(
        self,
        head: npt.NDArray[Any],
        plus: Flags,
        count: npt.NDArray[np.uint8],
        region: I64,
        names: list[str | None],
    ) -> Flags:
        """Return which texts leave too long a national number.

        Given are their first four digits, whether a + stands before them, and how many there are in all.
        """
        stripped = np.zeros(len(head), dtype=np.int64)
        for index in np.unique(region):
            mine = region == index
            stripped[mine] = self._stripped_by_head(names[index])[head[mine]]
        stripped = np.where(plus, np.maximum(stripped, self._abroad), stripped)
        found: Flags = count.astype(np.int64) - stripped > NSN_MAX
        return found

    def _stripped_by_head(self, region: str | None) -> I64:
        if region not in self._known:
            metadata = PhoneMetadata.metadata_for_region((region or "").upper(), None)
            nothing = np.zeros(10**_HEAD_DIGITS, dtype=np.int64)
            self._known[region] = self._of(metadata) if metadata else nothing
        return self._known[region]

    def _of(self, metadata: Any) -> I64:
        own = str(metadata.country_code)
        main = main_metadata(metadata.country_code)
        found = _stripped_at(metadata, 0)
        # Behind the own calling code a prefix goes by the region's rules, then one by the main region's.
        first, second = _stripped_at(metadata, len(own)), _stripped_at(main, len(own))
        both = np.where(first > 0, first + _stripped(main), second) + len(own)
        mine = _begins([1 << int(digit) for digit in own], 0)
        found[mine] = np.maximum(found[mine], both[mine])
        for path in _ways(metadata.international_prefix):
            abroad = _begins(path.masks, 0)
            found[abroad] = np.maximum(found[abroad], len(path.masks) + self._abroad)
        return found


def first_digits(texts: pl.Series) -> tuple[I64, Flags]:
    """Return the first four digits of texts of digits, and which have a + in front of them."""
    digits = texts.str.strip_chars_start("+").str.slice(0, _HEAD_DIGITS)
    head = digits.cast(pl.Int64, strict=False).fill_null(0).to_numpy()
    return head, texts.str.starts_with("+").fill_null(False).to_numpy()


def _begins(masks: Sequence[int], place: int) -> Flags:
    """Return which heads go on like this from the given place; what is behind them is unknown and may."""
    heads = np.arange(10**_HEAD_DIGITS)
    found = np.ones(len(heads), dtype=np.bool_)
    for offset, mask in enumerate(masks[: max(_HEAD_DIGITS - place, 0)], start=place):
        found &= (mask >> (heads // 10 ** (_HEAD_DIGITS - 1 - offset) % 10) & 1).astype(np.bool_)
    return found


def _stripped_at(metadata: Any, place: int) -> I64:
    """Return how many digits a national prefix at this place takes away at most."""
    found = np.zeros(10**_HEAD_DIGITS, dtype=np.int64)
    for path in _ways(metadata.national_prefix_for_parsing):
        mine = _begins(path.masks, place)
        found[mine] = np.maximum(found[mine], len(path.masks))
    return found


def _stripped(metadata: Any) -> int:
    """Return how many digits a national prefix takes away at most."""
    return max((len(path.masks) for path in _ways(metadata.national_prefix_for_parsing)), default=0)


def _ways(pattern: str | None) -> list[Path]:
    """Return the ways through a prefix pattern that a text of so many digits can take."""
    try:
        found = paths(parse_pattern(pattern)) if pattern and pattern != "NonMatch" else []
    except UnknownSyntax:
        # It may take any digits away.
        return [Path((_ANY_DIGIT,) * NSN_MAX)]
    return [path for path in found if not path.ends]
