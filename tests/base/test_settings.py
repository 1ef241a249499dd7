"""dialer.toml and DIALER_...: what is read, what is refused, and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from dialer.base.errors import BadInput
from dialer.base.settings import Account, Settings, account_options, account_token, read_settings

TOML = """\
database_url = "sqlite:///data/dialer.db"
campaigns = "mine"

[accounts.unleashx]
token = "env:UNLEASHX_TOKEN"
calls_per_second = 1.5
requests_per_minute = 100
auth_style = "bearer"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(toml: str = "", **environment: str) -> Settings:
    Path("dialer.toml").write_text(toml)
    return read_settings(None, environment)


def refusal(toml: str = "", **environment: str) -> list[str]:
    with pytest.raises(BadInput) as refused:
        read(toml, **environment)
    return str(refused.value).split("\n")


def test_a_file_is_read(folder: Path) -> None:
    settings = read(TOML)
    account = settings.accounts["unleashx"]
    assert settings.file == folder / "dialer.toml"
    assert (account.name, account.calls_per_second, account.requests_per_minute) == ("unleashx", 1.5, 100)
    assert account.timeout_s == 30


def test_without_a_file_the_built_in_defaults_hold(folder: Path) -> None:
    settings = read_settings(None, {})
    assert settings.file is None
    assert settings.database_url == f"sqlite:///{folder}/dialer.db"
    assert settings.campaigns == folder / "campaigns"
    assert settings.accounts == {}


def test_a_named_file_must_exist() -> None:
    with pytest.raises(BadInput, match=r"other\.toml: there is no such file"):
        read_settings(Path("other.toml"), {})


def test_paths_are_relative_to_the_folder_of_the_file(folder: Path) -> None:
    (folder / "deployment").mkdir()
    (folder / "deployment" / "dialer.toml").write_text(TOML)
    settings = read_settings(Path("deployment/dialer.toml"), {})
    assert settings.database_url == f"sqlite:///{folder}/deployment/data/dialer.db"
    assert settings.campaigns == folder / "deployment" / "mine"


def test_the_path_of_a_database_may_be_absolute() -> None:
    assert read('database_url = "sqlite:////var/lib/d.db"').database_url == "sqlite:////var/lib/d.db"


@pytest.mark.parametrize("start", ["postgresql://", "postgresql+psycopg://", "postgres://"])
def test_every_spelling_of_postgresql_means_psycopg(start: str) -> None:
    settings = read(DIALER_DATABASE_URL=f"{start}user:word@host:5432/name?sslmode=require")
    assert settings.database_url == "postgresql+psycopg://user:word@host:5432/name?sslmode=require"


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hunter2@h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///", "postgresql://", "dialer.db"],
)
def test_other_databases_are_refused_without_showing_the_address(url: str) -> None:
    [line] = refusal(f'database_url = "{url}"')
    assert line.startswith("dialer.toml:1: database_url = ***, expected sqlite:///FILE or postgresql://")
    assert "hunter2" not in line


def test_the_environment_wins_over_the_file() -> None:
    settings = read(TOML, DIALER_ACCOUNTS__UNLEASHX__CALLS_PER_SECOND="3", DIALER_CAMPAIGNS="/elsewhere")
    assert settings.accounts["unleashx"].calls_per_second == 3.0
    assert settings.accounts["unleashx"].requests_per_minute == 100
    assert settings.campaigns == Path("/elsewhere")


def test_an_account_may_live_in_the_environment_alone() -> None:
    settings = read_settings(None, {"DIALER_ACCOUNTS__NORTH__PROVIDER": "unleashx"})
    assert settings.accounts["north"].provider == "unleashx"


def test_a_variable_reaches_an_account_with_capitals_and_dashes() -> None:
    settings = read(
        '[accounts.UnleashX-IN]\nprovider = "unleashx"\n', DIALER_ACCOUNTS__UNLEASHX_IN__POLL_S="2.5"
    )
    assert list(settings.accounts) == ["UnleashX-IN"]
    assert settings.accounts["UnleashX-IN"].poll_s == 2.5


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read(TOML, DIALER_CAMPAIGNS="").campaigns.name == "mine"


