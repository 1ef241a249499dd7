"""Why a row was rejected, in a word for tables, a sentence for a person, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import phonenumbers
import polars as pl

from dialer.contacts.cells import Asked
from dialer.contacts.digits import read_digits
from dialer.contacts.kinds import NSN_MAX, NSN_MIN
from dialer.contacts.numbers import I32, I64, PARSED_MAX, Flags, Outcome, Sparse, Verdict, as_e164, spread
from dialer.contacts.reader import index_of
from dialer.contacts.regions import name_of, suggest_region

_SHORT_CODE_DIGITS = (3, 6)
_SUGGESTED_DIGITS = (11, 15)
_NAMES_COMPARED_MAX = 20
_COUNTED_MAX = 9999
"""Digits of a text are counted so far."""

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

_MENDED_BY_PLUS = ("not_valid", "too_long", "not_possible", "no_region")

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
    digits, international = _counted(texts)
    country = Sparse.empty().dense("country", len(rows))
    if countries is not None and unknown.any():
        named = pl.DataFrame({"country": countries.cast(pl.String).gather(rows), "unknown": unknown[rows]})
        country = named.select(pl.when("unknown").then("country"))["country"]
    verdict = asked.reader.outcomes.verdicts()[outcome[rows]]
    reason = _reasons(texts, verdict, digits, international)
    frame = pl.DataFrame(
        {
            "reason": reason,
            "outcome": outcome[rows],
            "region": asked.region[rows],
            "digits": digits,
            "country": country,
        }
    )
    sentences, which = _sentences_of(frame, asked)
    details: list[str | None] = [detail for detail, _ in sentences]
    suggestions: list[str | None] = [suggestion for _, suggestion in sentences]
    better, said = _with_plus(texts, reason, digits, asked)
    hints = which.copy()
    hints[better] = np.arange(len(said)) + len(suggestions)
    return [
        spread(pl.Series(_WORDS), reason, rows, height).alias("reason"),
        spread(pl.Series(details, dtype=pl.String), which, rows, height).alias("detail"),
        spread(pl.Series(suggestions, dtype=pl.String).append(said), hints, rows, height).alias("suggestion"),
    ]


def _counted(texts: pl.Series) -> tuple[I64, Flags]:
    """Return how many digits each text has, and whether a + stands before them."""
    found = read_digits(texts)
    count, plus = found.length.astype(np.int64), found.plus.copy()
    odd = np.flatnonzero(found.odd)
    if len(odd):
        some = texts.gather(odd)
        count[odd] = some.str.count_matches(r"\d").fill_null(0).to_numpy()
        plus[odd] = some.str.contains(r"^[^0-9]*[+＋]").fill_null(False).to_numpy()
    return np.minimum(count, _COUNTED_MAX), plus


def _reasons(texts: pl.Series, verdict: npt.NDArray[np.uint8], digits: I64, international: Flags) -> I64:
    """Return the index of each reason in `_WORDS`."""
    of_verdict = np.array([_WORDS.index(_REASONS[each]) for each in Verdict], dtype=np.int64)
    reason = of_verdict[verdict]
    least, most = _SHORT_CODE_DIGITS
    sure = (verdict == Verdict.DAMAGED) | (verdict == Verdict.VALID)
    reason[~sure & (digits < least)] = _WORDS.index("too_short")
    short = ~sure & (digits >= least) & (digits <= most) & ~international
    reason[short] = _WORDS.index("emergency_or_short")
    without = np.flatnonzero(~sure & (digits == 0))
    if len(without):
        empty = (texts.gather(without).fill_null("").str.strip_chars() == "").to_numpy()
        reason[without] = np.where(empty, _WORDS.index("blank"), _WORDS.index("no_digits"))
    return reason


def _sentences_of(frame: pl.DataFrame, asked: Asked) -> tuple[list[tuple[str, str | None]], I64]:
    """Return all different pairs of detail and suggestion, and which pair each row has."""
    country, countries = index_of(frame["country"], frame.height)
    outcomes, names = asked.reader.outcomes.all, asked.names
    sizes = (_COUNTED_MAX + 1, len(_WORDS), len(outcomes), len(names), len(countries))
    columns = [frame[name].to_numpy() for name in ("digits", "reason", "outcome", "region")]
    packed = np.ravel_multi_index((*columns, country), sizes)
    different = np.sort(pl.Series(packed).unique().to_numpy())
    compare = _compared()
    sentences = [
        _sentences(_WORDS[reason], outcomes[code], names[region], digits, countries[named], compare)
        for digits, reason, code, region, named in zip(
            *(part.tolist() for part in np.unravel_index(different, sizes)), strict=True
        )
    ]
    return sentences, np.searchsorted(different, packed)


def _sentences(
    reason: str,
    outcome: Outcome,
    region: str | None,
    digits: int,
    country: str | None,
    compare: Callable[[str], str],
) -> tuple[str, str | None]:
    """Return the detail and the suggestion, None where nothing sure can be said."""
    # A number that was read has its own country, or none where several share its calling code.
    home = outcome.region if outcome.verdict <= PARSED_MAX else region
    where = f"numbers of {name_of(home)} ({home})" if home and home != "001" else "phone numbers"
    counted = f"{digits} digit{'s' if digits != 1 else ''}"
    least, most = _lengths(home)
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
            return f"it has {counted} and can be dialled within one town only", "add the area code"
        case "too_short":
            size = f"it has {counted}, fewer" if digits < least else "it is shorter"
            return f"{size} than {where} have{f' ({least} digits at least)' if home else ''}", None
        case "too_long":
            hint = "if the cell holds several numbers, put a semicolon between them" if digits > 15 else None
            size = f"it has {counted}, more" if digits > most else "it is longer"
            return f"{size} than {where} have{f' ({most} digits at most)' if home else ''}", hint
        case "not_possible" if outcome.verdict == Verdict.NOT_A_NUMBER:
            return "the text does not read as a phone number", None
        case "not_possible":
            return f"no {where} are that long; it has {counted}", None
        case _ if outcome.verdict == Verdict.UNKNOWN_CODE:
            return "no country has the calling code that the number starts with", None
        case _:
            return f"{where} with these first digits do not exist", None


def _lengths(region: str | None) -> tuple[int, int]:
    """Return how many digits a country's national numbers have, at least and at most."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None) if region else None
    lengths = metadata.general_desc.possible_length if metadata and metadata.general_desc else ()
    return (lengths[0], lengths[-1]) if lengths else (NSN_MIN, NSN_MAX)


