"""What each E.164 number is: valid or why not, region, line type, time zones, as sorted intervals.

All calling codes stand in one table per number of digits, because no calling code is the beginning of
another.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, phonenumberutil, timezone
from phonenumbers.tzdata import TIMEZONE_DATA

from dialer.contacts.numbers import I64, POSSIBLE, TYPES, U64, Flags, Outcome, Outcomes, Verdict
from dialer.contacts.plans.patterns import UnknownSyntax, language
from dialer.contacts.plans.pieces import edges, inside

ASK_KIND = -1
"""Instead of the code of an outcome: ask `phonenumbers`."""

NSN_MIN, NSN_MAX = 2, 17
"""Digits of a national number, at least and at most."""

_TYPES_IN_ORDER = (
    ("premium_rate", phonenumbers.PhoneNumberType.PREMIUM_RATE),
    ("toll_free", phonenumbers.PhoneNumberType.TOLL_FREE),
    ("shared_cost", phonenumbers.PhoneNumberType.SHARED_COST),
    ("voip", phonenumbers.PhoneNumberType.VOIP),
    ("personal_number", phonenumbers.PhoneNumberType.PERSONAL_NUMBER),
    ("pager", phonenumbers.PhoneNumberType.PAGER),
    ("uan", phonenumbers.PhoneNumberType.UAN),
    ("voicemail", phonenumbers.PhoneNumberType.VOICEMAIL),
)


class Kinds(NamedTuple):
    """Where each run of E.164 numbers of one length starts, and the code of its outcome."""

    start: U64
    outcome: I64


def compile_kinds(outcomes: Outcomes, length: int) -> Kinds:
    """Return the kinds of all numbers of `length` digits, calling code included.

    Numbers of no calling code, or with too short a rest, cannot come out of a parse: any outcome will do.
    """
    starts, codes = [np.zeros(1, dtype=np.uint64)], [np.zeros(1, dtype=np.int64)]
    for code in sorted(phonenumberutil.COUNTRY_CODE_TO_REGION_CODE, key=str):
        rest = length - len(str(code))
        if NSN_MIN <= rest <= NSN_MAX:
            try:
                start, outcome = _classify(outcomes, code, rest)
            except UnknownSyntax:
                start, outcome = np.zeros(1, dtype=np.int64), np.full(1, ASK_KIND, dtype=np.int64)
            starts.append(start.astype(np.uint64) + np.uint64(code * 10**rest))
            codes.append(outcome)
    start, outcome = np.concatenate(starts), np.concatenate(codes)
    keep = np.concatenate([[True], (outcome[1:] != outcome[:-1])])
    return Kinds(start[keep], outcome[keep])


def _classify(outcomes: Outcomes, code: int, length: int) -> tuple[I64, I64]:
    """Return starts and outcomes by the patterns of all regions of a calling code."""
    regions = phonenumberutil.COUNTRY_CODE_TO_REGION_CODE[code]
    every = [metadata_of(code, region) for region in regions]
    zones = _zones(code, length)
    bounds = [np.zeros(1, dtype=np.int64), *(np.array(side, dtype=np.int64) for side in zones[:1])]
    for metadata in every:
        bounds += [_matches(desc, length) for desc in _descriptions(metadata)]
        if metadata.leading_digits is not None:
            bounds.append(edges(language(metadata.leading_digits).with_prefix(length)))
    start = np.unique(np.concatenate(bounds))
    start = start[start < 10**length]
    types = [_type_of(metadata, start, length) for metadata in every]
    owner = np.full(len(start), -1 if len(regions) > 1 else 0)
    for index in range(len(regions) - 1, -1, -1):
        if len(regions) > 1:
            leading = every[index].leading_digits
            mine = (
                inside(edges(language(leading).with_prefix(length)), start)
                if leading is not None
                else types[index] != phonenumbers.PhoneNumberType.UNKNOWN
            )
            owner[mine] = index
    kind = np.choose(np.maximum(owner, 0), types) if len(types) < 32 else _choose(types, owner)
    kind = np.where(owner < 0, phonenumbers.PhoneNumberType.UNKNOWN, kind)
    zone = zones[1][np.searchsorted(zones[0], start, side="right") - 1]
    possible = POSSIBLE[phonenumberutil._test_number_length("0" * length, main_metadata(code))]
    keys = np.stack([owner, kind, zone])
    unique, inverse = np.unique(keys, axis=1, return_inverse=True)
    codes = np.array(
        [
            _outcome(outcomes, code, regions[mine] if mine >= 0 else None, line, zones[2][where], possible)
            for mine, line, where in unique.T.tolist()
        ],
        dtype=np.int64,
    )
    return start, codes[inverse.reshape(-1)]


def _outcome(
    outcomes: Outcomes, code: int, region: str | None, line: int, zones: str, possible: Verdict
) -> int:
    if line == phonenumbers.PhoneNumberType.UNKNOWN:
        return outcomes.code(Outcome(possible, region, TYPES[line], timezone.UNKNOWN_TIMEZONE))
    if not phonenumberutil.is_number_type_geographical(line, code):
        zones = ",".join(timezone._country_level_time_zones_for_number(PhoneNumber(country_code=code)))
    return outcomes.code(Outcome(Verdict.VALID, region, TYPES[line], zones))


def metadata_of(code: int, region: str) -> Any:
    """Return the metadata of one region of a calling code."""
    return PhoneMetadata.metadata_for_region_or_calling_code(code, region)


def main_metadata(code: int) -> Any:
    """Return the metadata of a calling code's main region."""
    return metadata_of(code, phonenumberutil.region_code_for_country_code(code))


