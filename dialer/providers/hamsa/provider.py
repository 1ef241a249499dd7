"""Hamsa: place a call, find it again, ask what came of it, hear its webhooks.

Its documents know no idempotency key and no cancel. The list of conversations has neither a filter by
number nor the call's params, so a lost answer is looked for by number and time; the params come back in
webhooks, which carry our attempt id.

Source: docs.tryhamsa.com, the pages quick start, start-a-call, minimal-list, conversation and jobs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

import httpx
import orjson

from dialer.base.clock import Clock
from dialer.base.errors import AccountStopped, BadInput, MaybeDialled, NotReady, Refused, SubmitError
from dialer.base.secrets import read_secret
from dialer.base.settings import Account
from dialer.providers.abilities import Agent, EventRefused, PhoneNumber, ProviderEvent
from dialer.providers.hamsa import events
from dialer.providers.hamsa import numbers as account
from dialer.providers.hamsa.api import HamsaApi, mentions_funds
from dialer.providers.hamsa.calls import HamsaCalls
from dialer.providers.hamsa.options import E164, HamsaOptions
from dialer.providers.hamsa.records import usable_id
from dialer.providers.options import read_base_url, read_options, read_token
from dialer.providers.provider import Accepted, Execution, OpenAttempt, PaceRequest, Submission
from dialer.providers.values import digits_of
from dialer.providers.wire import Speaker, error_of_status, message_in, read_json, readable

CALL_PATHS = {
    "call": ("/v1/voice-agents/call", "fromNumber"),
    "phone-number": ("/v1/voice-agents/phone-number/call", "phoneNumber"),
    "twilio": ("/v1/voice-agents/twilio/call", "twilioPhoneNumber"),
}
"""Where a call can be started, and what the caller's number is called there."""


