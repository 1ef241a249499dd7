"""`dialer suppress`: who must not be called, why, and until when."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
from cyclopts import Parameter
from sqlalchemy import text

from dialer.base.durations import parse_duration
from dialer.base.errors import BadInput
from dialer.base.settings import Settings
from dialer.base.words import did_you_mean
from dialer.calls import suppressions
from dialer.calls.suppressions import Suppression, Terms
from dialer.campaign.read import known_campaigns
from dialer.cli.deployment import Config, campaign_name, campaign_of, open_store, settings_of
from dialer.cli.show import err, out, print_json, print_table
from dialer.contacts import normalize, parse_numbers
from dialer.lists import find_column, likely_phone_columns, open_list, shown
from dialer.store.database import Store

Region = Annotated[str | None, Parameter(help="ISO country code, for numbers without one.")]
ForCampaign = Annotated[
    str | None, Parameter(name="--campaign", help="Only for this campaign; for all where left out.")
]
ForAccount = Annotated[
    str | None, Parameter(name="--account", help="Only for this account; for all where left out.")
]
OfCampaign = Annotated[
    str | None,
    Parameter(
        name="--campaign",
        help="Only the entries for this campaign alone; all entries, for all and for each, where left out.",
    ),
]
OfAccount = Annotated[
    str | None,
    Parameter(
        name="--account",
        help="Only the entries for this account alone; all entries, for all and for each, where left out.",
    ),
]
Reason = Annotated[str | None, Parameter(help="Why, for people who ask later.")]
Source = Annotated[str | None, Parameter(help="Where it comes from: a registry, a letter, a person.")]
Expires = Annotated[
    str | None, Parameter(help="For how long (30d) or until which day (2027-01-31); for ever where left out.")
]

EXAMPLES = 3


def add(
    number: Annotated[str, Parameter(help="A number with + and country code, or a prefix such as +4930*.")],
    /,
    *,
    region: Region = None,
    campaign: ForCampaign = None,
    account: ForAccount = None,
    reason: Reason = None,
    source: Source = None,
    expires: Expires = None,
    config: Config = None,
) -> int:
    """Add one number or prefix; it holds from now on, also for calls that are about to be placed."""
    settings = settings_of(config)
    value, kind = _value(number, region)
    _refuse_unknown_account(account, settings)
    with open_store(settings, create=True) as store:
        name = campaign and _known_campaign(store, campaign, settings)
        terms = _terms(store, name, account, reason, source, expires)
        with store.write() as connection:
            suppressions.add(store, connection, [(value, kind)], terms, store.now_us(connection))
    out().print(f"{value}{'*' if kind == 'prefix' else ''}: not called any more{_for(terms)}", markup=False)
    return 0


def remove(
    number: Annotated[str, Parameter(help="The number, or the prefix with * at its end.")],
    /,
    *,
    region: Region = None,
    campaign: OfCampaign = None,
    account: OfAccount = None,
    config: Config = None,
) -> int:
    """Take a number or prefix off again: every entry of it, also those for one campaign or account alone.

    What was taken off is said with counts. An entry for all cannot be lifted for one campaign.
    """
    settings = settings_of(config)
    value, kind = _value(number, region)
    with open_store(settings) as store:
        name = campaign_name(campaign, settings) if campaign else "*"
        gone = suppressions.remove(store, value, name, account or "*", kind=kind)
        left = suppressions.found(store, value) if kind == "number" else []
    shown = value + ("*" if kind == "prefix" else "")
    if not gone:
        see = "list" if kind == "prefix" else f"check {value}"
        raise BadInput(f"{shown}: there is no such entry; `dialer suppress {see}` shows what there is")
    whom = Counter(_whom(*one) for one in gone)
    told = ", ".join(f"{count} for {words}" for words, count in sorted(whom.items()))
    entries = "entry" if len(gone) == 1 else "entries"
    out().print(f"{shown}: {len(gone)} {entries} taken off: {told}", markup=False, soft_wrap=True)
    if left:
        still = ", ".join(f"{_plain(one)['number']} for {_whom(one.campaign, one.account)}" for one in left)
        out().print(f"{shown}: still held by {still}", markup=False, soft_wrap=True)
    return 0


def import_(
    file: Annotated[Path, Parameter(help="Any list: CSV, TSV, Parquet, Excel, plain or compressed.")],
    /,
    *,
    phone: Annotated[str | None, Parameter(help="The column with the numbers.")] = None,
    region: Region = None,
    campaign: ForCampaign = None,
    account: ForAccount = None,
    reason: Reason = None,
    source: Annotated[
        str | None, Parameter(help="Where it comes from; the file's name where left out.")
    ] = None,
    expires: Expires = None,
    json: bool = False,
    config: Config = None,
) -> int:
    """Add every number and prefix (+4930*) of a list, all or nothing; importing it again changes nothing.

    Args:
        json: Print one JSON document instead of lines.
    """
    settings = settings_of(config)
    _refuse_unknown_account(account, settings)
    numbers, prefixes, rejects, rows = _numbers(file, phone, region)
    if not len(numbers) and not len(prefixes):
        raise BadInput(f"{file}: no row of {rows} holds a number that can be called; nothing was written")
    with open_store(settings, create=True) as store:
        name = campaign and _known_campaign(store, campaign, settings)
        terms = _terms(store, name, account, reason, source or shown(Path(file.name)), expires)
        unique, there = suppressions.add_numbers(store, numbers, terms, prefixes)
    twice = len(numbers) + len(prefixes) - unique
    starts = prefixes.n_unique()
    if json:
        counts = {"rows": rows, "numbers": unique - starts, "prefixes": starts}
        counts |= {"duplicate": twice, "there_already": there}
        print_json({**counts, "not_understood": rejects.height})
        return 0
    beside = f" and {starts:,} prefix{'es' if starts > 1 else ''}" if starts else ""
    out().print(
        f"{shown(file)}: {rows:,} rows, {unique - starts:,} numbers"
        f"{beside} are not called any more{_for(terms)}"
        f" ({unique - there:,} new, {there:,} there already, {twice:,} duplicate rows)",
        markup=False,
    )
    if rejects.height:
        err().print(f"{rejects.height:,} rows hold no number that can be called:", markup=False)
        for row in rejects.head(EXAMPLES).iter_rows(named=True):
            err().print(
                f"  row {row['list_row']}: {row['raw']!r}: {row['detail'] or row['reason']}", markup=False
            )
    return 0


def list_(
    *,
    campaign: OfCampaign = None,
    most: Annotated[int, Parameter(help="So many of the newest.")] = 100,
    json: bool = False,
    config: Config = None,
) -> int:
    """List how many entries there are, and the newest.

    Args:
        json: Print one JSON document instead of tables.
    """
    settings = settings_of(config)
    with open_store(settings) as store:
        name = campaign_name(campaign, settings) if campaign else "*"
        entries, counts = suppressions.listed(store, name, most), suppressions.counted(store)
    if json:
        print_json({"counts": counts, "entries": [_plain(one) for one in entries]})
        return 0
    print_table(
        "",
        ("kind", "campaign", "account", "entries"),
        [(a, b or "all", c or "all", n) for a, b, c, n in counts],
    )
    _print(entries)
    return 0


def check(
    number: Annotated[str, Parameter(help="A number with + and country code.")],
    /,
    *,
    region: Region = None,
    json: bool = False,
    config: Config = None,
) -> int:
    """Say whether a number must not be called, and why.

    Args:
        json: Print one JSON document instead of a table.
    """
    phone, _ = _value(number, region)
    with open_store(settings_of(config)) as store:
        entries = suppressions.found(store, phone)
    if json:
        print_json([_plain(one) for one in entries])
        return 0
    if not entries:
        out().print(f"{phone}: no entry speaks of it", markup=False)
        return 0
    _print(entries)
    return 0


def _numbers(
    file: Path, phone: str | None, region: str | None
) -> tuple[pl.Series, pl.Series, pl.DataFrame, int]:
    """Return the file's numbers, its prefixes, the rows without either, and how many rows there are."""
    opened = open_list(file, None, (phone,) if phone else ())
    if phone is None:
        likely = likely_phone_columns(opened.info)
        if len(opened.info.columns) == 1:
            likely = list(opened.info.columns)
        if len(likely) != 1:
            raise BadInput(
                f"{file}: which column holds the numbers? Say it with --phone; "
                f"there is: {', '.join(opened.info.columns)}"
            )
        phone = likely[0]
    column = find_column(phone, opened.info.columns)
    numbers, prefixes, rejects, rows = [], [], [], 0
    for batch in opened.batches():
        rows += batch.rows.height
        # Before the numbers: without its star a prefix may look like one.
        starts = _prefixes(batch.rows[column])
        prefixes.append(starts.drop_nulls())
        kept = batch.rows.filter(starts.is_null())
        clean = normalize(kept, phone=(column,), region=region).with_columns(
            batch.list_row.filter(starts.is_null()).alias("list_row")
        )
        numbers.append(clean["phone"].drop_nulls())
        rejects.append(clean.filter(pl.col("phone").is_null()).select("list_row", "raw", "reason", "detail"))
    if not numbers:
        raise BadInput(f"{file}: has no rows")
    return pl.concat(numbers), pl.concat(prefixes), pl.concat(rejects), rows


