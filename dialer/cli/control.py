"""`dialer pause`, `resume` and `cancel`: a person's word, heard by every worker within seconds."""

from __future__ import annotations

from getpass import getuser

from dialer.calls import campaigns
from dialer.calls.campaigns import KnownCampaign
from dialer.cli.deployment import CampaignName, Config, campaign_name, open_store, settings_of
from dialer.cli.show import err, out


def pause(campaign: CampaignName, /, *, config: Config = None) -> int:
    """Stop claiming; calls in the air are waited for. It takes effect within seconds on every worker."""
    settings = settings_of(config)
    with open_store(settings) as store:
        name = campaign_name(campaign, settings)
        return _say(campaigns.pause(store, name, f"paused by {_user()}"))


def resume(campaign: CampaignName, /, *, config: Config = None) -> int:
    """Let workers dial the campaign: after a pause, a stop, or for the first time; or the next run."""
    settings = settings_of(config)
    with open_store(settings) as store:
        return _say(campaigns.resume(store, campaign_name(campaign, settings)))


def cancel(campaign: CampaignName, /, *, config: Config = None) -> int:
    """End a campaign for good: nobody who waits is called; open calls still get their outcome."""
    settings = settings_of(config)
    with open_store(settings) as store:
        name = campaign_name(campaign, settings)
        return _say(campaigns.cancel(store, name, f"canceled by {_user()}"))


def _say(known: KnownCampaign) -> int:
    out().print(f"{known.name}: {known.state}", markup=False)
    if known.state in ("paused", "canceled"):
        err().print(f"what is still open gets its outcome with: dialer reconcile {known.name}", markup=False)
    return 0


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # no name for this user id, as in some containers
        return "a person"