def _descriptions(metadata: Any) -> list[Any]:
    names = ["general_desc", "fixed_line", "mobile", *(name for name, _ in _TYPES_IN_ORDER)]
    return [getattr(metadata, name) for name in names]


def pattern_bounds(desc: Any, length: int) -> I64:
    """Return the bounds of a description's pattern, whatever lengths it says are possible."""
    if desc is None or not desc.national_number_pattern:
        return np.zeros(0, dtype=np.int64)
    return edges(language(desc.national_number_pattern).of_length(length))


def _matches(desc: Any, length: int) -> I64:
    if desc is None or (desc.possible_length and length not in desc.possible_length):
        return np.zeros(0, dtype=np.int64)
    return pattern_bounds(desc, length)


def _type_of(metadata: Any, start: I64, length: int) -> I64:
    """Return the line type of each piece by one region's patterns."""

    def matching(desc: Any) -> Flags:
        return inside(_matches(desc, length), start)

    fixed, mobile = matching(metadata.fixed_line), matching(metadata.mobile)
    same = bool(metadata.same_mobile_and_fixed_line_pattern)
    both = fixed if same else fixed & mobile
    kinds = phonenumbers.PhoneNumberType
    found = np.full(len(start), kinds.UNKNOWN)
    if not same:
        found[mobile] = kinds.MOBILE
    found[fixed] = kinds.FIXED_LINE
    found[both] = kinds.FIXED_LINE_OR_MOBILE
    for name, kind in reversed(_TYPES_IN_ORDER):
        found[matching(getattr(metadata, name))] = kind
    return np.where(matching(metadata.general_desc), found, kinds.UNKNOWN)


def _choose(rows: list[I64], index: I64) -> I64:
    return np.stack(rows)[np.maximum(index, 0), np.arange(len(index))]


def _zones(code: int, length: int) -> tuple[I64, I64, list[str]]:
    """Return starts, the index of the zones there, and all zones: the longest prefix wins."""
    names = [timezone.UNKNOWN_TIMEZONE]
    own = str(code)
    start = np.zeros(1, dtype=np.int64)
    index = np.zeros(1, dtype=np.int64)
    prefixes = [prefix for prefix in TIMEZONE_DATA if prefix.startswith(own) or own.startswith(prefix)]
    known: dict[str, int] = {}
    chosen = []
    for prefix in sorted(prefixes, key=len):
        rest = prefix[len(own) :]
        if len(rest) <= length:
            zones = ",".join(TIMEZONE_DATA[prefix])
            if zones not in known:
                known[zones] = len(names)
                names.append(zones)
            unit = 10 ** (length - len(rest))
            low = int(rest or "0") * unit
            chosen.append((low, low + unit, known[zones]))
    if chosen:
        start = np.unique(
            np.array([0, *(side for low, high, _ in chosen for side in (low, high))], dtype=np.int64)
        )
        index = np.zeros(len(start), dtype=np.int64)
        for low, high, which in chosen:
            index[np.searchsorted(start, low) : np.searchsorted(start, high)] = which
    return start, index, names