def _prefixes(cells: pl.Series) -> pl.Series:
    """Return the prefix that each cell is (`+4930` of `+4930*`), null where it is none."""
    if cells.dtype != pl.String:
        return pl.repeat(None, len(cells), dtype=pl.String, eager=True)
    bare = cells.str.replace_all(" ", "", literal=True).str.strip_chars()
    return bare.str.extract(f"^({suppressions.PREFIX.pattern})\\*$").alias("prefix")


def _value(number: str, region: str | None) -> tuple[str, str]:
    if number.rstrip().endswith("*"):
        return suppressions.prefix_of(number), "prefix"
    rows = parse_numbers(pl.Series("phone", [number]), region)
    if not rows["valid"][0]:
        raise BadInput(f"'{number}' is no valid number; write it with + and country code, or say --region")
    return str(rows["phone"][0]), "number"


def _known_campaign(store: Store, reference: str, settings: Settings) -> str:
    """Return the campaign's name. Raises BadInput where neither the database nor a file has it."""
    name = campaign_name(reference, settings)
    with store.read() as connection:
        loaded = [row[0] for row in connection.execute(text("SELECT name FROM campaigns"))]
    if name in loaded:
        return name
    known = sorted({*loaded, *known_campaigns(settings)})
    try:
        return campaign_of(name, settings).name
    except BadInput:
        if name in known:
            raise
    raise BadInput(
        f"--campaign {name}: there is no such campaign, neither in the database nor in"
        f" {settings.campaigns}{did_you_mean(name, known)}; nothing was written"
    )


