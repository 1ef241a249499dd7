"""How many rows a second are normalized, and how many does phonenumbers do in a loop on the same list?

    python benchmarks/normalize.py [rows] [seed]

Prints both in one run with their ratio, the share of rows asked one by one, the rows on which the two
disagree, and spreadsheet damage that became somebody else's number. rphonenumbers is measured if installed.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import phonenumbers
import polars as pl
from phonenumbers.timezone import time_zones_for_number

from dialer.contacts import normalize, parse_numbers
from dialer.contacts import reader as reading
from dialer.contacts.numbers import TYPES

ROWS, SEED = 1_000_000, 7
LOOP_ROWS, RUNS = 50_000, 5


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    texts, regions = corpus().Corpus(seed).mixed_list(rows)
    frame = pl.DataFrame({"phone": texts, "country": regions})
    print(f"{rows:,} rows of 40 regions, seed {seed}; {platform.processor() or platform.machine()},")
    print(f"{os.cpu_count()} processors, Python {platform.python_version()}, polars {pl.__version__},")
    print(f"phonenumbers {phonenumbers.__version__}\n")
    print(f"start with a warm cache, first row included  {start_s():.2f} s")
    asked = reading.READER.asked
    parse_numbers(frame["phone"], frame["country"])
    asked = reading.READER.asked - asked
    some = frame.head(LOOP_ROWS)
    core = LOOP_ROWS / seconds(lambda: loop(some, full=False))
    full = LOOP_ROWS / seconds(lambda: loop(some, full=True))
    strict = rows / min(seconds(lambda: parse_numbers(frame["phone"], frame["country"])) for _ in range(RUNS))
    whole = rows / min(seconds(lambda: normalize(frame, "phone", None, "country")) for _ in range(RUNS))
    print(f"phonenumbers, parse + valid + E.164          {core:>12,.0f} rows/s")
    print(f"phonenumbers, + region, type, time zones     {full:>12,.0f} rows/s")
    print(f"parse_numbers (strict, all columns)          {strict:>12,.0f} rows/s")
    print(f"normalize (repairs and reasons as well)      {whole:>12,.0f} rows/s")
    print(f"ratio strict / phonenumbers, the same work   {strict / full:>12.1f}")
    print(f"ratio normalize / phonenumbers               {whole / full:>12.1f}")
    rust(some, strict)
    print(f"rows asked one by one                        {asked / rows:>12.4%}")
    print(f"disagreements with phonenumbers              {disagreements(some):>12,} of {LOOP_ROWS:,}")
    print(f"damage that became a wrong number            {wrong_numbers():>12,}")


def corpus():
    """Return the module that makes lists for the tests."""
    file = Path(__file__).parent.parent / "tests" / "contacts" / "corpus.py"
    spec = importlib.util.spec_from_file_location("corpus", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seconds(work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def start_s() -> float:
    """Return the seconds of a new process until the tables have answered, imports of polars aside."""
    code = (
        "import polars, numpy, phonenumbers, time; begin = time.perf_counter()\n"
        "from dialer.contacts import parse_numbers\n"
        "parse_numbers(polars.Series(['+442079460018']), 'GB'); print(time.perf_counter() - begin)"
    )
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )


def loop(frame: pl.DataFrame, full: bool) -> list[tuple]:
    """Return what phonenumbers says of each row, one by one."""
    answers = []
    for text, region in zip(frame["phone"], frame["country"], strict=True):
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            answers.append((None, False, None, None, None, None))
            continue
        valid = phonenumbers.is_valid_number(number)
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if full:
            kind = TYPES[phonenumbers.number_type(number)]
            zones = ",".join(time_zones_for_number(number))
            region = phonenumbers.region_code_for_number(number)
            answers.append((e164, valid, region, kind, number.extension, zones))
    return answers


def disagreements(frame: pl.DataFrame) -> int:
    ours = parse_numbers(frame["phone"], frame["country"]).iter_rows()
    return sum(mine != theirs for mine, theirs in zip(ours, loop(frame, full=True), strict=True))


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


def rust(frame: pl.DataFrame, ours: float) -> None:
    """Measure rphonenumbers where somebody has installed it; it is no dependency."""
    if importlib.util.find_spec("rphonenumbers") is None:
        return
    import rphonenumbers

    def read() -> None:
        for text, region in zip(frame["phone"], frame["country"], strict=True):
            try:
                number = rphonenumbers.parse(text, region)
                if rphonenumbers.is_valid_number(number):
                    rphonenumbers.format_number(number, rphonenumbers.PhoneNumberFormat.E164)
            except Exception:
                continue

    theirs = frame.height / seconds(read)
    print(f"rphonenumbers, parse + valid + E.164         {theirs:>12,.0f} rows/s, ratio {ours / theirs:.1f}")


if __name__ == "__main__":
    main()
