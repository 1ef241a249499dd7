"""What a campaign says: which list, which agent, how fast, when to stop.

Every section of campaign.toml is one model; a field's docstring is its help text and its description
in the JSON Schema. `dialer.campaign.read` makes a `Campaign` from a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import available_timezones

import phonenumbers
from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from dialer.base.durations import parse_duration
from dialer.base.encodings import named_encoding
from dialer.base.errors import BadInput
from dialer.base.settings import Account, Settings
from dialer.base.toml import place, shown
from dialer.base.toml_lines import KeyPath, line_of
from dialer.base.words import did_you_mean
from dialer.campaign.caps import read_cap
from dialer.campaign.hours import Week, read_days, read_time

LineType = Literal[
    "mobile",
    "fixed_line",
    "fixed_line_or_mobile",
    "voip",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "unknown",
]

LINE_TYPES: tuple[str, ...] = get_args(LineType)
"""What libphonenumber can say of a number's line."""

OnUnknown = Literal["hold", "redial"]

NEVER = "never"
"""In [redial]: this outcome ends the contact."""

# What people write for a region that ISO 3166 spells otherwise.
_MISNAMED_REGIONS = {"UK": "GB", "EN": "GB"}


def _text(text: str) -> str:
    if text.strip():
        return text
    raise ValueError("a text that is not blank")


def _name(name: str) -> str:
    # It is a key of the database, part of file names, and typed in shells.
    if name == name.strip() and name.isprintable() and not set(name) & set("/\\") and name[0] not in "-.":
        return name
    raise ValueError("a name without slashes, without blanks around it, not starting with - or .")


def _region(code: str) -> str:
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    near = _MISNAMED_REGIONS.get(code.upper(), code.upper())
    hint = f" (did you mean '{near}'?)" if near in phonenumbers.SUPPORTED_REGIONS else ""
    raise ValueError(f"an ISO 3166 country code in capitals such as 'IN'{hint}")


def _e164(number: str) -> str:
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        return number
    raise ValueError("a number with + and country code, digits only (E.164)")


def _line_type(word: str) -> str:
    if word in LINE_TYPES:
        return word
    raise ValueError(f"one of {', '.join(LINE_TYPES)}{did_you_mean(word, LINE_TYPES)}")


def _agent(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _wait(words: str, info: ValidationInfo) -> str:
    if words == NEVER:
        return words
    try:
        parse_duration(words)
    except BadInput:
        raise ValueError("a length of time such as 20m, 4h or 1d, or 'never'") from None
    if info.data.get("calls_max") == 1:
        raise ValueError("'never' while redial.calls_max is 1, or left out: nobody is called again then")
    return words


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except BadInput as error:
        raise ValueError(str(error)) from None
    return text


def _days(text: str) -> str:
    read_days(text)
    return text


def _time_of_day(text: str) -> str:
    read_time(text)
    return text


def _cap(text: str) -> str:
    read_cap(text, "campaign")
    return text


def _zone(name: str) -> str:
    if name in available_timezones():
        return name
    raise ValueError(f"a time zone such as Europe/Berlin{did_you_mean(name, available_timezones(), 0.75)}")


def _moment(value: Any) -> Any:
    if isinstance(value, str):  # as the database keeps it
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise ValueError("a moment with its offset, such as 2026-12-01T00:00:00Z")


def _cron(text: str) -> str:
    """A day that never comes (30 February) fails only when it is asked for."""
    try:
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"a cron expression such as '0 10 * * mon-fri' ({error})") from None
    except StopIteration:
        raise ValueError("a cron expression that fires: this one never does") from None
    return text


def _own_rules(value: Any) -> Any:
    if isinstance(value, str):
        if value in ("auto", "own"):
            return value
        raise ValueError("'auto', 'own' or a list of rule ids")
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ValueError("'auto', 'own' or a list of rule ids")


def _metadata_value(value: Any) -> str | int | float | bool:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, str | bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    raise ValueError("one text, number, date, true or false")


