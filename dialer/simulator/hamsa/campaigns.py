"""Hamsa, pretended: campaigns, which call many people by one request.

A worker takes up what waits each minute of the simulator's time, as documented; how many calls it keeps
alive is the campaign's `reservedConcurrency`. Recipients that were not reached are called again, three
times in all. `timeRange` is kept and not obeyed.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from starlette.requests import Request
from starlette.responses import Response

from dialer.simulator.answers import json_answer
from dialer.simulator.gate import Handler
from dialer.simulator.hamsa.calls import HamsaSimulator, Wrong, check_agent, failure, object_of
from dialer.simulator.hamsa.lists import whole
from dialer.simulator.hamsa.shapes import date_text, status_of
from dialer.simulator.ledger import PlacedCall

CAMPAIGNS_PATH = "/v1/voice-agents/campaigns"
ATTEMPTS_MAX = 3
CONCURRENCY = 10
TICK_S = 60.0
GROUPS = {
    "PENDING": "pending",
    "QUEUED": "queued",
    "IN_PROGRESS": "inProgress",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "NO_ANSWER": "noAnswer",
}


@dataclass
class Recipient:
    """One person of a campaign."""

    id: str
    number: str
    name: str | None
    unchecked: bool
    variables: dict[str, Any]
    status: str = "PENDING"
    attempts: int = 0
    call: PlacedCall | None = None
    moved_at_us: int = 0


@dataclass
class Campaign:
    """One request that calls many."""

    id: str
    account: int
    name: str
    number: str
    agent: str
    send_type: str
    concurrency: int
    starts_at_us: int
    created_at_us: int
    status: str = "SCHEDULED"
    recipients: list[Recipient] = field(default_factory=list)


class HamsaCampaigns:
    """The campaigns of one simulator, and the worker that calls for them."""

    def __init__(self, simulator: HamsaSimulator) -> None:
        self._simulator = simulator
        self._campaigns: list[Campaign] = []
        self._serial = count(1)
        self._worker: asyncio.Task[None] | None = None

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return what answers which method at which path."""
        return {
            ("POST", CAMPAIGNS_PATH): self._create,
            ("GET", CAMPAIGNS_PATH): self._list,
            ("GET", CAMPAIGNS_PATH + "/{campaign}"): self._one,
        }

    async def _create(self, request: Request) -> Response:
        account = self._simulator.let_in(request, submission=True)
        if isinstance(account, Response):
            return account
        try:
            campaign = self._read(object_of(await request.body()), account)
        except Wrong as wrong:
            return failure(wrong.status, str(wrong))
        self._campaigns.append(campaign)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())
        return _answer("Campaign created successfully", "CAMPAIGN_CREATED_SUCCESSFULLY", _shown(campaign))

    async def _list(self, request: Request) -> Response:
        account = self._simulator.let_in(request)
        if isinstance(account, Response):
            return account
        asked = request.query_params
        try:
            take, skip = whole(asked.get("take", "10"), "take"), whole(asked.get("skip", "0"), "skip")
        except Wrong as wrong:
            return failure(wrong.status, str(wrong))
        search = asked.get("search", "").casefold()
        found = [
            each
            for each in self._campaigns
            if each.account == account
            and asked.get("voiceAgentId", each.agent) == each.agent
            and (search in each.name.casefold() or search == each.id)
        ]
        cut = found[skip : skip + take]
        rows = [_shown(each) | {"recipientsCount": len(each.recipients)} for each in cut]
        data = {"campaigns": rows, "totalCount": len(found), "returnedCount": len(rows)}
        return _answer("Campaigns retrieved successfully", "CAMPAIGNS_RETRIEVED_SUCCESSFULLY", data)

    async def _one(self, request: Request) -> Response:
        account = self._simulator.let_in(request)
        if isinstance(account, Response):
            return account
        wanted = request.path_params["campaign"]
        for campaign in self._campaigns:
            if campaign.id == wanted and campaign.account == account:
                groups: dict[str, list[Any]] = {group: [] for group in GROUPS.values()}
                for each in campaign.recipients:
                    groups[GROUPS[each.status]].append(_shown_recipient(campaign, each))
                data = _shown(campaign) | {
                    "totalRecipients": len(campaign.recipients),
                    "agentName": "Renewals",
                    "recipients": groups,
                }
                return _answer("Campaign retrieved successfully", "CAMPAIGN_RETRIEVED_SUCCESSFULLY", data)
        return failure(404, "Campaign not found")

    # The worker

    async def _work(self) -> None:
        """Take up what waits, each minute, until nothing does."""
        pause_s = TICK_S / self._simulator.config.time_scale
        while any(each.status in ("SCHEDULED", "RUNNING") for each in self._campaigns):
            await self._simulator.clock.sleep(pause_s)
            self.tick()

    def tick(self) -> None:
        """Write down what came of calls, and place those that may be placed."""
        now_us = self._simulator.clock.now_us()
        for campaign in self._campaigns:
            if campaign.status == "SCHEDULED" and now_us >= campaign.starts_at_us:
                campaign.status = "RUNNING"
            if campaign.status == "RUNNING":
                self._advance(campaign, now_us)

    def _advance(self, campaign: Campaign, now_us: int) -> None:
        for each in campaign.recipients:
            if each.status == "IN_PROGRESS" and each.call is not None and each.call.ended_at_us <= now_us:
                each.status, each.moved_at_us = self._result(each, now_us), now_us
        alive = sum(each.status == "IN_PROGRESS" for each in campaign.recipients)
        waiting = [each for each in campaign.recipients if each.status == "PENDING"]
        for each in waiting[: campaign.concurrency - alive]:
            order = {
                "voiceAgentId": campaign.agent,
                "toNumber": each.number,
                "params": each.variables,
                "caller": campaign.number,
            }
            each.call = self._simulator.place(order, campaign.account)
            each.status, each.moved_at_us = "IN_PROGRESS", now_us
            each.attempts += 1
        if all(each.status in ("COMPLETED", "FAILED", "NO_ANSWER") for each in campaign.recipients):
            campaign.status = "COMPLETED"

    def _result(self, each: Recipient, now_us: int) -> str:
        assert each.call is not None
        status = status_of(each.call, now_us, self._simulator.config)
        if status in ("FAILED", "NO_ANSWER"):
            return "PENDING" if each.attempts < ATTEMPTS_MAX else status
        return "COMPLETED"

    # Requests

    def _read(self, body: dict[str, Any], account: int) -> Campaign:
        name, number = body.get("name"), body.get("phoneNumber")
        if not isinstance(name, str) or not 1 <= len(name) <= 100:
            raise Wrong("name must be between 1 and 100 characters")
        if not isinstance(number, str) or not number:
            raise Wrong("phoneNumber is required")
        check_agent(body.get("voiceAgentId"), self._simulator.agent_ids())
        people = body.get("recipients")
        if not isinstance(people, list) or not people:
            raise Wrong("recipients must contain at least 1 element")
        concurrency = body.get("reservedConcurrency", CONCURRENCY)
        if type(concurrency) is not int or concurrency < 1:
            raise Wrong("reservedConcurrency must be at least 1")
        now_us = self._simulator.clock.now_us()
        campaign = Campaign(
            id=str(uuid5(NAMESPACE_URL, f"campaign:{next(self._serial)}")),
            account=account,
            name=name,
            number=number,
            agent=body["voiceAgentId"],
            send_type=str(body.get("sendType")),
            concurrency=concurrency,
            starts_at_us=now_us,
            created_at_us=now_us,
        )
        if campaign.send_type != "NOW":
            campaign.starts_at_us = _read_start(body.get("scheduledDate"))
        campaign.recipients = [
            _read_recipient(campaign.id, place, person) for place, person in enumerate(people)
        ]
        return campaign


