"""Which providers there are: found by the entry point `dialer.providers`, so that others can ship theirs."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

import anyio
import httpx

from dialer.base.clock import SystemClock
from dialer.base.errors import BadInput
from dialer.base.settings import Account
from dialer.base.words import did_you_mean
from dialer.providers.provider import Provider

GROUP = "dialer.providers"


def provider_names() -> list[str]:
    """Return the names of all providers, sorted; none of them is imported."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def find_provider(name: str) -> type[Provider]:
    """Return the class of a provider.

    Raises:
        BadInput: there is none of that name, or the package that ships it cannot be imported.
    """
    entry = next(iter(entry_points(group=GROUP, name=name)), None)
    if entry is None:
        names = provider_names()
        raise BadInput(f"no provider '{name}'{did_you_mean(name, names)}; there is: {', '.join(names)}")
    try:
        return cast("type[Provider]", entry.load())
    except (ImportError, AttributeError) as error:
        raise BadInput(f"provider '{name}' ({entry.value}) cannot be imported: {error}") from error


def check_account(account: Account, agent: str) -> None:
    """Make sure that the account's keys, token and agent can be meant; nothing is connected to.

    Raises:
        BadInput: the first that cannot.
    """
    kind = find_provider(account.provider)
    nowhere = httpx.AsyncClient(transport=httpx.AsyncBaseTransport(), trust_env=False)
    kind(account, nowhere, SystemClock(), anyio.lowlevel.checkpoint).check_agent(agent)
