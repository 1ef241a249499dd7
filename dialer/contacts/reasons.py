"""Why a row was rejected, in a word for tables, a sentence for a person, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import phonenumbers
import polars as pl

from dialer.contacts.cells import Asked, Cells
from dialer.contacts.columns import dense, spread
from dialer.contacts.numbers import I32, I64, PARSED_MAX, Flags, Outcome, Sparse, Verdict, as_e164
from dialer.contacts.plans.contexts import DIGITS_MAX
from dialer.contacts.plans.kinds import NSN_MAX, NSN_MIN
from dialer.contacts.reading.reader import index_of
from dialer.contacts.reading.written import COUNTED_MAX, Written, look_at
from dialer.contacts.regions import name_of, suggest_region

_SHORT_CODE_DIGITS = (3, 6)
_SUGGESTED_DIGITS = (11, 15)
_NAMES_COMPARED_MAX = 20
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
    Verdict.TORN: "not_possible",
}

_WORDS = sorted({*_REASONS.values(), "no_digits", "emergency_or_short"})

_FRACTION = r"[0-9]{7}[.,]0*[1-9]"
_MENDED_BY_PLUS = ("not_valid", "too_long", "not_possible", "no_region")

_AS_TEXT = (
    "format the column as text in the spreadsheet before the numbers are typed or pasted, and export it again"
)
_APART = (
    "put notes into a column of their own, and write each number with + and its country code, a semicolon"
    " between two of them"
)
_WITH_COUNTRY = "write the number with + and its country code, or give its region"


def explain(
    cells: Cells, rows: I64, raw: pl.Series, asked: Asked, unknown: Flags | None, countries: pl.Series | None
) -> dict[str, pl.Series]:
    """Return the columns reason, detail and suggestion, null for all but the rejected `rows`, in their order.

    `unknown` marks rows whose cell of `countries` names no country.
    """
    outcome, height = cells.outcome, len(cells.outcome)
    if not len(rows):
        return {name: dense(Sparse.empty(), height) for name in ("reason", "detail", "suggestion")}
    written = look_at(raw, rows)
    _look_again(written, rows, cells.undone)
    verdict = asked.reader.outcomes.verdicts()[outcome[rows]]
    # Whoever finds too many digits need not know where they are from.
    many = (written.digits > DIGITS_MAX) & (
        (verdict == Verdict.UNKNOWN_CODE) | (verdict == Verdict.NO_REGION)
    )
    verdict[many] = Verdict.LONG_TEXT
    reason = _reasons(written, verdict)
    country, countries_named = _countries(rows, unknown, countries)
    codes = np.where(many, np.int32(Verdict.LONG_TEXT), outcome[rows])
    facts = (written.digits, reason, codes, asked.region[rows], country)
    sentences, which = _sentences_of(facts, countries_named, asked)
    details: list[str | None] = [detail for detail, _ in sentences]
    suggestions: list[str | None] = [suggestion for _, suggestion in sentences]
    better, hints = _with_plus(written, reason, raw, rows, asked)
    hint = which.copy()
    hint[better] = np.arange(len(hints)) + len(suggestions)
    suggested = pl.concat([pl.Series(suggestions, dtype=pl.String), hints], rechunk=True)
    return {
        "reason": spread(pl.Series(_WORDS), reason, rows, height),
        "detail": spread(pl.Series(details, dtype=pl.String), which, rows, height),
        "suggestion": spread(suggested, hint, rows, height),
    }


def _look_again(written: Written, rows: I64, undone: Sparse) -> None:
    """Count what is written in the rejected `rows` without what a spreadsheet added to it."""
    if not len(undone.rows):
        return
    place = np.searchsorted(rows, undone.rows)
    rejected = np.append(rows, -1)[place] == undone.rows
    if rejected.any():
        again = look_at(undone.texts.filter(pl.Series(rejected)), np.arange(rejected.sum()))
        for ours, theirs in zip(written, again, strict=True):
            ours[place[rejected]] = theirs


def _countries(rows: I64, unknown: Flags | None, cells: pl.Series | None) -> tuple[I64, list[str | None]]:
    """Return for each row which name no country has; the first one is none."""
    names: list[str | None] = [None]
    country = np.zeros(len(rows), dtype=np.int64)
    if unknown is None or cells is None:
        return country, names
    named = np.flatnonzero(unknown[rows])
    which, different = index_of(cells.gather(rows[named]), len(named))
    country[named] = which + 1
    return country, [*names, *different]


def _reasons(written: Written, verdict: npt.NDArray[np.uint8]) -> I64:
    """Return the index of each reason in `_WORDS`."""
    of_verdict = np.array([_WORDS.index(_REASONS[each]) for each in Verdict], dtype=np.int64)
    reason = of_verdict[verdict]
    digits, (least, most) = written.digits, _SHORT_CODE_DIGITS
    sure = np.isin(verdict, (Verdict.DAMAGED, Verdict.VALID, Verdict.TORN))
    reason[~sure & (digits < least)] = _WORDS.index("too_short")
    reason[~sure & (digits >= least) & (digits <= most) & ~written.plus] = _WORDS.index("emergency_or_short")
    without = np.flatnonzero(~sure & (digits == 0))
    reason[without] = np.where(written.blank[without], _WORDS.index("blank"), _WORDS.index("no_digits"))
    return reason


def _sentences_of(
    facts: tuple[I64, I64, I32, I64, I64], countries: list[str | None], asked: Asked
) -> tuple[list[tuple[str, str | None]], I64]:
    """Return all different pairs of detail and suggestion, and which pair each row has.

    The facts are how many digits there are, the reason, the outcome, the region and the country.
    """
    outcomes, names = asked.reader.outcomes.all, asked.names
    sizes = (COUNTED_MAX + 1, len(_WORDS), len(outcomes), len(names), len(countries))
    packed = np.ravel_multi_index(facts, sizes)
    different, which = _different(packed, asked)
    compare = _compared()
    sentences = []
    for digits, reason, code, region, named in zip(
        *(part.tolist() for part in np.unravel_index(different, sizes)), strict=True
    ):
        word, country = _WORDS[reason], countries[named]
        near = compare(country) if country is not None and word == "no_region" else ""
        sentences.append(_sentences(word, outcomes[code], names[region], digits, country, near))
    return sentences, which


def _different(keys: I64, asked: Asked) -> tuple[I64, I64]:
    """Return the different keys, and which of them each row has."""
    kernel = asked.reader.kernel
    found = kernel.group(keys.astype(np.uint64)) if kernel is not None else None
    if found is not None:
        which, first = found
        return keys[first], which
    different, inverse = np.unique(keys, return_inverse=True)
    return different, inverse.reshape(-1)


@lru_cache(maxsize=1 << 14)
def _sentences(
    reason: str,
    outcome: Outcome,
    region: str | None,
    digits: int,
    country: str | None,
    near: str,
) -> tuple[str, str | None]:
    """Return the detail and the suggestion, None where nothing sure can be said.

    `near` says what the name of no country may have meant.
    """
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
            return "a spreadsheet rounded or calculated the number, its own digits are lost", _AS_TEXT
        case "emergency_or_short":
            return f"{counted}: an emergency number or a short code, which nobody can be reached at", None
        case "type_not_allowed":
            return f"the number is of type {outcome.type}, which this campaign does not call", None
        case "no_region" if country is not None:
            return (
                f"no country is called {country!r}, and the number has no + with a country code",
                _WITH_COUNTRY + near,
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
        case "not_possible" if outcome.verdict == Verdict.TORN:
            return "the cell holds more than a number, and it is not sure what is meant", _APART
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


def _with_plus(
    written: Written, reason: I64, raw: pl.Series, rejected: I64, asked: Asked
) -> tuple[I64, pl.Series]:
    """Return which rejected rows are valid with a + before their digits, and the sentence that says so."""
    least, most = _SUGGESTED_DIGITS
    worth = np.isin(reason, [_WORDS.index(word) for word in _MENDED_BY_PLUS]) & written.bare
    rows = np.flatnonzero(worth & (written.digits >= least) & (written.digits <= most))
    value, outcome = asked.reader.read_abroad(written.value[rows])
    valid = asked.reader.outcomes.verdicts()[outcome] == Verdict.VALID
    valid[valid] = ~raw.gather(rejected[rows[valid]]).str.contains(_FRACTION).to_numpy()
    regions = asked.reader.outcomes.columns()["region"].gather(outcome[valid])
    said = pl.DataFrame({"phone": as_e164(value[valid]), "region": regions})
    sentences = said.select(
        said=pl.format("if its country code is there already, write {} ({})", "phone", "region")
    )
    return rows[valid], sentences["said"]
