"""A file of rules as it is written: strict rows, every mistake told with its file and rule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dialer.base.errors import BadInput
from dialer.base.toml import TomlFile
from dialer.base.words import did_you_mean
from dialer.campaign.caps import read_cap
from dialer.campaign.hours import read_week
from dialer.rules.public_holidays import EXTRA_HOLIDAYS, is_calendar

VERIFIED = {
    "P": "the primary text was read",
    "Q2": "the text is quoted by a dated read, and an independent source agrees",
    "Q": "one dated read quotes or paraphrases the text",
    "S2": "several secondary sources agree",
    "S": "one secondary source",
    "K": "known to the author only, not confirmed",
    "?": "sources conflict; the stricter reading stands",
    "own": "a rule of the user's own",
}
"""What the codes of `verified` mean."""


class RuleRow(BaseModel):
    """One `[[rule]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(min_length=1)
    region: str = ""
    title: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    hours: dict[str, str] = Field(default_factory=dict)
    automated: dict[str, str] = Field(default_factory=dict)
    holidays: list[str] = Field(default_factory=list)
    holidays_also: list[str] = Field(default_factory=list)
    caps: list[str] = Field(default_factory=list)
    refuses: dict[str, Literal["mobile", "any"] | bool] | None = None
    optional: bool = False
    off: bool = False
    source: str = ""
    verified: str = "own"
    note: str = ""


class BlockRow(BaseModel):
    """One `[[block]]` of the user's own file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    region: str = Field(min_length=2)
    reason: str = Field(min_length=1)
    since: date
    until: date | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: str = "1"
    rule: list[RuleRow] = Field(default_factory=list)
    block: list[BlockRow] = Field(default_factory=list)


@dataclass(frozen=True)
class Rows:
    """What one file of rules says."""

    version: str
    rules: list[RuleRow]
    blocks: list[BlockRow]


def read_rows(toml: TomlFile, *, own: bool) -> Rows:
    """Return the rows of a file; `own` says that it is the user's.

    Raises:
        BadInput: a line per mistake, with its file, line and rule.
    """
    try:
        file = _File.model_validate(toml.values)
    except ValidationError as error:
        lines = [_told(toml, item["loc"], item["msg"]) for item in error.errors(include_url=False)]
        raise BadInput("\n".join(lines)) from None
    wrong = [
        f"{toml.where(('rule', number, *_key_of(mistake)))}: rule '{row.id}': {mistake}"
        for number, row in enumerate(file.rule)
        for mistake in _mistakes(row, own=own)
    ]
    wrong += [
        f"{toml.where(('block', number))}: block of '{row.region}': until lies before since"
        for number, row in enumerate(file.block)
        if row.until is not None and row.until < row.since
    ]
    if wrong:
        raise BadInput("\n".join(wrong))
    return Rows(file.version, file.rule, file.block)


def _told(toml: TomlFile, place: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) for part in place)
    known: Any = BlockRow.model_fields if place and place[0] == "block" else RuleRow.model_fields
    if message.startswith("Extra inputs"):
        message = f"unknown key{did_you_mean(str(place[-1]), known)}"
    return f"{toml.where(place)}: {key}: {message[0].lower()}{message[1:]}"


def _key_of(mistake: str) -> tuple[str, ...]:
    """Return the key that a mistake begins with; none where it is of the whole rule."""
    word = re.match(r"[a-z_]+", mistake)
    return (word.group(),) if word and word.group() in RuleRow.model_fields else ()


def _mistakes(row: RuleRow, *, own: bool) -> Iterator[str]:
    for key in ("hours", "automated"):
        hours = getattr(row, key)
        try:
            if hours and read_week(hours).never_open:
                yield f"{key} is never open; to forbid a region write a [[block]] with its reason"
        except ValueError as error:
            yield f"{key}: {error}"
    for text in row.caps:
        try:
            read_cap(text, row.id)
        except ValueError as error:
            yield f"caps: {error}"
    if row.valid_from and row.valid_to and row.valid_to < row.valid_from:
        yield "valid_to lies before valid_from: it would never hold"
    if re.fullmatch(r"\*|[A-Z]{2}(-(\*|[A-Z0-9]{1,3}))?", row.region or row.id) is None and not row.off:
        yield f'region = {row.region!r}: expected a country such as "US" or a state such as "US-FL"'
    for name in row.holidays:
        if not is_calendar(name):
            yield f"holidays: no calendar for '{name}', expected a country or a state such as \"US-LA\""
    for name in row.holidays_also:
        if name not in EXTRA_HOLIDAYS:
            yield f"holidays_also: no '{name}'{did_you_mean(name, EXTRA_HOLIDAYS)}"
    for key in row.refuses or {}:
        if key not in ("line", "unless_consent"):
            yield f"refuses.{key}: unknown key; there is line and unless_consent"
    if row.refuses is not None and "line" not in row.refuses:
        yield "refuses: line is missing: mobile or any"
    if row.verified not in VERIFIED:
        yield f"verified = {row.verified!r}: expected one of {', '.join(VERIFIED)}"
    if not own and not (row.title and row.source):
        yield "a preset needs a title and a source"
    elif own and not row.off and not (row.hours or row.automated or row.caps or row.refuses):
        yield "says nothing: expected hours, automated, caps, refuses or off = true"
