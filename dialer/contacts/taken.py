"""The numbers and owner's keys that a campaign has, with their places: millions in memory, found in batches.

Each is a column of sorted runs. A batch is looked up by binary search, a few nanoseconds a row however many
there are; a hash table would be made anew for every batch, or cost several times the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

RUN_ROWS = 2_000_000
"""Runs are merged up to this size: fewer to search, and little to copy at once."""

Column = NDArray[np.int64]

MET = {"index": pl.Int64, "first_row": pl.Int64, "first_file": pl.Int32, "of": pl.Int64}
"""What was found: the row's index, the place of the first, and the number of the contact."""


class Taken:
    """Numbers and keys that are taken, each with the row and the file where it was first.

    Keys are kept as two hashes of 64 bits: that two keys agree in both is less likely than a broken memory.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self._numbers = _Runs()
        self._keys = _Runs()
        self._met_here = _Runs()

    @property
    def here(self) -> int:
        """The place in `files` of the file that is read now."""
        return len(self.files) - 1

    def begin_file(self, file: str) -> None:
        """Let what is added from now on be of this file."""
        if not self.files or self.files[-1] != file:
            self.files.append(file)
            self._met_here = _Runs()

    def add(self, contacts: pl.DataFrame) -> None:
        """Take the contacts' `number` (Int64) and `list_id` (String), at `list_row` (Int64) of the file."""
        numbers = contacts["number"].to_numpy()
        self._numbers.add(numbers, (self.here << 40) + contacts["list_row"].to_numpy())
        keyed = contacts.filter(pl.col("list_id").is_not_null())
        first, second = _hashes(keyed["list_id"])
        self._keys.add(first, second, keyed["number"].to_numpy())

    def find_numbers(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return, as MET, which of the rows (`index`, `number`) have a number that is taken."""
        numbers = rows["number"].to_numpy()
        found, (places,) = self._numbers.find(numbers)
        return self._met(rows["index"].to_numpy()[found], numbers[found], places)

    def find_keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return, as MET, which of the rows (`index`, `list_id`) have a key that is taken."""
        first, second = _hashes(rows["list_id"])
        found, (seconds, numbers) = self._keys.find(first, 2)
        same = second[found] == seconds
        _, (places,) = self._numbers.find(numbers[same])
        return self._met(rows["index"].to_numpy()[found][same], numbers[same], places)

    def meet(self, numbers: pl.Series) -> pl.Series:
        """Return which of the distinct numbers are met for the first time in this file (Boolean)."""
        keys = numbers.to_numpy()
        found, _ = self._met_here.find(keys, 0)
        self._met_here.add(np.delete(keys, found))
        first = np.ones(len(keys), dtype=np.bool_)
        first[found] = False
        return pl.Series(first)

    def _met(self, index: Column, numbers: Column, places: Column) -> pl.DataFrame:
        columns = {"index": index, "first_row": places & ((1 << 40) - 1), "first_file": places >> 40}
        return pl.DataFrame({**columns, "of": numbers}).cast(pl.Schema(MET))


class _Runs:
    """Rows of whole numbers, sorted by the first, in runs."""

    def __init__(self) -> None:
        self._runs: list[tuple[Column, ...]] = []

    def add(self, *columns: Column) -> None:
        if not len(columns[0]):
            return
        if self._runs and len(self._runs[-1][0]) + len(columns[0]) <= RUN_ROWS:
            last = self._runs.pop()
            columns = tuple(np.concatenate(pair) for pair in zip(last, columns, strict=True))
        order = np.argsort(columns[0], kind="stable")
        self._runs.append(tuple(column[order] for column in columns))

    def find(self, keys: Column, values: int = 1) -> tuple[Column, list[Column]]:
        """Return the positions of the keys that are there, in order, and the values beside them."""
        order = np.argsort(keys)  # in order the search stays near where it was
        wanted = keys[order]
        positions: list[Column] = [np.empty(0, dtype=np.int64)]
        found: list[list[Column]] = [[np.empty(0, dtype=np.int64)] for _ in range(values)]
        for run in self._runs:
            at = np.minimum(np.searchsorted(run[0], wanted), len(run[0]) - 1)
            hit = run[0][at] == wanted
            positions.append(order[hit])
            for column, value in zip(found, run[1:], strict=True):
                column.append(value[at[hit]])
        together = np.concatenate(positions)
        back = np.argsort(together, kind="stable")
        return together[back], [np.concatenate(column)[back] for column in found]


def _hashes(keys: pl.Series) -> tuple[Any, Any]:
    return tuple(keys.hash(seed).to_numpy().view(np.int64) for seed in (1, 2))  # type: ignore[return-value]
