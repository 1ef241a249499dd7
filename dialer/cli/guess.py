"""Which column holds the numbers? Proposals with their shares of dialable cells: asked for, never assumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from dialer.contacts import normalize
from dialer.contacts.regions import region_of
from dialer.lists import ListFile, find_lists, likely_phone_columns, open_list
from dialer.lists.names import spoken_names

if TYPE_CHECKING:  # takes long to import, and is only named here
    from dialer.campaign import Campaign

SAMPLE_ROWS = 1_000
SHOWN_COLUMNS = 5
COUNTRIES_SHARE = 0.8
"""A column is proposed for the countries when this share of its filled cells names one."""


class Proposal(NamedTuple):
    """A column that may hold the numbers: how many of its sampled cells are filled, how many dialable."""

    column: str
    filled: int
    dialable: int


class Guess(NamedTuple):
    """What the first rows of a list say; the likeliest column first."""

    rows: int
    phones: list[Proposal]
    region_column: str | None


def guess_columns(one: ListFile, region: str | None, region_column: str | None) -> Guess:
    """Return which columns look like phone numbers, and which one names countries where nothing else does."""
    batch = next(iter(one.batches(SAMPLE_ROWS)), None)
    if batch is None:
        return Guess(0, [Proposal(name, 0, 0) for name in likely_phone_columns(one.info)], None)
    rows = batch.rows
    countries = None if region or region_column else _country_column(rows)
    known = region_column if region_column in rows.columns else countries
    proposals = []
    for name in likely_phone_columns(batch)[:SHOWN_COLUMNS]:
        answer = normalize(rows, name, region, known)
        blank = int(answer["reason"].eq_missing("blank").sum())
        proposals.append(Proposal(name, rows.height - blank, rows.height - answer["phone"].null_count()))
    proposals.sort(key=lambda one: -one.dialable)
    return Guess(rows.height, proposals, countries)


def which_phone(campaign: Campaign) -> str:
    """Return the message for a campaign that does not say it: the lines to choose one from."""
    section = campaign.list
    path = find_lists(section.files, campaign.folder)[0]
    one = open_list(path, section.sheets, encoding=section.encoding)
    guess = guess_columns(one, section.region, section.region_column)
    columns = spoken_names(one.info.columns)
    said = (
        f"{campaign.where('list')}: list.phone is missing, expected the column of {path.name} that holds the"
        f" numbers; it has {columns}"
    )
    if not guess.phones:
        return f"{said}. None of them looks like phone numbers"
    written = [f"phone = {json.dumps(one.column, ensure_ascii=False)}" for one in guess.phones]
    lines = [f"{said}. Put one of these lines below [list]:", *shares(guess, written)]
    if len(guess.phones) > 1:
        names = json.dumps([one.column for one in guess.phones], ensure_ascii=False)
        lines.append(f"  phone = {names}   # tried in order")
    if guess.region_column:
        named = json.dumps(guess.region_column, ensure_ascii=False)
        lines.append(f"and for numbers without a country code:\n  region_column = {named}")
    return "\n".join(lines)


def which_region(one: ListFile, campaign: Campaign) -> str:
    """Return what to put into the campaign file so that numbers without a country code can be read."""
    column = country_column(one)
    said = f"{campaign.where('list')}: numbers without a country code need a line below [list]: "
    if column is None:
        return f'{said}region = "DE", if they are German, or region_column = the column that names countries'
    return f"{said}region_column = {json.dumps(column, ensure_ascii=False)}"


def country_column(one: ListFile) -> str | None:
    """Return the column of a list whose first rows name countries, if there is one."""
    batch = next(iter(one.batches(SAMPLE_ROWS)), None)
    return None if batch is None else _country_column(batch.rows)


def shares(guess: Guess, written: Sequence[str]) -> list[str]:
    """Return a line for each proposal: how it is written, and how many of its cells could be dialled."""
    wide = max((len(text) for text in written), default=0)
    lines = []
    for text, one in zip(written, guess.phones, strict=True):
        share = (
            f"{one.dialable} of the first {guess.rows} rows can be dialled" if guess.rows else "by its name"
        )
        lines.append(f"  {text:{wide}}   # {share}")
    return lines


def _country_column(rows: pl.DataFrame) -> str | None:
    for name, kind in rows.schema.items():
        if kind != pl.String:
            continue
        cells = rows[name].str.strip_chars().drop_nulls()
        counts = cells.filter(cells != "").value_counts()
        known = sum(count for cell, count in counts.iter_rows() if region_of(cell) is not None)
        if known and known >= COUNTRIES_SHARE * int(counts["count"].sum()):
            return name
    return None
