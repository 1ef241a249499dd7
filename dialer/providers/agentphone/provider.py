"""AgentPhone: place a call, find it again, read and hear what came of it.

There is no idempotency key, and nothing that we send is given back: a repeated request is a second call,
and an answer that was lost is looked for by number and time. How soon a call is listed is not documented,
so absence proves nothing. Why a call ended stands in its webhook alone; polling knows that it ended.

Source: docs.agentphone.to (calls, webhooks, error handling) and the official SDKs for Python and TypeScript.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

import anyio
import httpx
import orjson

from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, BadInput, NotDialled, NotReady, Refused
from dialer.base.secrets import read_secret
from dialer.base.settings import Account
from dialer.providers.abilities import (
    Agent,
    Delivery,
    EventRefused,
    Message,
    PhoneNumber,
    ProviderEvent,
    Webhook,
)
from dialer.providers.agentphone.answers import Answers
from dialer.providers.agentphone.api import AgentPhoneApi, rows_of, usable_id
from dialer.providers.agentphone.events import check_signature, read_event
from dialer.providers.agentphone.numbers import AgentPhoneNumbers
from dialer.providers.agentphone.options import AgentPhoneOptions, constant_fields
from dialer.providers.agentphone.records import read_record, text_of
from dialer.providers.options import read_base_url, read_options, read_token
from dialer.providers.provider import Accepted, Execution, OpenAttempt, PaceRequest, Submission
from dialer.providers.wire import Declined, NotKnown, Speaker, read_json

CALLS_PATH = "/v1/calls"

CALLER_PATIENCE_S = 60.0
"""The account's numbers are read again for an unknown caller id, not more often than this."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class AgentPhone:
    """One account at AgentPhone."""

    name: ClassVar[str] = "agentphone"
    absence_is_proof: bool = False
    verifies_events: ClassVar[bool] = True
    default_base_url: ClassVar[str] = "https://api.agentphone.to"

    def __init__(
        self, account: Account, client: httpx.AsyncClient, clock: Clock, pace_request: PaceRequest
    ) -> None:
        """Check the account's keys; no request is made. Raises BadInput."""
        self._options = options = read_options(account, AgentPhoneOptions)
        if options.model_tier is not None and options.system_prompt is None:
            raise BadInput(f"accounts.{account.name}.model_tier: only with system_prompt")
        if (options.call_screening_identity is None) != (options.call_screening_purpose is None):
            raise BadInput(
                f"accounts.{account.name}: call_screening_identity and call_screening_purpose go together"
            )
        token = read_token(account)
        base_url = read_base_url(account, self.default_base_url)
        self.absence_is_proof = options.absence_is_proof
        self._account = account.name
        self._clock = clock
        self._who = Speaker(account.name, "AgentPhone", (token,))
        self._api = AgentPhoneApi(
            self._who, base_url, token, options.sub_account, client, clock, pace_request
        )
        self._answers = Answers(self._who, clock, options.status_503)
        self._numbers = AgentPhoneNumbers(self._api)
        self._secrets: tuple[str, ...] | None = None
        self._callers: dict[str, str] = {}
        self._callers_read_at = float("-inf")
        self._callers_lock = anyio.Lock()
        self._constant = constant_fields(options)

    def check_agent(self, agent: str) -> None:
        """Make sure that the provider can know an agent by this name. Raises BadInput."""
        if usable_id(agent) != agent:
            raise BadInput(
                f"agent = {agent!r}: {self._who} knows agents by an id such as agt_abc123; "
                f"see: dialer agents {self._account} list"
            )

    async def submit(self, submission: Submission) -> Accepted:
        """Send one POST and return the provider's answer.

        Raises:
            NotDialled, Refused, AccountStopped, MaybeDialled: see dialer.base.errors. Nothing else.
        """
        body = self._encode(submission, await self._caller(submission.from_number))
        response = await self._api.send_once("POST", CALLS_PATH, body, submission.departing)
        answer = read_json(response.content)
        if 200 <= response.status_code < 300:
            return self._answers.accepted(response, answer, submission)
        raise self._answers.error(response, answer, submission)

    async def look_up(self, attempt: OpenAttempt) -> list[Execution]:
        """Return every record that may be this attempt: same agent, exactly this number, not older.

        Raises:
            NotReady: the provider could not be asked; an empty list means that it was and has none.
        """
        self._agent_path(attempt.agent)
        if attempt.execution_id is not None:
            known = await self.execution(attempt.execution_id)
            return [known] if known is not None else []
        # Digits without the plus: it would be read as a space, and the search matches parts anyway.
        asked = {"direction": "outbound", "search": attempt.phone.removeprefix("+")}
        found: list[Execution] = []
        async for rows in self._api.pages(CALLS_PATH, asked, self._options.page_size):
            found += [each for row in rows if (each := self._read(row)) and self._may_be(each, attempt)]
        return found

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the agent's calls created at or after `since_us`, in pages of any order.

        The list has no filter by time. It is read until a whole page is older, and only if all that was
        read ran from new to old, as the provider does but does not promise.

        Raises:
            NotReady: the list could not be read.
        """
        newest_first, before_us = True, None
        path = f"{self._agent_path(agent)}/calls"
        async for rows in self._api.pages(path, page_size=self._options.page_size):
            page = [each for row in rows if (each := self._read(row)) is not None]
            recent = [each for each in page if self._not_before(each, since_us)]
            if recent:
                yield [self._leave_to_event(each) for each in recent]
            for each in page:
                if each.created_at_us is not None:
                    newest_first = newest_first and (before_us is None or each.created_at_us <= before_us)
                    before_us = each.created_at_us
            if page and not recent and newest_first:
                return

    @property
    def event_wait_s(self) -> float:
        """How long after its end a call is told without an outcome; 0 where no events come."""
        return self._options.event_wait_s if self._options.webhook_secret else 0.0

    async def execution(self, execution_id: str) -> Execution | None:
        """Return what the provider's file says of the call; None where it knows none by this id.

        Where there is a webhook, a call that just ended is told without its outcome: see `event_wait_s`.
        """
        try:
            row = await self._api.get(f"{CALLS_PATH}/{quote(execution_id, safe='')}")
        except NotKnown:
            return None
        told = self._read(row) if isinstance(row, dict) else None
        return None if told is None else self._leave_to_event(told)

    async def end_call(self, execution_id: str) -> str:
        """Ask the provider to end the call; return the status that it answers with."""
        row = await self._api.order("POST", f"{CALLS_PATH}/{quote(execution_id, safe='')}/end")
        return text_of(row.get("status")) if isinstance(row, dict) else ""

    async def transcript(self, execution_id: str) -> list[Mapping[str, Any]]:
        """Return the turns of the call, oldest first, as the provider writes them."""
        answer = await self._api.get(f"{CALLS_PATH}/{quote(execution_id, safe='')}/transcript")
        return rows_of(answer) or []

    def read_event(self, headers: Mapping[str, str], body: bytes, now_s: float) -> ProviderEvent:
        """Verify a delivery on its raw bytes, then read it; `headers` has lower-case names.

        Raises:
            EventRefused: it does not come from the provider, is stale, or cannot be read.
        """
        if self._secrets is None:
            key = f"accounts.{self._account}.webhook_secret"
            if not self._options.webhook_secret:
                raise EventRefused(f"{key} is missing, so no delivery can be verified", status=503)
            try:
                self._secrets = tuple(read_secret(each, key) for each in self._options.webhook_secret)
            except BadInput as error:
                raise EventRefused(str(error), status=503) from error
        check_signature(headers, body, self._secrets, now_s)
        event = read_event(headers, body)
        return event if event.execution is None else replace(event, execution=self._priced(event.execution))

    # Numbers, agents, webhooks, limits

    def numbers(self) -> AsyncIterator[list[PhoneNumber]]:
        """Yield the numbers that are not released, page by page."""
        return self._numbers.numbers()

    async def create_number(
        self, country: str, agent: str | None = None, area_code: str | None = None
    ) -> PhoneNumber:
        """Buy a number in the country (ISO code) and return it. This costs money."""
        return await self._numbers.create(country, agent, area_code)

    async def release_number(self, number: str) -> PhoneNumber:
        """Give the number back (E.164 or the provider's id); this cannot be undone."""
        return await self._numbers.release(number)

    async def attach_numbers(
        self, agent: str, numbers: Sequence[str], telephony: str | None = None
    ) -> list[PhoneNumber]:
        """Attach numbers to the agent; one that another agent has is not moved."""
        self.check_agent(agent)
        return await self._numbers.attach(agent, numbers, telephony)

    async def detach_number(self, agent: str | None, number: str) -> str:
        """Detach the number from the agent that has it; return what was done."""
        return await self._numbers.detach(agent, number)

    def messages(
        self, number: str, before: str | None = None, after: str | None = None
    ) -> AsyncIterator[list[Message]]:
        """Yield the number's messages, newest first, between two moments (ISO 8601)."""
        return self._numbers.messages(number, before, after)

    def agents(self) -> AsyncIterator[list[Agent]]:
        """Yield the agents, page by page."""
        return self._numbers.agents()

    async def webhook(self, agent: str | None = None) -> Webhook | None:
        """Return where events go, of the account or of one agent; None where they go nowhere."""
        return await self._numbers.webhook(agent)

    async def set_webhook(self, url: str, agent: str | None = None) -> Webhook:
        """Send events to the address; return it with its secret, which is new every time."""
        return await self._numbers.set_webhook(url, agent)

    def deliveries(self, agent: str | None = None) -> AsyncIterator[list[Delivery]]:
        """Yield the deliveries, newest first, page by page."""
        return self._numbers.deliveries(agent)

    async def concurrency(self) -> int | None:
        """Return the plan's limit of live calls; None where the API does not tell the plan (any more)."""
        level: Any = await self._api.get("/v1/usage")
        for key in ("plan", "limits", "concurrentCalls"):
            level = level.get(key) if isinstance(level, dict) else None
        return level if type(level) is int and level > 0 else None

    # A submission

    def _encode(self, submission: Submission, caller: str | None) -> bytes:
        """Return the body of a call; what cannot be sent is refused here, before anything is."""
        if _E164.fullmatch(submission.phone) is None:
            raise Refused("the number is not strict E.164 (+ and 7 to 15 digits)", code="not_e164")
        try:
            self.check_agent(submission.agent)
        except BadInput as error:
            raise AccountStopped(str(error), code="agent_not_usable") from error
        order: dict[str, Any] = {"agentId": submission.agent, "toNumber": submission.phone, **self._constant}
        if caller is not None:
            order["fromNumberId"] = caller
        try:
            if self._options.variables and (variables := _as_texts(submission.metadata)):
                order["variables"] = variables
            return orjson.dumps(order)
        except TypeError as error:
            raise Refused(f"the call's metadata is no JSON: {error}", code="metadata_not_json") from error

    async def _caller(self, number: str | None) -> str | None:
        """Return AgentPhone's id of a caller id; the account's numbers are read once, before the first call.

        Raises:
            NotDialled: they could not be read now.
            AccountStopped: the account has no such number, or may not read them.
        """
        if number is None or not number.startswith("+"):
            return number
        if number not in self._callers:
            async with self._callers_lock:
                if self._callers_read_at < self._clock.monotonic() - CALLER_PATIENCE_S:
                    await self._read_callers()
        if number in self._callers:
            return self._callers[number]
        raise AccountStopped(
            f"{self._who} has no number that is one of from_numbers of the campaign; "
            f"see: dialer numbers {self._account} list",
            code="from_number_unknown",
        )

    async def _read_callers(self) -> None:
        try:
            async for page in self.numbers():
                self._callers |= {each.phone: each.number_id for each in page if each.number_id}
        except Declined as error:
            raise AccountStopped(str(error), code="numbers_not_read") from error
        except NotReady as error:
            raise NotDialled(f"the caller id is not known yet: {error}", code="numbers_not_read") from error
        self._callers_read_at = self._clock.monotonic()

    # The lists

    def _agent_path(self, agent: str) -> str:
        try:
            self.check_agent(agent)
        except BadInput as error:
            raise NotReady(str(error)) from error
        return f"/v1/agents/{quote(agent, safe='')}"

    def _read(self, row: Mapping[str, Any]) -> Execution | None:
        """Return what a record says of a call that we may have placed."""
        if row.get("direction") not in (None, "", "outbound"):
            return None
        execution = read_record(row)
        return None if execution is None else self._priced(execution)

    def _may_be(self, each: Execution, attempt: OpenAttempt) -> bool:
        return (
            each.phone == attempt.phone
            and each.agent in (None, attempt.agent)
            and self._not_before(each, attempt.sent_at_us)
        )

    def _not_before(self, each: Execution, since_us: int) -> bool:
        """Tell whether a call may have been created since; unknown dates may. Dates have whole seconds."""
        margin_us = round(self._options.clock_margin_s * 1e6) + 1_000_000
        return each.created_at_us is None or each.created_at_us >= since_us - margin_us

    def _leave_to_event(self, each: Execution) -> Execution:
        """Return a call that just ended as still open while its webhook may yet come and say why."""
        plain = each.outcome in ("completed", "failed")
        if not plain or not self.event_wait_s or each.ended_at_us is None:
            return each
        over_us = self._clock.now_us() - each.ended_at_us
        return replace(each, outcome=None) if over_us < self.event_wait_s * 1e6 else each

    def _priced(self, each: Execution) -> Execution:
        """Return the call with its cost: by the second, a cent at least; unknown without a price."""
        price = self._options.price_per_minute
        if price is None or each.outcome is None:
            return each
        cost = max(0.01, round(each.duration_s / 60 * price, 4)) if each.duration_s else 0.0
        return replace(each, cost=cost, currency="USD")


def _as_texts(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return metadata as variables, which must be texts; what is missing is left out."""
    return {
        key: value if isinstance(value, str) else orjson.dumps(value).decode()
        for key, value in metadata.items()
        if value is not None
    }
