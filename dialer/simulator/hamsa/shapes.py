"""Hamsa, pretended: a placed call as its pages write it, at a moment of its life."""

from __future__ import annotations

from typing import Any

from dialer.base.clock import as_datetime
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.ledger import PlacedCall

STATUS_OF_OUTCOME = {
    "completed": "COMPLETED",
    "no_answer": "NO_ANSWER",
    "failed": "FAILED",
    "canceled": "TERMINATED",
}

OPEN_STATUSES = ("PENDING", "IN_PROGRESS")

FORWARDED_EVERY = 16
"""One of so many completed calls was handed to a person."""

PRICE_PER_MINUTE = 0.08
CALLER = "+18449292835"


def status_of(call: PlacedCall, now_us: int, config: SimulatorConfig) -> str:
    """Return where a call is in its life: waiting, under way, and how it ended."""
    if now_us >= call.ended_at_us:
        handed_on = call.outcome == "completed" and call.id % FORWARDED_EVERY == 0
        return "FORWARDED" if handed_on else STATUS_OF_OUTCOME[call.outcome]
    ringing_us = answered_at_us(call, config) - call.placed_at_us
    return "PENDING" if now_us < call.placed_at_us + ringing_us // 5 else "IN_PROGRESS"


def answered_at_us(call: PlacedCall, config: SimulatorConfig) -> int:
    """Return when the ringing ended."""
    return call.ended_at_us - round(call.duration_s / config.time_scale * 1e6)


def job_of(call: PlacedCall, now_us: int, config: SimulatorConfig) -> dict[str, Any]:
    """Return the page of a job, the only one with a cost."""
    over = now_us >= call.ended_at_us
    return {
        "id": call.execution_id,
        "title": "Voice agent call",
        "model": "hamsa",
        "type": "VOICE_AGENTS",
        "processingType": "real-time",
        "status": status_of(call, now_us, config),
        "voiceAgentId": call.agent_id,
        "webhookUrl": None,
        "jobResponse": {},
        "totalCost": cost_of(call) if over else 0,
        "usageTime": call.duration_s if over else 0,
        "mediaUrl": recording_of(call) if over else None,
        "relevantJobId": None,
        "agentDetails": {},
        "billingId": f"bill-{call.id}",
        "createdAt": date_text(call.placed_at_us),
        "updatedAt": date_text(min(now_us, call.ended_at_us)),
    }


def row_of(call: PlacedCall, now_us: int, config: SimulatorConfig) -> dict[str, Any]:
    """Return a row of minimal-list: no params."""
    return {
        "id": call.execution_id,
        "createdAt": date_text(call.placed_at_us),
        "status": status_of(call, now_us, config),
        "voiceAgentId": call.agent_id,
        "agentName": "Renewals",
        "duration": call.duration_s if now_us >= call.ended_at_us else 0,
        "channelType": "Telephone",
        "callParams": {"machineNumber": call.from_number or CALLER, "userNumber": call.number},
    }


def conversation_of(call: PlacedCall, now_us: int, config: SimulatorConfig) -> dict[str, Any]:
    """Return the page of one conversation, which spells things differently from the list."""
    over = now_us >= call.ended_at_us
    return {
        "id": call.execution_id,
        "type": "VOICE_AGENTS",
        "processingType": "real-time",
        "model": "hamsa",
        "title": "Voice agent call",
        "status": status_of(call, now_us, config),
        "channelType": "TELEPHONE",
        "callDuration": call.duration_s if over else 0,
        "callParams": {"userNumber": call.number},
        "voiceAgentId": call.agent_id,
        "voiceAgent": {},
        "agentDetails": {},
        "jobResponse": {},
        "callAnalysis": {},
        "mediaUrl": recording_of(call) if over else None,
        "logs": [],
        "performanceMetrics": {},
        "createdAt": date_text(call.placed_at_us),
        "updatedAt": date_text(min(now_us, call.ended_at_us)),
    }


def recording_of(call: PlacedCall) -> str | None:
    """Return where the recording of a call with talk is."""
    return f"https://recordings.example/{call.execution_id}.mp3" if call.duration_s else None


def cost_of(call: PlacedCall) -> float:
    """Return the price, which is ours."""
    return round(call.duration_s / 60 * PRICE_PER_MINUTE, 4)


def date_text(at_us: int) -> str:
    """Return a moment as the pages write it, in milliseconds."""
    moment = as_datetime(at_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
