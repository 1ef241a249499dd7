"""An account's line of calls in parts: which worker has how many places of each second. Only arithmetic.

A limit of 200 calls in any second is 200 places. A worker that has 67 of them sends at most 67 calls in any
second, by an exact log of its own, whatever the others do: together they never exceed the limit, and a
worker that was late catches up as one alone does. Slots of a common line (dialer.attempts.pace.slots)
cannot do that: one that is missed is lost.

Parts stand in the account's row, by the database's clock, each for a moment; whoever asks again keeps its
own. A place changes hands only after it rested for a whole window: what left by it before and what leaves by
it afterwards never share a second. So the one who has too many is told, gives them up itself, and says so
with its next question. What a silent worker had rests from the end of its time on.

Where workers say different limits, because dialer.toml was changed and not all of them are started again,
the lowest one holds for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from dialer.attempts.pace.slots import SANE_US, LineRow

PARTS_FROM = 10
"""From so many whole calls per second on a line is shared in parts; fewer are taken in turns, by slots."""
PART_US = 1_500_000
"""For how long a worker has its part when it says so."""
TURN_US = 5_000_000
"""Where there are more workers than places, each goes without one for about so long."""
IN_PARTS = "(parts)"
"""What stands in `accounts.sole_worker` meanwhile: nobody may take slots of a line that is in parts."""


class Part(NamedTuple):
    """What one worker has: places until a moment, how many it could use, and how many it says there are."""

    worker: str
    places: int
    until_us: int
    needs: int
    total: int = 2**31


class Resting(NamedTuple):
    """Places that somebody may have from a moment on; whoever had them last may have them back before."""

    places: int
    from_us: int
    worker: str | None


class Parts(NamedTuple):
    """How a line is divided. What is neither held nor resting is free."""

    held: tuple[Part, ...] = ()
    resting: tuple[Resting, ...] = ()


class PartAsk(NamedTuple):
    """What a worker says: the places there are, how many it `keeps` of its own, how many it could use."""

    worker: str
    total: int
    keeps: int
    needs: int
    window_us: int


class PartGrant(NamedTuple):
    """A worker's places for `for_us` from when it asked; it goes down to them before it asks again."""

    places: int
    for_us: int = PART_US


def divide(parts: Parts, ask: PartAsk, now_us: int) -> tuple[Parts, PartGrant]:
    """Return the parts and what the worker gets; under the row's lock."""
    parts = _in_time(parts, ask, now_us)
    others = {one.worker: one for one in parts.held if one.worker != ask.worker}
    mine = sum(one.places for one in parts.held if one.worker == ask.worker)
    mine += sum(one.places for one in parts.resting if one.worker == ask.worker)
    keeps = min(ask.keeps, mine)
    resting = [one for one in parts.resting if one.worker != ask.worker]
    if keeps < mine:
        resting.append(Resting(mine - keeps, now_us + ask.window_us, None))
    taken = sum(one.places for one in others.values()) + sum(one.places for one in resting)
    total = min([ask.total, *(one.total for one in others.values())])
    free = max(0, total - taken - keeps)

    needs = {**{name: one.needs for name, one in others.items()}, ask.worker: ask.needs}
    held = {**{name: one.places for name, one in others.items()}, ask.worker: keeps}
    targets = fair(needs, held, total, now_us)
    target = targets[ask.worker]
    places = min(keeps + free, max(keeps, target))
    part = Part(ask.worker, places, now_us + PART_US, ask.needs, ask.total)
    parts = Parts(
        tuple(sorted((*others.values(), part))), tuple(sorted(resting, key=lambda one: one.from_us))
    )
    goes_without = any(2 * held[name] < targets[name] for name in others)
    exactly = goes_without or places + sum(one.places for one in others.values()) > total
    too_many = places - target > (0 if exactly else max(1, places // 8))
    return parts, PartGrant(target if too_many else places)


def fair(needs: Mapping[str, int], held: Mapping[str, int], total: int, now_us: int) -> dict[str, int]:
    """Return how many places each worker should have: all of them, nobody in want while another has more.

    Whoever holds more already gets what division leaves over. Where there are more workers than places, they
    take turns.
    """
    names = sorted(needs)
    turn = now_us // TURN_US % len(names) if len(names) > total else 0
    rank = {name: (place + turn) % len(names) for place, name in enumerate(names)}
    order = sorted(names, key=lambda name: (needs[name], rank[name] if turn else held[name], rank[name]))
    targets, left = {}, total
    for place, name in enumerate(order):
        targets[name] = min(needs[name], left // (len(order) - place))
        left -= targets[name]
    for place, name in enumerate(order):  # what nobody is known to need
        more = left // (len(order) - place)
        targets[name] += more
        left -= more
    return targets


def read_parts(written: str | None, row: LineRow, window_us: int, total: int) -> Parts:
    """Return the parts of a row; what was taken of its line as slots is over, and rests."""
    parts = Parts()
    if written:
        held, resting = orjson.loads(written)
        parts = Parts(tuple(Part(*one) for one in held), tuple(Resting(*one) for one in resting))
    if row.sole_worker == IN_PARTS:
        return parts
    slots_until_us = max(row.call_slot_at_us, row.sole_until_us)
    return Parts((), (*parts.resting, Resting(total, slots_until_us + window_us, None)))


def write_parts(parts: Parts) -> str:
    """Return the parts as they stand in a row."""
    return orjson.dumps([list(map(tuple, parts.held)), list(map(tuple, parts.resting))]).decode()


def _in_time(parts: Parts, ask: PartAsk, now_us: int) -> Parts:
    """Return the parts with what is over since: silent workers' places rest, rested places are free."""
    moments = [one.until_us for one in parts.held] + [one.from_us for one in parts.resting]
    if max(moments, default=0) > now_us + SANE_US:  # the database's clock was set back
        return Parts((), (Resting(ask.total, now_us + ask.window_us, None),))
    silent = [one for one in parts.held if one.until_us <= now_us]
    resting = (
        *parts.resting,
        *(Resting(one.places, one.until_us + ask.window_us, one.worker) for one in silent),
    )
    held = tuple(one for one in parts.held if one.until_us > now_us)
    return Parts(held, tuple(one for one in resting if one.places and one.from_us > now_us))
