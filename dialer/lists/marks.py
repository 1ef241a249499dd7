"""Line ends, delimiters and quotes of a stretch of text, found and told apart for all of it at once.

In text whose quotes are well formed a mark stands outside quotes when an even number of them is
before it. Where they are not, `good_end` says how far the text can be trusted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dialer.lists.exact import QUOTE, SURE_BYTES

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Marks(NamedTuple):
    """Where line ends, delimiters and quotes stand, which each is, and if it stands outside quotes."""

    at: Positions
    kind: Bytes
    outside: Flags

    def lone_returns(self, values: Bytes) -> Flags:
        """Return which marks are a carriage return without a line feed after it."""
        alone: Flags = self.kind == 13
        if alone.any():
            alone &= values[np.minimum(self.at + 1, len(values) - 1)] != 10
        return alone


def mark(data: bytes, delimiter: int, quoted: bool) -> Marks:
    """Return the marks of text that starts with a record; `quoted` says that quotes mean something."""
    values = np.frombuffer(data, dtype=np.uint8)
    special = (values == 10) | (values == delimiter)
    if b"\r" in data:
        special |= values == 13
    if quoted:
        special |= values == ord(QUOTE)
    at = np.flatnonzero(special)
    kind = values[at]
    if not quoted:
        return Marks(at, kind, np.ones(len(at), dtype=np.bool_))
    return Marks(at, kind, np.cumsum(kind == ord(QUOTE), dtype=np.uint8) % 2 == 0)


def outside_quotes(values: Bytes) -> Flags:
    """Return which bytes of text with well-formed quotes stand outside them; a closing quote does."""
    inside: Bytes = np.bitwise_xor.accumulate((values == ord(QUOTE)).view(np.uint8))
    outside: Flags = inside == 0
    return outside


def good_end(data: bytes, delimiter: int, final: bool) -> tuple[int, bool]:
    """Return where the last complete record before any bad quote ends, and whether one is bad."""
    values = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(values == ord(QUOTE))
    bad = _first_bad_quote(values, quotes, delimiter, final)
    if bad is None and final:
        return len(data), False
    until = len(data) if bad is None else bad
    # A carriage return at the very end may have its line feed in the next block.
    last = max(data.rfind(b"\n", 0, until), data.rfind(b"\r", 0, min(until, len(data) - 1)))
    if np.searchsorted(quotes, last) % 2:  # it stands in a field
        text = values[:last]
        ends = np.flatnonzero((text == 10) | (text == 13))
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        last = int(ends[-1]) if len(ends) else -1
    return last + 1, bad is not None


def _first_bad_quote(values: Bytes, quotes: Positions, delimiter: int, final: bool) -> int | None:
    """Return the first quote that neither opens a field, nor closes one, nor is one of a pair.

    A quote is good when the text's edge, a line end, a delimiter or another quote is beside it.
    """
    open_at, close_at = quotes[0::2], quotes[1::2]
    edge = np.zeros(256, dtype=np.bool_)
    edge[[10, 13, ord(QUOTE), delimiter]] = True
    wrong_opening = ~edge[values[np.maximum(open_at - 1, 0)]]
    wrong_closing = ~edge[values[np.minimum(close_at + 1, len(values) - 1)]]
    if len(open_at) and open_at[0] == 0:
        wrong_opening[0] = False
    if len(close_at) and close_at[-1] == len(values) - 1:
        wrong_closing[-1] = False
    wrong_closing |= close_at - open_at[: len(close_at)] > SURE_BYTES
    bad = [int(found[0]) for found in (open_at[wrong_opening], close_at[wrong_closing]) if len(found)]
    if len(open_at) > len(close_at) and (final or len(values) - int(open_at[-1]) > SURE_BYTES + 1):
        bad.append(int(open_at[-1]))
    return min(bad, default=None)
