"""What is taken is found again, whatever the order and however many runs there are."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.contacts import taken as taking
from dialer.contacts.taken import Taken


def contacts(numbers: list[int], first_row: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "index": range(len(numbers)),
            "number": numbers,
            "list_id": [None if number % 5 == 0 else f"k{number}" for number in numbers],
            "list_row": range(first_row, first_row + len(numbers)),
        },
        schema={"index": pl.Int64, "number": pl.Int64, "list_id": pl.String, "list_row": pl.Int64},
    )


@given(st.lists(st.lists(st.integers(1, 60), unique=True, max_size=12), max_size=8))
def test_every_number_and_key_is_found_with_its_first_place(batches: list[list[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taking, "RUN_ROWS", 7)
        taken, places = Taken(), dict[int, tuple[int, int]]()
        for file, numbers in enumerate(batches):
            taken.begin_file(f"{file}.csv")
            asked = contacts(numbers, 1)
            met = taken.find_numbers(asked)
            again = [at for at, number in enumerate(numbers) if number in places]
            assert met["index"].to_list() == again
            assert met["of"].to_list() == [numbers[at] for at in again]
            found = zip(met["first_file"], met["first_row"], strict=True)
            assert list(found) == [places[numbers[at]] for at in again]
            keyed = asked.filter(pl.col("list_id").is_not_null())
            assert taken.find_keys(keyed)["of"].to_list() == [n for n in keyed["number"] if n in places]
            fresh = asked.filter(~pl.col("number").is_in(list(places)))
            taken.add(fresh)
            places.update((n, (file, row)) for n, row in zip(fresh["number"], fresh["list_row"], strict=True))


def test_a_number_is_met_for_the_first_time_once_in_each_file() -> None:
    taken = Taken()
    for file in ("a.csv", "b.csv"):
        taken.begin_file(file)
        assert taken.meet(pl.Series([5, 3], dtype=pl.Int64)).to_list() == [True, True]
        assert taken.meet(pl.Series([3, 4, 5], dtype=pl.Int64)).to_list() == [False, True, False]