def test_the_process_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALER_CAMPAIGNS", "from_the_process")
    assert read_settings().campaigns.name == "from_the_process"


def test_a_wrong_variable_is_named() -> None:
    assert refusal(TOML, DIALER_ACCOUNTS__UNLEASHX__CALLS_PER_SECOND="fast") == [
        "DIALER_ACCOUNTS__UNLEASHX__CALLS_PER_SECOND: accounts.unleashx.calls_per_second = 'fast', "
        "expected a number"
    ]


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("DIALER_DATABSE_URL", "did you mean 'DIALER_DATABASE_URL'?"),
        ("DIALER_ACCOUNTS_UNLEASHX_TOKEN", "two underscores go between keys"),
        ("DIALER_ACCOUNTS__UNLEASHX__CALLS_PER_SECND", "did you mean 'calls_per_second'?"),
        ("DIALER_ACCOUNTS__UNLEASHX", "expected a table"),
        ("DIALER_ACCOUNTS", "expected a table"),
    ],
)
def test_a_mistyped_variable_is_refused(variable: str, hint: str) -> None:
    [line] = refusal(TOML, **{variable: "1"})
    assert hint in line


def test_a_variable_of_many_keys_that_is_not_json_is_refused() -> None:
    [line] = refusal(TOML, DIALER_ACCOUNTS="unleashx")
    assert line.endswith("write one variable per key, or JSON")


def test_a_token_that_stands_where_the_account_belongs_is_not_shown() -> None:
    assert refusal(TOML, DIALER_ACCOUNTS__UNLEASHX="hunter2") == [
        "DIALER_ACCOUNTS__UNLEASHX: accounts.unleashx = ***, expected a table"
    ]


