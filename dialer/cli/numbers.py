"""`dialer numbers`: an account's numbers - list, attach, detach, buy, release, add, read messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from dialer.base.errors import BadInput
from dialer.base.secrets import is_reference, read_secret
from dialer.base.settings import Account
from dialer.cli.accounts import (
    AccountName,
    Json,
    able,
    account_of,
    all_of,
    is_person_there,
    show_records,
    speak,
    warn_of_concurrency,
)
from dialer.cli.deployment import Config, settings_of
from dialer.cli.show import err, out, print_json
from dialer.providers.abilities import (
    AddsNumbers,
    AttachesNumbers,
    CreatesNumbers,
    DetachesNumbers,
    ListsNumbers,
    PhoneNumber,
    ReadsMessages,
    ReleasesNumbers,
)
from dialer.providers.provider import Provider

NUMBER = ("phone", "number_id", "agent", "status", "country", "kind", "label", "created_at")
MESSAGE = ("at", "sender", "recipient", "body", "direction", "channel")

Action = Literal["list", "attach", "detach", "create", "release", "add", "messages"]


def numbers(
    account: AccountName,
    action: Action,
    /,
    *names: Annotated[str, Parameter(help="Numbers: E.164, or the provider's own ids.")],
    agent: str | None = None,
    telephony: str | None = None,
    country: str = "US",
    area_code: str | None = None,
    label: str | None = None,
    sid: str | None = None,
    auth_token: str | None = None,
    before: str | None = None,
    after: str | None = None,
    yes: bool = False,
    json: Json = False,
    config: Config = None,
) -> int:
    """List, attach, detach, create, release or add numbers of an account, or read their messages.

    Args:
        agent: The agent to attach to, to detach from, or to buy a number for.
        telephony: The telephony provider of the numbers, where the API asks for one.
        country: The country to buy a number in.
        area_code: The area code of the number to buy, where one is to be had.
        label: A name for the number to add.
        sid: Where the telephony account's id is kept: env:NAME or file:PATH.
        auth_token: Where its auth token is kept: env:NAME or file:PATH.
        before: Only messages before this moment (ISO 8601).
        after: Only messages after this moment (ISO 8601).
        yes: Release without asking; it cannot be undone.
    """
    chosen = account_of(account, settings_of(config))
    if action == "list":
        return _list(chosen, names, json=json)
    if action == "attach":
        return _attach(chosen, names, agent, telephony, json=json)
    if action == "detach":
        return _detach(chosen, names, agent, json=json)
    if action == "create":
        return _create(chosen, names, country, agent, area_code, json=json)
    if action == "release":
        return _release(chosen, names, yes=yes, json=json)
    if action == "add":
        return _add(chosen, names, label, telephony, {"sid": sid, "auth_token": auth_token}, json=json)
    return _messages(chosen, names, before, after, json=json)


def _list(account: Account, names: tuple[str, ...], *, json: bool) -> int:
    _none(names, "list")

    async def ask(provider: Provider) -> list[PhoneNumber]:
        lister = able(provider, ListsNumbers, "list numbers")  # type: ignore[type-abstract]
        found = await all_of(lister.numbers())
        await warn_of_concurrency(provider, account)
        return found

    show_records(speak(account, ask), NUMBER, "the account has no numbers", json=json)
    return 0


def _attach(
    account: Account, names: tuple[str, ...], agent: str | None, telephony: str | None, *, json: bool
) -> int:
    if not names or agent is None:
        raise BadInput(
            f"say what to attach to whom: dialer numbers {account.name} attach NUMBER... --agent AGENT"
        )

    async def order(provider: Provider) -> list[PhoneNumber]:
        attacher = able(provider, AttachesNumbers, "attach numbers")  # type: ignore[type-abstract]
        return await attacher.attach_numbers(agent, names, telephony)

    show_records(speak(account, order), NUMBER, "nothing was attached", json=json)
    return 0


def _detach(account: Account, names: tuple[str, ...], agent: str | None, *, json: bool) -> int:
    name = _one(account, names, "detach")

    async def order(provider: Provider) -> str:
        detacher = able(provider, DetachesNumbers, "detach numbers")  # type: ignore[type-abstract]
        return await detacher.detach_number(agent, name)

    said = speak(account, order)
    if json:
        print_json({"number": name, "said": said})
    else:
        out().print(f"{name}: {said}", markup=False)
    return 0


def _create(
    account: Account,
    names: tuple[str, ...],
    country: str,
    agent: str | None,
    area_code: str | None,
    *,
    json: bool,
) -> int:
    _none(names, "create")

    async def order(provider: Provider) -> PhoneNumber:
        creator = able(provider, CreatesNumbers, "buy numbers")  # type: ignore[type-abstract]
        return await creator.create_number(country, agent, area_code)

    show_records([speak(account, order)], NUMBER, "", json=json)
    return 0


def _release(account: Account, names: tuple[str, ...], *, yes: bool, json: bool) -> int:
    name = _one(account, names, "release")

    async def order(provider: Provider) -> PhoneNumber:
        releaser = able(provider, ReleasesNumbers, "release numbers")  # type: ignore[type-abstract]
        if not yes:
            _confirm(name)
        return await releaser.release_number(name)

    show_records([speak(account, order)], NUMBER, "", json=json)
    return 0


def _add(
    account: Account,
    names: tuple[str, ...],
    label: str | None,
    telephony: str | None,
    secrets: dict[str, str | None],
    *,
    json: bool,
) -> int:
    name = _one(account, names, "add")
    read: dict[str, str] = {}
    for key, reference in secrets.items():
        option = f"--{key.replace('_', '-')}"
        if reference is not None and not is_reference(reference):
            raise BadInput(
                f"{option}: say where it is kept, env:NAME or file:PATH; a command is no place for a secret"
            )
        if reference is not None:
            read[key] = read_secret(reference, option)

    async def order(provider: Provider) -> PhoneNumber:
        adder = able(provider, AddsNumbers, "add numbers of one's own")  # type: ignore[type-abstract]
        return await adder.add_number(name, label or name, telephony or "twilio", read)

    show_records([speak(account, order)], NUMBER, "", json=json)
    return 0


def _messages(
    account: Account, names: tuple[str, ...], before: str | None, after: str | None, *, json: bool
) -> int:
    name = _one(account, names, "messages")

    async def ask(provider: Provider) -> list[Any]:
        reader = able(provider, ReadsMessages, "read messages")  # type: ignore[type-abstract]
        return await all_of(reader.messages(name, before, after))

    show_records(speak(account, ask), MESSAGE, "no messages", json=json)
    return 0


def _confirm(name: str) -> None:
    """Make sure that a person means it. Raises BadInput."""
    if not is_person_there():
        raise BadInput("releasing a number cannot be undone: say --yes; nothing was released")
    err().print(f"Releasing {name} gives it back to the carrier, for ever.", markup=False)
    if input("Type the number again to release it: ").strip() != name:
        raise BadInput("that is not the number; nothing was released")


def _none(names: tuple[str, ...], action: str) -> None:
    if names:
        raise BadInput(f"`{action}` takes no number")


def _one(account: Account, names: tuple[str, ...], action: str) -> str:
    if len(names) != 1:
        raise BadInput(f"say one number: dialer numbers {account.name} {action} NUMBER")
    return names[0]
