"""Where a contact is: its jurisdictions and zones, from the list's own columns or from its number.

Two jurisdictions can bind one contact: the number's region and the address's. Zones are taken from the
best evidence there is: an explicit zone, else the address (postal code, state), else the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from dialer.base.toml import read_toml
from dialer.rules.local_time import zone_names
from dialer.rules.rulebook import PRESETS, Line

SEPARATOR = "|"
"""Between the parts of a group's key."""

TERRITORIES = {one: f"US,US-{one}" for one in ("PR", "GU", "VI", "AS", "MP")}
"""Countries of the number plan where the federal rules of another one hold."""

WITH_STATES = ("US", "CA")
"""Countries whose states or provinces are known."""

AREA_LENGTH = 5
"""So many characters of a number in E.164 tell its state: +1 and an area code."""


@dataclass(frozen=True, slots=True)
class State:
    """A state or province: `US-FL`, its name and every zone that some of its people live in."""

    place: str
    name: str
    zones: tuple[str, ...]
    area_codes: tuple[int, ...]
    postal_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Contacts that may be called at the same moments.

    `zones`: all candidates, each of which must be open; none where no zone is known. `zones_from`: where
    they were taken from. `places`: the jurisdictions that bind, countries and states. `line`: what the
    number may be.
    """

    zones: tuple[str, ...]
    zones_from: str
    places: tuple[str, ...]
    line: Line

    @property
    def key(self) -> str:
        """The group as one text, the same for equal groups."""
        return SEPARATOR.join((",".join(self.zones), self.zones_from, ",".join(self.places), self.line))

    @classmethod
    def of_key(cls, key: str) -> Group:
        """Return the group of a key. Raises ValueError where it is none."""
        zones, zones_from, places, line = key.split(SEPARATOR)
        if line not in ("mobile", "fixed", "either"):
            raise ValueError(key)
        return cls(_parts(zones), zones_from, _parts(places), "mobile" if line == "mobile" else _line(line))


def _line(text: str) -> Line:
    return "fixed" if text == "fixed" else "either"


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


@lru_cache(maxsize=1)
def states() -> dict[str, State]:
    """Return every state and province by its place, `US-FL`."""
    table = read_toml(PRESETS / "states.toml").values
    return {
        place: State(
            place,
            row["name"],
            tuple(row["zones"]),
            tuple(row["area_codes"]),
            tuple(row["postal_codes"]),
        )
        for place, row in table.items()
    }


def group_keys(
    rows: pl.DataFrame,
    *,
    phone: str = "phone",
    region: str = "phone_region",
    kind: str = "phone_type",
    number_zones: str = "time_zones",
    own_zone: str | None = None,
    address_country: str | None = None,
    state: str | None = None,
    postal_code: str | None = None,
) -> pl.Series:
    """Return the key of every row's group (String), decided for whole columns.

    `phone` is E.164, `region` ISO 3166, `number_zones` comma-separated candidates; the other columns
    are the list's own and optional. What they hold and cannot be understood counts as not given, but
    makes no row easier to call: the number's evidence is used then.
    """
    evidence = pl.DataFrame(
        {
            "area": rows[phone].cast(pl.String).str.slice(0, AREA_LENGTH),
            "region": rows[region].cast(pl.String),
            "kind": rows[kind].cast(pl.String),
            "number_zones": rows[number_zones].cast(pl.String),
            "own_zone": _optional(rows, own_zone),
            "country": _optional(rows, address_country).str.to_uppercase().fill_null(rows[region]),
            "state": _optional(rows, state),
            "postal_code": _optional(rows, postal_code),
        }
    )
    # A list has few places: 25 ms for 250k rows, against 830 ms for every row by itself.
    places = evidence.unique()
    keyed = places.with_columns(_keys(places).alias("group"))
    together = evidence.join(keyed, on=evidence.columns, how="left", nulls_equal=True, maintain_order="left")
    return together["group"]


def _keys(places: pl.DataFrame) -> pl.Series:
    postal = places["postal_code"]
    frame = pl.DataFrame(
        {
            "region": places["region"],
            "number_state": _states_of_numbers(places["area"]),
            "address_state": _states_of_addresses(places["country"], places["state"], postal),
            "state_from": pl.select(
                pl.when(_not_blank(postal)).then(pl.lit("postal_code")).otherwise(pl.lit("state"))
            ).to_series(),
            "zone": places["own_zone"].replace_strict({name: name for name in zone_names()}, default=None),
            "number_zones": _number_zones(places["number_zones"]),
            "line": _lines(places["kind"]),
        }
    )
    return frame.select(_key()).to_series()


def _key() -> pl.Expr:
    zones_of = {place: ",".join(one.zones) for place, one in states().items()}
    address_zones = pl.col("address_state").replace_strict(zones_of, default=None, return_dtype=pl.String)
    zones = pl.coalesce("zone", address_zones, "number_zones", pl.lit(""))
    zones_from = (
        pl.when(pl.col("zone").is_not_null())
        .then(pl.lit("list"))
        .when(address_zones.is_not_null())
        .then("state_from")
        .when(pl.col("number_zones").is_not_null())
        .then(pl.lit("number"))
        .otherwise(pl.lit("unknown"))
    )
    region = pl.col("region").replace(TERRITORIES)
    wild = pl.when(
        pl.col("region").is_in(WITH_STATES)
        & pl.col("number_state").is_null()
        & pl.col("address_state").is_null()
    ).then(pl.col("region") + "-*")
    places = pl.concat_list(
        region, pl.col("address_state").str.slice(0, 2), "number_state", "address_state", wild
    )
    return pl.concat_str(
        zones,
        zones_from,
        places.list.drop_nulls().list.join(",").str.split(",").list.unique().list.sort().list.join(","),
        "line",
        separator=SEPARATOR,
    ).alias("group")


def _optional(rows: pl.DataFrame, column: str | None) -> pl.Series:
    if column is None:
        return pl.Series("none", [None] * rows.height, dtype=pl.String)
    return rows[column].cast(pl.String).str.strip_chars()


def _not_blank(texts: pl.Series) -> pl.Series:
    return texts.fill_null("") != ""


def _number_zones(zones: pl.Series) -> pl.Series:
    """Return the candidates, sorted, None where libphonenumber knows none."""
    frame = zones.to_frame("zones").with_columns(
        pl.when(~pl.col("zones").str.contains("Etc/Unknown", literal=True) & (pl.col("zones") != ""))
        .then(pl.col("zones").str.split(",").list.sort().list.join(","))
        .alias("zones")
    )
    return frame["zones"]


def _lines(kinds: pl.Series) -> pl.Series:
    """Return mobile, fixed or either; what no mobile can be (toll-free, VoIP, ...) counts as fixed."""
    table: dict[str, Line] = {"mobile": "mobile", "fixed_line_or_mobile": "either", "unknown": "either"}
    return kinds.str.to_lowercase().fill_null("unknown").replace_strict(table, default="fixed")


def _states_of_numbers(areas: pl.Series) -> pl.Series:
    """Return the state of +1 numbers by area code, several with commas, None where it is not known."""
    by_code: dict[str, list[str]] = {}
    for one in states().values():
        for code in one.area_codes:
            by_code.setdefault(f"+1{code}", []).append(one.place)
    table = {code: ",".join(places) for code, places in by_code.items()}
    return areas.replace_strict(table, default=None, return_dtype=pl.String)


def _states_of_addresses(country: pl.Series, named: pl.Series, postal: pl.Series) -> pl.Series:
    by_name: dict[str, str] = {}
    by_postal: dict[str, str] = {}
    for one in states().values():
        here = one.place[:2]
        for name in (one.place, one.place[3:], one.name):
            by_name[f"{here} {name.casefold()}"] = one.place
        for prefix in one.postal_codes:
            for text in _prefixes(prefix):
                by_postal.setdefault(f"{here} {text}", one.place)
    by_name["US washington state"] = "US-WA"
    by_name["US district of columbia"] = by_name["US washington, d.c."] = "US-DC"
    by_name["CA québec"] = "CA-QC"
    frame = pl.DataFrame({"country": country, "named": named, "postal": postal})
    length = pl.when(pl.col("country") == "US").then(3).otherwise(1)
    # Spreadsheets take the leading zeros of ZIP codes away.
    plain = pl.col("postal").str.replace(r"\.0$", "").str.replace(r"-\d{4}$", "")
    digits = pl.when(pl.col("country") == "US").then(plain.str.zfill(5)).otherwise(plain.str.to_uppercase())
    found = frame.select(
        pl.coalesce(
            (pl.col("country") + " " + digits.str.slice(0, length)).replace_strict(
                by_postal, default=None, return_dtype=pl.String
            ),
            (pl.col("country") + " " + pl.col("named").str.to_lowercase()).replace_strict(
                by_name, default=None, return_dtype=pl.String
            ),
        ).alias("state")
    )
    return found["state"]


def _prefixes(text: str) -> list[str]:
    first, _, last = text.partition("-")
    if not last:
        return [first]
    return [f"{number:03d}" for number in range(int(first), int(last) + 1)]
