"""Functions over all numbers of one length, constant on pieces: the algebra that number plans are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dialer.contacts.numbers import I64, Flags
from dialer.contacts.plans.patterns import Intervals


class Pieces(NamedTuple):
    """Where each piece starts (the first at 0), and what the numbers in it become.

    A number x of the piece becomes x + `delta`, a number of `length` digits; `action` says what to do next.
    """

    start: I64
    length: I64
    delta: I64
    action: I64

    def joined(self) -> Pieces:
        """Return the same function with neighbours joined that do the same."""
        same = (
            (self.length[1:] == self.length[:-1])
            & (self.delta[1:] == self.delta[:-1])
            & (self.action[1:] == self.action[:-1])
        )
        keep = np.concatenate([[True], ~same])
        return Pieces(*(column[keep] for column in self))

    def where(self, mask: Flags, other: Pieces) -> Pieces:
        """Return the other function's values where `mask` is set; both have the same starts."""
        return Pieces(
            self.start,
            *(np.where(mask, theirs, ours) for ours, theirs in zip(self[1:], other[1:], strict=True)),
        )


def whole(length: int, action: int, to_length: int = 0, delta: int = 0) -> Pieces:
    """Return the function that does the same to all numbers of `length` digits."""
    return constant(np.zeros(1, dtype=np.int64), action, to_length or length, delta)


def constant(start: I64, action: int, length: int, delta: int = 0) -> Pieces:
    """Return the function that does the same on each of the given pieces."""
    return Pieces(start, *(np.full(len(start), value, dtype=np.int64) for value in (length, delta, action)))


def edges(intervals: Intervals) -> I64:
    """Return the bounds of intervals: a number is inside one when an odd number of bounds is not above it."""
    return np.array(intervals, dtype=np.int64).reshape(-1)


def inside(bounds: I64, numbers: I64) -> Flags:
    """Return which numbers lie inside of intervals, given by their bounds."""
    found: Flags = np.searchsorted(bounds, numbers, side="right") % 2 == 1
    return found


def cut(pieces: Pieces, bounds: I64, top: int) -> Pieces:
    """Return the same function, cut at the given numbers as well; numbers from `top` on do not exist."""
    start = np.union1d(pieces.start, bounds[(bounds > 0) & (bounds < top)])
    return at(pieces, start)


def at(pieces: Pieces, start: I64) -> Pieces:
    """Return the same function on finer pieces."""
    place = np.searchsorted(pieces.start, start, side="right") - 1
    return Pieces(start, *(column[place] for column in pieces[1:]))


def cut_images(pieces: Pieces, bounds_of: dict[int, I64], top: int, actions: tuple[int, ...]) -> Pieces:
    """Return the same function, cut so that what each piece becomes crosses no bound of its new length."""
    stop = np.append(pieces.start[1:], top)
    found = [pieces.start]
    for length, bounds in bounds_of.items():
        chosen = np.flatnonzero((pieces.length == length) & np.isin(pieces.action, actions))
        if not len(chosen) or not len(bounds):
            continue
        delta = pieces.delta[chosen]
        first = np.searchsorted(bounds, pieces.start[chosen] + delta, side="right")
        count = np.searchsorted(bounds, stop[chosen] + delta, side="left") - first
        count = np.maximum(count, 0)
        before = np.concatenate([[0], np.cumsum(count)[:-1]])
        index = np.repeat(first - before, count) + np.arange(count.sum())
        found.append(bounds[index] - np.repeat(delta, count))
    return at(pieces, np.unique(np.concatenate(found)))
