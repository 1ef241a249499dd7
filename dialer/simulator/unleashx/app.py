"""UnleashX, pretended: the app with all its routes."""

from __future__ import annotations

from fastapi import FastAPI

from dialer.base.clock import Clock
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.control import add_control_routes
from dialer.simulator.unleashx.agents import UnleashXAgents
from dialer.simulator.unleashx.calls import CALL_PATH, UnleashXSimulator
from dialer.simulator.unleashx.lists import UnleashXLists


def build_unleashx(config: SimulatorConfig, clock: Clock) -> FastAPI:
    """Return the app of one pretended UnleashX; its state is `app.state.simulator`."""
    app = FastAPI(title="UnleashX, pretended", openapi_url=None)
    simulator = UnleashXSimulator(config, clock)
    app.state.simulator = simulator
    # Plain routes: no body models on the path that benchmarks run over.
    app.add_route(CALL_PATH, simulator.gate.counted(simulator.make_call), methods=["POST"])
    for path, handler in (UnleashXLists(simulator).routes() | UnleashXAgents(simulator).routes()).items():
        app.add_route(path, simulator.gate.counted(handler), methods=["GET", "POST"])
    add_control_routes(app, simulator.ledger, simulator.gate, simulator.faults, simulator.webhooks)
    return app