Text = Annotated[str, Field(min_length=1), AfterValidator(_text)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_name)]
Wait = Annotated[str, AfterValidator(_wait)]
Texts = Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
MetadataValue = Annotated[
    Any, PlainValidator(_metadata_value, json_schema_input_type=str | int | float | bool)
]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ListSection(_Section):
    """Which list, and which of its columns is what."""

    files: Texts
    """The list's files, relative to campaign.toml: .csv .tsv .txt .parquet .xlsx, plain or .gz/.zst."""
    sheets: Annotated[
        Texts | None, BeforeValidator(_one_or_more, json_schema_input_type=Text | list[Text])
    ] = None
    """The sheets of an Excel workbook to read; every visible one with a phone column where left out."""
    encoding: Annotated[str, AfterValidator(named_encoding)] | None = None
    """The encoding of text files, such as cp1250; found by their bytes where left out."""
    phone: Annotated[
        Texts | None, BeforeValidator(_one_or_more, json_schema_input_type=Text | list[Text])
    ] = None
    """The columns that hold numbers, tried in order; the first dialable number wins."""
    region: Annotated[str, AfterValidator(_region)] | None = None
    """ISO country code for numbers without one, such as IN."""
    region_column: Text | None = None
    """A column with each row's own country, as ISO code or name; wins over `region`."""
    id: Text | None = None
    """A column with the list owner's own key."""
    time_zone: Text | None = None
    """A column with each contact's IANA time zone, such as Asia/Kolkata."""
    state: Text | None = None
    """A column with the state or province of each contact's address, such as FL or Texas."""
    postal_code: Text | None = None
    """A column with the postal code of each contact's address."""
    metadata: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """Columns that travel with the call, for the agent to use."""
    types: Annotated[
        tuple[Annotated[LineType, BeforeValidator(_line_type)], ...], Field(strict=False, min_length=1)
    ] = (
        "mobile",
        "fixed_line",
        "fixed_line_or_mobile",
        "voip",
    )
    """The types of line that may be called."""
    again: Literal["skip", "update", "call_again"] = "skip"
    """What to do with a number that this campaign already has."""


class CallSection(_Section):
    """Who calls: the account, its agent, and what the agent is told."""

    account: Text
    """The account of dialer.toml that places the calls."""
    agent: Annotated[Text, BeforeValidator(_agent, json_schema_input_type=str | int)]
    """The voice agent at the provider, by its id there."""
    from_numbers: Annotated[tuple[Annotated[str, AfterValidator(_e164)], ...], Field(strict=False)] = ()
    """Caller ids in E.164, where the provider takes one."""
    metadata: Mapping[str, MetadataValue] = Field(default_factory=dict)
    """The same for every call: texts, numbers, dates, true or false."""


class PaceSection(_Section):
    """How fast; what is left out is the account's own limit, which is never exceeded."""

    calls_per_second: float | None = Field(default=None, gt=0)
    """Calls submitted in any sliding second, at most."""
    calls_open_max: int | None = Field(default=None, gt=0)
    """Accepted calls without an outcome, at most."""
    priority: int = 0
    """Where campaigns share an account, each step doubles a campaign's share of its calls."""


class HoursSection(_Section):
    """When: the rules that bind each contact, met with the campaign's own hours on the contact's clock."""

    rules: Annotated[
        Literal["auto", "own"] | tuple[str, ...],
        PlainValidator(_own_rules, json_schema_input_type=Literal["auto", "own"] | list[str]),
        PlainSerializer(lambda rules: rules, return_type=Any),
    ] = "auto"
    """auto: the rules of the contact's region; own: only the hours below; or a list of rule ids."""
    days: Annotated[str, AfterValidator(_days)] | None = None
    """Days of the campaign's own: mon-fri, or mon,wed,sat."""
    start: Annotated[str, AfterValidator(_time_of_day)] | None = None
    """From when on these days, on the contact's clock: 10:00."""
    end: Annotated[str, AfterValidator(_time_of_day)] | None = None
    """Until when: 18:00."""
    holidays: bool = False
    """true: public holidays of the contact's region are kept, nobody is called; false: the rules decide."""
    unknown_zone: Literal["strictest", "hold"] = "strictest"
    """Where no rule with hours is known for a contact: the strictest hours of all rules, or no call."""
    margin_s: float = Field(default=300.0, ge=0, le=4 * 3600)
    """No launch in the last seconds before closing: ringing and talking come after it."""
    consent: bool = False
    """true: every contact of the lists gave the consent that refusals ask for; keep the proof of it."""
    starts_at: Annotated[datetime, BeforeValidator(_moment)] | None = None
    """Nobody is called before."""
    ends_at: Annotated[datetime, BeforeValidator(_moment)] | None = None
    """Nobody is called from this moment on."""
    cron: Annotated[str, AfterValidator(_cron)] | None = None
    """When runs begin, for `dialer due` and `dialer worker`: minute hour day month weekday."""
    cron_time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    """The time zone of `cron`, an IANA name."""
    late_start: Literal["run", "skip"] = "run"
    """What to do with a run that could not begin in time."""
    late_after: Annotated[str, AfterValidator(_duration)] = "30m"
    """How late a run must be to be skipped."""

    @model_validator(mode="after")
    def _never_contradictory(self) -> HoursSection:
        if self.week is not None and self.week.never_open:
            begin, end = self.start or "00:00", self.end or "24:00"
            raise ValueError(f"is never open: start {begin} is not before end {end}")
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("is never open: ends_at is not after starts_at")
        if self.cron is not None and self.cron_time_zone is None:
            raise ValueError("has cron without cron_time_zone: say on whose clock, such as 'Europe/Berlin'")
        if self.rules == "own" and self.week is None:
            raise ValueError(
                "has rules = 'own' without hours of its own: add days, start or end, or call at any hour "
                "with rules = []"
            )
        return self

    @property
    def week(self) -> Week | None:
        """The campaign's own hours; None where it has none."""
        if self.days is None and self.start is None and self.end is None:
            return None
        begin, end = read_time(self.start or "00:00"), read_time(self.end or "24:00")
        spans = ((begin, end),) if begin < end else ()
        days = read_days(self.days or "mon-sun")
        return Week(tuple(spans if day in days else () for day in range(7)))


