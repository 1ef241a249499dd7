"""A run beside the receiver of webhooks, with faults in both: every call ends with an outcome, none twice."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
import uvicorn
from sqlalchemy import text

from dialer.base.settings import read_settings
from dialer.calls.load import load
from dialer.campaign import read_campaign
from dialer.run import Run, dialing_rights
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_thread
from dialer.store.database import Store
from dialer.tables.audit import audit
from dialer.web.app import build_web
from dialer.web.webhooks import listeners_of
from tests.deployment import TOKEN, Deployment

ROWS = 40


@contextmanager
def receiving(folder: Path, port_of: socket.socket) -> Iterator[str]:
    """Receive webhooks on a thread, over a database connection of its own; give the account's path."""
    settings = read_settings(folder / "dialer.toml")
    listeners, _ = listeners_of(settings.accounts)
    store = Store(settings.database_url)
    config = uvicorn.Config(build_web(store, listeners), log_config=None, log_level=logging.ERROR, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [port_of]}, daemon=True)
    thread.start()
    try:
        yield listeners[0].path
    finally:
        server.should_exit = True
        thread.join(20)
        store.close()


def test_every_call_ends_with_an_outcome_whatever_happens_to_answers_and_webhooks(
    tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNLEASHX_TOKEN", TOKEN)
    account = {"poll_s": 1.0, "listing_delay_s": 1.0, "outcome_wait_s": 60.0, "calls_per_second": 200.0}
    with socket.create_server(("127.0.0.1", 0)) as door:
        Deployment(tmp_path, store_url, "http://127.0.0.1:1", account, on_unknown="redial").write(ROWS)
        with receiving(tmp_path, door) as path:
            bad_day = SimulatorConfig(
                tokens=(TOKEN,),
                time_scale=1000.0,
                close_after=0.1,
                error_before=0.05,
                truncated_after=0.05,
                webhook_url=f"http://127.0.0.1:{door.getsockname()[1]}{path}",
                webhook_lost=0.2,
                webhook_duplicate=0.2,
                webhook_early=0.2,
                webhook_reorder=0.2,
                webhook_not_json=0.1,
            )
            with simulator_thread(bad_day) as url:
                monkeypatch.setenv("DIALER_ACCOUNTS__UNLEASHX__BASE_URL", url)
                settings = read_settings(tmp_path / "dialer.toml")
                campaign = read_campaign("spring", settings)
                store = Store(settings.database_url)
                with dialing_rights(store):
                    load(store, campaign)
                    run = Run(store, campaign, campaign.account(settings), wait=True)
                    progress = anyio.run(run.go)
                seen = httpx.get(f"{url}/simulator/summary", trust_env=False).json()
    assert progress.exit_code == 0
    assert (seen["calls_placed"], seen["numbers_called_more_than_once"]) == (ROWS, 0)
    with store.read() as connection:
        told = connection.execute(text("SELECT status, outcome FROM outcomes")).all()
        heard = connection.execute(
            text("SELECT count(*), count(DISTINCT delivery_id) FROM call_events")
        ).one()
    assert {row.status for row in told} == {"done"}
    assert not [row for row in told if row.outcome in (None, "expired")]
    assert heard[0] == heard[1] > 0
    assert [one.name for one in audit(store).checks if one.offending] == []
    store.close()
