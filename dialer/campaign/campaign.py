"""What a campaign says: which list, which agent, how fast, when to stop.

Every section of campaign.toml is one model; a field's docstring is its help text and its description
in the JSON Schema. `dialer.campaign.read` makes a `Campaign` from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator
from pydantic.json_schema import SkipJsonSchema

from dialer.base.errors import BadInput
from dialer.base.settings import Account, Settings
from dialer.base.toml import place, shown
from dialer.base.toml_lines import KeyPath, line_of
from dialer.base.words import did_you_mean
from dialer.campaign.hours import Week, read_days, read_time
from dialer.campaign.values import (
    E164,
    NEVER,
    AgentId,
    CapText,
    Cron,
    Days,
    Duration,
    Encoding,
    Line,
    MetadataValue,
    Moment,
    Name,
    OnUnknown,
    Region,
    RuleChoice,
    Text,
    Texts,
    TextsOrOne,
    TimeOfDay,
    Wait,
    ZoneName,
)


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ListSection(_Section):
    """Which list, and which of its columns is what."""

    files: Texts
    """The list's files, relative to campaign.toml: .csv .tsv .txt .parquet .xlsx, plain or .gz/.zst."""
    sheets: TextsOrOne = None
    """The sheets of an Excel workbook to read; every visible one with a phone column where left out."""
    encoding: Encoding | None = None
    """The encoding of text files, such as cp1250; found by their bytes where left out."""
    phone: TextsOrOne = None
    """The columns that hold numbers, tried in order; the first dialable number wins."""
    region: Region | None = None
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
    types: Annotated[tuple[Line, ...], Field(strict=False, min_length=1)] = (
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
    agent: AgentId
    """The voice agent at the provider, by its id there."""
    from_numbers: Annotated[tuple[E164, ...], Field(strict=False)] = ()
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

    rules: RuleChoice = "auto"
    """auto: the rules of the contact's region; own: only the hours below; or a list of rule ids."""
    days: Days | None = None
    """Days of the campaign's own: mon-fri, or mon,wed,sat."""
    start: TimeOfDay | None = None
    """From when on these days, on the contact's clock: 10:00."""
    end: TimeOfDay | None = None
    """Until when: 18:00."""
    holidays: bool = False
    """true: public holidays of the contact's region are kept, nobody is called; false: the rules decide."""
    unknown_zone: Literal["strictest", "hold"] = "strictest"
    """Where no rule with hours is known for a contact: the strictest hours of all rules, or no call."""
    margin_s: float = Field(default=300.0, ge=0, le=4 * 3600)
    """No launch in the last seconds before closing: ringing and talking come after it."""
    consent: bool = False
    """true: every contact of the lists gave the consent that refusals ask for; keep the proof of it."""
    starts_at: Moment | None = None
    """Nobody is called before."""
    ends_at: Moment | None = None
    """Nobody is called from this moment on."""
    cron: Cron | None = None
    """When runs begin, for `dialer due` and `dialer worker`: minute hour day month weekday."""
    cron_time_zone: ZoneName | None = None
    """The time zone of `cron`, an IANA name."""
    late_start: Literal["run", "skip"] = "run"
    """What to do with a run that could not begin in time."""
    late_after: Duration = "30m"
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

    per_number: Annotated[tuple[CapText, ...], Field(strict=False)] = ()
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
