"""Texts to numbers exactly as libphonenumber reads them, without any repair."""

from __future__ import annotations

import polars as pl

from dialer.contacts.chunks import in_chunks
from dialer.contacts.columns import dense, number_columns
from dialer.contacts.numbers import PARSED_MAX, Verdict
from dialer.contacts.reading.reader import READER, index_of


def parse_numbers(texts: pl.Series, regions: str | pl.Series | None) -> pl.DataFrame:
    """Return phone, valid, phone_region, phone_type, phone_extension and time_zones of each text.

    Equal to `phonenumbers` of the installed version for every text and default region, taken as given:
    `phone` (E.164) wherever its `parse` succeeds, valid or not; nothing is repaired.
    """
    READER.ready()

    def one(start: int, length: int) -> pl.DataFrame:
        here = regions.slice(start, length) if isinstance(regions, pl.Series) else regions
        return _parse_chunk(texts.slice(start, length).rechunk(), here)

    return in_chunks(len(texts), one)


def _parse_chunk(texts: pl.Series, regions: str | pl.Series | None) -> pl.DataFrame:
    home, names = index_of(regions, len(texts))
    numbers = READER.read(texts, home, names)
    verdicts = READER.outcomes.verdicts()
    (phone, region, kind, zones), _ = number_columns(numbers.value, numbers.outcome, verdicts <= PARSED_MAX)
    if len(numbers.long.rows):
        phone = phone.scatter(numbers.long.rows, numbers.long.texts)
    return pl.DataFrame(
        {
            "phone": phone,
            "valid": (verdicts == Verdict.VALID)[numbers.outcome],
            "phone_region": region,
            "phone_type": kind,
            "phone_extension": dense(numbers.extension, len(texts)),
            "time_zones": zones,
        }
    )
