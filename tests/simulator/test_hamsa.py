"""The pretended Hamsa keeps to the pages: envelopes, milliseconds, paging, numbers, campaigns, webhooks."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import anyio
import httpx
import orjson
import pytest

from dialer.base.clock import ManualClock, SystemClock
from dialer.simulator import SimulatorConfig, build_app
from dialer.simulator.hamsa.calls import agent_id

pytestmark = pytest.mark.anyio

BASE = "/v1/voice-agents"
LIST = f"{BASE}/conversations/minimal-list"
AGENT = agent_id(1)
CALLER = "+18449292835"
CALL = {"toNumber": "+966501234567", "fromNumber": CALLER, "voiceAgentId": AGENT, "params": {"ref": "a1"}}
NUMBER = {
    "type": "TWILIO",
    "phoneNumber": CALLER,
    "label": "Sales",
    "twilioAccountSid": "AC1",
    "twilioAuthToken": "t1",
}


class Asked:
    """A client of a pretended Hamsa."""

    def __init__(self, client: httpx.AsyncClient, clock: ManualClock | SystemClock) -> None:
        self.client = client
        self.clock = clock

    async def post(self, path: str, body: Any, token: str = "simulator-token") -> httpx.Response:
        return await self.client.post(path, json=body, headers={"authorization": f"Token {token}"})

    async def get(self, path: str, **asked: Any) -> httpx.Response:
        return await self.client.get(path, params=asked, headers={"authorization": "Token simulator-token"})

    async def rows(self, **asked: Any) -> list[dict[str, Any]]:
        return list((await self.get(LIST, **asked)).json()["data"]["calls"])


@asynccontextmanager
async def hamsa(
    config: SimulatorConfig | None = None, clock: ManualClock | SystemClock | None = None
) -> AsyncIterator[Asked]:
    clock = clock or ManualClock()
    app = build_app(config, provider="hamsa", clock=clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://pretended", trust_env=False
    ) as client:
        yield Asked(client, clock)


async def test_each_path_places_one_call_and_answers_in_its_own_shape() -> None:
    async with hamsa() as asked:
        main = (await asked.post(f"{BASE}/call", CALL)).json()
        sibling = (await asked.post(f"{BASE}/phone-number/call", CALL | {"phoneNumber": CALLER})).json()
        legacy = (await asked.post(f"{BASE}/twilio/call", CALL | {"twilioPhoneNumber": CALLER})).json()
        ledger = (await asked.client.get("/simulator/ledger")).json()
    assert main["success"] is False  # as the documents print it
    assert main["data"]["status"] == "PENDING"
    assert set(sibling["data"]) == {"voiceAgentId", "jobId"}
    assert legacy["data"]["callParams"] == {"machineNumber": CALLER, "userNumber": "+966501234567"}
    ids = [main["data"]["id"], sibling["data"]["jobId"], legacy["data"]["id"]]
    assert [call["execution_id"] for call in ledger] == ids
    assert ledger[0]["metadata"] == {"ref": "a1"}


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"toNumber": "0501234567"}, 400, "toNumber must be"),
        ({"fromNumber": ""}, 400, "fromNumber is required"),
        ({"voiceAgentId": "962"}, 400, "UUID"),
        ({"voiceAgentId": agent_id(9)}, 404, "Voice agent not found"),
        ({"voiceAgentId": None}, 400, "voiceAgentId or agentDetails"),
        ({"params": []}, 400, "params must be an object"),
        ({"webhookUrl": "ftp://x"}, 400, "webhookUrl"),
    ],
)
async def test_what_is_wrong_with_an_order_is_said_and_nothing_is_placed(
    change: dict[str, Any], status: int, told: str
) -> None:
    async with hamsa(SimulatorConfig(agents=(1, 2))) as asked:
        answer = await asked.post(f"{BASE}/call", CALL | change)
        ledger = (await asked.client.get("/simulator/ledger")).json()
    assert (answer.status_code, answer.json()["success"]) == (status, False)
    assert told in answer.json()["message"]
    assert ledger == []


async def test_only_the_word_token_and_a_known_key_open_the_door() -> None:
    async with hamsa() as asked:
        for header in ("Bearer simulator-token", "simulator-token", "Token wrong", "Token", ""):
            answer = await asked.client.get(LIST, headers={"authorization": header})
            assert (answer.status_code, answer.json()["success"]) == (401, False)


async def test_an_account_without_funds_places_no_call() -> None:
    async with hamsa(SimulatorConfig(balance_calls=1, balance_status=400)) as asked:
        assert (await asked.post(f"{BASE}/call", CALL)).status_code == 200
        refused = await asked.post(f"{BASE}/call", CALL)
    assert (refused.status_code, refused.json()["message"]) == (400, "Insufficient funds")


async def test_the_list_takes_milliseconds_with_both_ends_pages_and_statuses() -> None:
    config = SimulatorConfig(outcomes={"completed": 1.0}, tokens=("simulator-token", "another"))
    async with hamsa(config) as asked:
        clock = asked.clock
        assert isinstance(clock, ManualClock)
        moments = []
        for number in range(5):
            moments.append(clock.now_us() // 1000)
            await asked.post(f"{BASE}/call", CALL | {"toNumber": f"+96650123456{number}"})
            clock.move(10)
        await asked.post(f"{BASE}/call", CALL, token="another")
        rows = await asked.rows()
        assert [row["callParams"]["userNumber"][-1] for row in rows] == ["4", "3", "2", "1", "0"]
        assert rows[0].keys() >= {"id", "createdAt", "status", "duration", "channelType"}
        assert "params" not in rows[0]
        assert len(await asked.rows(startTime=moments[1], endTime=moments[3])) == 3
        pages = [await asked.rows(page=page, perPage=2) for page in (1, 2, 3, 4)]
        assert [len(page) for page in pages] == [2, 2, 1, 0]
        clock.move(3600)
        assert len(await asked.rows(status=["COMPLETED", "FORWARDED"])) == 5
        assert await asked.rows(status="PENDING") == []
        data = (await asked.get(LIST, startTime=moments[4])).json()["data"]
        assert (data["total"], data["filtered"]) == (5, 1)
        for wrong in ({"perPage": 201}, {"page": 0}, {"status": "BUSY"}, {"startTime": 5, "endTime": 4}):
            assert (await asked.get(LIST, **wrong)).status_code == 400


async def test_a_call_goes_from_pending_to_its_end_and_its_job_knows_the_cost() -> None:
    config = SimulatorConfig(outcomes={"completed": 1.0}, ring_s=(10, 10), call_duration_s=(60, 60))
    async with hamsa(config) as asked:
        clock = asked.clock
        assert isinstance(clock, ManualClock)
        job = (await asked.post(f"{BASE}/call", CALL)).json()["data"]["id"]
        seen = []
        for _ in range(3):
            seen.append((await asked.get(f"{BASE}/conversation/{job}")).json()["data"])
            clock.move(40)
        cost = (await asked.get("/v1/jobs", jobId=job)).json()["data"]["totalCost"]
        missing = await asked.get(f"{BASE}/conversation/{AGENT}")
    assert [one["status"] for one in seen] == ["PENDING", "IN_PROGRESS", "COMPLETED"]
    assert [one["callDuration"] for one in seen] == [0, 0, 60]
    assert seen[2]["mediaUrl"]
    assert cost == pytest.approx(0.08)
    assert missing.status_code == 404


async def test_a_number_wants_all_five_fields_and_belongs_to_one_agent_at_a_time() -> None:
    async with hamsa() as asked:
        for field in NUMBER:
            short = {key: value for key, value in NUMBER.items() if key != field}
            assert (await asked.post(f"{BASE}/phone-number", short)).status_code == 400
        added = (await asked.post(f"{BASE}/phone-number", NUMBER)).json()["data"]
        assert (added["number"], added["type"]) == (CALLER, "TWILIO")
        assert "t1" not in orjson.dumps(added).decode()
        assert (await asked.post(f"{BASE}/phone-number", NUMBER)).status_code == 409
        for number in range(11):
            await asked.post(f"{BASE}/phone-number", NUMBER | {"phoneNumber": f"+1844929{number:04d}"})
        pages = [
            (await asked.get(f"{BASE}/phone-number/list", skip=page)).json()["data"] for page in (1, 2, 3)
        ]
        assert [len(page) for page in pages] == [10, 2, 0]
        assign = {"voiceAgentId": AGENT, "phoneNumber": CALLER}
        assert (await asked.post(f"{BASE}/assign-number", assign)).status_code == 200
        other = await asked.post(f"{BASE}/assign-number", assign | {"voiceAgentId": agent_id(2)})
        assert other.status_code == 409
        agents = (await asked.get("/v2/voice-agents")).json()["data"]["voiceAgents"]
        assert agents[0]["phoneNumber"]["number"] == CALLER
        said = (await asked.post(f"{BASE}/unassign", {"phoneNumber": CALLER})).json()["data"]
        assert said == "Voice agents were successfully unassigned from the phone number."


async def test_a_campaign_calls_everyone_up_to_three_times_within_its_concurrency() -> None:
    config = SimulatorConfig(outcomes={"completed": 0.5, "no_answer": 0.5}, time_scale=60_000)
    people = [{"phoneNumber": f"+96650123{n:04d}", "dynamicVariables": {"ref": f"r{n}"}} for n in range(8)]
    order = {
        "name": "April renewals 7f3a",
        "phoneNumber": CALLER,
        "voiceAgentId": AGENT,
        "sendType": "NOW",
        "recipients": people,
        "reservedConcurrency": 3,
    }
    async with hamsa(config, SystemClock()) as asked:
        bad = await asked.post(f"{BASE}/campaigns", order | {"recipients": [{"phoneNumber": "0501"}]})
        assert (bad.status_code, bad.json()["message"][:12]) == (400, "recipients.0")
        created = (await asked.post(f"{BASE}/campaigns", order)).json()
        assert (created["messageKey"], created["data"]["status"]) == (
            "CAMPAIGN_CREATED_SUCCESSFULLY",
            "SCHEDULED",
        )
        found = (await asked.get(f"{BASE}/campaigns", search="7F3A", skip=0)).json()["data"]
        assert (found["totalCount"], found["campaigns"][0]["recipientsCount"]) == (1, 8)
        with anyio.fail_after(30):
            while True:
                campaign = (await asked.get(f"{BASE}/campaigns/{created['data']['id']}")).json()["data"]
                assert len(campaign["recipients"]["inProgress"]) <= 3
                if campaign["status"] == "COMPLETED":
                    break
                await anyio.sleep(0.005)
        ledger = (await asked.client.get("/simulator/ledger")).json()
    recipients = [each for group in campaign["recipients"].values() for each in group]
    assert len(recipients) == 8
    assert sum(each["attempts"] for each in recipients) == len(ledger)
    assert all(each["attempts"] == 3 for each in campaign["recipients"]["noAnswer"])
    assert {call["metadata"]["ref"] for call in ledger} == {f"r{n}" for n in range(8)}


# Webhooks


class Heard:
    """A receiver on this machine: what it was told, and how it answers."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], Any]] = []
        self.statuses: list[int] = []
        self.url = ""
        self.before_the_answer: list[str] = []

    def kinds(self) -> list[str]:
        return [body["eventType"] for _, body in self.deliveries]


