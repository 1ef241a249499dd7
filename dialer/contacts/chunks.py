"""Frames in pieces, some at a time, so that work on them needs little memory and all processors."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import polars as pl

_THREADS_MAX = 4


def in_chunks(height: int, rows: int, one: Callable[[int], pl.DataFrame]) -> pl.DataFrame:
    """Return what `one` makes of the chunks that start at 0, `rows`, 2 * `rows` and so on, in this order.

    `one` runs in several threads: what it does with arrays and frames leaves the interpreter to others.
    """
    starts = range(0, max(height, 1), rows)
    threads = min(len(starts), os.cpu_count() or 1, _THREADS_MAX)
    if threads == 1:
        return pl.concat([one(start) for start in starts])
    with ThreadPoolExecutor(threads) as pool:
        return pl.concat(list(pool.map(one, starts)))
