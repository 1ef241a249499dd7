"""AgentPhone's numbers, agents and webhooks: list, buy, release, attach, detach, read messages.

A person names a number as E.164 or by AgentPhone's id; orders want the id.

Source: docs.agentphone.to, the pages phone numbers, agents and webhooks, and the official SDKs.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from dialer.base.errors import BadInput, NotReady
from dialer.providers.abilities import Agent, Delivery, Message, PhoneNumber, Webhook
from dialer.providers.agentphone.api import AgentPhoneApi, rows_of, usable_id
from dialer.providers.agentphone.records import phone_of, text_of
from dialer.providers.wire import NotKnown

MESSAGES_PAGE = 200
"""Messages of a page: the documented largest one."""

PAGES_MAX = 2000


class AgentPhoneNumbers:
    """The numbers, agents and webhooks of one account."""

    def __init__(self, api: AgentPhoneApi) -> None:
        self._api = api

    # Numbers

    async def numbers(self) -> AsyncIterator[list[PhoneNumber]]:
        """Yield the numbers that are not released, page by page."""
        async for rows in self._api.pages("/v1/numbers"):
            yield [number for row in rows if (number := read_number(row)) is not None]

    async def number(self, named: str) -> PhoneNumber:
        """Return the number that a person names. Raises BadInput where the account has none such."""
        digits = re.sub(r"[\s().-]", "", named)
        if re.fullmatch(r"\+?[0-9]{7,15}", digits):
            wanted = phone_of(digits)
            async for page in self.numbers():
                for number in page:
                    if number.phone == wanted:
                        return number
        elif usable_id(named) is not None:
            with suppress(NotKnown):
                found = read_number(await self._api.get(f"/v1/numbers/{quote(named, safe='')}"))
                if found is not None:
                    return found
        raise BadInput(
            f"{self._api.who} has no such number; see: dialer numbers {self._api.who.account} list"
        )

    async def create(self, country: str, agent: str | None, area_code: str | None) -> PhoneNumber:
        """Buy a number in the country."""
        body = {"country": country.upper(), "agentId": agent, "areaCode": area_code}
        answer = await self._api.order(
            "POST", "/v1/numbers", {k: v for k, v in body.items() if v is not None}
        )
        number = read_number(answer)
        if number is None:
            raise NotReady(
                f"{self._api.who} answered without the new number; it may have been bought: "
                f"look with dialer numbers {self._api.who.account} list"
            )
        return number

    async def release(self, named: str) -> PhoneNumber:
        """Give a number back to the carrier, for ever."""
        number = await self.number(named)
        answer = await self._api.order("DELETE", f"/v1/numbers/{number.number_id}")
        status = text_of(answer.get("status")) if isinstance(answer, dict) else ""
        return PhoneNumber(
            phone=number.phone,
            number_id=number.number_id,
            status=status or "released",
            country=number.country,
            kind=number.kind,
            created_at=number.created_at,
        )

    async def attach(self, agent: str, named: Sequence[str], telephony: str | None) -> list[PhoneNumber]:
        """Attach numbers to the agent; none is attached where one of them belongs to another agent."""
        if telephony is not None:
            raise BadInput(f"{self._api.who} asks for no telephony provider; leave --telephony out")
        numbers = [await self.number(each) for each in named]
        for number in numbers:
            if number.agent not in (None, agent):
                account, number_id = self._api.who.account, number.number_id
                raise BadInput(
                    f"{self._api.who}: number {number_id} is attached to agent {number.agent}; nothing was "
                    f"changed; first: dialer numbers {account} detach {number_id}"
                )
        path = f"/v1/agents/{quote(agent, safe='')}/numbers"
        for number in numbers:
            await self._api.order("POST", path, {"numberId": number.number_id})
        return [await self.number(str(number.number_id)) for number in numbers]

    async def detach(self, agent: str | None, named: str) -> str:
        """Detach a number from the agent that has it; it stays with the account."""
        number = await self.number(named)
        owner = agent or number.agent
        if owner is None:
            raise BadInput(f"{self._api.who}: number {number.number_id} is attached to no agent")
        await self._api.order("DELETE", f"/v1/agents/{quote(owner, safe='')}/numbers/{number.number_id}")
        return f"detached from {owner}"

    async def messages(
        self, named: str, before: str | None, after: str | None
    ) -> AsyncIterator[list[Message]]:
        """Yield a number's text messages, newest first, by the cursor that the API has."""
        number = await self.number(named)
        seen: set[str] = set()
        for _ in range(PAGES_MAX):
            asked = {"limit": MESSAGES_PAGE, "before": before, "after": after}
            asked = {key: value for key, value in asked.items() if value is not None}
            answer = await self._api.get(f"/v1/numbers/{number.number_id}/messages", asked)
            page = [read_message(row) for row in rows_of(answer) or []]
            fresh = [each for each in page if each.message_id not in seen]
            seen.update(each.message_id for each in fresh)
            if fresh:
                yield fresh
            if not fresh or not (isinstance(answer, dict) and answer.get("hasMore")):
                return
            before = fresh[-1].at

    # Agents

    async def agents(self) -> AsyncIterator[list[Agent]]:
        """Yield the agents, page by page."""
        async for rows in self._api.pages("/v1/agents"):
            yield [agent for row in rows if (agent := read_agent(row)) is not None]

    # Webhooks

    async def webhook(self, agent: str | None) -> Webhook | None:
        """Return where events go; None where they go nowhere."""
        try:
            answer = await self._api.get(_webhook_path(agent))
        except NotKnown:
            return None
        return read_webhook(answer)

    async def set_webhook(self, url: str, agent: str | None) -> Webhook:
        """Send events to the address; the secret is new, whether there was a webhook or not."""
        webhook = read_webhook(await self._api.order("POST", _webhook_path(agent), {"url": url}))
        if webhook is None:
            raise NotReady(
                f"{self._api.who} answered without the webhook; it may have been set, and its secret changed"
            )
        return webhook

    async def deliveries(self, agent: str | None) -> AsyncIterator[list[Delivery]]:
        """Yield the log of deliveries, newest first; of an agent only the newest page is offered."""
        if agent is not None:
            answer = await self._api.get(f"{_webhook_path(agent)}/deliveries", {"limit": 100})
            yield [read_delivery(row) for row in rows_of(answer) or []]
            return
        async for rows in self._api.pages("/v1/webhooks/deliveries"):
            yield [read_delivery(row) for row in rows]


