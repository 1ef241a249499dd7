"""Texts to numbers exactly as libphonenumber reads them, without any repair."""

from __future__ import annotations

import numpy as np
import polars as pl

from dialer.contacts.chunks import in_chunks
from dialer.contacts.numbers import PARSED_MAX, Verdict, as_e164
from dialer.contacts.reader import READER, index_of


def parse_numbers(texts: pl.Series, regions: str | pl.Series | None) -> pl.DataFrame:
    """Return phone, valid, phone_region, phone_type, phone_extension and time_zones of each text.

    Equal to `phonenumbers` of the installed version for every text and default region, taken as given:
    `phone` (E.164) wherever its `parse` succeeds, valid or not; nothing is repaired.
    """
    READER.ready()

    def one(start: int, length: int) -> pl.DataFrame:
        here = regions.slice(start, length) if isinstance(regions, pl.Series) else regions
        return _parse_chunk(texts.slice(start, length), here)

    return in_chunks(len(texts), one)


def _parse_chunk(texts: pl.Series, regions: str | pl.Series | None) -> pl.DataFrame:
    region, names = index_of(regions, len(texts))
    numbers = READER.read(texts, region, names)
    outcomes = READER.outcomes
    codes = pl.Series(numbers.outcome.astype(np.uint32))
    verdict = outcomes.verdicts()[numbers.outcome]
    phone = as_e164(np.where(verdict <= PARSED_MAX, numbers.value, np.uint64(0)))
    if len(numbers.long.rows):
        phone = phone.scatter(numbers.long.rows, numbers.long.texts)
    return pl.DataFrame(
        {
            "phone": phone,
            "valid": verdict == Verdict.VALID,
            "phone_region": outcomes.column("region").gather(codes),
            "phone_type": outcomes.column("type").gather(codes),
            "phone_extension": numbers.extension.dense("phone_extension", len(texts)),
            "time_zones": outcomes.column("zones").gather(codes),
        }
    )
