"""Parquet files: what readers find in them is what was written."""

from __future__ import annotations

from pathlib import Path
from random import Random

import polars as pl
import pyarrow.parquet
import pytest

from dialer.tables.parquet import ParquetWriter

WORDS = ["", "a", "Zürich", "twelve bytes", "thirteen byte", "Europe/London,Europe/Guernsey", "x" * 5000]
INTEGERS = {
    "in order": lambda random, row: row + 1,
    "with gaps": lambda random, row: row * 7 + random.randrange(5),
    "far apart": lambda random, row: random.choice([-(1 << 63), (1 << 63) - 1, 0, row]),
    "sometimes": lambda random, row: row if random.random() < 0.5 else None,
    "never": lambda random, row: None,
}
TEXTS = {
    "repeating": lambda random, row: random.choice(WORDS),
    "different": lambda random, row: f"{row}{'é' * random.randrange(20)}",
    "constant": lambda random, row: "Asia/Kolkata",
    "sometimes there": lambda random, row: random.choice([None, None, f"row {row}"]),
    "never there": lambda random, row: None,
    "late": lambda random, row: "early" if row < 20_000 else f"late {row}",
}


def frame_of(rows: int, seed: int) -> pl.DataFrame:
    random = Random(seed)
    numbers = {
        name: pl.Series([make(random, row) for row in range(rows)], dtype=pl.Int64)
        for name, make in INTEGERS.items()
    }
    texts = {
        name: pl.Series([make(random, row) for row in range(rows)], dtype=pl.String)
        for name, make in TEXTS.items()
    }
    return pl.DataFrame(numbers | texts)


def write(file: Path, *frames: tuple[pl.DataFrame, pl.Series | None]) -> None:
    with ParquetWriter(file) as writer:
        for frame, wanted in frames:
            writer.put(writer.render(frame, wanted))


def read_by_all(file: Path) -> list[pl.DataFrame]:
    read = pl.from_arrow(pyarrow.parquet.read_table(file))
    assert isinstance(read, pl.DataFrame)
    return [read, pl.read_parquet(file), pl.scan_parquet(file).collect(engine="streaming")]


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 127, 128, 129, 130, 1000])
def test_what_is_read_is_what_was_written(tmp_path: Path, rows: int) -> None:
    file = tmp_path / "list.parquet"
    frame = frame_of(rows, rows)
    part = frame.slice(rows // 3)
    keep = pl.Series([Random(row).random() < 0.5 for row in range(frame.height)], dtype=pl.Boolean)
    write(file, (frame, None), (part, None), (frame, keep), (frame, keep & ~keep))
    expected = pl.concat([frame, part, frame.filter(keep)])
    for read in read_by_all(file):
        assert read.equals(expected)


def test_many_texts_that_repeat_at_first_only_are_read_as_written(tmp_path: Path) -> None:
    file = tmp_path / "list.parquet"
    frame = frame_of(40_000, 3)
    write(file, (frame, None))
    for read in read_by_all(file):
        assert read.equals(frame)


def test_an_empty_frame_brings_the_columns(tmp_path: Path) -> None:
    file = tmp_path / "list.parquet"
    frame = frame_of(1, 1).clear()
    write(file, (frame, None))
    for read in read_by_all(file):
        assert read.schema == frame.schema
        assert read.height == 0


def test_a_file_says_between_what_integers_lie(tmp_path: Path) -> None:
    file = tmp_path / "list.parquet"
    frame = pl.DataFrame({"n": [None, 5, -3], "t": ["a", None, None]})
    write(file, (frame, None))
    about = pyarrow.parquet.ParquetFile(file).metadata
    number, text = (about.row_group(0).column(at) for at in range(2))
    assert (number.statistics.min, number.statistics.max, number.statistics.null_count) == (-3, 5, 1)
    assert not text.is_stats_set  # texts are in no order: their bounds would help nobody


def test_numbers_with_a_point_are_written(tmp_path: Path) -> None:
    file = tmp_path / "list.parquet"
    frame = pl.DataFrame({"x": [1.5, None], "t": ["a", "b"]})
    write(file, (frame, None), (frame, pl.Series([False, True])))
    for read in read_by_all(file):
        assert read.equals(pl.concat([frame, frame[1:]]))
