"""Texts of 19 digits and more: nearly all are two numbers in one cell, and none can be parsed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from phonenumbers import PhoneMetadata, phonenumberutil

from dialer.contacts.kinds import NSN_MAX, main_metadata
from dialer.contacts.numbers import I64, Flags
from dialer.contacts.patterns import Path, parse_pattern, paths

_CODE_DIGITS_MAX = 3


class TooLong:
    """How many digits can be stripped at most from texts that begin with given two digits."""

    def __init__(self) -> None:
        self._known: dict[str | None, npt.NDArray[np.int64]] = {}
        mains = [main_metadata(code) for code in phonenumberutil.COUNTRY_CODE_TO_REGION_CODE]
        self._abroad = _CODE_DIGITS_MAX + max(_stripped(metadata) for metadata in mains)

    def surely(
        self, texts: pl.Series, count: npt.NDArray[np.uint8], region: I64, names: list[str | None]
    ) -> Flags:
        """Return which texts, digits with or without a + in front, leave too long a national number."""
        head = texts.str.strip_chars_start("+").str.slice(0, 2).cast(pl.Int64, strict=False).fill_null(0)
        plus = texts.str.starts_with("+").fill_null(False).to_numpy()
        stripped = np.stack([self._stripped_by_head(name) for name in names])[region, head.to_numpy()]
        stripped = np.where(plus, np.maximum(stripped, self._abroad), stripped)
        found: Flags = count.astype(np.int64) - stripped > NSN_MAX
        return found

    def _stripped_by_head(self, region: str | None) -> npt.NDArray[np.int64]:
        if region not in self._known:
            metadata = PhoneMetadata.metadata_for_region((region or "").upper(), None)
            self._known[region] = self._of(metadata) if metadata else np.zeros(100, dtype=np.int64)
        return self._known[region]

    def _of(self, metadata: Any) -> npt.NDArray[np.int64]:
        prefix = _stripped(metadata)
        found = np.full(100, prefix)
        own = str(metadata.country_code)
        main = _stripped(main_metadata(metadata.country_code))
        for head in _heads(own):
            found[head] = max(found[head], len(own) + prefix + main)
        for path in _ways(metadata.international_prefix):
            for head in range(100):
                if all(mask >> digit & 1 for mask, digit in zip(path.masks, divmod(head, 10), strict=False)):
                    found[head] = max(found[head], len(path.masks) + self._abroad)
        return found


def _heads(digits: str) -> range:
    return range(int(digits) * 10, int(digits) * 10 + 10) if len(digits) == 1 else range(
        int(digits[:2]), int(digits[:2]) + 1
    )  # fmt: skip


def _stripped(metadata: Any) -> int:
    """Return how many digits a national prefix takes away at most."""
    return max((len(path.masks) for path in _ways(metadata.national_prefix_for_parsing)), default=0)


def _ways(pattern: str | None) -> list[Path]:
    return paths(parse_pattern(pattern)) if pattern and pattern != "NonMatch" else []
