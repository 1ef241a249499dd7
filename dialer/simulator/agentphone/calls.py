"""AgentPhone, pretended: records of calls - lists, one call, its transcript, its recording, its end."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from random import Random
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dialer.simulator.agentphone.accounts import AgentPhoneAccount
from dialer.simulator.agentphone.errors import Problem, invalid, not_found
from dialer.simulator.agentphone.model import AgentPhoneSimulator, moment_text
from dialer.simulator.ledger import PlacedCall

PAGE_DEFAULT = 20
PAGE_MAX = 100

RINGS_AFTER_S = 1.5
"""Seconds until the phone rings."""

ENDS_AFTER_S = 1.0
"""Seconds until a call that was asked to end has ended."""

STATUSES = {"completed": "completed", "voicemail": "completed", "busy": "busy", "no_answer": "no-answer"}

TURNS = (
    ("agent", "Hello, do you have a minute?"),
    ("user", "Yes, go on."),
    ("agent", "This is about your appointment tomorrow."),
    ("user", "Thanks, bye."),
)


@dataclass(frozen=True, slots=True)
class CallNow:
    """A call as it is at this moment."""

    call: PlacedCall
    status: str
    over: bool
    ended_at_us: int
    duration_s: int
    reason: str

    @property
    def was_answered(self) -> bool:
        """Somebody, or a machine, picked up."""
        return self.over and self.call.outcome in ("completed", "voicemail") and self.duration_s > 0


class AgentPhoneCalls:
    """The records over one simulator's ledger."""

    def __init__(self, simulator: AgentPhoneSimulator) -> None:
        self._simulator = simulator
        self._config = simulator.config
        self._asked_to_end: dict[str, int] = {}
        self._by_id: dict[str, PlacedCall] = {}

    # Routes

    async def list_all(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/calls` with its filters."""
        asked = request.query_params
        calls: Iterable[PlacedCall] = self._shown(account)
        if search := asked.get("search"):
            calls = [call for call in calls if search in call.number or search in (call.from_number or "")]
        if status := asked.get("status"):
            calls = [call for call in calls if self.now(call).status == status]
        if asked.get("direction", "outbound") != "outbound" or asked.get("type", "pstn") != "pstn":
            calls = []
        return self._page(request, account, list(calls))

    async def list_of_agent(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/agents/{id}/calls`."""
        agent = account.agent(request.path_params["agent_id"])
        calls = [call for call in self._shown(account) if call.agent_id == agent["id"]]
        return self._page(request, account, calls)

    async def list_of_number(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/numbers/{id}/calls`."""
        number = account.number(request.path_params["number_id"])
        calls = [call for call in self._shown(account) if call.from_number == number["phoneNumber"]]
        return self._page(request, account, calls)

    async def get(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/calls/{id}`."""
        now = self.now(self._call(request, account))
        name = account.agents.get(str(now.call.agent_id), {}).get("name")
        return self.record(account, now) | {"agentName": name, "transcripts": self.turns(now)}

    async def end(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`POST /v1/calls/{id}/end`: answers at once, the call ends a little later."""
        call = self._call(request, account)
        now = self.now(call)
        if not now.over and call.execution_id not in self._asked_to_end:
            at_us = self._simulator.clock.now_us() + round(ENDS_AFTER_S / self._config.time_scale * 1e6)
            self._asked_to_end[call.execution_id] = at_us
            for delivery in self._simulator.webhooks.deliveries:
                if delivery.key == call.execution_id:
                    self._simulator.webhooks.move(delivery, at_us)
        return self.record(account, now)

    async def transcript(self, request: Request, account: AgentPhoneAccount) -> Any:
        """`GET /v1/calls/{id}/transcript`."""
        return {"data": self.turns(self.now(self._call(request, account)))}

    async def transcript_stream(self, request: Request, account: AgentPhoneAccount) -> Response:
        """`GET /v1/calls/{id}/transcript/stream`: what was said so far, and the end."""
        now = self.now(self._call(request, account))
        events: list[tuple[str, dict[str, Any]]] = [("connected", {"callId": now.call.execution_id})]
        for role, content in said(now):
            events.append(("turn", {"role": role, "content": content}))
        events.append(("ended", {"durationSeconds": now.duration_s}))
        lines = [f"event: {name}\ndata: {orjson.dumps(data).decode()}\n\n" for name, data in events]
        return Response("".join(lines), media_type="text/event-stream")

    async def recording(self, request: Request) -> Response:
        """`GET /v1/calls/{id}/recording`: audio without a key, as documented; 404 where there is none."""
        call_id = request.path_params["call_id"]
        call = next((each for each in self._simulator.ledger.calls if each.execution_id == call_id), None)
        if call is None or not self._config.recordings or not self.now(call).was_answered:
            return self._simulator.refusal(not_found("Recording not found"))
        return Response(silence(), media_type="audio/wav")

    # What a record says

    def now(self, call: PlacedCall) -> CallNow:
        """Return the call as it is at this moment."""
        now_us = self._simulator.clock.now_us()
        scale = self._config.time_scale
        ended_at_us = min(call.ended_at_us, self._asked_to_end.get(call.execution_id, call.ended_at_us))
        cut = ended_at_us < call.ended_at_us
        answered_at_us = call.ended_at_us - round(call.duration_s / scale * 1e6)
        duration_s = max(0, round((ended_at_us - answered_at_us) / 1e6 * scale)) if cut else call.duration_s
        if ended_at_us > now_us:
            rings = now_us - call.placed_at_us >= RINGS_AFTER_S / scale * 1e6 and now_us < answered_at_us
            status = "ringing" if rings and self._config.fine_statuses else "in-progress"
            return CallNow(call, status, False, ended_at_us, 0, "")
        status = "completed" if cut else STATUSES.get(call.outcome, "failed")
        if not self._config.fine_statuses and status != "completed":
            status = "failed"
        return CallNow(
            call, status, True, ended_at_us, duration_s, "agent_hangup" if cut else call.call_status
        )

    def record(self, account: AgentPhoneAccount, now: CallNow) -> dict[str, Any]:
        """Return a call as lists show it."""
        call = now.call
        number_id = next(
            (each["id"] for each in account.numbers.values() if each["phoneNumber"] == call.from_number), None
        )
        recorded = self._config.recordings and now.was_answered
        url = f"/v1/calls/{call.execution_id}/recording"
        return {
            "id": call.execution_id,
            "agentId": call.agent_id,
            "phoneNumberId": number_id,
            "phoneNumber": call.from_number,
            "fromNumber": call.from_number,
            "toNumber": call.number,
            "direction": "outbound",
            "status": now.status,
            "startedAt": moment_text(call.placed_at_us),
            "endedAt": moment_text(now.ended_at_us) if now.over else None,
            "durationSeconds": now.duration_s if now.over else None,
            "lastTranscriptSnippet": TURNS[-1][1] if now.was_answered else None,
            "recordingUrl": url if recorded else None,
            "recordingAvailable": recorded,
        }

    def turns(self, now: CallNow) -> list[dict[str, Any]]:
        """Return what was said, as records have it: the caller's words with the agent's response."""
        spoken = said(now)
        pairs = zip(spoken[1::2], [*spoken[2::2], ("agent", None)], strict=False)
        return [
            {
                "id": f"tr_{now.call.execution_id[5:]}_{serial}",
                "transcript": words,
                "response": response,
                "confidence": 0.95,
                "createdAt": moment_text(now.ended_at_us),
            }
            for serial, ((_, words), (_, response)) in enumerate(pairs, start=1)
        ]

    def _call(self, request: Request, account: AgentPhoneAccount) -> PlacedCall:
        call_id = request.path_params["call_id"]
        if len(self._by_id) != len(self._simulator.ledger.calls):
            self._by_id = {call.execution_id: call for call in self._simulator.ledger.calls}
        call = self._by_id.get(call_id)
        if call is None or call.account != account.index:
            raise not_found("Call not found")
        return call

    def _shown(self, account: AgentPhoneAccount) -> Sequence[PlacedCall]:
        """Return the account's calls that have shown up by now, newest first. Raises Problem."""
        if self._simulator.faults.listing_fails():
            status = self._simulator.faults.error_status()
            raise Problem(status, "Internal server error", "SERVER_ERROR", "server_error")
        visible_us = self._simulator.clock.now_us() - round(self._config.listing_delay_s * 1e6)
        shown = [call for call in account.calls if call.placed_at_us <= visible_us]
        return shown[::-1] if self._config.newest_first else shown

    def _page(self, request: Request, account: AgentPhoneAccount, calls: Sequence[PlacedCall]) -> Any:
        rows, more = cut(request, calls)
        data = [self.record(account, self.now(call)) for call in rows]
        return {"data": data, "hasMore": more, "total": len(calls)}


def silence() -> bytes:
    """Return a tenth of a second of silence as WAV."""
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(1600))
    return file.getvalue()


def cut(request: Request, rows: Sequence[Any]) -> tuple[Sequence[Any], bool]:
    """Return the page that a request asks for, and whether there are more. Raises Problem."""
    limit = whole(request, "limit", PAGE_DEFAULT)
    offset = whole(request, "offset", 0)
    limit = min(limit, PAGE_MAX)
    return rows[offset : offset + limit], offset + limit < len(rows)


def whole(request: Request, name: str, default: int) -> int:
    """Return a whole number of the query. Raises Problem."""
    text = request.query_params.get(name, str(default))
    if not text.isdecimal():
        raise invalid(name, "value is not a valid integer", 422)
    return int(text)


def said(now: CallNow) -> list[tuple[str, str]]:
    """Return what was said in a call that is over, turn by turn."""
    if not now.was_answered:
        return []
    turns = 2 if now.call.outcome == "voicemail" else len(TURNS)
    return list(TURNS[:turns])


def mood(call: PlacedCall) -> tuple[str, bool | None]:
    """Return the user's sentiment and whether the call was a success."""
    chance = Random(call.execution_id)  # noqa: S311
    if call.outcome != "completed":
        return "Neutral", None
    good = chance.random() < 0.7
    return ("Positive" if good else "Negative"), good