class Hamsa:
    """One account at Hamsa."""

    name: ClassVar[str] = "hamsa"
    absence_is_proof: bool = False
    default_base_url: ClassVar[str] = "https://api.tryhamsa.com"

    def __init__(
        self, account: Account, client: httpx.AsyncClient, clock: Clock, pace_request: PaceRequest
    ) -> None:
        """Check the account's keys; no request is made. Raises BadInput."""
        self._options = options = read_options(account, HamsaOptions)
        self.absence_is_proof = options.absence_is_proof
        token = read_token(account)
        self._secret = self._read_webhook_secret(account)
        who = Speaker(account.name, "Hamsa", (token, *([self._secret] if self._secret else [])))
        base_url = read_base_url(account, self.default_base_url)
        authorization = f"{options.auth_scheme} {token}".strip()
        self._who = who
        self._clock = clock
        self._api = HamsaApi(who, base_url, authorization, client, clock, pace_request)
        self._calls = HamsaCalls(self._api, options)

    def check_agent(self, agent: str) -> None:
        """Make sure that the provider can know an agent by this name. Raises BadInput."""
        try:
            UUID(agent)
        except ValueError:
            raise BadInput(
                f"agent = {agent!r}: {self._who} knows agents by a UUID such as "
                f"5d1c2b1e-6a54-4a9e-9f0d-0c3f7b5a9c11; see `dialer agents {self._who.account} list`"
            ) from None

    async def submit(self, submission: Submission) -> Accepted:
        """Send one POST and return the provider's answer.

        Raises:
            NotDialled, Refused, AccountStopped, MaybeDialled: see dialer.base.errors. Nothing else.
        """
        path, caller_key = CALL_PATHS[self._options.call_endpoint]
        body = self._encode(submission, caller_key)
        response = await self._api.send_once("POST", path, body, submission.departing)
        answer = read_json(response.content)
        said = readable(message_in(answer), (*self._who.secrets, submission.phone, submission.phone[1:]))
        if 200 <= response.status_code < 300:
            return self._read_accepted(response.status_code, answer, said)
        raise self._error_of(response, said)

    async def look_up(self, attempt: OpenAttempt) -> list[Execution]:
        """Return every record that may be this attempt: same agent, exactly this number, not older.

        The list has no filter by number: all pages of the window are read, and equality is ours to see.

        Raises:
            NotReady: the provider could not be asked; an empty list means that it was and has none.
        """
        digits = digits_of(attempt.phone)
        found: list[Execution] = []
        self._check_agent(attempt.agent)
        async for page in self._calls.conversations(attempt.agent, attempt.sent_at_us):
            for each in page:
                if attempt.execution_id is not None and each.execution_id == attempt.execution_id:
                    return [each]
                if digits_of(each.phone or "") == digits and each.agent in (None, attempt.agent):
                    found.append(each)
        if len(found) == 1 and found[0].outcome is not None:
            return [await self._calls.whole(found[0])]
        return found

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the agent's calls created at or after `since_us`, in pages of any order.

        A call that is over is read whole the first time it is seen, because the list knows no recording.

        Raises:
            NotReady: the list could not be read.
        """
        self._check_agent(agent)
        async for page in self._calls.executions(agent, since_us):
            yield page

    async def execution(self, execution_id: str) -> Execution | None:
        """Return what Hamsa's file says of the call; None where it knows none by this id."""
        return await self._calls.one(execution_id)

    async def costs(self, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the calls since a moment with what they cost, each once in the life of this object.

        Only the page of a job knows a cost: one request for each call, so a reading is bounded.
        """
        async for page in self._calls.costs(since_us):
            yield page

    def read_event(self, headers: Mapping[str, str], body: bytes, now_s: float) -> ProviderEvent:
        """Check a delivery's secret, then read it; it proves nothing, and only says what to ask about.

        Raises:
            EventRefused: it does not carry the secret, or cannot be read.
        """
        if self._secret is None:
            raise EventRefused(
                f"{self._who} has no webhook_secret in dialer.toml, so no delivery can be believed"
            )
        events.check_secret(headers, self._options.webhook_auth_name, self._secret)
        return events.read_event(body, self._options.attempt_id_key)

    def _check_agent(self, agent: str) -> None:
        try:
            self.check_agent(agent)
        except BadInput as error:
            raise NotReady(str(error)) from error

    # Agents and numbers

    def agents(self) -> AsyncIterator[list[Agent]]:
        """Yield the agents, page by page."""
        return account.agents(self._api)

    def numbers(self) -> AsyncIterator[list[PhoneNumber]]:
        """Yield the numbers, page by page."""
        return account.numbers(self._api)

    async def add_number(
        self, phone: str, label: str, telephony: str, secrets: Mapping[str, str]
    ) -> PhoneNumber:
        """Register a Twilio number; `secrets` are `sid` and `auth_token`, which are never shown."""
        return await account.add_number(self._api, phone, label, telephony, secrets)

    async def attach_numbers(
        self, agent: str, numbers: Sequence[str], telephony: str | None = None
    ) -> list[PhoneNumber]:
        """Attach numbers of the account to the agent; one that another agent has is not moved."""
        self.check_agent(agent)
        return await account.attach_numbers(self._api, agent, numbers)

    async def detach_number(self, agent: str | None, number: str) -> str:
        """Detach the number from its agent; return what Hamsa says."""
        return await account.detach_number(self._api, agent, number)

    # A submission

    def _read_webhook_secret(self, account: Account) -> str | None:
        options = self._options
        where = f"accounts.{account.name}"
        if options.webhook_url is not None and options.webhook_secret is None:
            raise BadInput(
                f"{where}.webhook_secret is missing: without it anybody could tell what came of a call; "
                f'write webhook_secret = "env:{account.name.upper().replace("-", "_")}_WEBHOOK_SECRET"'
            )
        if options.webhook_url is not None and options.call_endpoint == "phone-number":
            raise BadInput(f"{where}.webhook_url: call_endpoint 'phone-number' takes no webhook; use 'call'")
        if options.webhook_secret is None:
            return None
        return read_secret(options.webhook_secret, f"{where}.webhook_secret")

    def _encode(self, submission: Submission, caller_key: str) -> bytes:
        """Return the body of a call; what cannot be sent is refused here, before anything is."""
        if re.fullmatch(E164, submission.phone) is None:
            raise Refused("the number is not strict E.164 (+ and 7 to 15 digits)", code="not_e164")
        caller = submission.from_number or self._options.from_number
        if caller is None:
            raise AccountStopped(
                f"{self._who} calls from a number of the account: write it as from_numbers of the "
                f"campaign's [call], or as from_number of the account",
                code="from_number_missing",
            )
        try:
            self.check_agent(submission.agent)
        except BadInput as error:
            raise AccountStopped(str(error), code="agent_not_uuid") from error
        order: dict[str, Any] = {
            "toNumber": submission.phone,
            caller_key: caller,
            "voiceAgentId": submission.agent,
            "params": {**submission.metadata, self._options.attempt_id_key: submission.attempt_id},
        }
        if self._options.webhook_url is not None:
            order["webhookUrl"] = self._options.webhook_url
            order["webhookAuth"] = {
                "authKey": self._options.webhook_auth_name,
                "authSecret": self._secret,
            }
        try:
            return orjson.dumps(order)
        except TypeError as error:
            raise Refused(f"the call's metadata is no JSON: {error}", code="metadata_not_json") from error

    def _read_accepted(self, status: int, answer: Any, said: str) -> Accepted:
        """Return the accepted call: a 2xx with an id, whatever the flag `success` says.

        The documents' examples of good answers say `success: false`. Without an id, that flag is a refusal.
        """
        data = answer.get("data") if isinstance(answer, dict) else None
        data = data if isinstance(data, dict) else {}
        execution_id = usable_id(data.get("id")) or usable_id(data.get("jobId"))
        if execution_id is not None:
            word = data.get("status")
            return Accepted(execution_id, status, readable(word) if isinstance(word, str) else None)
        told = f"{self._who} answered {status}" + (f" ({said})" if said else "")
        if isinstance(answer, dict) and answer.get("success") is False:
            if mentions_funds(said):
                raise AccountStopped(
                    f"{told}; add funds to the account", code="insufficient_funds", http_status=status
                )
            raise Refused(
                f"{told} with success: false; no call was placed", code="refused", http_status=status
            )
        flaw = "no_job_id" if isinstance(answer, dict) else "not_json"
        raise MaybeDialled(
            f"{told} without an id of the call ({flaw}); the call may have been placed",
            code=flaw,
            http_status=status,
        )

    def _error_of(self, response: httpx.Response, said: str) -> SubmitError:
        """Return what an answer other than 2xx means; no error body is documented, so words only add."""
        status = response.status_code
        if 400 <= status < 500 and status not in (408, 425, 429) and mentions_funds(said):
            told = f"{self._who} answered {status} ({said}); add funds to the account"
            return AccountStopped(told, code="insufficient_funds", http_status=status)
        return error_of_status(response, said, self._who, self._clock.now_us(), self._options.status_503)
