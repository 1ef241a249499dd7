"""`provider = "http"`: any gateway that dialer.toml describes, without a line of Python.

The description is compiled and checked when the account is opened. What it does not say is not assumed: a
status in no list leaves a call unknown, and absence from a list proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import httpx

from dialer.base.clock import Clock
from dialer.base.errors import BadInput, NotReady
from dialer.base.secrets import is_reference, is_secret, read_secret
from dialer.base.settings import Account
from dialer.providers.abilities import ProviderEvent
from dialer.providers.gateway.call import CallPlan
from dialer.providers.gateway.events import EventPlan
from dialer.providers.gateway.lists import ListPlan, LookUpPlan, window_of
from dialer.providers.gateway.options import GatewayOptions, read_gateway_options
from dialer.providers.gateway.records import Reader
from dialer.providers.gateway.templates import Text
from dialer.providers.options import read_base_url, read_token
from dialer.providers.provider import Accepted, Execution, OpenAttempt, PaceRequest, Submission
from dialer.providers.values import digits_of
from dialer.providers.wire import Speaker, ask, exchange, message_in, read_json, readable

ZONE_MARGIN_US = 12 * 3600 * 1_000_000
"""A date without a zone, read as UTC, is early by 12 hours at most."""


class Gateway:
    """One account at a gateway."""

    name: ClassVar[str] = "http"
    absence_is_proof: bool = False
    default_base_url: ClassVar[str] = ""
    verifies_events: ClassVar[bool] = True

    execution: Callable[[str], Awaitable[Execution | None]]
    """What the gateway says of a call; there only where dialer.toml has [one_call]."""
    read_event: Callable[[Mapping[str, str], bytes, float], ProviderEvent]
    """Verifies and reads a delivery; there only where dialer.toml has [events]."""

    def __init__(
        self, account: Account, client: httpx.AsyncClient, clock: Clock, pace_request: PaceRequest
    ) -> None:
        """Check what dialer.toml says of the gateway; no request is made. Raises BadInput."""
        where = f"accounts.{account.name}"
        if account.base_url is None:
            raise BadInput(
                f"{where}.base_url is missing: the gateway's address, such as https://gateway.example"
            )
        self._options = options = read_gateway_options(account)
        self._base_url = read_base_url(account, account.base_url)
        self._client = client
        self._clock = clock
        self._pace_request = pace_request
        self._token = read_token(account) if account.token is not None else ""
        self._headers, secrets = self._read_headers(where)
        secret = self._event_secret(where)
        hidden = tuple(each for each in (self._token, secret, *secrets) if each)
        self._who = Speaker(account.name, "the gateway", hidden)
        self._call = CallPlan(options, self._who, where)
        zone = ZoneInfo(options.time_zone) if options.time_zone else None
        self._reader = Reader(options.fields, options.outcomes, zone, where)
        self._list = ListPlan(options, self._who, where) if options.calls else None
        self._look_up = LookUpPlan(options, self._who, where)
        self._events: EventPlan | None = None
        if options.events is not None:
            fields = options.events.fields
            own = Reader(fields, options.outcomes, zone, f"{where}.events") if fields else self._reader
            self._events = EventPlan(options.events, secret, own, where)
            self.read_event = self._read_event
        if options.one_call is not None:
            self.execution = self._execution
        self.absence_is_proof = options.absence_is_proof
        self._extensions: dict[str, Any] = {"timeout": client.timeout.as_dict()}
        self._check(options, where)

    def check_agent(self, agent: str) -> None:
        """Make sure that an agent is named on one line; the rest is the gateway's. Raises BadInput."""
        if not agent.strip() or not agent.isprintable():
            raise BadInput(f"agent = {agent!r}: {self._who} needs a name of one line")

    async def submit(self, submission: Submission) -> Accepted:
        """Send one request and return the gateway's answer.

        Raises:
            NotDialled, Refused, AccountStopped, MaybeDialled: see dialer.base.errors. Nothing else.
        """
        request = self._call.request(submission, self._base_url, self._headers, self._token)
        request.extensions.update(self._extensions)
        if submission.departing is not None:
            request.extensions["departure"] = submission.departing
        response = await exchange(self._client, request, self._who)
        hide = (*self._who.secrets, submission.phone, submission.phone[1:])
        said = readable(message_in(read_json(response.content)), hide)
        return self._call.read(response, submission, said, self._clock.now_us())

    async def look_up(self, attempt: OpenAttempt) -> list[Execution]:
        """Return every record that may be this attempt: this number or attempt id, not older.

        A record that carries the attempt's own id, or its execution id, is proof and comes alone. What a
        record does not say speaks for it, and so does a number without its country code: a call that may
        be ours must never count as absent.

        Raises:
            NotReady: the gateway could not be asked; an empty list means that it was and has none.
        """
        values = self._window(attempt.sent_at_us) | {
            "agent": attempt.agent,
            "phone": attempt.phone,
            "phone_digits": attempt.phone.lstrip("+"),
            "attempt_id": attempt.attempt_id,
        }
        rows = await self._look_up.find(self._ask, values)
        if rows is None:
            if self._list is None:
                raise NotReady(f"{self._who} has no list of calls to look in; see [look_up] and [calls]")
            rows = [row async for page in self._list.pages(self._ask, values) for row in page]
        read = self._read_all(rows)
        if len(read) < len(rows):
            raise self._unreadable()
        found = [each for each in read if self._may_be(each, attempt)]
        return [each for each in found if _is_proof(each, attempt)] or found

    async def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the agent's calls created at or after `since_us`, in pages of any order.

        Nothing comes of a gateway that has no list.

        Raises:
            NotReady: the list could not be read.
        """
        if self._list is None:
            return
        async for rows in self._list.pages(self._ask, self._window(since_us) | {"agent": agent}):
            read = self._read_all(rows)
            if not read:
                raise self._unreadable()
            yield [each for each in read if self._not_before(each, since_us)]

    async def _execution(self, execution_id: str) -> Execution | None:
        return self._reader.read(await self._look_up.one(self._ask, execution_id, self._token))

    async def _ask(self, path: str) -> Any:
        request = httpx.Request(
            "GET", self._base_url + path, headers=self._headers, extensions=self._extensions
        )
        return await ask(
            self._client, request, who=self._who, clock=self._clock, pace_request=self._pace_request
        )

    def _window(self, since_us: int) -> dict[str, Any]:
        margin_us = round(self._options.clock_margin_s * 1e6)
        window = window_of(since_us - margin_us, self._clock.now_us(), self._options.time_zone)
        return window | {"token": self._token}

    def _read_all(self, rows: Sequence[Any]) -> list[Execution]:
        read = (self._reader.read(row) for row in rows)
        return [each for each in read if each is not None]

    def _unreadable(self) -> NotReady:
        return NotReady(
            f"{self._who} lists calls without an id at '{self._options.fields.id}'; "
            "check fields.id in dialer.toml"
        )

    def _may_be(self, each: Execution, attempt: OpenAttempt) -> bool:
        if each.attempt_id is not None:
            return each.attempt_id == attempt.attempt_id
        if not self._not_before(each, attempt.sent_at_us):
            return False
        ours, theirs = digits_of(attempt.phone), (each.phone or "").lstrip("+0")
        return not theirs or ours == theirs or (len(theirs) >= 6 and ours.endswith(theirs))

    def _not_before(self, each: Execution, since_us: int) -> bool:
        """Tell whether a call may have been created since; unknown dates may."""
        margin_us = round(self._options.clock_margin_s * 1e6) + (ZONE_MARGIN_US if each.zone_assumed else 0)
        return each.created_at_us is None or each.created_at_us >= since_us - margin_us

    # What dialer.toml says

    def _read_event(self, headers: Mapping[str, str], body: bytes, now_s: float) -> ProviderEvent:
        self.ready_for_events()  # nothing is verified by a secret that is not there
        assert self._events is not None
        return self._events.read(headers, body, now_s)

    def ready_for_events(self) -> None:
        """Make sure that deliveries can be verified; placing calls needs no secret of theirs.

        Raises:
            BadInput: the secret of [events] is not where dialer.toml says.
        """
        if self._no_secret is not None:
            raise self._no_secret

    def _event_secret(self, where: str) -> str:
        self._no_secret: BadInput | None = None
        if self._options.events is None:
            return ""
        try:
            return read_secret(self._options.events.secret, f"{where}.events.secret")
        except BadInput as error:
            self._no_secret = error
            return ""

    def _read_headers(self, where: str) -> tuple[list[tuple[str, str]], list[str]]:
        """Return the headers of every request, and the secrets in them."""
        headers = [("accept", "application/json"), ("accept-encoding", "identity")]
        secrets: list[str] = []
        for name, text in self._options.headers.items():
            key = f"{where}.headers.{name}"
            if re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) is None:
                raise BadInput(f"{key}: no name of a header")
            if is_reference(text):
                value = read_secret(text, key)
                secrets.append(value)
            else:
                template = Text(text, ("token",), key)
                if is_secret(name) and not template.names:
                    raise BadInput(
                        f"{key}: a secret does not belong in a file like this; "
                        "write 'env:NAME', 'file:PATH', or a text with {token}"
                    )
                if template.names and not self._token:
                    raise BadInput(f'{key} names {{token}}: write token = "env:NAME" under [{where}]')
                value = template.fill({"token": self._token})
            if not value.isascii() or not value.isprintable():
                raise BadInput(f"{key}: a header holds one line of plain characters")
            headers.append((name.lower(), value))
        return headers, secrets

    def _check(self, options: GatewayOptions, where: str) -> None:
        """Refuse what no single key shows: no way to learn outcomes, or to know a call again."""
        if "token" in self._call.names and not self._token:
            raise BadInput(f'{where}.call names {{token}}: write token = "env:NAME" under [{where}]')
        told = options.calls is not None or (self._events is not None and self._events.proof)
        if not told:
            hint = (
                " (events that are checked by a header alone prove nothing: add calls, or say believe = true)"
                if self._events is not None
                else ""
            )
            raise BadInput(
                f"{where}: there is no way to learn what comes of a call{hint}; describe the gateway's list "
                f"in [{where}.calls], or its signed webhooks in [{where}.events]"
            )
        if not options.outcomes:
            raise BadInput(
                f"{where}.outcomes is missing: which of the gateway's words mean completed, no_answer, "
                "busy, ...; without it every call would stay open until it expires"
            )
        asks = options.calls is not None or options.look_up is not None
        if asks and not self._reader.names_attempts():
            raise BadInput(
                f"{where}.fields: neither phone nor attempt_id is given, so a call whose answer was lost "
                "could not be known again"
            )
        if options.absence_is_proof and not asks:
            raise BadInput(f"{where}.absence_is_proof: there is no list that could show absence")


def _is_proof(each: Execution, attempt: OpenAttempt) -> bool:
    if each.attempt_id is not None:
        return each.attempt_id == attempt.attempt_id
    return attempt.execution_id is not None and each.execution_id == attempt.execution_id
