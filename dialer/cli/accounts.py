"""`dialer agents`, `calls` and `webhooks`: what an account's provider can be asked, or told, by hand.

Providers differ in what they can do; each ability is a protocol of `dialer.providers.abilities`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import anyio
import anyio.lowlevel
from cyclopts import Parameter

from dialer.base.clock import SystemClock
from dialer.base.errors import BadInput, NotReady
from dialer.base.settings import Account, Settings
from dialer.base.words import did_you_mean
from dialer.cli.deployment import Config, settings_of
from dialer.cli.show import err, out, print_json, print_table
from dialer.providers.abilities import (
    EndsCalls,
    GivesTranscripts,
    ListsAgents,
    SetsWebhooks,
    TellsConcurrency,
    TellsOfOne,
    Webhook,
)
from dialer.providers.open import open_account
from dialer.providers.provider import Provider
from dialer.providers.registry import find_provider

AccountName = Annotated[str, Parameter(help="An account of dialer.toml.")]
Json = Annotated[bool, Parameter(help="Print one JSON document instead of a table.")]

Ability = TypeVar("Ability")
Answer = TypeVar("Answer")
Row = TypeVar("Row")


def agents(
    account: AccountName, action: Literal["list"] = "list", /, *, json: Json = False, config: Config = None
) -> int:
    """List the account's voice agents, with their numbers."""

    async def ask(provider: Provider) -> list[Any]:
        lister = able(provider, ListsAgents, "list agents")  # type: ignore[type-abstract]
        found = await all_of(lister.agents())
        await warn_of_concurrency(provider, chosen)
        return found

    chosen = account_of(account, settings_of(config))
    show_records(speak(chosen, ask), ("agent", "name", "status", "numbers"), "no agents", json=json)
    return 0


def calls(
    account: AccountName,
    action: Literal["get", "end", "transcript"],
    execution_id: Annotated[str, Parameter(help="The provider's id of the call.")],
    /,
    *,
    json: Json = False,
    config: Config = None,
) -> int:
    """Ask the provider about one call, end it while it is live, or read what was said."""

    async def ask(provider: Provider) -> Any:
        if action == "get":
            teller = able(provider, TellsOfOne, "be asked about one call")  # type: ignore[type-abstract]
            return await teller.execution(execution_id)
        if action == "end":
            ender = able(provider, EndsCalls, "end a call")  # type: ignore[type-abstract]
            return await ender.end_call(execution_id)
        giver = able(provider, GivesTranscripts, "read a transcript")  # type: ignore[type-abstract]
        return await giver.transcript(execution_id)

    answer = speak(account_of(account, settings_of(config)), ask)
    if action == "end":
        _say_one({"execution_id": execution_id, "status": answer}, json=json)
        err().print("the provider was asked to end the call; its last status comes a little later")
    elif action == "transcript":
        if json:
            print_json(list(answer))
        for turn in () if json else answer:
            out().print("  ".join(f"{key}: {value}" for key, value in turn.items()), markup=False)
    elif answer is None:
        raise BadInput(f"account '{account}' knows no call '{execution_id}'")
    else:
        known = {each.name: getattr(answer, each.name) for each in fields(answer)}
        _say_one({key: value for key, value in known.items() if value is not None}, json=json)
    return 0


def webhooks(
    account: AccountName,
    action: Literal["show", "create", "rotate", "deliveries"],
    url: Annotated[str | None, Parameter(help="Where `create` lets events go; `rotate` keeps it.")] = None,
    /,
    *,
    agent: str | None = None,
    secret_to: Path | None = None,
    json: Json = False,
    config: Config = None,
) -> int:
    """Tell the provider where to send events, give it a new secret, or read its log of deliveries.

    Args:
        agent: The webhook of this agent, in place of the account's own.
        secret_to: The new file that keeps the secret; nobody else can read it, and it is never printed.
    """
    chosen = account_of(account, settings_of(config))
    _refuse_without_webhooks(chosen)
    if action == "create" and url is None:
        raise BadInput("say where events go: dialer webhooks ACCOUNT create https://... --secret-to FILE")
    if action != "create" and url is not None:
        raise BadInput(f"`{action}` takes no address; to change it: dialer webhooks {account} create URL")
    if action in ("create", "rotate"):
        if secret_to is None:
            raise BadInput("the secret is new and is told once: say --secret-to FILE; nothing was changed")
        return _set_webhook(chosen, url, agent, secret_to, json=json)

    async def ask(provider: Provider) -> Any:
        setter = able(provider, SetsWebhooks, "set webhooks")  # type: ignore[type-abstract]
        return await (setter.webhook(agent) if action == "show" else all_of(setter.deliveries(agent)))

    answer = speak(chosen, ask)
    if action == "show":
        show_records([] if answer is None else [answer], _WEBHOOK, "no webhook is set", json=json)
    else:
        show_records(answer, _DELIVERY, "no deliveries", json=json)
    return 0


