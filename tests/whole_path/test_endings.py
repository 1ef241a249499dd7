"""How a run ends: its figures add up, its exit code asks for a person only where one is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from sqlalchemy import text

from dialer.base.errors import NeedsPerson
from dialer.base.settings import read_settings
from dialer.campaign import read_campaign
from dialer.cli import main
from dialer.rules.rulebook import read_rulebook
from dialer.run import Run
from dialer.simulator import SimulatorConfig, simulator_thread
from dialer.store.database import Store
from tests.deployment import TOKEN, Deployment
from tests.whole_path.test_agentphone import TOKEN as PHONE_TOKEN
from tests.whole_path.test_agentphone import deploy


@pytest.fixture
def here(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNLEASHX_TOKEN", TOKEN)
    return Deployment(tmp_path, sqlite_url, "", {"calls_per_second": 200, "outcome_wait_s": 30.0})


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Run the campaign; return its exit code and its figures, which must add up."""
    capsys.readouterr()
    code = main(["run", "spring", "--json", *words])
    figures = orjson.loads(capsys.readouterr().out)
    answers = ("accepted", "refused", "not_dialled", "unknown")
    assert figures["submitted"] == sum(figures[one] for one in answers)
    begun = figures["open_before"] + figures["accepted"] + figures["unknown"]
    over = sum(figures[one] for one in ("ended_calls", "open_calls", "unknown_left", "freed"))
    assert begun == over
    return code, figures


def test_the_figures_of_a_run_add_up_and_so_do_those_of_the_next(
    here: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    bad_day = SimulatorConfig(
        tokens=(TOKEN,), seed=7, time_scale=10_000.0, close_before=0.2, close_after=0.2, throttle_before=0.1
    )
    with simulator_thread(bad_day) as here.base_url:
        here.write(30)
        code, first = run(capsys)
        assert code == 4
        assert first["unknown"] == first["bound"] + first["held_left"] > first["held_left"] > 0
        assert (first["ended_calls"], first["waiting_left"]) == (30 - first["held_left"], 0)
        code, second = run(capsys)
        assert (code, second["submitted"], second["bound"]) == (4, 0, 0)
        assert second["open_before"] == second["held_left"] == first["held_left"]
        assert main(["reconcile"]) == 4
    held, told = first["held_left"], capsys.readouterr().err
    assert f"{held} unknown looked up: 0 found, 0 not placed, {held} held, 0 again later" in told


def test_what_is_looked_up_by_itself_needs_nobody(
    here: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    here.account["listing_delay_s"] = 90_000.0  # the second look-up is half an hour after the first
    with simulator_thread(SimulatorConfig(tokens=(TOKEN,), close_before=1.0)) as here.base_url:
        here.write(3)
        assert main(["run", "spring"]) == 0
        line = capsys.readouterr().out
        assert "3 without an answer, 0 ended, 0 open, 3 unknown" in line
        assert "3 unknown will be looked up by the next run, a worker or dialer reconcile" in line
        assert main(["reconcile", "spring"]) == 0
    told = capsys.readouterr()
    assert "3 unknown looked up: 0 found, 0 not placed, 0 held, 3 again later" in told.err
    assert "3 looked up by dialer itself" in " ".join(told.out.split())


def test_hours_that_are_never_open_are_refused_before_anything_is_loaded(
    here: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    with simulator_thread(SimulatorConfig(tokens=(TOKEN,))) as here.base_url:
        file = here.write(3).folder / "campaigns" / "spring" / "campaign.toml"
        file.write_text(file.read_text().replace("rules = []", 'start = "03:00"\nend = "04:00"'))
        assert main(["check", "spring"]) == 0
        assert "[hours] is never open for anybody of the list" in " ".join(capsys.readouterr().out.split())
        assert main(["run", "spring"]) == 2
        told = capsys.readouterr()
        assert "accepted" not in told.err + told.out
        assert "[hours] is never open for anybody of the list" in told.err
        store = Store(here.database_url)
        with store.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM campaigns")) == 0
        plain = file.read_text()
        file.write_text(plain.replace('start = "03:00"', 'cron = "* * * * *"\nstart = "03:00"'))
        assert main(["due"]) == 2
        file.write_text(plain)
        with store.read() as connection:
            assert connection.scalar(text("SELECT count(*) FROM contacts")) == 0
        # Loaded all the same, so that something was written: that is for a person.
        assert main(["load", "spring"]) == 0
        settings = read_settings(here.folder / "dialer.toml")
        campaign = read_campaign("spring", settings)
        late = Run(store, campaign, settings.accounts["unleashx"], rules=read_rulebook)
        with pytest.raises(NeedsPerson, match="never open"):
            anyio.run(late.go)
        store.close()


@pytest.fixture
def agentphone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHONE_TOKEN", PHONE_TOKEN)
    with simulator_thread(
        SimulatorConfig(tokens=(PHONE_TOKEN,), time_scale=10_000.0), provider="agentphone"
    ) as url:
        yield url


def test_a_run_waits_for_polling_where_events_had_their_turn_before(
    agentphone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No event comes; polling leaves the call to its event for longer than a run waits for news."""
    deploy(tmp_path, agentphone, 1)
    (tmp_path / "secret").write_text("whsec_nobody-listens")
    file = tmp_path / "dialer.toml"
    words = file.read_text().replace("event_wait_s = 1.0", "event_wait_s = 6.0")
    file.write_text(words.replace("outcome_wait_s = 20.0", "outcome_wait_s = 4.0"))
    code, figures = run(capsys)
    assert (code, figures["accepted"], figures["ended_calls"], figures["open_calls"]) == (0, 1, 1, 0)
