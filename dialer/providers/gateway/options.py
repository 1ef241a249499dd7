"""What dialer.toml says of a gateway: the keys of an account with `provider = "http"`.

Every field's line below it is its documentation. What a single key cannot show (a template that names an
unknown field, no way to learn outcomes) is checked where it is compiled, when the account is opened.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dialer.base.errors import BadInput
from dialer.base.mistakes import key_text, mistakes_of
from dialer.base.secrets import is_reference
from dialer.base.settings import Account, account_options

Status = Annotated[int, Field(ge=100, le=599)]

PLACED = (200, 201, 202)
THROTTLED = (429,)
STOPPED = (401, 402, 403, 404, 405, 407, 411, 415, 421, 426)
"""Statuses that HTTP itself defines as: not done, and the same for every call of the account."""


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError("where it is kept, 'env:NAME' or 'file:PATH'")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("an IANA name such as Asia/Kolkata") from None
    return name


def _path(path: str) -> str:
    if not path.startswith("/") or re.search(r"[\s#]", path):
        raise ValueError("a path that starts with / and is added to base_url")
    return path


Reference = Annotated[str, AfterValidator(_reference)]
Zone = Annotated[str, AfterValidator(_zone)]
UrlPath = Annotated[str, AfterValidator(_path)]


class Section(BaseModel):
    """A table of the account: strict, and not to be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Verdict(Section):
    """A word in the answer that says what became of the call, whatever the status."""

    field: str = Field(min_length=1)
    """The path of the word in the answer: `status`."""
    placed: list[str] = Field(min_length=1)
    """Words of a placed call; with any other word a 2xx is no acceptance."""
    refused: list[str] = []
    """Words of a call that was not placed and never will be."""
    stopped: list[str] = []
    """Words that hold for every call: wrong key, no balance, unknown agent."""
    not_placed: list[str] = []
    """Words of a call that was not placed and may be sent again."""


class Call(Section):
    """How a call is placed."""

    path: UrlPath
    """The path of the address, with placeholders where needed: `/v2/calls`."""
    method: Literal["POST", "PUT", "PATCH", "GET"] = "POST"
    """GET sends no body."""
    encoding: Literal["json", "form"] = "json"
    """How the body is written."""
    headers: dict[str, str] = {}
    """Headers of this request only; they may name the call: `Idempotency-Key = "{attempt_id}"`."""
    body: dict[str, Any] = {}
    """The template of the body."""
    execution_id: str = Field(min_length=1)
    """The path of the gateway's id of the call in the answer; or `{attempt_id}`, where it takes ours."""
    status: str = ""
    """The path of the gateway's own word for the accepted call."""
    placed: list[Status] = list(PLACED)
    """Statuses that, with an id, mean that the call was placed."""
    refused: list[Status] = []
    """Statuses that prove that this call was not placed and never will be: 400, 422."""
    not_placed: list[Status] = []
    """Statuses that prove that the call was not placed and may be sent again."""
    throttled: list[Status] = list(THROTTLED)
    """Statuses that prove the same and slow the account down; Retry-After is honoured."""
    stopped: list[Status] = list(STOPPED)
    """Statuses that prove that no call of the account would be placed; the campaign stops."""
    verdict: Verdict | None = None
    """Where the answer's body says more than its status."""


class Fields(Section):
    """Where a record of a call holds what: paths within the record."""

    id: str = Field(default="id", min_length=1)
    """The gateway's id of the record."""
    execution_id: str = ""
    """The id that the submission was answered with; the record's id where left out."""
    status: str = Field(default="status", min_length=1)
    """The word that says what came of the call."""
    phone: str = ""
    """The called number."""
    attempt_id: str = ""
    """Our attempt id, where the gateway gives it back."""
    agent: str = ""
    """The agent."""
    created_at: str = ""
    """When the call was made: ISO 8601, or seconds, milliseconds or microseconds since 1970."""
    ended_at: str = ""
    """When it ended."""
    duration_s: str = ""
    """Its length in seconds, or as `1:02:03`."""
    cost: str = ""
    """What it cost."""
    currency: str = ""
    """In which currency."""
    disposition: str = ""
    """What the agent made of it."""
    recording_url: str = ""
    """Where its recording is."""
    transcript: str = ""
    """What was said."""