def _refuse_without_webhooks(account: Account) -> None:
    """Say that the provider cannot be told where events go, before anything is asked for. Raises BadInput."""
    kind = find_provider(account.provider)
    if not issubclass(kind, SetsWebhooks):
        raise BadInput(
            f"{kind.__name__} documents no way to set webhooks; where it has them, they are set on its own"
            " pages, with the address that `dialer serve` prints"
        )


_WEBHOOK = ("webhook_id", "url", "status", "created_at")
_DELIVERY = ("delivery_id", "event", "status", "tries", "http_status", "error", "created_at", "next_try_at")


def _set_webhook(account: Account, url: str | None, agent: str | None, file: Path, *, json: bool) -> int:
    async def order(provider: Provider) -> Webhook:
        setter = able(provider, SetsWebhooks, "set webhooks")  # type: ignore[type-abstract]
        target = url
        if target is None:
            known = await setter.webhook(agent)
            if known is None:
                raise BadInput(f"no webhook is set; begin with: dialer webhooks {account.name} create URL")
            target = known.url
        return await setter.set_webhook(target, agent)

    # The file first: a secret that cannot be kept must not be made.
    try:
        keep = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInput(f"--secret-to {file}: {error.strerror}; nothing was changed") from error
    done = False
    try:
        webhook = speak(account, order)
        if webhook.secret is None:
            raise NotReady("the webhook was set, but the provider did not tell its secret")
        os.write(keep, webhook.secret.encode() + b"\n")
        done = True
    finally:
        os.close(keep)
        if not done:
            file.unlink(missing_ok=True)
    show_records([webhook], _WEBHOOK, "", json=json)
    err().print(
        f"its secret is in {file}; under [accounts.{account.name}] write "
        f'webhook_secret = "file:{file.absolute()}", '
        "beside the old one in a list while old deliveries may still come",
        markup=False,
    )
    return 0


# What the commands about accounts share


def account_of(name: str, settings: Settings) -> Account:
    """Return an account of dialer.toml. Raises BadInput."""
    if name not in settings.accounts:
        known = ", ".join(settings.accounts) or "none; is this the folder of dialer.toml?"
        raise BadInput(f"no account '{name}'{did_you_mean(name, settings.accounts)}; there is: {known}")
    return settings.accounts[name]


def speak(account: Account, say: Callable[[Provider], Awaitable[Answer]]) -> Answer:
    """Open the account's provider over one connection and return what `say` makes of it."""

    async def open_and_say() -> Answer:
        alone = account.model_copy(update={"requests_in_flight_max": 1})
        async with open_account(alone, SystemClock(), anyio.lowlevel.checkpoint) as provider:
            return await say(provider)

    return anyio.run(open_and_say)


def able(provider: Provider, ability: type[Ability], words: str) -> Ability:
    """Return the provider as one that has the ability. Raises BadInput where it has not."""
    if not isinstance(provider, ability):
        raise BadInput(f"{type(provider).__name__} documents no way to {words}")
    return provider


async def all_of(pages: AsyncIterator[list[Row]]) -> list[Row]:
    """Return the rows of all pages."""
    return [row async for page in pages for row in page]


def show_records(records: Sequence[Any], columns: Sequence[str], none: str, *, json: bool) -> None:
    """Print records as a table, or as JSON; only these columns, so that nothing else slips out."""
    rows = [{column: getattr(each, column) for column in columns} for each in records]
    if json:
        print_json(rows)
        return
    if not rows:
        out().print(none)
        return
    # A column that is empty in every row says nothing.
    shown = [column for column in columns if any(row[column] not in (None, ()) for row in rows)]
    print_table("", shown, [[_plain(row[column]) for column in shown] for row in rows])


async def warn_of_concurrency(provider: Provider, account: Account) -> None:
    """Say on stderr where dialer.toml lets more calls be open than the provider allows."""
    if not isinstance(provider, TellsConcurrency):
        return
    try:
        most = await provider.concurrency()
    except NotReady:
        return
    if most is not None and (account.calls_open_max is None or account.calls_open_max > most):
        ours = (
            "no calls_open_max"
            if account.calls_open_max is None
            else f"calls_open_max = {account.calls_open_max}"
        )
        err().print(
            f"note: the provider allows {most} live calls at once, and accounts.{account.name} has {ours}",
            markup=False,
        )


def is_person_there() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _say_one(record: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(record)
    else:
        for key, value in record.items():
            out().print(f"{key}: {value}", markup=False)


def _plain(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, tuple) else value
