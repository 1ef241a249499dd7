"""What a value of campaign.toml may be: the kinds of its fields, each with its check and what it expects.

A check raises ValueError with what is expected; `dialer.campaign.read` says where.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from math import isfinite
from typing import Annotated, Any, Literal, get_args
from zoneinfo import available_timezones

import phonenumbers
from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, ValidationInfo

from dialer.base.durations import parse_duration
from dialer.base.encodings import named_encoding
from dialer.base.errors import BadInput
from dialer.base.words import did_you_mean
from dialer.campaign.caps import read_cap
from dialer.campaign.hours import read_days, read_time

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
Region = Annotated[str, AfterValidator(_region)]
E164 = Annotated[str, AfterValidator(_e164)]
Days = Annotated[str, AfterValidator(_days)]
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
CapText = Annotated[str, AfterValidator(_cap)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
Duration = Annotated[str, AfterValidator(_duration)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Encoding = Annotated[str, AfterValidator(named_encoding)]
TextsOrOne = Annotated[Texts | None, BeforeValidator(_one_or_more, json_schema_input_type=Text | list[Text])]
"""One text may stand without brackets."""
Line = Annotated[LineType, BeforeValidator(_line_type)]
AgentId = Annotated[Text, BeforeValidator(_agent, json_schema_input_type=str | int)]
RuleChoice = Annotated[
    Literal["auto", "own"] | tuple[str, ...],
    PlainValidator(_own_rules, json_schema_input_type=Literal["auto", "own"] | list[str]),
    PlainSerializer(lambda rules: rules, return_type=Any),
]