def _read_start(value: Any) -> int:
    try:
        return round(datetime.fromisoformat(value).timestamp() * 1e6)
    except (TypeError, ValueError):
        raise Wrong("scheduledDate must be a valid ISO 8601 date string") from None


def _read_recipient(campaign: str, place: int, person: Any) -> Recipient:
    number = person.get("phoneNumber") if isinstance(person, dict) else None
    if not isinstance(number, str) or not number:
        raise Wrong(f"recipients.{place}.phoneNumber is required")
    unchecked = person.get("ignoreE164Validation") is True
    if not unchecked and re.fullmatch(r"\+[1-9][0-9]{6,14}", number) is None:
        raise Wrong(f"recipients.{place}.phoneNumber must be a valid phone number")
    variables = person.get("dynamicVariables") or {}
    if not isinstance(variables, dict):
        raise Wrong(f"recipients.{place}.dynamicVariables must be an object")
    name = str(uuid5(NAMESPACE_URL, f"{campaign}:{place}"))
    return Recipient(name, number, person.get("name"), unchecked, variables)


def _answer(message: str, key: str, data: Any) -> Response:
    return json_answer({"success": True, "message": message, "messageKey": key, "data": data})


def _shown(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": campaign.status,
        "sendType": campaign.send_type,
        "webhookUrl": None,
        "projectId": f"project-{campaign.account}",
        "userId": f"user-{campaign.account}",
        "voiceAgentId": campaign.agent,
        "phoneNumberId": str(uuid5(NAMESPACE_URL, campaign.number)),
        "createdAt": date_text(campaign.created_at_us),
        "updatedAt": date_text(campaign.created_at_us),
    }


def _shown_recipient(campaign: Campaign, each: Recipient) -> dict[str, Any]:
    over = each.status in ("COMPLETED", "FAILED", "NO_ANSWER")
    at = date_text(each.moved_at_us or campaign.created_at_us)
    return {
        "id": each.id,
        "campaignId": campaign.id,
        "phoneNumber": each.number,
        "name": each.name,
        "ignoreE164Validation": each.unchecked,
        "dynamicVariables": each.variables,
        "status": each.status,
        "latestActionTimestamp": at,
        "attempts": each.attempts,
        "maxAttempts": ATTEMPTS_MAX,
        "nextRetryAt": None,
        "jobId": each.call.execution_id if each.call else None,
        "lastError": "Connection timeout" if each.status == "FAILED" else None,
        "completedAt": at if over else None,
        "createdAt": date_text(campaign.created_at_us),
        "updatedAt": at,
    }
