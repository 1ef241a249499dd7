"""UnleashX: place a call, find it again, read what came of it.

Its page knows no idempotency key, no "get one call" and no cancel: a repeated request is a second
call, and an answer that was lost is looked for in the list of executions. That list is not documented
to hold every call, so absence proves nothing.

Source: the provider's public pages make-call, call-summary and call-cost.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, BadInput, MaybeDialled, NotReady, Refused, SubmitError
from dialer.base.settings import Account
from dialer.providers.options import read_base_url, read_options, read_token
from dialer.providers.provider import Accepted, Execution, OpenAttempt, PaceRequest, Submission
from dialer.providers.unleashx_lists import message_of, read_pages, windows
from dialer.providers.unleashx_records import digits_of, read_execution
from dialer.providers.wire import Speaker, Unsure, ask, error_of_status, exchange, read_json, readable

CALL_PATH = "/api/v1/global/agents/call"
EXECUTIONS_PATH = "/api/v1/global/agents/executions/list"
TRANSACTIONS_PATH = "/api/v1/global/transactions/calling-list-with-transaction"

AUTH_HEADERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "token": lambda token: ("token", token),
    "api_access_token": lambda token: ("api_access_token", token),
    "authorization": lambda token: ("authorization", token),
    "bearer": lambda token: ("authorization", f"Bearer {token}"),
}
"""The header that carries the token; exactly one is sent, and never another one after a 401."""

NOBODY = "no-such-attempt-00000000"
"""Input data that no call of ours has: a list that finds it does not filter by input data."""

ZONE_MARGIN_US = 12 * 3600 * 1_000_000
"""A date without a zone, read as UTC, is early by 12 hours at most."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class UnleashXOptions(BaseModel):
    """Keys of an account that only UnleashX knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    auth_style: Literal["token", "api_access_token", "authorization", "bearer"] = "token"
    """The header that carries the token."""
    attempt_id_key: str = Field(default="dialer_attempt_id", min_length=1, max_length=64)
    """The key of `metadata` under which our attempt id travels with a call."""
    page_size: int = Field(default=100, ge=1, le=1000)
    """Rows of one page of a list."""
    pages_max: int = Field(default=1000, ge=1)
    """Pages of one list, at most; more is taken for a list that does not end."""
    status_503: Unsure = "unknown"
    """What an answer 503 to a submission means: `unknown`, or `not_dialled` if they told you so."""
    date_format: str = Field(default="%Y-%m-%d", min_length=2)
    """How dates are written in the filters of lists, as strftime wants it."""
    time_zone: str | None = None
    """The zone of dates that come without one; left out, they are read as UTC with a wide margin."""
    clock_margin_s: float = Field(default=120.0, ge=0, le=86_400)
    """How far the provider's clock may be behind ours."""
    track_id_is_execution_id: bool = True
    """Whether a TRACK_ID that is a UUID is the execution id."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (KeyError, ValueError, OSError):
                raise ValueError("expected an IANA name such as Asia/Kolkata") from None
        return name


class UnleashX:
    """One account at UnleashX."""

    name: ClassVar[str] = "unleashx"
    absence_is_proof: ClassVar[bool] = False
    default_base_url: ClassVar[str] = "https://www.tryunleashx.com"

    def __init__(
        self, account: Account, client: httpx.AsyncClient, clock: Clock, pace_request: PaceRequest
    ) -> None:
        """Check the account's keys; no request is made. Raises BadInput."""
        self._options = options = read_options(account, UnleashXOptions)
        token = read_token(account)
        base_url = read_base_url(account, self.default_base_url)
        self._client = client
        self._clock = clock
        self._pace_request = pace_request
        self._zone: tzinfo | None = ZoneInfo(options.time_zone) if options.time_zone else None
        self._who = Speaker(account.name, "UnleashX", (token,))
        self._call_url = httpx.URL(base_url + CALL_PATH)
        self._base_url = base_url
        self._headers = [
            AUTH_HEADERS[options.auth_style](token),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
        ]
        self._extensions: dict[str, Any] = {"timeout": client.timeout.as_dict()}
        self._input_data_filters: bool | None = None

    def check_agent(self, agent: str) -> None:
        """Make sure that the provider can know an agent by this name. Raises BadInput."""
        if re.fullmatch(r"[0-9]{1,18}", agent) is None or int(agent) == 0:
            raise BadInput(
                f"agent = {agent!r}: {self._who} knows agents by a whole number such as 962; "
                "names like agent_abc123 belong to its older paths"
            )

    async def submit(self, submission: Submission) -> Accepted:
        """Send one POST and return the provider's answer.

        Raises:
            NotDialled, Refused, AccountStopped, MaybeDialled: see dialer.base.errors. Nothing else.
        """
        body = self._encode(submission)
        extensions = self._extensions
        if submission.departing is not None:
            extensions = {**extensions, "departure": submission.departing}
        request = httpx.Request(
            "POST", self._call_url, headers=self._headers, content=body, extensions=extensions
        )
        response = await exchange(self._client, request, self._who)
        answer = read_json(response.content)
        if 200 <= response.status_code < 300:
            return self._read_accepted(response, answer, submission)
        raise self._error_of(response, answer, submission)

    async def look_up(self, attempt: OpenAttempt) -> list[Execution]:
        """Return every record that may be this attempt: same agent, exactly this number, not older.

        A record that carries the attempt's own id, or its execution id, is proof and comes alone.

        Raises:
            NotReady: the provider could not be asked; an empty list means that it was and has none.
        """
        agent_id = self._agent_id(attempt.agent)
        digits = digits_of(attempt.phone)
        # Digits without the plus: the filter is a partial match, and rows may be kept without it.
        found = await self._list(agent_id, attempt.sent_at_us, calling_number=digits)
        found = [each for each in found if self._may_be(each, attempt, digits)]
        proofs = [each for each in found if _is_proof(each, attempt)]
        if not proofs:
            proofs = await self._probe_input_data(agent_id, attempt, digits)
        if not proofs and attempt.execution_id is not None:
            proofs = await self._probe_transactions(agent_id, attempt)
        return proofs or found

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the agent's calls created at or after `since_us`, in pages of any order.

        Raises:
            NotReady: the list could not be read.
        """
        agent_id = self._agent_id(agent)
        for start, end in windows(since_us, self._clock.now_us()):
            async for page in self._pages(EXECUTIONS_PATH, self._window(agent_id, start, end)):
                recent = [each for each in page if self._not_before(each, since_us)]
                if recent:
                    yield recent

    # A submission

    def _encode(self, submission: Submission) -> bytes:
        """Return the body of a call; what cannot be sent is refused here, before anything is."""
        if _E164.fullmatch(submission.phone) is None:
            raise Refused("the number is not strict E.164 (+ and 7 to 15 digits)", code="not_e164")
        if submission.from_number is not None:
            raise AccountStopped(
                f"{self._who} takes no caller id: it calls from the number attached to the agent; "
                "remove from_numbers from the campaign",
                code="from_number_unsupported",
            )
        try:
            self.check_agent(submission.agent)
        except BadInput as error:
            raise AccountStopped(str(error), code="agent_not_integer") from error
        metadata = {**submission.metadata, self._options.attempt_id_key: submission.attempt_id}
        order = {"agent_id": int(submission.agent), "phone_number": submission.phone, "metadata": metadata}
        try:
            return orjson.dumps(order)
        except TypeError as error:
            raise Refused(f"the call's metadata is no JSON: {error}", code="metadata_not_json") from error

    def _read_accepted(self, response: httpx.Response, answer: Any, submission: Submission) -> Accepted:
        data, flaw = open_envelope(answer, "execution_id")
        execution_id = _usable_id(data.get("execution_id"))
        if flaw is None and execution_id is not None:
            status = data.get("call_status")
            status = readable(status) if isinstance(status, str) else None
            return Accepted(execution_id, response.status_code, status)
        said = self._said(answer, submission)
        flaw = flaw or ("no_execution_id" if isinstance(answer, dict) else "not_json")
        raise MaybeDialled(
            f"{self._who} answered {response.status_code} without a usable execution id ({flaw}"
            f"{': ' if said else ''}{said}); the call may have been placed",
            code=flaw,
            http_status=response.status_code,
        )

    def _error_of(self, response: httpx.Response, answer: Any, submission: Submission) -> SubmitError:
        """Return what an answer other than 2xx means: by the documented words, then by the number.

        The page prints its error bodies without numbers, so the words decide among the statuses that
        are about the request.
        """
        status = response.status_code
        said = self._said(answer, submission)
        if status in (400, 401, 403, 404, 422):
            words = said.casefold()
            for sign, code, advice in ACCOUNT_WORDS:
                if sign in words:
                    return AccountStopped(
                        f"{self._who} answered {status} ({said}); {advice}", code=code, http_status=status
                    )
            if "phone number is required" in words:
                return Refused(
                    f"{self._who} answered {status} ({said})", code="phone_missing", http_status=status
                )
        return error_of_status(response, said, self._who, self._clock.now_us(), self._options.status_503)

    def _said(self, answer: Any, submission: Submission) -> str:
        phone = submission.phone
        return readable(message_of(answer), (*self._who.secrets, phone, phone[1:]))

    # The lists

    def _agent_id(self, agent: str) -> int:
        try:
            self.check_agent(agent)
        except BadInput as error:
            raise NotReady(str(error)) from error
        return int(agent)

    async def _list(self, agent_id: int, since_us: int, **filters: str) -> list[Execution]:
        found: list[Execution] = []
        for start, end in windows(since_us, self._clock.now_us()):
            parameters = self._window(agent_id, start, end) | filters
            async for page in self._pages(EXECUTIONS_PATH, parameters):
                found += page
        return found

    async def _probe_input_data(self, agent_id: int, attempt: OpenAttempt, digits: str) -> list[Execution]:
        """Return the records that a search for the attempt id finds; a hit is proof, a miss is nothing.

        That call metadata lands in INPUT_DATA is likely, not documented. A row that does not show its
        input data counts only if the list is seen to filter by it.
        """
        found = await self._list(agent_id, attempt.sent_at_us, input_data=attempt.attempt_id)
        shown = [each for each in found if each.attempt_id == attempt.attempt_id]
        if shown or not found:
            return shown
        if self._input_data_filters is None:
            self._input_data_filters = not await self._list(agent_id, attempt.sent_at_us, input_data=NOBODY)
        if not self._input_data_filters:
            return []
        return [
            replace(each, attempt_id=attempt.attempt_id)
            for each in found
            if self._may_be(each, attempt, digits)
        ]

    async def _probe_transactions(self, agent_id: int, attempt: OpenAttempt) -> list[Execution]:
        """Return the transactions whose TRACK_ID is the attempt's execution id."""
        parameters = {"agent_id": agent_id, "search": attempt.execution_id}
        return [
            each
            async for page in self._pages(TRANSACTIONS_PATH, parameters, source="transaction:")
            for each in page
            if each.execution_id == attempt.execution_id
        ]

    async def _pages(
        self, path: str, parameters: Mapping[str, Any], source: str = ""
    ) -> AsyncIterator[list[Execution]]:
        async def ask_page(page: Mapping[str, Any]) -> Any:
            url = httpx.URL(self._base_url + path, params=page)
            request = httpx.Request("GET", url, headers=self._headers, extensions=self._extensions)
            return await ask(
                self._client, request, who=self._who, clock=self._clock, pace_request=self._pace_request
            )

        options = self._options
        async for rows in read_pages(
            ask_page, parameters, page_size=options.page_size, pages_max=options.pages_max, who=self._who
        ):
            read = (
                read_execution(
                    row,
                    attempt_id_key=options.attempt_id_key,
                    zone=self._zone,
                    track_id_is_execution_id=options.track_id_is_execution_id,
                    source=source,
                )
                for row in rows
            )
            yield [each for each in read if each is not None]

    def _window(self, agent_id: int, start: datetime, end: datetime) -> dict[str, Any]:
        style = self._options.date_format
        return {"agent_id": agent_id, "fromdate": start.strftime(style), "todate": end.strftime(style)}

    def _may_be(self, each: Execution, attempt: OpenAttempt, digits: str) -> bool:
        """Tell whether a record can be the attempt; the filters match parts, so equality is ours to see."""
        if each.attempt_id is not None and each.attempt_id != attempt.attempt_id:
            return False
        return (
            digits_of(each.phone or "") == digits
            and each.agent in (None, attempt.agent)
            and self._not_before(each, attempt.sent_at_us)
        )

    def _not_before(self, each: Execution, since_us: int) -> bool:
        """Tell whether a call may have been created since; unknown dates may."""
        margin_us = round(self._options.clock_margin_s * 1e6) + (ZONE_MARGIN_US if each.zone_assumed else 0)
        return each.created_at_us is None or each.created_at_us >= since_us - margin_us


