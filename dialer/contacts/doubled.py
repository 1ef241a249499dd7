"""Numbers that begin with their country code twice: a + may be missing in the list."""

from __future__ import annotations

import phonenumbers
import polars as pl

from dialer.contacts.numbers import Verdict
from dialer.contacts.reading.reader import READER

_MOBILE = ("mobile", "fixed_line_or_mobile")


def doubled_codes(contacts: pl.DataFrame) -> pl.DataFrame:
    """Return `phone`, and as `meant` the mobile number that it is without the first country code.

    libphonenumber reads `4917141672110` in Germany as +49 4917 141672110, a line of some village; nearly
    always it is +49 171 41672110, written without its +. `contacts` has phone, phone_region and phone_type.
    """
    columns = contacts.select("phone", "phone_region", "phone_type")
    lines = columns.filter(~pl.col("phone_type").is_in(_MOBILE))
    regions = lines["phone_region"].unique().drop_nulls()
    codes = sorted({phonenumbers.country_code_for_region(region) for region in regions} - {0})
    prefixes = "|".join(f"{code}{code}" for code in codes) or "none"
    suspects = lines.filter(pl.col("phone").str.contains(rf"^\+(?:{prefixes})"))
    some = [pl.DataFrame(schema={"phone": pl.String, "meant": pl.String})]
    for code in codes if suspects.height else ():
        twice = suspects.filter(pl.col("phone").str.starts_with(f"+{code}{code}")).select("phone")
        some.append(twice.with_columns(meant=pl.lit("+") + pl.col("phone").str.slice(1 + len(str(code)))))
    found = pl.concat(some)
    value = found["meant"].str.slice(1).cast(pl.UInt64).to_numpy()
    _, outcome = READER.read_abroad(value)
    valid = pl.Series(READER.outcomes.verdicts()[outcome] == Verdict.VALID)
    return found.filter(valid & READER.outcomes.columns()["type"].gather(outcome).is_in(_MOBILE))
