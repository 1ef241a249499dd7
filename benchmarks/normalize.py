"""How many rows a second are normalized, and how many do phonenumbers and rphonenumbers in a loop?

    python benchmarks/normalize.py [rows] [seed] [rounds]

All sides take turns in one process, and ratios are made within a round, so that a busy minute harms all of
them; what is printed are medians. Then: how many rows were asked one by one, on how many rows we and
phonenumbers disagree, whether damage of spreadsheets became somebody else's number, how long a start takes.

rphonenumbers is no dependency; it is measured where it is installed (uv run --with rphonenumbers ...), and
knows no time zones. The speed of phonenumbers depends on whether its patterns fit the 512 places that Python
has for them: beyond that it compiles them again and again, and takes five times as long.
DIALER_KERNEL=off measures the way without compiled code.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import ModuleType

import phonenumbers
import polars as pl
from phonenumbers.timezone import time_zones_for_number

from dialer.contacts import normalize, parse_numbers
from dialer.contacts.numbers import TYPES
from dialer.contacts.reading.reader import READER

ROWS, SEED, ROUNDS = 1_000_000, 7, 5
PYTHON_ROWS, RUST_ROWS = 10_000, 100_000
COMPARED_ROWS = 30_000
TURNS = 3
STARTS = 3

# What each side is asked for; the last is what our columns hold.
CORE, FULL, ALL = "E.164, valid", "E.164, valid, region, type", "all columns"
STRICT, OURS = "parse_numbers", "normalize"


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    rows, seed, rounds = given + [ROWS, SEED, ROUNDS][len(given) :]
    texts, regions = corpus().Corpus(seed).mixed_list(rows)
    frame = pl.DataFrame({"phone": texts, "country": regions})
    print(
        f"{rows:,} rows of 40 regions, seed {seed}, {rounds} rounds; {processor()}, {os.cpu_count()} of them,"
    )
    print(f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, polars {pl.__version__},")
    print(f"phonenumbers {phonenumbers.__version__}{rust_version()}; {way()}\n")
    compare_speed(frame, rounds)
    asked = READER.asked
    parse_numbers(frame["phone"], frame["country"])
    print(f"rows asked one by one                    {(READER.asked - asked) / rows:>14.4%}")
    for name, some in (("list", "mixed_list"), ("corners", "conformance")):
        texts, regions = getattr(corpus().Corpus(seed + 1), some)(COMPARED_ROWS)
        wrong = disagreements(texts, regions)
        print(f"disagreements with phonenumbers, {name:<8}{wrong:>14,} of {COMPARED_ROWS:,}")
    print(f"damage that became a wrong number        {wrong_numbers():>14,}")
    print(f"start until the first row is answered    {median(start_s() for _ in range(STARTS)):>12.2f} s")


def compare_speed(frame: pl.DataFrame, rounds: int) -> None:
    """Print the rows a second of all sides, and ours as multiples of theirs."""
    sides = loops("phonenumbers", phonenumbers, PYTHON_ROWS)
    sides[f"phonenumbers: {ALL}"] = (lambda some: [everything(*row) for row in some.iter_rows()], PYTHON_ROWS)
    if importlib.util.find_spec("rphonenumbers"):
        sides |= loops("rphonenumbers", importlib.import_module("rphonenumbers"), RUST_ROWS)
    ours: dict[str, Callable[[pl.DataFrame], object]] = {
        STRICT: lambda some: parse_numbers(some["phone"], some["country"]),
        OURS: lambda some: normalize(some, "phone", None, "country"),
    }
    for work in ours.values():
        work(frame)
    found: dict[str, list[float]] = {name: [] for name in (*sides, *ours)}
    for turn in range(rounds):
        for name, (work, size) in sides.items():
            some = frame.sample(min(size, frame.height), seed=turn)
            found[name].append(some.height / seconds(work, some))
        for name, work in ours.items():
            found[name].append(frame.height / seconds(work, frame))
    for name, rates in found.items():
        print(f"{name:<44}{median(rates):>12,.0f} rows/s")
    print()
    for mine in ours:
        for name in sides:
            ratio = median(one / other for one, other in zip(found[mine], found[name], strict=True))
            print(f"{mine + ' / ' + name:<56}{ratio:>8.1f}")
    print()


def loops(
    name: str, library: ModuleType, size: int
) -> dict[str, tuple[Callable[[pl.DataFrame], object], int]]:
    """Return both ways in which a library is asked row by row, and for how many rows."""
    return {
        f"{name}: {CORE}": (lambda some: list(answers(library, some, full=False)), size),
        f"{name}: {FULL}": (lambda some: list(answers(library, some, full=True)), size),
    }


def answers(library: ModuleType, frame: pl.DataFrame, *, full: bool) -> Iterator[tuple]:
    """Return what a library with the interface of phonenumbers says of each row."""
    e164 = library.PhoneNumberFormat.E164
    for text, region in zip(frame["phone"].to_list(), frame["country"].to_list(), strict=True):
        try:
            number = library.parse(text, region)
        except library.NumberParseException:
            yield (None, False)
            continue
        core = (library.format_number(number, e164), library.is_valid_number(number))
        yield (*core, library.region_code_for_number(number), library.number_type(number)) if full else core


def disagreements(texts: list[str | None], regions: list[str | None]) -> int:
    """Return on how many rows any of number, validity, region, type, extension or time zones differ."""
    ours = parse_numbers(pl.Series(texts, dtype=pl.String), pl.Series(regions, dtype=pl.String)).iter_rows()
    return sum(
        mine != everything(text, region) for mine, text, region in zip(ours, texts, regions, strict=True)
    )


def everything(text: str | None, region: str | None) -> tuple:
    """Return all that phonenumbers says of one text."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return (None, False, None, None, None, None)
    return (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        phonenumbers.is_valid_number(number),
        phonenumbers.region_code_for_number(number),
        TYPES[phonenumbers.number_type(number)],
        number.extension,
        ",".join(time_zones_for_number(number)),
    )


