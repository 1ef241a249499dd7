"""How long does `dialer normalize` take from CSV to clean Parquet, against polars copying the same file?

    python benchmarks/lists.py [--rows 10000000] [--seed 7] [--runs 2] [--unique] [--keep FOLDER]

Each side is a process of its own, and they take turns: polars does `scan_csv(...).sink_parquet(...)` and no
other work, dialer does `dialer normalize ... --to clean.parquet --rejects rejects.csv`. Prints the seconds of
each (the best of the runs), their ratio, and the most memory each had at any moment. All write zstd into
the same folder: polars at its own level, and once more at the level that dialer has (1). The list is the
mixed one of forty regions that the other benchmarks use, in six columns.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from normalize import corpus

SAMPLE_ROWS = 100_000
PART_ROWS = 500_000
COPY = (
    "import sys, polars; polars.scan_csv(sys.argv[1], infer_schema=False)"
    ".sink_parquet(sys.argv[2], compression='zstd', compression_level=LEVEL)"
)
CITIES = [
    "London",
    "Zürich",
    "New York, NY",
    "Mumbai",
    "São Paulo",
    "Łódź",
    "Dubai",
    "Singapore",
    "Cairo",
    "",
]


class Cost(NamedTuple):
    """What a process took: seconds by the wall, seconds of all processors, MiB at most."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    said: str


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="dialer-lists-", dir=asked.keep) as folder:
        file = Path(folder, "list.csv")
        write_list(file, asked.rows, asked.seed)
        print(
            f"{asked.rows:,} rows of 40 regions in 6 columns, {file.stat().st_size / 2**20:,.0f} MiB of CSV;"
        )
        print(f"{os.cpu_count()} processors, Python {platform.python_version()}, polars {pl.__version__}\n")
        usual, light, ours = [], [], []
        for _ in range(asked.runs):
            usual.append(copy(file, Path(folder, "copy.parquet"), None))
            ours.append(normalized(file, Path(folder), asked.unique))
            light.append(copy(file, Path(folder, "copy.parquet"), 1))
    theirs, lighter, mine = min(usual), min(light), min(ours)
    for name, one in (
        ("polars, scan_csv -> sink_parquet", theirs),
        ("the same at zstd's level 1", lighter),
        ("dialer normalize", mine),
    ):
        print(
            f"{name:34}{one.wall_s:8.1f} s {asked.rows / one.wall_s:12,.0f} rows/s "
            f"{one.cpu_s:8.1f} s of processors {one.peak_mib:8,.0f} MiB at most"
        )
    for name, other in (("dialer / polars", theirs), ("dialer / polars at level 1", lighter)):
        print(
            f"{name:34}{mine.wall_s / other.wall_s:8.2f} of the time {mine.cpu_s / other.cpu_s:8.2f} "
            "of the processor time"
        )
    print(f"\n{mine.said}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--unique", action="store_true", help="keep the first row of each number only")
    parser.add_argument("--keep", type=Path, help="the folder to make the temporary files in")
    return parser.parse_args()


def write_list(file: Path, rows: int, seed: int) -> None:
    """Write a list of customers: real shapes of numbers, their last digits drawn anew for each row."""
    texts, regions = corpus().Corpus(seed).mixed_list(min(rows, SAMPLE_ROWS))
    sample = pl.DataFrame({"phone": texts, "country": regions})
    draw = np.random.default_rng(seed)
    with file.open("wb") as target:
        for start in range(0, rows, PART_ROWS):
            size = min(PART_ROWS, rows - start)
            some = sample[draw.integers(sample.height, size=size)]
            tail = pl.Series("tail", draw.integers(1000, 10_000, size=size)).cast(pl.String)
            number = pl.int_range(start + 1, start + size + 1, eager=True)
            part = some.with_columns(tail).select(
                customer_id=number,
                name=pl.format("Customer {}", number % 99_991),
                phone=pl.when(pl.col("phone").str.contains(r"\d{4}$"))
                .then(pl.concat_str(pl.col("phone").str.head(-4), "tail"))
                .otherwise("phone"),
                country="country",
                city=pl.Series(CITIES)[draw.integers(len(CITIES), size=size)],
                amount=pl.Series(draw.integers(0, 1_000_000, size=size) / 100),
            )
            part.write_csv(target, include_header=start == 0)


def copy(file: Path, to: Path, level: int | None) -> Cost:
    return process([sys.executable, "-c", COPY.replace("LEVEL", str(level)), str(file), str(to)])


def normalized(file: Path, folder: Path, unique: bool) -> Cost:
    words = [sys.executable, "-m", "dialer", "normalize", str(file), "--phone", "phone"]
    words += ["--region-column", "country", "--to", str(folder / "clean.parquet")]
    words += ["--rejects", str(folder / "rejects.csv"), *(["--unique"] if unique else [])]
    return process(words)


def process(words: list[str]) -> Cost:
    """Run a program to its end; its figures come from the system, its children included."""
    begin = time.perf_counter()
    # The system keeps the greatest memory of any child so far: a child of its own for each measurement.
    code = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_maxrss, used.ru_utime + used.ru_stime); print(done.stdout, done.stderr)\n"
        "sys.exit(done.returncode)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    wall_s = time.perf_counter() - begin
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    figures, said = done.stdout.split("\n", 1)
    peak, cpu_s = figures.split()
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(wall_s, float(cpu_s), float(peak) / unit, said.strip())


if __name__ == "__main__":
    main()
