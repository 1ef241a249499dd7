"""What every command opens first: the settings, a campaign, its account, the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dialer.base.errors import BadInput
from dialer.base.settings import Settings, read_settings
from dialer.calls.allowed import hours_policy
from dialer.campaign import read_campaign
from dialer.campaign.campaign import Campaign
from dialer.rules.rulebook import RuleBook, read_rulebook
from dialer.rules.windows import Windows
from dialer.store.database import Store
from dialer.store.migrate import check, prepare

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
    """Return the campaign behind a name, a folder or a file.

    Raises:
        BadInput: it cannot be read, names a rule that does not exist, or its hours are never open.
    """
    campaign = read_campaign(reference, settings)
    rules = rules_of(settings)  # its mistakes have a file and lines of their own
    try:
        Windows(rules, hours_policy(campaign)).check()
    except BadInput as error:
        raise BadInput(f"{campaign.where('hours')}: {error}") from None
    return campaign


def rules_of(settings: Settings) -> RuleBook:
    """Return the calling rules: the built-in ones under the deployment's own."""
    return read_rulebook(settings.rules)


@contextmanager
def open_store(settings: Settings, *, create: bool = False) -> Iterator[Store]:
    """Open the results database; only with `create` are its tables made where there are none yet.

    Raises:
        BadInput: there is no such SQLite file.
        NotReady: the database cannot be used, or is of another version of dialer.
    """
    store = Store(settings.database_url)
    try:
        if create:
            prepare(store)
        elif store.file is not None and not store.file.exists():
            raise BadInput(
                f"there is no database {store.file}; start in the folder of dialer.toml, "
                "and begin with: dialer load CAMPAIGN"
            )
        else:
            check(store)
        yield store
    finally:
        store.close()
