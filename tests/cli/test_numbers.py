"""`dialer numbers`, `agents`, `calls` and `webhooks`, as a person types them, against pretended providers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from dialer.cli import main
from dialer.simulator import SimulatorConfig, simulator_thread

TOKEN = "sk_live_numbers_5d"
CONFIG = SimulatorConfig(tokens=(TOKEN,), time_scale=1e9)


@pytest.fixture
def url() -> Iterator[str]:
    with simulator_thread(CONFIG, provider="agentphone") as url:
        yield url


@pytest.fixture
def said(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs one command; gives its exit code, what it printed and what it told besides."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHONE_TOKEN", TOKEN)
    Path("dialer.toml").write_text(
        f'[accounts.phone]\nprovider = "agentphone"\nbase_url = "{url}"\ntoken = "env:PHONE_TOKEN"\n'
        f'[accounts.unleashx]\nbase_url = "{url}"\ntoken = "env:PHONE_TOKEN"\n'
    )

    def run(words: str) -> tuple[int, str, str]:
        code = main(words.split())
        told = capsys.readouterr()
        assert TOKEN not in told.out + told.err
        return code, told.out, told.err

    return run


def test_numbers_are_listed_as_a_table_and_for_scripts(said: Any) -> None:
    code, table, note = said("numbers phone list")
    assert code == 0
    assert [table.count(word) for word in ("+14155550001", "num_3", "agt_2", "active")] == [1, 1, 1, 3]
    assert "allows 10 live calls at once, and accounts.phone has no calls_open_max" in note
    rows = orjson.loads(said("numbers phone list --json")[1])
    assert [row["agent"] for row in rows] == ["agt_1", "agt_2", None]
    assert rows[0]["phone"] == "+14155550001"
    agents = orjson.loads(said("agents phone list --json")[1])
    assert (agents[0]["agent"], agents[0]["numbers"]) == ("agt_1", ["+14155550001"])


def test_a_number_goes_its_way_from_purchase_to_release(said: Any) -> None:
    code, bought, _ = said("numbers phone create --area-code 212 --json")
    number = orjson.loads(bought)[0]["phone"]
    assert (code, number[:5]) == (0, "+1212")
    assert orjson.loads(said(f"numbers phone attach {number} --agent agt_1 --json")[1])[0]["agent"] == "agt_1"
    assert said(f"numbers phone attach {number} --agent agt_2")[0] == 2
    assert said(f"numbers phone detach {number}")[1] == f"{number}: detached from agt_1\n"
    code, _, told = said(f"numbers phone release {number}")
    assert (code, "cannot be undone" in told) == (2, True)
    assert number in said("numbers phone list")[1]
    assert said(f"numbers phone release {number} --yes")[0] == 0
    assert number not in said("numbers phone list")[1]


def test_on_a_terminal_the_number_is_typed_again_before_it_is_released(
    said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.cli.numbers.is_person_there", lambda: True)
    for typed, code in (("+14155550001", 2), ("", 2), ("y", 2), ("+14155550003", 0)):
        monkeypatch.setattr("builtins.input", lambda _, typed=typed: typed)
        assert said("numbers phone release +14155550003")[0] == code
        assert ("+14155550003" in said("numbers phone list")[1]) is (code == 2)


NO = (
    ("numbers unleashx list", "UnleashX documents no way to list numbers"),
    ("numbers unleashx messages +14155550001", "UnleashX documents no way to read messages"),
    ("calls unleashx end call_1", "UnleashX documents no way to end a call"),
    ("webhooks unleashx show", "UnleashX documents no way to set webhooks"),
    ("webhooks unleashx create https://x.example", "UnleashX documents no way to set webhooks"),
    ("numbers phone add +14155550001", "AgentPhone documents no way to add numbers of one's own"),
    ("numbers fone list", "did you mean 'phone'"),
    ("numbers phone attach --agent agt_1", "attach NUMBER... --agent AGENT"),
    ("numbers phone attach +14155550003", "attach NUMBER... --agent AGENT"),
    ("numbers phone attach num_2 --agent agt_1", "is attached to agent agt_2"),
    ("numbers phone create --country GB", "Country GB is not supported"),
    ("numbers phone release", "say one number"),
    ("numbers phone release +15550000000 --yes", "no such number"),
    ("numbers phone add +14155550001 --auth-token s3cret77", "a command is no place for a secret"),
    ("calls phone get call_0", "knows no call 'call_0'"),
    ("webhooks phone create", "say where events go"),
    ("webhooks phone create https://x.example", "--secret-to FILE"),
    ("webhooks phone rotate --secret-to new", "no webhook is set"),
    ("webhooks phone rotate https://x.example --secret-to new", "takes no address"),
)


def test_what_cannot_be_done_is_said_in_a_sentence(said: Any) -> None:
    for words, sentence in NO:
        code, printed, told = said(words)
        assert (code, printed) == (2, ""), words
        assert sentence in told
        assert "s3cret77" not in told
        assert not Path("new").exists()


def test_a_wrong_token_is_named_and_not_shown(said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONE_TOKEN", "sk_live_wrong_99")
    for words in ("numbers phone list", "numbers phone create", "agents phone", "webhooks phone show"):
        code, _, told = said(words)
        assert (code, "check the token" in told, "wrong_99" in told) == (1, True, False)


def test_the_secret_of_a_webhook_goes_to_a_file_of_ones_own_and_nowhere_else(said: Any) -> None:
    code, printed, told = said("webhooks phone create https://calls.example/hook --secret-to first")
    secret = Path("first").read_text().strip()
    assert (code, secret.startswith("whsec_")) == (0, True)
    assert stat.S_IMODE(Path("first").stat().st_mode) == 0o600
    assert secret not in printed + told
    assert f'webhook_secret = "file:{Path("first").absolute()}"' in told
    assert said("webhooks phone rotate --secret-to first")[0] == 2, "no file is overwritten"
    assert said("webhooks phone rotate --secret-to second")[0] == 0
    assert Path("second").read_text() != Path("first").read_text()
    code, printed, told = said("webhooks phone show --json")
    assert orjson.loads(printed)[0]["url"] == "https://calls.example/hook"
    assert Path("second").read_text().strip() not in printed + told
    assert said("webhooks phone deliveries")[1] == "no deliveries\n"


def test_a_call_is_shown_read_and_ended(said: Any, url: str) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    calls = [
        httpx.post(
            f"{url}/v1/calls", json={"agentId": "agt_1", "toNumber": f"+1415555{n:04d}"}, headers=headers
        )
        for n in range(8)
    ]
    shown = [orjson.loads(said(f"calls phone get {each.json()['id']} --json")[1]) for each in calls]
    completed = next(each for each in shown if each["outcome"] == "completed" and each.get("transcript"))
    assert "Yes, go on." in said(f"calls phone transcript {completed['execution_id']}")[1]
    code, printed, told = said(f"calls phone end {completed['execution_id']}")
    assert (code, "status: completed" in printed) == (0, True)
    assert "a little later" in told
