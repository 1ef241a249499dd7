"""Which row had a number first, over any number of batches, in little memory and without a loop over rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

RUN_MAX = 2_000_000
"""Runs of numbers up to this size are merged: fewer look-ups later, and little memory for each merge."""


class _Run(NamedTuple):
    """Numbers in ascending order, each with its first row."""

    numbers: I64
    rows: NDArray[np.uint32]


class Firsts:
    """The numbers of all batches so far: sorted runs, merged as they grow; 12 bytes a number."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, numbers: I64, rows: I64) -> I64:
        """Return for each number the row that had it first, in this batch or before; 0 where it is new.

        `rows` are the list's own, ascending, below 2**32.
        """
        order = np.argsort(numbers, kind="stable")
        ordered = numbers[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))[: len(ordered)]
        unique, first = ordered[starts], rows[order[starts]]
        known = np.zeros(len(unique), dtype=np.int64)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run.numbers, unique), len(run.numbers) - 1)
            found = run.numbers[at] == unique
            known[found] = run.rows[at[found]]
        new = known == 0
        if new.any():
            self._keep(_Run(unique[new], first[new].astype(np.uint32)))
        which = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ordered))))
        earlier = np.empty(len(numbers), dtype=np.int64)
        earlier[order] = np.where(known > 0, known, first)[which]
        return np.where(earlier == rows, 0, earlier)

    def _keep(self, run: _Run) -> None:
        self._runs.append(run)
        while len(self._runs) > 1:
            one, other = self._runs[-2:]
            size = len(one.numbers) + len(other.numbers)
            if len(one.numbers) > 2 * len(other.numbers) or size > RUN_MAX:
                return
            numbers = np.concatenate([one.numbers, other.numbers])
            order = np.argsort(numbers, kind="stable")
            rows = np.concatenate([one.rows, other.rows])[order]
            self._runs[-2:] = [_Run(numbers[order], rows)]