def _refuse_unknown_account(account: str | None, settings: Settings) -> None:
    if account is not None and account not in settings.accounts:
        known = ", ".join(sorted(settings.accounts)) or "none"
        raise BadInput(
            f"--account {account}: dialer.toml has no such account{did_you_mean(account, settings.accounts)};"
            f" known: {known}; nothing was written"
        )


def _terms(
    store: Store,
    campaign: str | None,
    account: str | None,
    reason: str | None,
    source: str | None,
    expires: str | None,
) -> Terms:
    with store.read() as connection:
        now_us = store.now_us(connection)
    until = None if expires is None else _until(expires, now_us)
    return Terms(campaign or "", account or "", reason, source, until)


def _until(told: str, now_us: int) -> int:
    try:
        day = datetime.fromisoformat(told)
    except ValueError:
        try:
            return now_us + round(parse_duration(told) * 1e6)
        except (BadInput, ValueError, OverflowError):
            raise BadInput(
                f"--expires {told}: expected how long, such as 30d, or the day on which it ends, 2027-01-31"
            ) from None
    until = round((day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp() * 1e6)
    if until <= now_us:
        raise BadInput(f"--expires {told}: is over already")
    return until


def _whom(campaign: str, account: str) -> str:
    """Return for whom an entry holds."""
    whom = [f"campaign {campaign}"] if campaign else []
    whom += [f"account {account}"] if account else []
    return " with ".join(whom) or "all campaigns"


def _for(terms: Terms) -> str:
    whom = [f"by campaign {terms.campaign}"] if terms.campaign else []
    whom += [f"by account {terms.account}"] if terms.account else []
    return " " + " and ".join(whom) if whom else ""


def _print(entries: list[Suppression]) -> None:
    columns = ("number", "campaign", "account", "reason", "source", "added", "until")
    print_table("", columns, [tuple(_plain(one).values()) for one in entries])


def _plain(one: Suppression) -> dict[str, str | None]:
    return {
        "number": one.value + ("*" if one.kind == "prefix" else ""),
        "campaign": one.campaign or "all",
        "account": one.account or "all",
        "reason": one.reason,
        "source": one.source,
        "added": _utc(one.added_at_us),
        "until": None if one.expires_at_us is None else _utc(one.expires_at_us),
    }


def _utc(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="seconds")
