"""UnleashX: place a call, find it again, read what came of it.

Its page knows no idempotency key, no "get one call" and no cancel: a repeated request is a second
call, and an answer that was lost is looked for in the list of executions. That list is not documented
to hold every call, so absence proves nothing.

Source: the provider's public pages make-call, call-summary and call-cost.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import httpx
import orjson

from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, BadInput, MaybeDialled, NotReady, Refused, SubmitError
from dialer.base.settings import Account
from dialer.providers.abilities import Agent, PhoneNumber, ProviderEvent
from dialer.providers.options import read_base_url, read_options, read_token
from dialer.providers.provider import Accepted, Execution, OpenAttempt, PaceRequest, Submission
from dialer.providers.unleashx.account import (
    AGENTS_PATH,
    HISTORY_PATH,
    AgentHistory,
    attach_order,
    error_of_attach,
    read_agents,
    read_attached,
    read_hint,
    read_history,
)
from dialer.providers.unleashx.lists import message_of, open_envelope, read_pages, windows
from dialer.providers.unleashx.options import AUTH_HEADERS, UnleashXOptions
from dialer.providers.unleashx.records import read_execution
from dialer.providers.values import digits_of
from dialer.providers.wire import Speaker, ask, error_of_status, exchange, read_json, readable

CALL_PATH = "/api/v1/global/agents/call"
EXECUTIONS_PATH = "/api/v1/global/agents/executions/list"
TRANSACTIONS_PATH = "/api/v1/global/transactions/calling-list-with-transaction"

NOBODY = "no-such-attempt-00000000"
"""Input data that no call of ours has: a list that finds it does not filter by input data."""

ZONE_MARGIN_US = 12 * 3600 * 1_000_000
"""A date without a zone, read as UTC, is early by 12 hours at most."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


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

    async def costs(self, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield what calls created at or after `since_us` cost, by the list of transactions.

        Raises:
            NotReady: the list could not be read.
        """
        for start, end in windows(since_us, self._clock.now_us()):
            async for page in self._pages(TRANSACTIONS_PATH, self._days(start, end), source="transaction:"):
                yield [each for each in page if self._not_before(each, since_us)]

    def read_event(self, headers: Mapping[str, str], body: bytes, now_s: float) -> ProviderEvent:
        """Read a delivery as a reason to ask; nothing in it is believed."""
        return read_hint(body, now_s, self._options.attempt_id_key)

    async def attach_numbers(
        self, agent: str, numbers: Sequence[str], telephony: str | None = None
    ) -> list[PhoneNumber]:
        """Attach numbers (E.164) to the agent; with `telephony` on the older path, else on the public one.

        Raises:
            BadInput: UnleashX says no, and why. NotReady: it cannot be asked, or what it did is not known.
        """
        path, order = attach_order(agent, numbers, telephony)
        await self._pace_request()
        url, content = self._base_url + path, orjson.dumps(order)
        request = httpx.Request(
            "POST", url, headers=self._headers, content=content, extensions=self._extensions
        )
        try:
            response = await exchange(self._client, request, self._who)
        except SubmitError as error:
            raise error_of_attach(error) from error
        return read_attached(response, agent, numbers, telephony, self._who)

    async def agents(self) -> AsyncIterator[list[Agent]]:
        """Yield the account's agents, all at once: the list has no pages.

        Raises:
            NotReady: the list could not be read.
        """
        yield read_agents(await self._ask(AGENTS_PATH, {}), self._who)

    async def call_history(self, since_us: int) -> list[AgentHistory]:
        """Return what the provider counts of each agent's calls since then; three months at most.

        Raises:
            NotReady: it could not be read.
        """
        days = windows(since_us, self._clock.now_us())
        parameters = self._days(days[0][0], days[-1][1])
        pages = read_pages(
            lambda page: self._ask(HISTORY_PATH, page),
            parameters,
            page_size=self._options.page_size,
            pages_max=self._options.pages_max,
            who=self._who,
        )
        return [each async for rows in pages for each in read_history(rows)]

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
        options = self._options
        async for rows in read_pages(
            partial(self._ask, path),
            parameters,
            page_size=options.page_size,
            pages_max=options.pages_max,
            who=self._who,
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

    async def _ask(self, path: str, parameters: Mapping[str, Any]) -> Any:
        url = httpx.URL(self._base_url + path, params=parameters)
        request = httpx.Request("GET", url, headers=self._headers, extensions=self._extensions)
        return await ask(
            self._client, request, who=self._who, clock=self._clock, pace_request=self._pace_request
        )

    def _window(self, agent_id: int, start: datetime, end: datetime) -> dict[str, Any]:
        return {"agent_id": agent_id, **self._days(start, end)}

    def _days(self, start: datetime, end: datetime) -> dict[str, str]:
        style = self._options.date_format
        return {"fromdate": start.strftime(style), "todate": end.strftime(style)}

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