@contextmanager
def receiver() -> Iterator[Heard]:
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            lower = {name.lower(): value for name, value in self.headers.items()}
            heard.deliveries.append((lower, orjson.loads(body)))
            known = "s3cret" in (lower.get("authorization", "").partition(" ")[2], lower.get("token"))
            self.send_response((heard.statuses.pop(0) if heard.statuses else 200) if known else 403)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    heard.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


FAST = SimulatorConfig(outcomes={"completed": 1.0}, time_scale=100_000)


async def _heard_after(config: SimulatorConfig, count: int, *faults: str, refused: int = 0) -> Heard:
    with receiver() as heard:
        heard.statuses = [500] * refused
        async with hamsa(config, SystemClock()) as asked:
            await asked.client.post("/simulator/faults", json={"next_webhooks": faults})
            hook = {"webhookUrl": heard.url, "webhookAuth": {"authKey": "Token", "authSecret": "s3cret"}}
            params = {"attempt_ref": "a1", "age": 41}
            await asked.post(f"{BASE}/call", CALL | hook | {"params": params})
            heard.before_the_answer = heard.kinds()
            with anyio.fail_after(30):
                while len(heard.deliveries) < count:
                    await anyio.sleep(0.005)
        return heard


async def test_a_call_is_told_from_its_start_to_its_end_with_its_params_as_texts() -> None:
    heard = await _heard_after(FAST, 3)
    assert heard.kinds() == ["call.started", "call.answered", "call.ended"]
    headers, ended = heard.deliveries[-1]
    assert headers["authorization"] == "Token s3cret"
    result = ended["data"]["data"]["outcomeResult"]
    assert (result["attempt_ref"], result["age"]) == ("a1", "41")
    assert orjson.loads(result["address"]) == {"city": "Riyadh"}
    assert ended["data"]["data"]["conversationId"] == ended["callId"]


async def test_both_readings_of_the_auth_and_bare_events_are_told_by_switch() -> None:
    config = replace(FAST, webhook_auth="header", webhook_bare=True, call_id_differs=True)
    heard = await _heard_after(config, 3)
    headers, ended = heard.deliveries[-1]
    assert headers["token"] == "s3cret"
    assert "authorization" not in headers
    assert set(ended) == {"eventType", "callId", "data"}
    assert ended["callId"] != ended["data"]["data"]["conversationId"]


async def test_an_event_that_is_refused_is_told_again() -> None:
    heard = await _heard_after(FAST, 5, refused=2)
    assert sorted(set(heard.kinds())) == ["call.answered", "call.ended", "call.started"]
    assert len(heard.kinds()) == 5


async def test_an_event_may_come_before_the_answer_or_with_another_secret() -> None:
    heard = await _heard_after(FAST, 4, "webhook_bad_signature", "none", "webhook_early")
    told = [headers["authorization"] for headers, _ in heard.deliveries]
    assert sorted(told) == ["Token not-the-secret", *["Token s3cret"] * 3]
    assert "call.ended" in heard.before_the_answer