ACCOUNT_WORDS = (
    ("invalid auth key", "unauthorized", "check the token that dialer.toml names, and auth_style"),
    ("session expired", "unauthorized", "check the token that dialer.toml names, and auth_style"),
    ("agent not found", "agent_not_found", "check the campaign's agent: it must exist, be active, outbound"),
    ("agent id is required", "agent_missing", "check the campaign's agent"),
)
"""Documented words that every call of the campaign would meet: a part of them, our code, what to do."""


def open_envelope(answer: Any, wanted: str) -> tuple[Mapping[str, Any], str | None]:
    """Return the innermost object of an answer that holds `wanted`, and what speaks against it.

    Envelopes are nested up to three deep, and their flags mean opposite things: `success: true`,
    `error: false`. Every level must be free of failure.
    """
    level, flaw = answer, None
    for _ in range(3):
        if not isinstance(level, dict):
            break
        code = level.get("code")
        failed = isinstance(code, int) and not isinstance(code, bool) and code >= 300
        if level.get("error") not in (None, False, "", "false", 0):
            flaw = "error_true"
        elif level.get("success", True) not in (None, True, "true", 1) or failed:
            flaw = "success_false"
        if wanted in level or not isinstance(level.get("data"), dict):
            return level, flaw
        level = level["data"]
    return {}, flaw


def _usable_id(value: Any) -> str | None:
    """Return an execution id that a table can hold, or None."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return text if text and len(text) <= 200 and text.isprintable() else None


def _is_proof(each: Execution, attempt: OpenAttempt) -> bool:
    if each.attempt_id is not None:
        return each.attempt_id == attempt.attempt_id
    return attempt.execution_id is not None and each.execution_id == attempt.execution_id
