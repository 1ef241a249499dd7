"""Number plans compiled: the digits of a text to the digits of E.164, as sorted intervals.

What libphonenumber does with digits depends on the default region, on how many there are and on their values
alone. It strips prefixes and puts others in front, so that E.164, read as an integer, is the digits plus a
constant over long runs of numbers. Each function here repeats one step of `phonenumberutil.parse` for all
numbers of a length at once. Where a prefix may be one of hundreds (carrier codes), the table says how many
digits to drop instead.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from phonenumbers import PhoneMetadata, ValidationResult, phonenumberutil

from dialer.contacts.numbers import I64, Flags
from dialer.contacts.plans.kinds import NSN_MAX, NSN_MIN, main_metadata, pattern_bounds
from dialer.contacts.plans.patterns import Path, UnknownSyntax, merged, parse_pattern, paths, prefix_intervals
from dialer.contacts.plans.pieces import Pieces, at, constant, cut, cut_images, inside, whole

DIGITS_MAX = 18
"""Texts with more digits are not in the tables."""

E164_MAX = 19
"""Nor is E.164 of more digits. This much fits 64 bits; what is added to get there counts modulo 2**64."""

NUMBER, TOO_SHORT, TOO_LONG, RETRY, ASK, IDD, DROP = 0, 1, 2, 3, 4, 32, 64
"""What to do: add the delta; reject; read again without the +; ask `phonenumbers`; IDD + k: drop k digits and
read the rest as if after a +; DROP + k: drop k digits, then add the delta."""
NO_REGION, NO_DIGITS = 254, 255
"""What to do with all numbers of a context: reject."""

_PLAIN, _WIDE, _ASK = 0, 1, 2
_NOT_MINE = -1
_CONCRETE_MAX = 40
_STAYS = (
    ValidationResult.TOO_SHORT,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY,
    ValidationResult.INVALID_LENGTH,
)


class Plan(NamedTuple):
    """All texts of one number of digits in one context.

    `length` is how many digits E.164 has, `extracted` whether the text named its country itself.
    """

    start: I64
    action: I64
    delta: I64
    length: I64
    extracted: Flags


def compile_region(region: str, length: int) -> Plan:
    """Return what `length` digits without + become when they are dialled in `region`."""
    try:
        return _compile_region(region, length)
    except UnknownSyntax:
        return _plan(whole(length, ASK), np.ones(1, dtype=np.bool_), 10**length)


def _compile_region(region: str, length: int) -> Plan:
    metadata: Any = PhoneMetadata.metadata_for_region(region, None)
    code = metadata.country_code
    rest = length - len(str(code))
    pieces = _national(metadata, code, length)
    extracted = np.zeros(len(pieces.start), dtype=np.bool_)
    if rest >= 0:
        low = code * 10**rest
        pieces, extracted = _overlay(pieces, extracted, _own_code(metadata, length), low, low + 10**rest)
    return _plan(*_with_idd(metadata, pieces, extracted, length), 10**length)


def compile_international(length: int) -> Plan:
    """Return what `length` digits become after a +."""
    extracted = np.ones(1, dtype=np.bool_)
    if length <= NSN_MIN:
        return _plan(whole(length, TOO_SHORT), extracted, 10**length)
    pieces = whole(length, RETRY)
    for code in sorted(phonenumberutil.COUNTRY_CODE_TO_REGION_CODE):
        rest = length - len(str(code))
        low = code * 10**rest
        try:
            over = _shifted(_national(main_metadata(code), code, rest), low, len(str(code)))
        except UnknownSyntax:
            over = _shifted(whole(rest, ASK), low, len(str(code)))
        pieces, extracted = _overlay(pieces, extracted, over, low, low + 10**rest)
    return _plan(pieces, extracted, 10**length)


def _plan(pieces: Pieces, extracted: Flags, top: int) -> Plan:
    """Return the pieces without those that begin behind the last number or do what the one before does."""
    columns = (pieces.action, pieces.delta, pieces.length, extracted)
    inside_top = pieces.start < top
    start, (action, delta, length, flags) = (
        pieces.start[inside_top],
        (column[inside_top] for column in columns),
    )
    number = (action == NUMBER) | (action >= DROP)
    delta, length = np.where(number, delta, 0), np.where(number, length, 0)
    same = [column[1:] == column[:-1] for column in (action, delta, length, flags)]
    keep = np.concatenate([[True], ~np.logical_and.reduce(same)])
    return Plan(*(column[keep] for column in (start, action, delta, length, flags)))


def _shifted(pieces: Pieces, low: int, digits: int) -> Pieces:
    """Return what a national step does to numbers with `digits` more digits in front, `low` in all."""
    return Pieces(
        pieces.start + low,
        pieces.length,
        np.where(pieces.action == NUMBER, pieces.delta - low, pieces.delta),
        np.where(pieces.action >= DROP, pieces.action + digits, pieces.action),
    )


def _national(metadata: Any, code: int, length: int) -> Pieces:
    """Return the last step: a national prefix is stripped if the rest has a possible length."""
    if length < NSN_MIN:
        return whole(length, TOO_SHORT)
    pieces = _strip_if_possible(metadata, length)
    to = len(str(code)) + pieces.length
    # Powers that do not fit belong to numbers that are asked for.
    powers = [code * 10 ** min(int(rest), E164_MAX - len(str(code))) for rest in pieces.length]
    front = np.array(powers, dtype=np.uint64).view(np.int64)
    wide = pieces.action == _WIDE
    action = np.where(wide, DROP + length - pieces.length, NUMBER)
    action[(pieces.action == _ASK) | (to > E164_MAX)] = ASK
    action[pieces.length > NSN_MAX] = TOO_LONG
    action[(pieces.length < NSN_MIN) & (pieces.action != _ASK)] = TOO_SHORT
    return Pieces(pieces.start, to, np.where(wide, front, front + pieces.delta), action)


def _own_code(metadata: Any, length: int) -> Pieces:
    """Return what numbers become that start with the region's own calling code; _NOT_MINE: nothing special.

    Starts are those of the whole number.
    """
    code = metadata.country_code
    rest = length - len(str(code))
    low, top = code * 10**rest, 10**rest
    pieces = _strip_prefix(metadata, rest) if rest else whole(0, _PLAIN)
    general = metadata.general_desc
    too_long = phonenumberutil._test_number_length("0" * length, metadata) == ValidationResult.TOO_LONG
    if not too_long:
        full = pattern_bounds(general, length)
        pieces = cut(pieces, full - low, top)
        after = {int(to): pattern_bounds(general, int(to)) for to in np.unique(pieces.length)}
        pieces = cut_images(pieces, after, top, (_PLAIN,))
        better = np.zeros(len(pieces.start), dtype=np.bool_)
        for to, bounds in after.items():
            mine = (pieces.length == to) & (pieces.action == _PLAIN)
            better[mine] = inside(bounds, pieces.start[mine] + pieces.delta[mine])
        better &= ~inside(full, pieces.start + low)
        fitting = [to for to, bounds in after.items() if len(bounds)]
        asked = (
            (pieces.action != _PLAIN) & np.isin(pieces.length, fitting) & ~inside(full, pieces.start + low)
        )
    else:
        better = pieces.action == _PLAIN
        asked = ~better
    pieces = pieces._replace(action=np.where(asked, _ASK, np.where(better, _PLAIN, _NOT_MINE)))
    return _shifted(_second_strip(pieces, code, top), low, len(str(code)))


def _second_strip(pieces: Pieces, code: int, top: int) -> Pieces:
    """Return the last step by the main region's rules, done to what the pieces become."""
    nationals = {
        int(to): _national(main_metadata(code), code, int(to))
        for to in np.unique(pieces.length[pieces.action == _PLAIN])
    }
    pieces = cut_images(pieces, {to: then.start for to, then in nationals.items()}, top, (_PLAIN,))
    found = Pieces(
        pieces.start,
        pieces.length.copy(),
        np.zeros(len(pieces.start), dtype=np.int64),
        np.where(pieces.action == _NOT_MINE, _NOT_MINE, ASK),
    )
    for to, then in nationals.items():
        mine = (pieces.length == to) & (pieces.action == _PLAIN)
        place = np.searchsorted(then.start, pieces.start[mine] + pieces.delta[mine], side="right") - 1
        # A carrier code once more, after the first step changed the number: nobody writes that.
        found.action[mine] = np.where(then.action[place] >= DROP, ASK, then.action[place])
        found.delta[mine] = then.delta[place] + pieces.delta[mine]
        found.length[mine] = then.length[place]
    return found