class CapsSection(_Section):
    """How often at most, on top of the caps of the rules; and the campaign's budget."""

    per_number: Annotated[tuple[Annotated[str, AfterValidator(_cap)], ...], Field(strict=False)] = ()
    """Calls of a number in any stretch of time, over all campaigns: 3 per 24h, 1 per 8h, 2 per week."""
    calls_total: int | None = Field(default=None, gt=0)
    """Calls of the campaign, at most."""
    cost_total: float | None = Field(default=None, gt=0)
    """What the campaign's calls may cost, in the currency of the provider."""
    cost_per_call: float | None = Field(default=None, gt=0)
    """What to reserve for a call until its cost is known; left out: the dearest call so far."""


class RedialSection(_Section):
    """Whom to call again, and when: after each outcome so long, or never."""

    calls_max: int = Field(default=1, ge=1, le=100)
    """Calls to one contact, all outcomes together, at most; refusals and what never left do not count."""
    no_answer: Wait = NEVER
    """How long after a call that nobody answered: 20m, 4h, 1d, or never."""
    busy: Wait = NEVER
    """How long after a busy line."""
    voicemail: Wait = NEVER
    """How long after a call that a machine answered."""
    failed: Wait = NEVER
    """How long after a call that the network or the provider let fail."""
    do_not_call: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """Further dispositions of the agent that mean: never again; the number goes onto the do-not-call list."""


class StopSection(_Section):
    """When the campaign pauses itself: a run of failures."""

    failure_rate: float = Field(default=0.5, gt=0, le=1)
    """The share of failed attempts that stops the campaign, above 0 and up to 1."""
    over_attempts: int = Field(default=50, ge=1)
    """The latest attempts over which the share is counted."""
    on_unknown: OnUnknown | None = None
    """The campaign's `on_unknown`, for those who wrote it last in the file: TOML counts it to [stop]."""


class Campaign(_Section):
    """One campaign.toml, checked."""

    file: SkipJsonSchema[Path]
    name: Name
    """The campaign's name in the database and in every table; the folder's name where left out."""
    description: str = ""
    """One line on why the campaign exists."""
    list: ListSection
    call: CallSection
    pace: PaceSection = Field(default_factory=PaceSection)
    hours: HoursSection = Field(default_factory=HoursSection)
    redial: RedialSection = Field(default_factory=RedialSection)
    caps: CapsSection = Field(default_factory=CapsSection)
    stop: StopSection = Field(default_factory=StopSection)
    on_unknown: OnUnknown = "hold"
    """For a call that may have been placed and the provider does not list: hold for a person, or redial."""

    _lines: dict[KeyPath, int] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any) -> None:
        """Keep where each key stands, as the reader of the file says."""
        self._lines = dict(context["lines"]) if context else {}

    @property
    def folder(self) -> Path:
        """Return the folder of campaign.toml; the list's files are relative to it."""
        return self.file.parent

    def account(self, settings: Settings) -> Account:
        """Return the account that places the calls.

        Raises:
            BadInput: dialer.toml has no such account.
        """
        name, known = self.call.account, settings.accounts
        if name in known:
            return known[name]
        there = f"known are {', '.join(map(repr, known))}" if known else "it has none"
        file = shown(settings.file) if settings.file else "dialer.toml"
        raise BadInput(
            f"{self.where('call', 'account')}: call.account = {name!r} is not an account of {file}, {there}"
            f"{did_you_mean(name, known)}; add [accounts.{name}] there"
        )

    def where(self, *path: str | int) -> str:
        """Return `campaigns/spring/campaign.toml:12`, where the file says the key, for a message."""
        return place(self.file, line_of(self._lines, path))
