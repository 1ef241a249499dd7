"""A pretend provider, with a ledger of placed calls, that throttles, stalls and loses answers on request."""

from dialer.simulator.config import FAULTS, SimulatorConfig, read_config
from dialer.simulator.server import build_app, run_simulator, simulator_process, simulator_thread

__all__ = [
    "FAULTS",
    "SimulatorConfig",
    "build_app",
    "read_config",
    "run_simulator",
    "simulator_process",
    "simulator_thread",
]