def _with_idd(metadata: Any, table: Pieces, extracted: Flags, length: int) -> tuple[Pieces, Flags]:
    """Return the table with international prefixes: what follows is looked up as if after a +."""
    steps: list[tuple[int, int, int]] = []
    for path, intervals in _owned(metadata.international_prefix, length):
        taken = len(path.masks)
        rest = length - taken
        action = IDD + taken if rest > NSN_MIN else TOO_SHORT
        # Not where a 0 follows: no calling code begins with it.
        first = 10 ** (rest - 1) if rest else 0
        heads = _heads(intervals, length, taken)
        steps += [(max(low, low // 10**rest * 10**rest + first), high, action) for low, high in heads]
    if not steps:
        return table, extracted
    start = np.unique(np.array([0, *(side for step in steps for side in step[:2])], dtype=np.int64))
    over = constant(start[start < 10**length], _NOT_MINE, length)
    for low, high, action in steps:
        over.action[slice(*np.searchsorted(over.start, (low, high)))] = action
    return _overlay(table, extracted, over, 0, 10**length)


@cache
def _paths(pattern: str) -> tuple[Path, ...]:
    return tuple(paths(parse_pattern(pattern)))


def _owned(pattern: str | None, length: int) -> list[tuple[Path, tuple[tuple[int, int], ...]]]:
    """Return each way through a prefix pattern with the numbers of `length` digits that go this way."""
    if not pattern or pattern == "NonMatch":
        return []
    ways = [
        (path, prefix_intervals(path.masks, length))
        for path in _paths(pattern)
        if len(path.masks) == length or (len(path.masks) < length and not path.ends)
    ]
    start = np.unique(np.array([0, *(side for _, mine in ways for pair in mine for side in pair)]))
    owner = np.full(len(start), -1)
    # Painted from the last to the first, so that the first way that matches is seen in the end.
    for index in range(len(ways) - 1, -1, -1):
        for low, high in ways[index][1]:
            owner[slice(*np.searchsorted(start, (low, high)))] = index
    found: list[list[tuple[int, int]]] = [[] for _ in ways]
    for low, high, index in zip(start[:-1].tolist(), start[1:].tolist(), owner[:-1].tolist(), strict=True):
        if index >= 0:
            found[index].append((low, high))
    return [(path, merged(mine)) for (path, _), mine in zip(ways, found, strict=True) if mine]


def _strip_prefix(metadata: Any, length: int) -> Pieces:
    """Return what numbers become when a national prefix or carrier code is stripped."""
    pieces = whole(length, _PLAIN)
    pattern = metadata.national_prefix_for_parsing
    if not pattern or not length:
        return pieces
    groups = max((number for path in _paths(pattern) for number in path.groups), default=0)
    steps = []
    owned = _owned(pattern, length)
    rule = metadata.national_prefix_transform_rule
    # A wide choice of prefixes would copy the plan behind each of them.
    dropped = [(path, mine) for path, mine in owned if not (rule and groups in path.groups)]
    wide = sum(_count_heads(mine, length, len(path.masks)) for path, mine in dropped) > _CONCRETE_MAX
    for path, intervals in owned:
        if rule and groups in path.groups:
            steps += _rewrite(path, rule, intervals, length)
        else:
            steps += _drop(path, intervals, length, wide)
    if not steps:
        return pieces
    start = np.unique(np.array([0, *(side for step in steps for side in step[:2])], dtype=np.int64))
    pieces = at(pieces, start[start < 10**length])
    for low, high, to, delta, action in steps:
        mine = slice(*np.searchsorted(pieces.start, (low, high)))
        pieces.length[mine], pieces.delta[mine], pieces.action[mine] = to, delta, action
    return _if_still_viable(metadata.general_desc, pieces, length)


def _count_heads(intervals: tuple[tuple[int, int], ...], length: int, fixed: int) -> int:
    unit = 10 ** (length - fixed)
    return sum(-(-high // unit) - low // unit for low, high in intervals)


def _heads(intervals: tuple[tuple[int, int], ...], length: int, fixed: int) -> list[tuple[int, int]]:
    """Return the intervals cut so that the first `fixed` digits are the same in each."""
    unit = 10 ** (length - fixed)
    return [
        (max(low, head * unit), min(high, (head + 1) * unit))
        for low, high in intervals
        for head in range(low // unit, -(-high // unit))
    ]


def _drop(
    path: Path, intervals: tuple[tuple[int, int], ...], length: int, wide: bool
) -> list[tuple[int, int, int, int, int]]:
    taken = len(path.masks)
    unit = 10 ** (length - taken)
    if wide and taken > 1:
        return [(low, high, length - taken, 0, _WIDE) for low, high in intervals]
    return [
        (low, high, length - taken, -(low // unit) * unit, _PLAIN)
        for low, high in _heads(intervals, length, taken)
    ]


def _rewrite(
    path: Path, rule: str, intervals: tuple[tuple[int, int], ...], length: int
) -> list[tuple[int, int, int, int, int]]:
    """Return the steps of a prefix that is replaced: `rule` holds digits and groups."""
    template: list[int | str] = []
    parts = rule.split("\\")
    template += parts[0]
    for part in parts[1:]:
        template += [int(part[0]), *part[1:]]
    taken = len(path.masks)
    # Which digit of the number stands where in the result; a literal digit stands for itself.
    made: list[int | str] = []
    for item in template:
        if isinstance(item, str):
            made.append(item)
        elif item in path.groups:
            made += range(*path.groups[item])
    to = length - taken + len(made)
    kept = {
        place
        for offset, place in enumerate(made)
        if isinstance(place, int) and taken - place == len(made) - offset
    }
    fixed = max((place + 1 for place in range(taken) if place not in kept), default=0)
    steps = []
    for low, high in _heads(intervals, length, fixed):
        digits = str(low).zfill(length)
        image = "".join(place if isinstance(place, str) else digits[place] for place in made) + digits[taken:]
        steps.append((low, high, to, int(image or "0") - low, _PLAIN))
    return steps


def _if_still_viable(general: Any, pieces: Pieces, length: int) -> Pieces:
    """Return the pieces with numbers left alone that fit the plan before, but would not after."""
    top = 10**length
    before = pattern_bounds(general, length)
    pieces = cut(pieces, before, top)
    after = {int(to): pattern_bounds(general, int(to)) for to in np.unique(pieces.length)}
    pieces = cut_images(pieces, after, top, (_PLAIN,))
    viable = inside(before, pieces.start)
    still = np.zeros(len(pieces.start), dtype=np.bool_)
    unsure = np.zeros(len(pieces.start), dtype=np.bool_)
    for to, bounds in after.items():
        mine = (pieces.length == to) & (pieces.action == _PLAIN)
        still[mine] = inside(bounds, pieces.start[mine] + pieces.delta[mine])
        if len(bounds):
            unsure |= (pieces.length == to) & (pieces.action == _WIDE)
    identity = constant(pieces.start, _PLAIN, length)
    ask = constant(pieces.start, _ASK, length)
    answer = pieces.where(viable & unsure, ask).where(viable & ~still & ~unsure, identity)
    return answer.joined()


def _strip_if_possible(metadata: Any, length: int) -> Pieces:
    pieces = _strip_prefix(metadata, length)
    lengths = np.unique(pieces.length)
    stays = [to for to in lengths if phonenumberutil._test_number_length("0" * int(to), metadata) in _STAYS]
    unchanged = np.isin(pieces.length, stays) & (pieces.action != _ASK)
    return pieces.where(unchanged, constant(pieces.start, _PLAIN, length)).joined()


def _overlay(table: Pieces, extracted: Flags, over: Pieces, low: int, high: int) -> tuple[Pieces, Flags]:
    """Return the table with `over` in [low, high), except where that is _NOT_MINE."""
    lower, upper = np.searchsorted(table.start, (low, high))
    after = np.searchsorted(table.start, high, side="right") - 1
    inner = (
        np.union1d(over.start, table.start[lower:upper]) if (over.action == _NOT_MINE).any() else over.start
    )
    ours = at(over, inner)
    under = np.searchsorted(table.start, inner, side="right") - 1
    beneath = ours.action == _NOT_MINE
    middle = [np.where(beneath, old[under], new) for old, new in zip(table[1:], ours[1:], strict=True)]
    # The piece that the range ends in goes on behind it.
    tail = (
        np.array([high]) if upper == len(table.start) or table.start[upper] != high else np.zeros(0, np.int64)
    )
    tail = tail.astype(np.int64)
    columns = [
        np.concatenate([old[:lower], new, old[[after] * len(tail)], old[upper:]])
        for old, new in zip(table[1:], middle, strict=True)
    ]
    start = np.concatenate([table.start[:lower], inner, tail, table.start[upper:]])
    flags = np.concatenate(
        [extracted[:lower], ~beneath | extracted[under], extracted[[after] * len(tail)], extracted[upper:]]
    )
    return Pieces(start, *columns), flags
