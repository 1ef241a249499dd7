"""A warning before calls leave as fast as they can: accounts that nothing paces."""

from __future__ import annotations

from dialer.base.settings import Account, Settings
from dialer.base.toml import shown
from dialer.campaign.campaign import Campaign
from dialer.cli.show import err


def warn_of_no_pace(account: Account, settings: Settings, campaign: Campaign | None = None) -> None:
    """Say on stderr that no limit paces the account's calls, nor those of the campaign where one is meant."""
    if account.calls_per_second or account.requests_per_minute:
        return
    if campaign is not None and campaign.pace.calls_per_second:
        return
    file = shown(settings.file) if settings.file is not None else "dialer.toml"
    err().print(
        f"warning: account '{account.name}' has no calls_per_second: its calls leave as fast as they can be "
        f"sent; write calls_per_second = ... under [accounts.{account.name}] in {file}",
        markup=False,
        soft_wrap=True,
    )
