"""What `dialer init` writes can be read, and shows every key there is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from dialer.base.settings import Account, Settings, account_token, read_settings
from dialer.campaign import read_campaign
from dialer.campaign.campaign import CallSection, Campaign, ListSection, PaceSection, StopSection
from dialer.campaign.examples import example_campaign, example_list, example_settings


@pytest.fixture
def written(tmp_path: Path) -> Settings:
    """What `dialer init` leaves in a folder, read."""
    (tmp_path / "dialer.toml").write_text(example_settings(), encoding="utf-8")
    folder = tmp_path / "campaigns" / "example"
    folder.mkdir(parents=True)
    (folder / "campaign.toml").write_text(example_campaign(), encoding="utf-8")
    (folder / "contacts.csv").write_text(example_list(), encoding="utf-8")
    return read_settings(tmp_path / "dialer.toml", {})


def test_the_examples_are_valid_together(written: Settings) -> None:
    campaign = read_campaign("example", written)
    account = campaign.account(written)
    assert account.provider == "unleashx"
    assert account_token(account, {"UNLEASHX_TOKEN": "s3cret"}) == "s3cret"


def test_the_example_says_the_defaults_of_an_account(written: Settings) -> None:
    account = written.accounts["unleashx"]
    for name in ("requests_in_flight_max", "timeout_s", "poll_s", "outcome_wait_s", "call_expires_s"):
        assert getattr(account, name) == Account.model_fields[name].default


def test_the_example_list_has_the_columns_that_the_campaign_names(written: Settings) -> None:
    campaign = read_campaign("example", written)
    columns = pl.read_csv(campaign.folder / "contacts.csv").columns
    named = {
        *(campaign.list.phone or ()),
        *campaign.list.metadata,
        campaign.list.id,
        campaign.list.region_column,
    }
    assert named <= set(columns)


def test_every_key_of_the_settings_is_shown() -> None:
    shown = example_settings()
    names = [*Settings.model_fields, *Account.model_fields]
    hidden = [name for name in names if f"{name} = " not in shown]
    # `file` and `name` are not keys; [accounts.unleashx] is a table.
    assert hidden == ["file", "accounts", "name"]


def test_every_key_of_a_campaign_is_shown() -> None:
    shown = example_campaign()
    assert set(tomllib.loads(shown)) == set(Campaign.model_fields) - {"file"}
    for section in (ListSection, CallSection, PaceSection, StopSection):
        hidden = {name for name in section.model_fields if f"{name} = " not in shown}
        assert hidden == set()