class Calls(Section):
    """How the gateway lists calls: for their outcomes, and to find a call whose answer was lost."""

    path: UrlPath
    """The path with the window: `/v2/calls?agent={agent}&since={since_iso}&page={page}`."""
    records: str = ""
    """The path of the list in the answer; empty where the answer is the list."""
    first_page: int = Field(default=1, ge=0, le=1)
    """The number of the first page, for `{page}`."""
    page_size: int = Field(default=100, ge=1, le=10_000)
    """What `{page_size}` says, and the step of `{offset}`."""
    pages_max: int = Field(default=1000, ge=1)
    """Pages of one list, at most; more is taken for a list that does not end."""
    next_cursor: str = ""
    """The path of the next page's cursor in the answer, for `{cursor}`."""


class LookUp(Section):
    """How to ask for one number or attempt, where that is shorter than the whole list."""

    path: UrlPath
    """The path: `/v2/calls?reference={attempt_id}` or `/v2/calls?to={phone}&since={since_iso}`."""
    records: str = ""
    """The path of the list, or of the one record, in the answer."""


class OneCall(Section):
    """How to ask for one call by its execution id."""

    path: UrlPath
    """The path: `/v2/calls/{execution_id}`."""
    record: str = ""
    """The path of the record in the answer; empty where the answer is the record."""


class Events(Section):
    """How the gateway's webhooks are verified and read."""

    check: Literal["hmac", "header"]
    """`hmac`: a signature over the raw body. `header`: a shared secret, which protects no content."""
    header: str = Field(min_length=1)
    """The header with the signature or the secret."""
    secret: Reference
    """`env:NAME` or `file:PATH`."""
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    """The hash of the HMAC."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    prefix: str = ""
    """What stands before the signature or the secret: `sha256=`, `Bearer `."""
    signed: Literal["{body}", "{timestamp}.{body}", "{timestamp}{body}"] = "{body}"
    """What is signed."""
    timestamp_header: str = ""
    """The header with the moment of the delivery, in seconds since 1970."""
    tolerance_s: float = Field(default=300.0, gt=0)
    """How old a delivery may be."""
    believe: bool | None = None
    """Whether an event proves what it says; left out: with `hmac` yes, with `header` no."""
    id_header: str = ""
    """The header with the delivery's id."""
    event_id: str = ""
    """The path of the event's id in the body; without either, equal bodies are one event."""
    kind: str = ""
    """The path of the event's kind."""
    record: str = ""
    """The path of the call's record in the body."""
    fields: Fields | None = None
    """Where the event's record differs from those of the list; a whole table of fields."""


class GatewayOptions(Section):
    """Keys of an account that only `provider = "http"` knows."""

    from_number: str | None = Field(default=None, min_length=1)
    """The caller's number of campaigns that name none in `from_numbers`."""
    headers: dict[str, str] = {}
    """Headers of every request: `Authorization = "Bearer {token}"`, `X-Key = "env:GATEWAY_KEY"`."""
    call: Call
    """How a call is placed."""
    calls: Calls | None = None
    """How calls are listed."""
    look_up: LookUp | None = None
    """How one number or attempt is asked for."""
    one_call: OneCall | None = None
    """How one call is asked for."""
    fields: Fields = Fields()
    """Where a record holds what."""
    outcomes: dict[str, list[str]] = {}
    """Which words of the gateway mean which outcome: `no_answer = ["no-answer", "ring timeout"]`."""
    events: Events | None = None
    """How webhooks are verified and read."""
    absence_is_proof: bool = False
    """Whether a call that the list does not show `listing_delay_s` after it left was surely not placed."""
    time_zone: Zone | None = None
    """The zone of dates that come without one; left out, they are read as UTC with a wide margin."""
    clock_margin_s: float = Field(default=120.0, ge=0, le=86_400)
    """How far the gateway's clock may be from ours."""


def read_gateway_options(account: Account) -> GatewayOptions:
    """Return what dialer.toml says of the gateway.

    Raises:
        BadInput: a line per mistake, with the key and what was expected.
    """
    try:
        return GatewayOptions.model_validate(account_options(account))
    except ValidationError as error:
        at = key_text(("accounts", account.name))
        lines = [f"{at}.{one.message}" for one in mistakes_of(error, GatewayOptions)]
        lines = [line.replace(f"{at}.the section [", f"the section [{at}.") for line in lines]
        raise BadInput("\n".join(sorted(set(lines)))) from None
