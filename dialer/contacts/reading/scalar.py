"""One number at a time, by `phonenumbers` itself: exact, slow, for what no table decides."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import phonenumbers
import polars as pl
from phonenumbers import NumberParseException, PhoneNumber
from phonenumbers.timezone import time_zones_for_number

from dialer.contacts.numbers import I64, POSSIBLE, TYPES, Numbers, Outcome, Outcomes, Sparse, Verdict

_ERRORS = {
    NumberParseException.NOT_A_NUMBER: Verdict.NOT_A_NUMBER,
    NumberParseException.TOO_SHORT_AFTER_IDD: Verdict.SHORT_TEXT,
    NumberParseException.TOO_SHORT_NSN: Verdict.SHORT_TEXT,
    NumberParseException.TOO_LONG: Verdict.LONG_TEXT,
}


def ask_phonenumbers(
    texts: pl.Series, regions: I64, names: Sequence[str | None], outcomes: Outcomes
) -> Numbers:
    """Return the answer of `phonenumbers` for each text, asked once per pair of text and region.

    `regions` indexes `names`, the default regions as they are handed over.
    """
    pairs = pl.DataFrame({"text": texts.rename("text"), "region": regions})
    unique = pairs.unique(maintain_order=True).with_row_index("answer")
    value = np.zeros(unique.height, dtype=np.uint64)
    outcome = np.zeros(unique.height, dtype=np.int32)
    extensions: list[str | None] = [None] * unique.height
    long: list[str | None] = [None] * unique.height
    for row, (text, region) in enumerate(zip(unique["text"], unique["region"], strict=True)):
        number, found = parse_one(text, names[region])
        outcome[row] = outcomes.code(found)
        if number is None:
            continue
        extensions[row] = number.extension
        digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
        if len(digits) < 20:
            value[row] = int(digits)
        else:
            long[row] = "+" + digits
    answers = pairs.join(unique, on=["text", "region"], how="left", nulls_equal=True, maintain_order="left")
    answer = answers["answer"].to_numpy()
    return Numbers(
        value[answer],
        outcome[answer],
        _sparse(extensions, answer),
        _sparse(long, answer),
        np.zeros(0, dtype=np.int64),
    )


def _sparse(texts: list[str | None], answer: npt.NDArray[np.uint32]) -> Sparse:
    known = np.array([text is not None for text in texts], dtype=np.bool_)
    rows = np.flatnonzero(known[answer]) if len(texts) else np.zeros(0, dtype=np.int64)
    return Sparse(rows, pl.Series(texts, dtype=pl.String).gather(answer[rows]))


def parse_one(text: str | None, region: str | None) -> tuple[PhoneNumber | None, Outcome]:
    """Return the parsed number, None where it cannot be parsed, and what it turned out to be."""
    if text is None:
        return None, Outcome(Verdict.NOT_A_NUMBER)
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        return None, Outcome(_verdict_of(error, text, region))
    valid = phonenumbers.is_valid_number(number)
    verdict = Verdict.VALID if valid else POSSIBLE[phonenumbers.is_possible_number_with_reason(number)]
    return number, Outcome(
        verdict,
        phonenumbers.region_code_for_number(number),
        TYPES[phonenumbers.number_type(number)],
        ",".join(time_zones_for_number(number)),
    )


def _verdict_of(error: NumberParseException, text: str, region: str | None) -> Verdict:
    verdict = _ERRORS.get(error.error_type)
    if verdict is not None:
        return verdict
    start = re.search(r"[+＋\d]", text)
    international = start is not None and start.group() in "+＋"
    if region not in phonenumbers.SUPPORTED_REGIONS and not international:
        return Verdict.NO_REGION
    return Verdict.UNKNOWN_CODE
