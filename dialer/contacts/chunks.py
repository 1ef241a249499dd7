"""Frames in pieces, some at a time, so that work on them needs little memory and all processors."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import polars as pl

_ROWS_MIN, _ROWS_MAX = 1 << 17, 1 << 19
"""Below this the fixed work of a chunk is felt, above it the memory."""

_THREADS_MAX = 4


def in_chunks(height: int, one: Callable[[int, int], pl.DataFrame]) -> pl.DataFrame:
    """Return what `one` makes of all chunks of `height` rows, given as start and length, in their order.

    `one` runs in several threads: what it does with arrays and frames leaves the interpreter to others.
    """
    threads = min(os.cpu_count() or 1, _THREADS_MAX)
    rounds = -(-height // (threads * _ROWS_MAX))
    rows = max(-(-height // (threads * max(rounds, 1))), _ROWS_MIN)
    starts = range(0, max(height, 1), rows)
    if len(starts) == 1:
        return one(0, rows)
    with ThreadPoolExecutor(threads) as pool:
        return pl.concat(pool.map(one, starts, [rows] * len(starts)))