def read_number(row: Any) -> PhoneNumber | None:
    """Return what a record of a number says; None where it is none."""
    number_id = usable_id(row.get("id")) if isinstance(row, dict) else None
    phone = phone_of(row.get("phoneNumber")) if isinstance(row, dict) else None
    if number_id is None or phone is None:
        return None
    return PhoneNumber(
        phone=phone,
        number_id=number_id,
        agent=usable_id(row.get("agentId")),
        status=text_of(row.get("status")) or None,
        country=text_of(row.get("country")) or None,
        kind=text_of(row.get("type")) or None,
        label=text_of(row.get("externalId")) or None,
        created_at=text_of(row.get("createdAt")) or None,
        raw=row,
    )


def read_agent(row: Mapping[str, Any]) -> Agent | None:
    """Return what a record of an agent says; None where it has no id."""
    agent_id = usable_id(row.get("id"))
    if agent_id is None:
        return None
    numbers = row.get("numbers")
    phones = [phone_of(each.get("phoneNumber")) for each in numbers or () if isinstance(each, dict)]
    return Agent(
        agent=agent_id,
        name=text_of(row.get("name")) or None,
        status=text_of(row.get("voiceMode")) or None,
        numbers=tuple(phone for phone in phones if phone),
        raw=row,
    )


def read_message(row: Mapping[str, Any]) -> Message:
    """Return what a record of a message says; its sender stands under one of three names."""
    sender = row.get("fromNumber") or row.get("from_") or row.get("from")
    return Message(
        message_id=text_of(row.get("id")),
        sender=text_of(sender),
        recipient=text_of(row.get("toNumber") or row.get("to")),
        body=text_of(row.get("body"), 10_000),
        at=text_of(row.get("receivedAt")),
        direction=text_of(row.get("direction")) or None,
        channel=text_of(row.get("channel")) or None,
    )


def read_webhook(row: Any) -> Webhook | None:
    """Return what a record of a webhook says; None where there is none."""
    if not isinstance(row, dict) or not text_of(row.get("url"), 2000):
        return None
    return Webhook(
        url=text_of(row.get("url"), 2000),
        webhook_id=usable_id(row.get("id")),
        status=text_of(row.get("status")) or None,
        created_at=text_of(row.get("createdAt")) or None,
        secret=text_of(row.get("secret")) or None,
    )


def read_delivery(row: Mapping[str, Any]) -> Delivery:
    """Return what the log says of one delivery."""
    tries, status = row.get("attemptCount"), row.get("httpStatus")
    return Delivery(
        delivery_id=text_of(row.get("id")),
        event=text_of(row.get("eventType")) or None,
        status=text_of(row.get("status")),
        tries=tries if isinstance(tries, int) else None,
        http_status=status if isinstance(status, int) else None,
        error=text_of(row.get("errorMessage")) or None,
        created_at=text_of(row.get("createdAt")) or None,
        next_try_at=text_of(row.get("nextRetryAt")) or None,
    )


def _webhook_path(agent: str | None) -> str:
    return "/v1/webhooks" if agent is None else f"/v1/agents/{quote(agent, safe='')}/webhook"
