"""Hamsa's agents and phone numbers: list, add a Twilio number, assign, unassign.

A number belongs to one agent at a time; what the API does when an assigned number is assigned anew is not
documented, so that is looked at first. No way to remove a number is documented.

Source: docs.tryhamsa.com, the pages voice-agents and phone-number.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from dialer.base.errors import BadInput, NotReady
from dialer.providers.abilities import Agent, PhoneNumber
from dialer.providers.hamsa.api import HamsaApi
from dialer.providers.hamsa.records import usable_id
from dialer.providers.values import digits_of
from dialer.providers.wire import message_in, readable

AGENTS_PATH = "/v2/voice-agents"
NUMBERS_PATH = "/v1/voice-agents/phone-number/list"
ADD_PATH = "/v1/voice-agents/phone-number"
ASSIGN_PATH = "/v1/voice-agents/assign-number"
UNASSIGN_PATH = "/v1/voice-agents/unassign"

PAGING = ("skip", "take", 50, 200)
"""`skip` is a page number from 1 in these lists, whatever it is called."""


async def agents(api: HamsaApi) -> AsyncIterator[list[Agent]]:
    """Yield the agents, page by page."""
    async for rows in api.pages(AGENTS_PATH, {}, "voiceAgents", PAGING):
        yield [
            Agent(
                agent,
                name=_text(row.get("name")),
                numbers=tuple(filter(None, [_text(row.get("phoneNumber", {}), "number")])),
                raw=without_secrets(row),
            )
            for row in rows
            if (agent := usable_id(row.get("id"))) is not None
        ]


async def numbers(api: HamsaApi) -> AsyncIterator[list[PhoneNumber]]:
    """Yield the numbers, page by page."""
    async for rows in api.pages(NUMBERS_PATH, {}, None, PAGING):
        yield [number for row in rows if (number := read_number(row)) is not None]


async def add_number(
    api: HamsaApi, phone: str, label: str, telephony: str, secrets: Mapping[str, str]
) -> PhoneNumber:
    """Register a Twilio number with the account. Raises BadInput, NotReady."""
    if telephony.lower() != "twilio":
        raise BadInput(
            f"telephony '{telephony}': {api.who} documents how to add Twilio numbers only; "
            "add others in its dashboard"
        )
    if re.fullmatch(r"\+[1-9][0-9]{6,14}", phone) is None:
        raise BadInput(f"'{phone}' is no number in E.164 such as +18449292835")
    if not label.strip():
        raise BadInput(f"{api.who} wants a label for the number; say what it is for")
    missing = [key for key in ("sid", "auth_token") if not secrets.get(key, "").strip()]
    if missing:
        raise BadInput(f"{api.who} wants Twilio's {' and '.join(missing)} to add a number")
    # The schema wants `type`, although the page's own example leaves it out.
    order = {
        "type": "TWILIO",
        "phoneNumber": phone,
        "label": label,
        "twilioAccountSid": secrets["sid"].strip(),
        "twilioAuthToken": secrets["auth_token"].strip(),
    }
    hide = (order["twilioAuthToken"], order["twilioAccountSid"])
    answer = await api.order(ADD_PATH, order, hide)
    data = answer.get("data")
    number = read_number(data) if isinstance(data, dict) else None
    if number is None:
        said = readable(message_in(answer), (*api.who.secrets, *hide))
        raise NotReady(f"{api.who} answered without the number ({said}); look with `numbers list`")
    return number


async def attach_numbers(api: HamsaApi, agent: str, wanted: Sequence[str]) -> list[PhoneNumber]:
    """Assign numbers of the account to the agent, and return them as they are then.

    All are looked at before the first is assigned. Raises BadInput, NotReady.
    """
    own = await _own(api)
    found = [_find(api, own, each) for each in wanted]
    for number in found:
        if number.agent not in (None, agent):
            name = _text(number.raw.get("voiceAgent"), "name")
            raise BadInput(
                f"{number.phone} is attached to agent {number.agent}{f' ({name})' if name else ''}; "
                "detach it there first; nothing was changed"
            )
    done: list[str] = []
    for number in found:
        if number.agent is None:
            try:
                await api.order(ASSIGN_PATH, {"voiceAgentId": agent, "phoneNumber": number.phone})
            except (BadInput, NotReady) as error:
                if done:
                    said = str(error).removesuffix("; nothing was changed")
                    raise type(error)(
                        f"{number.phone}: {said}; attached before that: {', '.join(done)}"
                    ) from error
                raise
            done.append(number.phone)
    own = await _own(api)
    return [_find(api, own, number.phone) for number in found]


async def detach_number(api: HamsaApi, agent: str | None, wanted: str) -> str:
    """Unassign a number and return Hamsa's words. Raises BadInput, NotReady."""
    number = _find(api, await _own(api), wanted)
    if number.agent is None:
        raise BadInput(f"{number.phone} is attached to no agent; nothing was changed")
    if agent is not None and number.agent != agent:
        raise BadInput(
            f"{number.phone} is attached to agent {number.agent}, not to {agent}; nothing was changed"
        )
    answer = await api.order(UNASSIGN_PATH, {"phoneNumber": number.phone})
    words = answer.get("data")
    return readable(words if isinstance(words, str) else message_in(answer), api.who.secrets)


def read_number(row: Mapping[str, Any]) -> PhoneNumber | None:
    """Return what a record says of a number; None where it holds none."""
    digits = digits_of(_text(row.get("number")) or _text(row.get("phoneNumber")) or "")
    if not digits:
        return None
    agent = _text(row.get("voiceAgentId")) or _text(row.get("voiceAgent"), "id")
    return PhoneNumber(
        phone=f"+{digits}",
        number_id=usable_id(row.get("id")),
        agent=agent,
        kind=_text(row.get("type")),
        label=_text(row.get("label")),
        created_at=_text(row.get("createdAt")),
        raw=without_secrets(row),
    )


def without_secrets(value: Any) -> Any:
    """Return a record without what nobody may see: credentials, and the headers that may hold some."""
    if isinstance(value, dict):
        return {
            key: without_secrets(each)
            for key, each in value.items()
            if re.search(r"token|secret|password|auth|sid$|customHeaders|apiKey", key, re.IGNORECASE) is None
        }
    return [without_secrets(each) for each in value] if isinstance(value, list) else value


async def _own(api: HamsaApi) -> list[PhoneNumber]:
    return [number async for page in numbers(api) for number in page]


def _find(api: HamsaApi, own: Sequence[PhoneNumber], wanted: str) -> PhoneNumber:
    for number in own:
        if wanted == number.number_id or (wanted.startswith("+") and digits_of(wanted) == number.phone[1:]):
            return number
    raise BadInput(
        f"{api.who} has no number {wanted}; see `dialer numbers {api.who.account} list`, and add it first"
    )


def _text(value: Any, key: str | None = None) -> str | None:
    if key is not None:
        value = value.get(key) if isinstance(value, dict) else None
    return value.strip() or None if isinstance(value, str) else None
