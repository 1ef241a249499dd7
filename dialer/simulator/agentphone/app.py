"""AgentPhone, pretended: the app with all its routes."""

from __future__ import annotations

from fastapi import FastAPI

from dialer.base.clock import Clock
from dialer.simulator.agentphone.agents import AgentPhoneAgents
from dialer.simulator.agentphone.calls import AgentPhoneCalls
from dialer.simulator.agentphone.events import AgentPhoneEvents
from dialer.simulator.agentphone.model import CALLS_PATH, AgentPhoneSimulator
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.control import add_control_routes


def build_agentphone(config: SimulatorConfig, clock: Clock) -> FastAPI:
    """Return the app of one pretended AgentPhone; its state is `app.state.simulator`."""
    app = FastAPI(title="AgentPhone, pretended", openapi_url=None)
    simulator = AgentPhoneSimulator(config, clock)
    app.state.simulator = simulator
    calls, agents = AgentPhoneCalls(simulator), AgentPhoneAgents(simulator)
    events = AgentPhoneEvents(simulator, calls)
    app.add_route(CALLS_PATH, simulator.guarded(simulator.make_call, submission=True), methods=["POST"])
    app.add_route(f"{CALLS_PATH}/{{call_id}}/recording", calls.recording, methods=["GET"])
    # In this order: `voices` would else be an agent's id.
    for method, path, answer in (
        ("GET", CALLS_PATH, calls.list_all),
        ("GET", "/v1/calls/{call_id}", calls.get),
        ("POST", "/v1/calls/{call_id}/end", calls.end),
        ("GET", "/v1/calls/{call_id}/transcript", calls.transcript),
        ("GET", "/v1/calls/{call_id}/transcript/stream", calls.transcript_stream),
        ("GET", "/v1/agents", agents.list_agents),
        ("POST", "/v1/agents", agents.create_agent),
        ("GET", "/v1/agents/voices", agents.voices),
        ("GET", "/v1/agents/{agent_id}", agents.get_agent),
        ("PATCH", "/v1/agents/{agent_id}", agents.update_agent),
        ("DELETE", "/v1/agents/{agent_id}", agents.delete_agent),
        ("GET", "/v1/agents/{agent_id}/calls", calls.list_of_agent),
        ("POST", "/v1/agents/{agent_id}/numbers", agents.attach),
        ("DELETE", "/v1/agents/{agent_id}/numbers/{number_id}", agents.detach),
        ("POST", "/v1/agents/{agent_id}/webhook", events.set_of_agent),
        ("GET", "/v1/agents/{agent_id}/webhook", events.get_of_agent),
        ("DELETE", "/v1/agents/{agent_id}/webhook", events.delete_of_agent),
        ("POST", "/v1/agents/{agent_id}/webhook/test", events.test),
        ("GET", "/v1/agents/{agent_id}/webhook/deliveries", events.deliveries_of_agent),
        ("GET", "/v1/numbers", agents.list_numbers),
        ("POST", "/v1/numbers", agents.create_number),
        ("GET", "/v1/numbers/{number_id}", agents.get_number),
        ("PATCH", "/v1/numbers/{number_id}", agents.update_number),
        ("DELETE", "/v1/numbers/{number_id}", agents.release_number),
        ("GET", "/v1/numbers/{number_id}/messages", agents.messages),
        ("GET", "/v1/numbers/{number_id}/calls", calls.list_of_number),
        ("POST", "/v1/webhooks", events.set),
        ("GET", "/v1/webhooks", events.get),
        ("DELETE", "/v1/webhooks", events.delete),
        ("POST", "/v1/webhooks/test", events.test),
        ("GET", "/v1/webhooks/deliveries", events.deliveries),
        ("GET", "/v1/webhooks/deliveries/stats", events.stats),
        ("GET", "/v1/webhooks/deliveries/all-time", events.all_time),
        ("GET", "/v1/usage", agents.usage),
        ("GET", "/v1/usage/daily", agents.usage_daily),
    ):
        app.add_route(path, simulator.guarded(answer), methods=[method])
    add_control_routes(app, simulator.ledger, simulator.gate, simulator.faults, simulator.webhooks)
    return app
