"""What some providers can do beyond placing calls; each ability is a protocol of its own.

A provider has an ability when its class has the method: `isinstance(provider, AttachesNumbers)`.
Every method but `read_event` speaks to the provider, and raises NotReady where it cannot be asked and
BadInput where it says no, with the provider's own message in a sentence that a person understands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from dialer.providers.provider import Execution


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number of the account: E.164, the provider's key of it, the agent that it is attached to.

    `status` and `kind` are the provider's own words; `raw` is the whole record without secrets.
    """

    phone: str
    number_id: str | None = None
    agent: str | None = None
    status: str | None = None
    country: str | None = None
    kind: str | None = None
    label: str | None = None
    created_at: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Agent:
    """A voice agent of the account."""

    agent: str
    name: str | None = None
    status: str | None = None
    numbers: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A text message that came to, or left from, a number of the account."""

    message_id: str
    sender: str
    recipient: str
    body: str
    at: str
    direction: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """What one delivery of a webhook says.

    `event_id` is the same whenever the same event is delivered again. `execution` is what it says of a
    call, None where it says nothing of one (a test, another subject). `proof` tells whether its content
    may be believed: False where the provider signs nothing, so that it only says when to poll.
    `duplicate_keys` are further keys under which the event counts as one and the same.
    """

    event_id: str
    kind: str
    execution: Execution | None = None
    proof: bool = True
    duplicate_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the provider sends events; `secret` is what it signs them with, where it tells."""

    url: str
    webhook_id: str | None = None
    status: str | None = None
    created_at: str | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the provider's own log says of one event that it sent, or failed to send."""

    delivery_id: str
    event: str | None
    status: str
    tries: int | None = None
    http_status: int | None = None
    error: str | None = None
    created_at: str | None = None
    next_try_at: str | None = None


class EventRefused(Exception):
    """A delivery that is not what it says: unsigned, wrongly signed, stale, or unreadable.

    `status` is the HTTP status of the answer: 400 unreadable, 403 not from the provider.
    """

    def __init__(self, message: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


@runtime_checkable
class HearsEvents(Protocol):
    """Verifies and reads the deliveries of its webhooks.

    A class that refuses whatever the provider did not send says `verifies_events = True`; deliveries for
    any other are only heard at a path that holds a secret.
    """

    def read_event(self, headers: Mapping[str, str], body: bytes, now_s: float) -> ProviderEvent:
        """Verify a delivery on its raw bytes, then read it; `headers` has lower-case names.

        `now_s` is the present in seconds since 1970. No request is made.

        Raises:
            EventRefused: it does not come from the provider, is stale, or cannot be read.
        """
        ...


@runtime_checkable
class TellsOfOne(Protocol):
    """Can be asked about one call by its execution id."""

    async def execution(self, execution_id: str) -> Execution | None:
        """Return what the provider's file says of the call; None where it knows none by this id."""
        ...


@runtime_checkable
class LeavesToEvents(Protocol):
    """Leaves calls that have just ended to their events, which tell more than its file does."""

    @property
    def event_wait_s(self) -> float:
        """How long after its end a call is told without an outcome; 0 where no events come."""
        ...


@runtime_checkable
class TellsCosts(Protocol):
    """Tells what calls cost in a list of its own, apart from their outcomes."""

    def costs(self, since_us: int) -> AsyncIterator[list[Execution]]:
        """Yield records with `cost` and `currency` of calls created at or after `since_us`, page by page.

        `execution_id` is None where the record does not name it; then number and time have to do.
        """
        ...


@runtime_checkable
class EndsCalls(Protocol):
    """Can end a live call."""

    async def end_call(self, execution_id: str) -> str:
        """Ask the provider to end the call; return the status that it answers with."""
        ...


@runtime_checkable
class GivesTranscripts(Protocol):
    """Can be asked for what was said in a call."""

    async def transcript(self, execution_id: str) -> list[Mapping[str, Any]]:
        """Return the turns of the call, oldest first, as the provider writes them."""
        ...


@runtime_checkable
class ListsAgents(Protocol):
    """Lists the account's voice agents."""

    def agents(self) -> AsyncIterator[list[Agent]]:
        """Yield the agents, page by page."""
        ...


@runtime_checkable
class ListsNumbers(Protocol):
    """Lists the account's phone numbers."""

    def numbers(self) -> AsyncIterator[list[PhoneNumber]]:
        """Yield the numbers, page by page."""
        ...


@runtime_checkable
class AttachesNumbers(Protocol):
    """Attaches numbers to an agent."""

    async def attach_numbers(
        self, agent: str, numbers: Sequence[str], telephony: str | None = None
    ) -> list[PhoneNumber]:
        """Attach numbers (E.164, or the provider's ids) to the agent and return them as they are now.

        `telephony` names the telephony provider where the API asks for one. A number that another agent
        has is not moved: BadInput names that agent.
        """
        ...


@runtime_checkable
class DetachesNumbers(Protocol):
    """Detaches numbers from an agent."""

    async def detach_number(self, agent: str | None, number: str) -> str:
        """Detach the number (E.164 or the provider's id); return what the provider says."""
        ...


@runtime_checkable
class CreatesNumbers(Protocol):
    """Buys a number from the provider."""

    async def create_number(
        self, country: str, agent: str | None = None, area_code: str | None = None
    ) -> PhoneNumber:
        """Buy a number in the country (ISO code) and return it. This costs money."""
        ...


@runtime_checkable
class ReleasesNumbers(Protocol):
    """Gives a number back to the carrier."""

    async def release_number(self, number: str) -> PhoneNumber:
        """Give the number back (E.164 or the provider's id); this cannot be undone."""
        ...


@runtime_checkable
class AddsNumbers(Protocol):
    """Takes in a number of one's own from a telephony provider."""

    async def add_number(
        self, phone: str, label: str, telephony: str, secrets: Mapping[str, str]
    ) -> PhoneNumber:
        """Register the number; `secrets` are the telephony provider's credentials (`sid`, `auth_token`)."""
        ...


@runtime_checkable
class ReadsMessages(Protocol):
    """Reads the text messages of a number."""

    def messages(
        self, number: str, before: str | None = None, after: str | None = None
    ) -> AsyncIterator[list[Message]]:
        """Yield the number's messages, newest first, between two moments (ISO 8601)."""
        ...


@runtime_checkable
class SetsWebhooks(Protocol):
    """Tells the provider where to send events, and reads its log of deliveries."""

    async def webhook(self, agent: str | None = None) -> Webhook | None:
        """Return where events go, of the account or of one agent; None where they go nowhere."""
        ...

    async def set_webhook(self, url: str, agent: str | None = None) -> Webhook:
        """Send events to the address; return it with its secret, which is new every time."""
        ...

    def deliveries(self, agent: str | None = None) -> AsyncIterator[list[Delivery]]:
        """Yield the deliveries, newest first, page by page."""
        ...


@runtime_checkable
class TellsConcurrency(Protocol):
    """Tells how many calls may be live at once."""

    async def concurrency(self) -> int | None:
        """Return the account's limit of live calls; None where the provider does not say."""
        ...