def corpus() -> ModuleType:
    """Return the module that makes lists for the tests."""
    file = Path(__file__).parent.parent / "tests" / "contacts" / "corpus.py"
    spec = importlib.util.spec_from_file_location("corpus", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seconds(work: Callable[[pl.DataFrame], object], frame: pl.DataFrame) -> float:
    """Return what a turn of a side takes: the median of a few, for new memory may cost more than the work."""
    took = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        work(frame)
        took.append(time.perf_counter() - begin)
    return median(took)


def processor() -> str:
    """Return the name of the processor where Linux tells it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def way() -> str:
    """Return which way numbers are read."""
    return "compiled kernel" if READER.ready().kernel is not None else "without the compiled kernel"


def rust_version() -> str:
    if importlib.util.find_spec("rphonenumbers") is None:
        return ""
    module = importlib.import_module("rphonenumbers")
    return f", rphonenumbers {module.__version__} (numbers of phonenumbers {module.__phonenumbers_version__})"


def start_s() -> float:
    """Return the seconds of a new process until the tables have answered, imports of libraries aside."""
    code = (
        "import polars, numpy, phonenumbers, time; begin = time.perf_counter()\n"
        "from dialer.contacts import parse_numbers\n"
        "parse_numbers(polars.Series(['+442079460018']), 'GB'); print(time.perf_counter() - begin)"
    )
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def wrong_numbers() -> int:
    """Return how many numbers written as floats come out as another number."""
    texts, regions = corpus().Corpus(11).mixed_list(40_000)
    clean = parse_numbers(pl.Series(texts), pl.Series(regions)).with_columns(region=pl.Series(regions))
    clean = clean.filter(pl.col("valid") & pl.col("region").is_not_null())
    digits = clean["phone"].str.slice(1)
    # As a spreadsheet keeps them: the digits without + as a float, in full and rounded.
    floats = pl.DataFrame({"phone": digits + ".0", "country": clean["region"]})
    power = (digits.str.len_chars().cast(pl.Int64) - 1).cast(pl.String)
    rounded = digits.str.slice(0, 1) + "." + digits.str.slice(1, 5) + "E+" + power
    lost = pl.DataFrame({"phone": rounded, "country": clean["region"]})
    bare = pl.DataFrame({"phone": digits, "country": clean["region"]})
    expected = normalize(bare, "phone", None, "country")["phone"]
    found = normalize(floats, "phone", None, "country")["phone"]
    wrong = (found != expected).fill_null(False).sum() + (found.is_null() != expected.is_null()).sum()
    return int(wrong) + int(normalize(lost, "phone", None, "country")["phone"].is_not_null().sum())


if __name__ == "__main__":
    main()