def test_variables_of_others_are_left_alone() -> None:
    assert read(TOML, DIALER_TEST_POSTGRES="x", DIALER_DEBUG="1", PATH="/bin").campaigns.name == "mine"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("campain = 1", "dialer.toml:1: campain is not a key (did you mean 'campaigns'?)"),
        ("campaigns = 1", "dialer.toml:1: campaigns = 1, expected a path in quotes"),
        ("file = 'x'", "dialer.toml:1: file is not a key"),
        ("accounts = 1", "dialer.toml:1: accounts = 1, expected a table"),
        ("accounts.a = 1", "dialer.toml:1: accounts.a = 1, expected a table"),
        ("accounts.'a b'.poll_s = 1", "dialer.toml:1: accounts.'a b': letters, digits, - and _ only"),
        (
            "accounts.unleashx.calls_per_secnd = 1",
            "dialer.toml:1: accounts.unleashx.calls_per_secnd is not a key "
            "(did you mean 'calls_per_second'?)",
        ),
        (
            "accounts.a.calls_per_second = 0",
            "dialer.toml:1: accounts.a.calls_per_second = 0, expected more than 0",
        ),
        (
            "accounts.a.calls_per_second = '1.5'",
            "dialer.toml:1: accounts.a.calls_per_second = '1.5', expected a number",
        ),
        ("accounts.a.timeout_s = inf", "dialer.toml:1: accounts.a.timeout_s = inf, expected a finite number"),
        (
            "accounts.a.requests_in_flight_max = 1.5",
            "dialer.toml:1: accounts.a.requests_in_flight_max = 1.5, expected a whole number",
        ),
        (
            "accounts.a.requests_in_flight_max = 5000",
            "dialer.toml:1: accounts.a.requests_in_flight_max = 5000, expected at most 4096",
        ),
        (
            "accounts.a.base_url = 'api.example.com'",
            "dialer.toml:1: accounts.a.base_url = 'api.example.com', expected an address such as "
            "https://api.example.com, without a user, ? or #",
        ),
        (
            "accounts.a.name = 'b'",
            "dialer.toml:1: accounts.a.name is not a key: the account is named by its table, [accounts.a]",
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_key_value_and_what_was_expected(line: str, message: str) -> None:
    assert refusal(line) == [message]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    lines = refusal('campain = 1\n[accounts.a]\npoll_s = "x"\ncalls_per_secnd = 1\ntimeout_s = -1\n')
    assert [line.split(":")[1] for line in lines] == ["1", "3", "4", "5"]


def test_a_mistake_in_the_file_does_not_hide_behind_a_variable() -> None:
    [line] = refusal('[accounts.a]\npoll_s = "x"\n', DIALER_ACCOUNTS__A__POLL_S="2")
    assert line.startswith("dialer.toml:2: ")


def test_keys_of_one_provider_are_kept_for_it() -> None:
    assert account_options(read(TOML).accounts["unleashx"]) == {"auth_style": "bearer"}


@pytest.mark.parametrize("key", ["token", "webhook_secret"])
def test_a_secret_in_the_file_is_refused_and_not_shown(key: str) -> None:
    [line] = refusal(f'[accounts.a]\n{key} = "hunter2"\n')
    assert line.startswith(f"dialer.toml:2: accounts.a.{key} = ***, expected where it is kept, 'env:NAME'")
    assert "hunter2" not in line


@pytest.mark.parametrize("value", ["123456", "['hunter2']"])
def test_a_token_of_the_wrong_kind_is_not_shown_either(value: str) -> None:
    [line] = refusal(f"[accounts.a]\ntoken = {value}\n")
    assert re.match(r"dialer\.toml:2: accounts\.a\.token = \*\*\*, expected", line)


def test_settings_are_read_although_no_token_is_there() -> None:
    account = read(TOML).accounts["unleashx"]
    with pytest.raises(BadInput, match=r"accounts\.unleashx\.token: .* UNLEASHX_TOKEN is not set"):
        account_token(account, {})
    assert account_token(account, {"UNLEASHX_TOKEN": "s3cret"}) == "s3cret"


def test_a_token_file_is_relative_to_the_folder_of_dialer_toml(folder: Path) -> None:
    (folder / "token").write_text("s3cret\n")
    assert account_token(read('[accounts.a]\ntoken = "file:token"\n').accounts["a"], {}) == "s3cret"


def test_a_token_may_be_given_in_its_own_variable() -> None:
    environment = {"DIALER_ACCOUNTS__UNLEASHX__TOKEN": "s3cret"}
    account = read(TOML, **environment).accounts["unleashx"]
    assert account_token(account, environment) == "s3cret"
    assert "s3cret" not in repr(account)


def test_a_providers_own_secret_in_its_variable_stays_a_reference() -> None:
    name = "DIALER_ACCOUNTS__UNLEASHX__WEBHOOK_SECRET"
    account = read(TOML, **{name: "s3cret"}).accounts["unleashx"]
    assert account_options(account)["webhook_secret"] == f"env:{name}"


def test_an_account_without_a_token_says_how_to_give_it_one() -> None:
    account = read("[accounts.un-leash]\npoll_s = 1\n").accounts["un-leash"]
    with pytest.raises(BadInput, match=r"export UN_LEASH_TOKEN, or export DIALER_ACCOUNTS__UN_LEASH__TOKEN"):
        account_token(account, {})


def test_an_account_made_in_python_may_hold_its_token() -> None:
    account = Account(name="a", provider="unleashx", token=SecretStr("s3cret"))
    assert account_token(account, {}) == "s3cret"


def test_settings_do_not_print_secrets() -> None:
    settings = read(TOML, DIALER_DATABASE_URL="postgresql://user:hunter2@host/name")
    assert "hunter2" not in f"{settings!r} {settings}"


def test_a_file_of_a_providers_own_secret_stands_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "dialer.toml").write_text(
        '[accounts.phone]\nprovider = "agentphone"\nwebhook_secret = ["file:old", "env:NEW"]\n'
        '[accounts.gate]\nprovider = "http"\nheaders = { Authorization = "file:/run/key" }\n'
    )
    accounts = read_settings(tmp_path / "dialer.toml", {}).accounts
    assert account_options(accounts["phone"])["webhook_secret"] == [f"file:{tmp_path / 'old'}", "env:NEW"]
    assert account_options(accounts["gate"])["headers"] == {"Authorization": "file:/run/key"}
