"""Which run of a sorted table a key falls into, for many keys at once.

A table of buckets answers most keys with one access; only keys whose bucket holds the start of a run are
searched for. Measured: 21 to 35 ns a key against 75 by searching for all of them, 2 cores, 2026-11
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dialer.contacts.numbers import I64, U64

CONTEXT_BITS, DIGIT_BITS = 14, 50
"""A key is a context, of which the low five bits are a number of digits, and up to 15 leading digits."""

_BUCKETS_PER_KEY = 16


class Lookup:
    """Finds keys in a sorted array."""

    def __init__(self, keys: U64) -> None:
        self.keys = keys
        count = np.bincount((keys >> np.uint64(DIGIT_BITS)).astype(np.int64), minlength=1 << CONTEXT_BITS)
        buckets = np.where(count > 1, count * _BUCKETS_PER_KEY, 1)
        length = np.minimum(np.arange(1 << CONTEXT_BITS) % 32, 15)
        self.factor = np.where(count > 1, buckets / 10.0**length, 0.0)
        self.base = np.concatenate([[0], np.cumsum(buckets)[:-1]]).astype(np.int64)
        self.last = int(buckets.sum()) - 1
        filled = np.bincount(self._bucket(keys) + 1, minlength=self.last + 2)
        self.first: npt.NDArray[np.int32] = np.cumsum(filled, dtype=np.int32)

    def find(self, keys: U64) -> I64:
        """Return the index of the last key of the table that is not above each of the given ones."""
        bucket = self._bucket(keys)
        low = self.first.take(bucket)
        bucket += 1
        high = self.first.take(bucket)
        found: I64 = low.astype(np.int64)
        rows = np.flatnonzero(low != high)
        low, high, keys = low[rows], high[rows], keys[rows]
        # The buckets that hold several starts are halved until none is left.
        while len(rows):
            middle = (low + high) >> 1
            passed = self.keys.take(middle) <= keys
            low, high = np.where(passed, middle + 1, low), np.where(passed, high, middle)
            found[rows] = low
            going = np.flatnonzero(low < high)
            rows, low, high, keys = rows[going], low[going], high[going], keys[going]
        found -= 1
        return found

    def _bucket(self, keys: U64) -> I64:
        context = (keys >> np.uint64(DIGIT_BITS)).astype(np.int64)
        digits = (keys & np.uint64((1 << DIGIT_BITS) - 1)).astype(np.float64)
        digits *= self.factor.take(context)
        bucket = digits.astype(np.int64)
        bucket += self.base.take(context)
        np.minimum(bucket, self.last, out=bucket)
        return bucket