def _compared() -> Callable[[str], str]:
    """Return a look-up of near country names that gives up after so many names: each costs milliseconds."""
    known: dict[str, str] = {}

    def compare(country: str) -> str:
        if country not in known and len(known) < _NAMES_COMPARED_MAX:
            known[country] = suggest_region(country)
        return known.get(country, "")

    return compare


def _with_plus(texts: pl.Series, reason: I64, digits: I64, asked: Asked) -> tuple[I64, pl.Series]:
    """Return rows that are valid numbers with a + in front of their digits, and the sentence that says so."""
    least, most = _SUGGESTED_DIGITS
    worth = np.isin(reason, [_WORDS.index(word) for word in _MENDED_BY_PLUS])
    rows = np.flatnonzero(worth & (digits >= least) & (digits <= most))
    some = texts.gather(rows)
    rows = rows[some.str.contains(r"^[^0-9+]*[1-9][0-9 ().-]*$").fill_null(False).to_numpy()]
    if not len(rows):
        return rows, pl.Series(dtype=pl.String)
    written = "+" + texts.gather(rows).str.replace_all(r"[^0-9]", "")
    found = asked.reader.read(written, np.zeros(len(rows), dtype=np.int64), [None])
    valid = asked.reader.outcomes.verdicts()[found.outcome] == Verdict.VALID
    regions = asked.reader.outcomes.column("region").gather(found.outcome)
    said = pl.DataFrame({"phone": as_e164(found.value), "region": regions}).filter(pl.Series(valid))
    sentences = said.select(
        said=pl.format("if its country code is there already, write {} ({})", "phone", "region")
    )
    return rows[valid], sentences["said"]
