"""Texts to numbers exactly as libphonenumber reads them, without any repair."""

from __future__ import annotations

import numpy as np
import polars as pl

from dialer.contacts.numbers import I64, PARSED_MAX, Numbers, Outcomes, Verdict
from dialer.contacts.scalar import ask_phonenumbers

_CHUNK_ROWS = 1 << 17


class Reader:
    """Reads texts; keeps what it has learned of number plans between calls. Safe for several threads."""

    def __init__(self) -> None:
        self.outcomes = Outcomes()

    def read(self, texts: pl.Series, region: I64, names: list[str | None]) -> Numbers:
        """Return the answer of libphonenumber for each text; `region` indexes `names`."""
        return ask_phonenumbers(texts, region, names, self.outcomes)


READER = Reader()
"""The one reader of this process."""


def parse_numbers(texts: pl.Series, regions: str | pl.Series | None) -> pl.DataFrame:
    """Return phone, valid, phone_region, phone_type, phone_extension and time_zones of each text.

    Equal to `phonenumbers` of the installed version for every text and default region, taken as given:
    `phone` (E.164) wherever its `parse` succeeds, valid or not; nothing is repaired.
    """
    pieces = [
        _parse_chunk(
            texts.slice(start, _CHUNK_ROWS),
            regions.slice(start, _CHUNK_ROWS) if isinstance(regions, pl.Series) else regions,
        )
        for start in range(0, max(len(texts), 1), _CHUNK_ROWS)
    ]
    return pl.concat(pieces)


def _parse_chunk(texts: pl.Series, regions: str | pl.Series | None) -> pl.DataFrame:
    if isinstance(regions, pl.Series):
        frame = pl.DataFrame({"region": regions.cast(pl.String)})
        unique = frame.unique(maintain_order=True).with_row_index("index")
        found = frame.join(unique, on="region", how="left", nulls_equal=True, maintain_order="left")
        region = found["index"].to_numpy().astype(np.int64)
        names = unique["region"].to_list()
    else:
        region, names = np.zeros(len(texts), dtype=np.int64), [regions]
    numbers = READER.read(texts, region, names)
    outcomes = READER.outcomes
    verdict = outcomes.verdicts()[numbers.outcome]
    parsed = pl.Series(verdict <= PARSED_MAX)
    return pl.DataFrame(
        {
            "phone": numbers.phone(),
            "valid": verdict == Verdict.VALID,
            "phone_region": outcomes.column("region").gather(numbers.outcome),
            "phone_type": outcomes.column("type").gather(numbers.outcome),
            "phone_extension": numbers.extension.dense("phone_extension", len(texts)),
            "time_zones": outcomes.column("zones").gather(numbers.outcome),
        }
    ).with_columns(pl.when(parsed).then(pl.col("phone")).alias("phone"))
