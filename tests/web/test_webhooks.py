"""Deliveries of webhooks: verified, bounded, stored before they are answered, applied afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from sqlalchemy import text
from starlette.applications import Starlette

from dialer.attempts.ledger import exchange
from dialer.base.errors import BadInput, NotReady
from dialer.base.settings import Account
from dialer.providers.abilities import EventRefused, ProviderEvent
from dialer.providers.provider import Accepted, Execution
from dialer.store.database import Store
from dialer.web import webhooks
from dialer.web.webhooks import BODY_MAX, LINGER_MAX, Listener, Receiver, listeners_of, path_secret
from tests.attempts.test_ledger import answered, claim, open_all
from tests.seed import ACCOUNT, desk, seed_campaign, states

pytestmark = pytest.mark.anyio


class Signing:
    """A provider whose signature is a word, and whose event is its body."""

    def read_event(self, headers: Mapping[str, str], body: bytes, now_s: float) -> ProviderEvent:
        if headers.get("x-signature") != "good":
            raise EventRefused("the signature is not the provider's")
        said = Execution("r", None, None, "over", "busy", execution_id=body.decode())
        return ProviderEvent(headers.get("x-id", "1"), "call.ended", said)


@asynccontextmanager
async def receiving(store: Store, *, verifies: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    account = Account(name=ACCOUNT, provider="unleashx")
    receiver = Receiver(store, [Listener(account, Signing(), verifies, "s3cret")])
    app = Starlette(routes=receiver.routes())
    transport = httpx.ASGITransport(app)
    async with receiver.working(), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


async def deliver(client: httpx.AsyncClient, path: str = f"/webhooks/{ACCOUNT}", **headers: str) -> int:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await client.post(path, content=b"x-1", headers=headers)).status_code


def bodies(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(text("SELECT body FROM call_events ORDER BY event_id")).scalars())


async def test_a_delivery_is_stored_then_answered_then_ends_its_call(store: Store) -> None:
    campaign_id = seed_campaign(store, contacts=1)
    at = desk(store, "w")
    [(opening, call)] = open_all(at, claim(at, campaign_id))
    exchange(at, [campaign_id], answers=[answered(opening, call, Accepted("x-1", 200))])
    async with receiving(store) as client:
        assert await deliver(client, x_signature="good") == 200
        assert bodies(store) == ["x-1"]
        assert await deliver(client, x_signature="good") == 200
        with anyio.fail_after(20):
            while states(store) != {"ended": 1}:
                await anyio.sleep(0.005)
    assert bodies(store) == ["x-1"]


async def test_what_is_not_the_providers_is_refused_and_not_stored(store: Store) -> None:
    async with receiving(store) as client:
        assert await deliver(client) == 403
        assert await deliver(client, x_signature="forged") == 403
        assert await deliver(client, "/webhooks/nobody", x_signature="good") == 404
        assert await deliver(client, f"/webhooks/{ACCOUNT}/wrong", x_signature="good") == 404
        assert (await client.get(f"/webhooks/{ACCOUNT}")).status_code == 405
    assert bodies(store) == []


async def test_a_provider_that_proves_nothing_needs_the_secret_path(store: Store) -> None:
    async with receiving(store, verifies=False) as client:
        assert await deliver(client, x_signature="good") == 404
        assert await deliver(client, f"/webhooks/{ACCOUNT}/s3cret", x_signature="good") == 200
    assert bodies(store) == ["x-1"]


async def test_a_body_that_is_too_long_is_refused_before_it_has_come_and_not_kept(store: Store) -> None:
    async with receiving(store) as client:
        path = f"/webhooks/{ACCOUNT}"
        told = await client.post(path, content=b"x", headers={"content-length": str(50 * 1024 * 1024)})
        strange = await client.post(path, content=b"x", headers={"content-length": "-1"})
    assert (told.status_code, strange.status_code) == (413, 413)
    assert bodies(store) == []


async def test_an_endless_body_is_answered_when_it_is_too_long_and_ended_soon(store: Store) -> None:
    account = Account(name=ACCOUNT, provider="unleashx")
    receiver = Receiver(store, [Listener(account, Signing(), True, "s3cret")])
    sent: list[dict[str, object]] = []
    came = 0
    answered_at: list[int] = []

    async def receive() -> dict[str, object]:
        nonlocal came
        came += 1024 * 1024
        await anyio.lowlevel.checkpoint()
        return {"type": "http.request", "body": bytes(1024 * 1024), "more_body": True}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)
        answered_at.append(came)

    scope = {"type": "http", "method": "POST", "path": f"/webhooks/{ACCOUNT}", "headers": []}
    await Starlette(routes=receiver.routes())({**scope, "query_string": b""}, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 413
    assert answered_at[0] <= BODY_MAX + 1024 * 1024
    assert came <= BODY_MAX + LINGER_MAX + 1024 * 1024
    assert bodies(store) == []


async def test_deliveries_at_the_same_moment_are_each_stored_once(store: Store) -> None:
    async with receiving(store) as client, anyio.create_task_group() as tasks:
        codes: list[int] = []

        async def one(number: int) -> None:
            codes.append(await deliver(client, x_signature="good", x_id=str(number % 20)))

        for number in range(60):
            tasks.start_soon(one, number)
    assert codes == [200] * 60
    assert len(bodies(store)) == 20


async def test_the_provider_is_asked_to_deliver_again_where_the_database_fails(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[bool]:
        raise NotReady("the disk is full")

    monkeypatch.setattr(webhooks, "store_events", fail)
    async with receiving(store) as client:
        assert await deliver(client, x_signature="good") == 503
        monkeypatch.undo()
        assert await deliver(client, x_signature="good") == 200


async def test_the_secret_part_of_a_path_comes_from_the_token_and_tells_nothing_of_it() -> None:
    one, other = (Account(name="a", provider="unleashx", token=token) for token in ("t0ken", "other"))  # type: ignore[arg-type]
    assert path_secret(one) == path_secret(one)
    assert path_secret(one) != path_secret(other)
    assert "t0ken" not in path_secret(one)
    with pytest.raises(BadInput, match="token is missing"):
        path_secret(Account(name="a", provider="unleashx"))


async def test_accounts_that_cannot_be_heard_are_named() -> None:
    accounts = {"a": Account(name="a", provider="unleashx"), "b": Account(name="b", provider="nobody")}
    listeners, others = listeners_of(accounts)
    assert listeners == []
    assert [sentence.split(":")[0] for sentence in others] == [
        "account 'a' is not heard",
        "account 'b' is not heard",
    ]
