"""What every command opens first: the settings, a campaign, its account, the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dialer.base.settings import Settings, read_settings
from dialer.campaign import read_campaign
from dialer.campaign.campaign import Campaign
from dialer.store.database import Store
from dialer.store.migrate import prepare

Config = Annotated[Path | None, Parameter(name="--config", help="The dialer.toml to use.")]
CampaignName = Annotated[str, Parameter(help="A campaign's name, folder or file.")]


def settings_of(config: Path | None) -> Settings:
    """Return the settings of `config`, or of the dialer.toml here, or the defaults."""
    return read_settings(config)


def campaign_name(reference: str, settings: Settings) -> str:
    """Return the campaign's name, for commands that work without its file where the database has it."""
    if any(mark in reference for mark in "/\\.") or (settings.campaigns / reference).is_dir():
        return campaign_of(reference, settings).name
    return reference


def campaign_of(reference: str, settings: Settings) -> Campaign:
    """Return the campaign behind a name, a folder or a file."""
    return read_campaign(reference, settings)


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the results database, making its tables where there are none yet."""
    store = Store(settings.database_url)
    try:
        prepare(store)
        yield store
    finally:
        store.close()
