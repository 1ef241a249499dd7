"""`dialer test-call`: one call, asked for twice over, that leaves the campaign as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from dialer.cli import main
from dialer.simulator.config import SimulatorConfig
from dialer.simulator.server import simulator_thread
from dialer.store.database import Store
from dialer.tables.audit import audit
from tests.deployment import TOKEN, Deployment

Call = Callable[..., int]

OWN = "(212) 555-0199"


@pytest.fixture
def spring(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    config = SimulatorConfig(tokens=(TOKEN,), time_scale=1000.0, outcomes={"completed": 1.0})
    with simulator_thread(config) as url:
        deployment = Deployment(tmp_path, sqlite_url, url, {"poll_s": 0.05, "call_expires_s": 600.0})
        deployment.write(3)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("UNLEASHX_TOKEN", TOKEN)
        yield deployment


def test_a_test_call_is_made_once_shown_and_kept_apart(
    spring: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", "spring"]) == 0
    capsys.readouterr()
    words = ["test-call", "spring", OWN, "--yes", "--json", "--with", "id=me", "--for", "60s"]
    assert main(words) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert (told["status"], told["state"], told["outcome"]) == ("done", "ended", "completed")
    assert told["campaign"].startswith("spring (test ")
    store = Store(spring.database_url)
    with store.read() as connection:
        rows = connection.execute(text("SELECT campaign, status, phone, metadata FROM outcomes")).all()
        states = dict(connection.execute(text("SELECT name, state FROM campaigns")).all())
    mine = [tuple(row) for row in rows if row.campaign != "spring"]
    assert [(status, phone, metadata) for _, status, phone, metadata in mine] == [
        ("done", "+12125550199", '{"id":"me"}')
    ]
    assert {row.status for row in rows if row.campaign == "spring"} == {"waiting"}
    assert states == {"spring": "idle", told["campaign"]: "canceled"}
    assert [one.name for one in audit(store).checks if one.offending] == []
    store.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["212 55", "--yes"], "cannot be called"),
        ([OWN], "say --yes"),
        ([OWN, "--yes", "--with", "nothing"], "expected NAME=VALUE"),
        ([OWN, "--yes", "--for", "soon"], "not a length of time"),
    ],
)
def test_what_cannot_be_meant_calls_nobody(
    spring: Deployment, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test-call", "spring", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_number_that_is_open_elsewhere_is_not_called(
    spring: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", "spring"]) == 0
    store = Store(spring.database_url)
    with store.write() as connection:
        connection.execute(
            text(
                "INSERT INTO ledger (attempt_id, campaign_id, contact_id, phone, call_number, attempt_number,"
                " account, provider, agent, state, execution_id, opened_at_us, worker)"
                " VALUES ('a', 1, 1, '+12125550199', 1, 1, 'other', 'x', '1', 'accepted', 'x', 0, 'w')"
            )
        )
    store.close()
    assert main(["test-call", "spring", OWN, "--yes"]) == 75
    assert "open already" in capsys.readouterr().err
