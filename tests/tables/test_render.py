"""Compiled code writes what polars would write, byte for byte, whatever the cells hold."""

from __future__ import annotations

from io import BytesIO
from random import Random

import polars as pl
import pytest

from dialer.base.compiled import compiled
from dialer.tables.flat import flat
from dialer.tables.formats import harmless
from dialer.tables.render import binding

pytestmark = pytest.mark.skipif(compiled(binding._SOURCE) is None, reason="nothing was compiled here")

ODD = "abc019 ,\"\n\r\t'=+-@;().\\/{}\x00\x01\x07\x08\x0b\x0c\x0e\x1b\x1f\x7f\x80é＝＋－＠￼\u2028😀"
NAMES = ["a", 'b"c', "d\te", "é\x01\x7f", "=x", "'"]
SIZES = (0, 1, 3, 7, 8, 11, 12, 13, 16, 17, 32, 33, 100)


def cell(random: Random) -> str | None:
    if random.random() < 0.1:
        return None
    size = random.choice(SIZES)
    kind = random.random()
    if kind < 0.2:
        return random.choice("+-'") + "".join(random.choices("0123456789 .,/()-", k=size))
    return "".join(random.choices(ODD if kind < 0.6 else "abcdefgh", k=size))


def some_frame(random: Random) -> pl.DataFrame:
    height = random.choice([1, 2, 50, 200])
    names = NAMES[: random.randint(1, len(NAMES))]
    schema = dict.fromkeys(names, pl.String)
    frame = pl.DataFrame({name: [cell(random) for _ in range(height)] for name in names}, schema=schema)
    if random.random() < 0.4:
        frame = frame.slice(random.randrange(height))
    return pl.concat([frame, frame]) if random.random() < 0.3 else frame


@pytest.mark.parametrize("seed", range(40))
def test_compiled_csv_is_the_csv_of_polars(seed: int) -> None:
    random = Random(seed)
    frame = some_frame(random)
    if random.random() < 0.5:
        numbers = random.choices([None, 0, -5, 10**18], k=frame.height)
        frame = frame.with_columns(pl.Series("n", numbers, dtype=pl.Int64))
    expected = BytesIO()
    harmless(flat(frame)).write_csv(expected, include_header=False)
    written = binding.csv_rows(frame)
    assert written is not None
    assert bytes(written) == expected.getvalue()


@pytest.mark.parametrize("seed", range(40))
def test_compiled_objects_are_the_objects_of_polars(seed: int) -> None:
    frame = some_frame(Random(seed))
    written = binding.json_objects(frame)
    assert written is not None
    assert written.to_list() == frame.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()


def test_other_columns_than_texts_are_left_to_polars() -> None:
    frame = pl.DataFrame({"x": [1.5], "y": ["a"]})
    assert binding.csv_rows(frame) is None
    assert binding.json_objects(frame) is None
    assert binding.json_objects(pl.DataFrame({"n": [1]})) is None
