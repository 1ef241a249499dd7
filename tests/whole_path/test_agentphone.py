"""A campaign at AgentPhone on a bad day: answers and events are lost, or come twice, late or forged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from dialer.base.settings import read_settings
from dialer.cli import main
from dialer.simulator import SimulatorConfig, simulator_thread
from dialer.store.database import Store
from dialer.web.app import build_web
from dialer.web.webhooks import listeners_of
from tests.deployment import number

TOKEN = "sk_live_whole_path_3c"

BAD_DAY = SimulatorConfig(
    tokens=(TOKEN,),
    seed=3,
    time_scale=600.0,
    throttle_before=0.02,
    error_after=0.05,
    close_after=0.05,
    truncated_after=0.04,
    no_execution_id_after=0.04,
    webhook_lost=0.1,
    webhook_duplicate=0.1,
    webhook_late=0.1,
    webhook_reorder=0.1,
    webhook_early=0.1,
    webhook_stale=0.05,
    webhook_bad_signature=0.1,
    webhook_no_signature=0.05,
    webhook_changed_body=0.1,
    webhook_not_json=0.05,
    webhook_noise=0.3,
)


@contextmanager
def receiving(folder: Path) -> Iterator[str]:
    """Receive webhooks for the deployment in `folder`, as `dialer serve` does; give the address."""
    settings = read_settings(folder / "dialer.toml")
    store = Store(settings.database_url)
    listeners, others = listeners_of(settings.accounts)
    assert not others
    config = uvicorn.Config(build_web(store, listeners), port=0, log_config=None, lifespan="on", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}{listeners[0].path}"
    finally:
        server.should_exit = True
        thread.join()
        store.close()


def deploy(folder: Path, url: str, rows: int) -> None:
    """Write dialer.toml, a campaign and its list, and have a webhook made whose secret is kept in a file."""
    account = (
        f'[accounts.phone]\nprovider = "agentphone"\nbase_url = "{url}"\ntoken = "env:PHONE_TOKEN"\n'
        "poll_s = 0.3\nlisting_delay_s = 0.5\noutcome_wait_s = 20.0\ntimeout_s = 5.0\n"
        'calls_per_second = 100.0\nwebhook_secret = "file:secret"\nevent_wait_s = 1.0\n'
    )
    (folder / "dialer.toml").write_text(account)
    home = folder / "campaigns" / "spring"
    home.mkdir(parents=True)
    (home / "campaign.toml").write_text(
        '[list]\nfiles = ["*.csv"]\nphone = "phone"\nregion = "US"\nmetadata = ["first_name"]\n'
        '[call]\naccount = "phone"\nagent = "agt_1"\nfrom_numbers = ["+14155550001"]\n[hours]\nrules = []\n'
    )
    text = "first_name,phone\n" + "".join(f"N{n},{number(n)}\n" for n in range(rows))
    (home / "list.csv").write_text(text)


def test_every_call_of_a_bad_day_ends_with_its_outcome_and_none_is_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHONE_TOKEN", TOKEN)
    with simulator_thread(BAD_DAY, provider="agentphone") as url:
        deploy(tmp_path, url, 50)
        assert main(["load", "spring"]) == 0
        with receiving(tmp_path) as address:
            assert main(["webhooks", "phone", "create", address, "--secret-to", "secret"]) == 0
            assert main(["run", "spring", "--wait"]) == 0
        ledger = httpx.get(f"{url}/simulator/ledger").json()
        events = httpx.get(f"{url}/simulator/webhooks").json()
    assert len({call["number"] for call in ledger}) == len(ledger) == 50
    assert {call["fault"] for call in ledger} > {None, "close_after"}
    assert {event["fault"] for event in events} > {None, "webhook_lost", "webhook_duplicate"}
    assert main(["audit", "spring"]) == 0
    told = capsys.readouterr()
    secret = (tmp_path / "secret").read_text().strip()
    assert TOKEN not in told.out + told.err
    assert secret not in told.out + told.err
    with Store(read_settings(tmp_path / "dialer.toml").database_url).read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT execution_id, status, outcome, metadata FROM outcomes"
        ).all()
    truth = {call["execution_id"]: call["outcome"] for call in ledger}
    assert {row.execution_id for row in rows} == set(truth)
    assert {row.status for row in rows} == {"done"}
    reported = {each["key"] for each in events if each["status"] == "success" and each["fault"] is None}
    for row in rows:
        # Without its event a call is known to have ended, but not why.
        if row.execution_id in reported:
            assert row.outcome == truth[row.execution_id]
        assert row.outcome in (truth[row.execution_id], "completed", "failed")
        assert TOKEN not in row.metadata
