"""Hamsa, pretended: the app with all its routes."""

from __future__ import annotations

from fastapi import FastAPI

from dialer.base.clock import Clock
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.control import add_control_routes
from dialer.simulator.hamsa.calls import CALLER_KEYS, HamsaSimulator
from dialer.simulator.hamsa.campaigns import HamsaCampaigns
from dialer.simulator.hamsa.lists import HamsaLists
from dialer.simulator.hamsa.numbers import HamsaNumbers


def build_hamsa(config: SimulatorConfig, clock: Clock) -> FastAPI:
    """Return the app of one pretended Hamsa; its state is `app.state.simulator`."""
    app = FastAPI(title="Hamsa, pretended", openapi_url=None)
    simulator = HamsaSimulator(config, clock)
    app.state.simulator = simulator
    # Plain routes: no body models on the path that benchmarks run over.
    for path in CALLER_KEYS:
        app.add_route(path, simulator.gate.counted(simulator.make_call), methods=["POST"])
    for path, handler in HamsaLists(simulator).routes().items():
        app.add_route(path, simulator.gate.counted(handler), methods=["GET"])
    # Campaigns before agents: `/v1/voice-agents/{agent}` would take their path.
    routes = HamsaCampaigns(simulator).routes() | HamsaNumbers(simulator).routes()
    for (method, path), handler in routes.items():
        app.add_route(path, simulator.gate.counted(handler), methods=[method])
    add_control_routes(app, simulator.ledger, simulator.gate, simulator.faults, simulator.webhooks)
    return app
