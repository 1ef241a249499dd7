"""Spans of absolute time: lists of (begin_us, end_us), UTC, end exclusive, in order, not overlapping."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def meet(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """Return what lies in both."""
    both: list[Span] = []
    first = second = 0
    while first < len(one) and second < len(other):
        begin = max(one[first][0], other[second][0])
        end = min(one[first][1], other[second][1])
        if begin < end:
            both.append((begin, end))
        if one[first][1] < other[second][1]:
            first += 1
        else:
            second += 1
    return both


def join(spans: Iterable[Span]) -> list[Span]:
    """Return the same time in order; spans that touch or overlap become one."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def without(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """Return what of the first lies not in the second."""
    edge = 2**62
    gaps: list[Span] = []
    last = -edge
    for begin, end in other:
        gaps.append((last, begin))
        last = end
    gaps.append((last, edge))
    return meet(one, gaps)


def span_at(spans: Sequence[Span], at_us: int) -> Span | None:
    """Return the span that holds the moment, None where none does."""
    place = bisect_right(spans, (at_us, 2**62)) - 1
    if place >= 0 and spans[place][0] <= at_us < spans[place][1]:
        return spans[place]
    return None


def next_span(spans: Sequence[Span], at_us: int) -> Span | None:
    """Return the span that holds the moment or else the first one after it."""
    place = max(0, bisect_right(spans, (at_us, 2**62)) - 1)
    return next((span for span in spans[place:] if span[1] > at_us), None)
