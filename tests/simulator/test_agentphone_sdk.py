"""The vendor's own Python SDK, unchanged, is content with the pretended AgentPhone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import Any

import agentphone
import httpx
import pytest
from agentphone import AgentPhone, WebhookVerificationError, construct_event

from dialer.simulator import SimulatorConfig, simulator_thread

CONFIG = SimulatorConfig(time_scale=10_000.0, outcomes={"completed": 1.0})


@pytest.fixture
def url() -> Iterator[str]:
    with simulator_thread(CONFIG, provider="agentphone") as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[AgentPhone]:
    with AgentPhone("simulator-token", base_url=url) as client:
        yield client


class Receiver:
    """A webhook as the SDK's documents write one: verify, read, answer 403 to what is not signed."""

    def __init__(self) -> None:
        self.secret = ""
        self.url = ""
        self.events: Queue[Any] = Queue()

    @contextmanager
    def listening(self) -> Iterator[Receiver]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                signature = self.headers.get("X-Webhook-Signature", "")
                try:
                    event: Any = construct_event(
                        body, signature, receiver.secret, self.headers["X-Webhook-Timestamp"]
                    )
                except WebhookVerificationError as error:
                    event = error
                self.send_response(403 if isinstance(event, Exception) else 200)
                self.send_header("content-length", "0")
                self.end_headers()
                receiver.events.put(event)

            def log_message(self, *_: Any) -> None:
                return

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}/hook"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


def test_numbers_are_bought_attached_listed_and_released(client: AgentPhone) -> None:
    number = client.numbers.buy(country="US", area_code="212", external_id="ours")
    agent = client.agents.create("Mine", voice_mode="hosted", system_prompt="You remind people.")
    assert client.agents.attach_number(agent.id, number.id)["number"]["phoneNumber"] == number.phone_number
    page = client.numbers.list(limit=3)
    assert (len(page.data), page.has_more, page.total) == (3, True, 4)
    assert client.numbers.get(number.id).agent_id == agent.id
    assert [each.id for each in client.agents.get(agent.id).numbers] == [number.id]
    messages = client.numbers.get_messages(number.id, limit=2)
    assert (len(messages.data), messages.has_more) == (2, True)
    assert client.numbers.get_messages(number.id, before=messages.data[-1].received_at).data
    assert client.agents.detach_number(agent.id, number.id) == {"success": True}
    assert client.numbers.release(number.id)["status"] == "released"
    assert client.numbers.get(number.id).status == "released"
    assert number.id not in [each.id for each in client.numbers.list().data]


def test_a_call_is_made_listed_read_and_ended(client: AgentPhone) -> None:
    call = client.calls.make("agt_1", "+14155559999", variables={"first_name": "Asha"})
    assert (call.status, call.agent_id, call.direction) == ("in-progress", "agt_1", "outbound")
    assert client.calls.end(call.id)["id"] == call.id
    for listed in (
        client.calls.list(direction="outbound", search="14155559999"),
        client.agents.list_calls("agt_1"),
        client.numbers.list_calls("num_1"),
    ):
        assert [each.id for each in listed.data] == [call.id]
    assert client.calls.get(call.id).agent_name == "Reminders"
    assert "data" in client.calls.get_transcript(call.id)
    assert next(client.calls.stream_transcript(call.id))["event"] == "connected"
    assert client.usage.get().stats.total_calls == 1


def test_errors_arrive_as_the_sdk_knows_them(client: AgentPhone, url: str) -> None:
    with pytest.raises(agentphone.NotFoundError, match="Call not found"):
        client.calls.get("call_0")
    with pytest.raises(agentphone.NotFoundError, match="Agent not found"):
        client.calls.make("agt_99", "+14155559999")
    with pytest.raises(agentphone.AgentPhoneError, match=r"E\.164"):
        client.calls.make("agt_1", "555")
    with pytest.raises(agentphone.NotFoundError, match="Recording"):
        client.calls.get_recording("call_0")
    with AgentPhone("wrong", base_url=url) as stranger, pytest.raises(agentphone.AuthenticationError):
        stranger.numbers.list()
    httpx.post(f"{url}/simulator/faults", json={"next": ["throttle_before"]})
    with pytest.raises(agentphone.RateLimitError):
        client.calls.make("agt_1", "+14155559999")


def test_events_pass_the_signature_check_of_the_sdk_and_damaged_ones_do_not(
    client: AgentPhone, url: str
) -> None:
    with Receiver().listening() as receiver:
        webhook = client.webhooks.set(receiver.url)
        receiver.secret = webhook.secret
        assert client.webhooks.get() == webhook
        assert client.webhooks.test(message="hello")["statusCode"] == 200
        tested = receiver.events.get(timeout=20)
        assert (tested.test, tested.data.message) == (True, "hello")
        faults = ["none", "webhook_bad_signature", "webhook_changed_body", "webhook_stale"]
        httpx.post(f"{url}/simulator/faults", json={"next_webhooks": faults}).raise_for_status()
        calls = [client.calls.make("agt_1", f"+1415555000{n}").id for n in range(4)]
        got = [receiver.events.get(timeout=20) for _ in range(7)]
        refused = [str(each) for each in got if isinstance(each, Exception)]
        ended = {each.data.call_id: each.data for each in got if not isinstance(each, Exception)}
        assert len(refused) == 3
        assert set(ended) == set(calls)
        assert {each.raw["disconnectionReason"] for each in ended.values()} <= {
            "agent_hangup",
            "user_hangup",
            "call_transfer",
        }
        assert client.webhooks.get_delivery_stats().total == 4
        assert {each.attempt_count for each in client.webhooks.list_deliveries()} == {1, 2}
        assert client.webhooks.set(receiver.url).secret != webhook.secret, "every update makes a new one"
        assert client.webhooks.delete() == {"success": True}
        assert client.webhooks.get() is None
