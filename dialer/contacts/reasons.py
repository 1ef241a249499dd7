"""Why a row was rejected, in a word for tables, a sentence for a person, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import phonenumbers
import polars as pl

from dialer.contacts.cells import Asked
from dialer.contacts.numbers import I32, I64, Flags, Outcome, Sparse, Verdict, as_e164
from dialer.contacts.reader import index_of
from dialer.contacts.regions import name_of, suggest_region

_SHORT_CODE_DIGITS = (3, 6)
_SUGGESTED_DIGITS = (11, 15)
_NAMES_COMPARED_MAX = 200

_REASONS = {
    Verdict.VALID: "type_not_allowed",
    Verdict.NOT_VALID: "not_valid",
    Verdict.TOO_SHORT: "too_short",
    Verdict.TOO_LONG: "too_long",
    Verdict.BAD_LENGTH: "not_possible",
    Verdict.LOCAL_ONLY: "too_short",
    Verdict.NOT_A_NUMBER: "not_possible",
    Verdict.UNKNOWN_CODE: "not_valid",
    Verdict.NO_REGION: "no_region",
    Verdict.SHORT_TEXT: "too_short",
    Verdict.LONG_TEXT: "too_long",
    Verdict.DAMAGED: "spreadsheet_damage",
    Verdict.BLANK: "blank",
}

_WORDS = sorted({*_REASONS.values(), "no_digits", "emergency_or_short"})

_AS_TEXT = (
    "format the column as text in the spreadsheet before the numbers are typed or pasted, and export it again"
)
_WITH_COUNTRY = "write the number with + and its country code, or give its region"


def explain(
    outcome: I32, rejected: Flags, raw: pl.Series, asked: Asked, unknown: Flags, countries: pl.Series | None
) -> list[pl.Series]:
    """Return the columns reason, detail and suggestion, null for rows that are not rejected.

    `unknown` marks rows whose cell of `countries` names no country.
    """
    height = len(outcome)
    rows = np.flatnonzero(rejected)
    if not len(rows):
        return [Sparse.empty().dense(name, height) for name in ("reason", "detail", "suggestion")]
    texts = raw.gather(rows).rename("text")
    verdicts = asked.reader.outcomes.verdicts()
    country = Sparse.empty().dense("country", len(rows))
    if countries is not None:
        named = pl.DataFrame({"country": countries.cast(pl.String).gather(rows), "unknown": unknown[rows]})
        country = named.select(pl.when("unknown").then("country"))["country"]
    frame = pl.DataFrame(
        {
            "text": texts,
            "digits": texts.str.count_matches(r"\d").fill_null(0),
            "outcome": outcome[rows],
            "verdict": verdicts[outcome[rows]],
            "region": asked.region[rows],
            "country": country,
        }
    )
    frame = frame.with_columns(reason=_reason())
    sentences, which = _sentences_of(frame, asked)
    frame = frame.with_columns(
        detail=pl.Series([detail for detail, _ in sentences], dtype=pl.String).gather(which),
        suggestion=pl.Series([suggestion for _, suggestion in sentences], dtype=pl.String).gather(which),
    )
    frame = frame.with_columns(suggestion=pl.coalesce(_with_plus(frame, asked.of(rows)), "suggestion"))
    return [Sparse(rows, frame[name]).dense(name, height) for name in ("reason", "detail", "suggestion")]


def _sentences_of(frame: pl.DataFrame, asked: Asked) -> tuple[list[tuple[str, str | None]], I64]:
    """Return all different pairs of detail and suggestion, and which pair each row has."""
    every = pl.Series(_WORDS, dtype=pl.String)
    reason = frame["reason"].replace_strict(every, pl.Series(range(len(every))), return_dtype=pl.Int64)
    country, countries = index_of(frame["country"], frame.height)
    numbers = (reason.to_numpy(), frame["outcome"].to_numpy(), frame["region"].to_numpy(), country)
    packed = frame["digits"].to_numpy().astype(np.int64)
    for column, size in zip(
        numbers, (len(every), len(asked.reader.outcomes.all), len(asked.names), len(countries)), strict=True
    ):
        packed = packed * size + column
    _, first, which = np.unique(packed, return_index=True, return_inverse=True)
    compare = _compared()
    rows = frame.select("reason", "outcome", "region", "digits", "country")[first]
    sentences = [
        _sentences(reason, asked.reader.outcomes.all[code], asked.names[region], digits, country, compare)
        for reason, code, region, digits, country in rows.iter_rows()
    ]
    return sentences, which.reshape(-1)


def _reason() -> pl.Expr:
    international = pl.col("text").str.contains(r"^[^0-9]*[+＋]")
    word = pl.col("verdict").replace_strict(
        [int(verdict) for verdict in _REASONS], list(_REASONS.values()), return_dtype=pl.String
    )
    damaged = pl.col("verdict") == int(Verdict.DAMAGED)
    allowed = pl.col("verdict") == int(Verdict.VALID)
    return (
        pl.when(pl.col("text").is_null() | (pl.col("text").str.strip_chars() == ""))
        .then(pl.lit("blank"))
        .when(damaged | allowed)
        .then(word)
        .when(pl.col("digits") == 0)
        .then(pl.lit("no_digits"))
        .when(pl.col("digits").is_between(*_SHORT_CODE_DIGITS) & ~international)
        .then(pl.lit("emergency_or_short"))
        .when(pl.col("digits") < _SHORT_CODE_DIGITS[0])
        .then(pl.lit("too_short"))
        .otherwise(word)
    )


def _sentences(
    reason: str,
    outcome: Outcome,
    region: str | None,
    digits: int,
    country: str | None,
    compare: Callable[[str], str],
) -> tuple[str, str | None]:
    """Return the detail and the suggestion, None where nothing sure can be said."""
    where = f"numbers of {name_of(region)} ({region})" if region else "phone numbers"
    counted = f"{digits} digit{'s' if digits != 1 else ''}"
    match reason:
        case "blank":
            return "the cell is empty", None
        case "no_digits":
            return "there is no digit in the cell", None
        case "spreadsheet_damage":
            return "a spreadsheet rounded the number, its last digits are lost", _AS_TEXT
        case "emergency_or_short":
            return f"{counted}: an emergency number or a short code, which nobody can be reached at", None
        case "type_not_allowed":
            return f"the number is of type {outcome.type}, which this campaign does not call", None
        case "no_region" if country is not None:
            return (
                f"no country is called {country!r}, and the number has no + with a country code",
                _WITH_COUNTRY + compare(country),
            )
        case "no_region":
            return "the number has no + with a country code, and no region was given for it", _WITH_COUNTRY
        case "too_short" if outcome.verdict == Verdict.LOCAL_ONLY:
            return f"{counted} can be dialled within one town only", "add the area code"
        case "too_short":
            return f"{counted} are fewer than {where} have{_lengths(region)}", None
        case "too_long":
            hint = "if the cell holds several numbers, put a semicolon between them" if digits > 15 else None
            return f"{counted} are more than {where} have{_lengths(region)}", hint
        case "not_possible" if outcome.verdict == Verdict.NOT_A_NUMBER:
            return "the text does not read as a phone number", None
        case "not_possible":
            return f"no {where} have this many digits ({digits})", None
        case _ if outcome.verdict == Verdict.UNKNOWN_CODE:
            return "no country has the calling code that the number starts with", None
        case _:
            return f"{where} with these first digits do not exist", None


def _lengths(region: str | None) -> str:
    if region is None:
        return ""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    lengths = metadata.general_desc.possible_length if metadata and metadata.general_desc else ()
    if not lengths:
        return ""
    return f" ({lengths[0]})" if len(lengths) == 1 else f" ({lengths[0]} to {lengths[-1]})"


def _compared() -> Callable[[str], str]:
    """Return a look-up of near country names that gives up after so many names: each costs milliseconds."""
    known: dict[str, str] = {}

    def compare(country: str) -> str:
        if country not in known and len(known) < _NAMES_COMPARED_MAX:
            known[country] = suggest_region(country)
        return known.get(country, "")

    return compare


def _with_plus(frame: pl.DataFrame, asked: Asked) -> pl.Series:
    """Return what the digits would be with a + in front, where that is a valid number."""
    worth = frame.select(
        pl.col("reason").is_in(["not_valid", "too_long", "not_possible", "no_region"])
        & pl.col("digits").is_between(*_SUGGESTED_DIGITS)
        & pl.col("text").str.contains(r"^[^0-9+]*[1-9][0-9 ().-]*$")
    )["reason"]
    rows = np.flatnonzero(worth.fill_null(False).to_numpy())
    if not len(rows):
        return Sparse.empty().dense("with_plus", frame.height)
    texts = "+" + frame["text"].gather(rows).str.replace_all(r"[^0-9]", "")
    found = asked.reader.read(texts, np.zeros(len(rows), dtype=np.int64), [None])
    valid = asked.reader.outcomes.verdicts()[found.outcome] == Verdict.VALID
    regions = asked.reader.outcomes.column("region").gather(found.outcome)
    said = pl.DataFrame({"phone": as_e164(found.value), "region": regions}).filter(pl.Series(valid))
    sentences = said.select(
        said=pl.format("if its country code is there already, write {} ({})", "phone", "region")
    )
    return Sparse(rows[valid], sentences["said"]).dense("with_plus", frame.height)
