"""What every provider promises: submit with certainty, and read its own file of calls.

A provider is a class of one module, found by the entry point `dialer.providers`, opened once per
account and worker: `UnleashX(account, client, clock, pace_request)`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import httpx

from dialer.base.clock import Clock
from dialer.base.settings import Account

OUTCOMES = ("completed", "no_answer", "busy", "voicemail", "failed", "canceled", "expired")
"""What can come of an accepted attempt; `expired` is ours: the provider never told."""

PaceRequest = Callable[[], Awaitable[None]]
"""Awaited before every request but a submission, whose pace is kept by the worker."""

Departing = Callable[[], Awaitable[None] | None]
"""Called when a request could leave now; where it returns something to await, it leaves after that."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One call to place.

    `departing`, where it is given, is called at the moment at which the request's first byte leaves; it goes
    to the transport as the request's extension `departure`.
    """

    attempt_id: str
    phone: str
    agent: str
    from_number: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    departing: Departing | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the call; `status` is its own word for that."""

    execution_id: str
    http_status: int
    status: str | None = None


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt of ours that the provider is asked about."""

    attempt_id: str
    phone: str
    agent: str
    sent_at_us: int
    execution_id: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """What the provider's own file says of one call.

    `provider_ref` is the provider's key of the record and is unique per account; `attempt_id` and
    `execution_id` are None where the provider does not give them back. `outcome` is None while the
    call is not over or its status is not understood; `status` keeps the provider's own text.
    `zone_assumed` says that `created_at_us` was read from a date that names no time zone.
    """

    provider_ref: str
    phone: str | None
    agent: str | None
    status: str
    outcome: str | None = None
    created_at_us: int | None = None
    ended_at_us: int | None = None
    attempt_id: str | None = None
    execution_id: str | None = None
    disposition: str | None = None
    duration_s: float | None = None
    cost: float | None = None
    currency: str | None = None
    recording_url: str | None = None
    transcript: str | None = None
    zone_assumed: bool = False
    sentiment: str | None = None


class Provider(Protocol):
    """One account at one provider.

    `absence_is_proof`: the provider documents its list well enough that a call which is not in it
    `listing_delay_s` after the submission was surely not placed. `default_base_url` is the documented
    address of its API.
    """

    name: ClassVar[str]
    absence_is_proof: ClassVar[bool]
    default_base_url: ClassVar[str]

    def __init__(
        self, account: Account, client: httpx.AsyncClient, clock: Clock, pace_request: PaceRequest
    ) -> None:
        """Check the account's keys; no request is made. Raises BadInput."""
        ...

    def check_agent(self, agent: str) -> None:
        """Make sure that the provider can know an agent by this name. Raises BadInput."""
        ...

    async def submit(self, submission: Submission) -> Accepted:
        """Send one POST and return the provider's answer.

        Raises:
            NotDialled, Refused, AccountStopped, MaybeDialled: see dialer.base.errors. Nothing else.
        """
        ...

    async def look_up(self, attempt: OpenAttempt) -> list[Execution]:
        """Return every record that may be this attempt: same agent, exactly this number, not older.

        Raises:
            NotReady: the provider could not be asked; an empty list means that it was and has none.
        """
        ...

    def executions(self, agent: str, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield the agent's calls created at or after `since_us`, in pages of any order.

        Raises:
            NotReady: the list could not be read.
        """
        ...
