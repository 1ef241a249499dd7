"""AgentPhone's numbers, agents, webhooks and single calls, asked of its simulator over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from dialer.base.clock import SystemClock
from dialer.base.errors import BadInput, NotReady
from dialer.base.settings import Account
from dialer.providers import abilities
from dialer.providers.agentphone.provider import AgentPhone
from dialer.providers.provider import Submission
from dialer.providers.transport import open_client
from dialer.simulator import SimulatorConfig, simulator_thread

pytestmark = pytest.mark.anyio

CONFIG = SimulatorConfig(tokens=("one", "two"), time_scale=1e9, messages_per_number=450)


@pytest.fixture
def url() -> Iterator[str]:
    with simulator_thread(CONFIG, provider="agentphone") as url:
        yield url


@pytest.fixture
async def provider(url: str) -> AsyncIterator[AgentPhone]:
    async for opened in _opened(url, "one"):
        yield opened


async def _opened(url: str, token: str) -> AsyncIterator[AgentPhone]:
    account = Account(name="tested", provider="agentphone", base_url=url, token=SecretStr(token))
    async with open_client(url, connections_max=2, timeout_s=5.0) as client:
        yield AgentPhone(account, client, SystemClock(), _no_pace)


async def _no_pace() -> None:
    return None


async def all_of(pages: AsyncIterator[list[Any]]) -> list[Any]:
    return [row async for page in pages for row in page]


async def test_it_can_do_all_that_its_pages_document(provider: AgentPhone) -> None:
    for ability in (
        abilities.HearsEvents,
        abilities.TellsOfOne,
        abilities.EndsCalls,
        abilities.GivesTranscripts,
        abilities.ListsAgents,
        abilities.ListsNumbers,
        abilities.AttachesNumbers,
        abilities.DetachesNumbers,
        abilities.CreatesNumbers,
        abilities.ReleasesNumbers,
        abilities.ReadsMessages,
        abilities.SetsWebhooks,
        abilities.TellsConcurrency,
    ):
        assert isinstance(provider, ability)
    assert not isinstance(provider, abilities.AddsNumbers)


async def test_a_number_is_bought_attached_detached_and_released(provider: AgentPhone) -> None:
    bought = await provider.create_number("us", area_code="212")
    assert (bought.phone[:5], bought.agent, bought.status) == ("+1212", None, "active")
    [attached] = await provider.attach_numbers("agt_1", [bought.phone])
    assert (attached.number_id, attached.agent) == (bought.number_id, "agt_1")
    numbers = {agent.agent: agent.numbers for agent in await all_of(provider.agents())}
    assert bought.phone in numbers["agt_1"]
    assert await provider.detach_number(None, bought.phone) == "detached from agt_1"
    assert (await provider.release_number(str(bought.number_id))).status == "released"
    assert bought.phone not in [each.phone for each in await all_of(provider.numbers())]


async def test_what_belongs_to_another_agent_is_not_moved_and_its_owner_is_named(
    provider: AgentPhone,
) -> None:
    free, taken = "+14155550003", "+14155550002"
    with pytest.raises(BadInput, match="agent agt_2"):
        await provider.attach_numbers("agt_1", [free, taken])
    owners = {each.phone: each.agent for each in await all_of(provider.numbers())}
    assert (owners[free], owners[taken]) == (None, "agt_2"), "all or none"


async def test_every_no_is_a_sentence_and_changes_nothing(provider: AgentPhone) -> None:
    before = await all_of(provider.numbers())
    for order, words in (
        (provider.create_number("IN"), "Country IN is not supported"),
        (provider.create_number("US", agent="agt_99"), "Agent not found"),
        (provider.attach_numbers("agt_99", ["num_3"]), "Agent not found"),
        (provider.attach_numbers("agt_1", ["+15550000000"]), "no such number"),
        (provider.attach_numbers("agt_1", ["num_3"], "twilio"), "no telephony provider"),
        (provider.detach_number(None, "num_3"), "attached to no agent"),
        (provider.detach_number("agt_1", "num_2"), "not attached to this agent"),
        (provider.release_number("num_99"), "no such number"),
        (provider.end_call("call_99"), "Call not found"),
        (provider.set_webhook("ftp://nowhere"), "https"),
    ):
        with pytest.raises(BadInput, match=words):
            await order
    assert await all_of(provider.numbers()) == before


async def test_more_numbers_than_the_account_may_have_are_refused(provider: AgentPhone) -> None:
    for _ in range(7):
        await provider.create_number("CA")
    with pytest.raises(BadInput, match="Your plan allows 10 numbers"):
        await provider.create_number("CA")
    assert len(await all_of(provider.numbers())) == 10


async def test_accounts_do_not_see_each_other(url: str, provider: AgentPhone) -> None:
    async for other in _opened(url, "two"):
        assert {each.agent for each in await all_of(other.agents())} == {"agt_3", "agt_4"}
        with pytest.raises(BadInput, match="no such number"):
            await other.release_number("num_1")
        accepted = await provider.submit(Submission("a", "+14155559999", "agt_1"))
        assert await other.execution(accepted.execution_id) is None
    assert await provider.execution(accepted.execution_id) is not None


async def test_messages_come_page_by_page_and_between_two_moments(provider: AgentPhone) -> None:
    found = await all_of(provider.messages("+14155550001"))
    assert len(found) == 450
    assert [each.at for each in found] == sorted((each.at for each in found), reverse=True)
    assert (found[0].sender, found[0].recipient) == ("+15559870000", "+14155550001")
    some = await all_of(provider.messages("num_1", before=found[99].at, after=found[399].at))
    assert [each.message_id for each in some] == [each.message_id for each in found[100:399]]


async def test_a_webhook_gets_a_new_secret_each_time_it_is_set(provider: AgentPhone) -> None:
    assert await provider.webhook() is None
    first = await provider.set_webhook("https://calls.example/hook")
    again = await provider.set_webhook("https://calls.example/hook")
    own = await provider.set_webhook("https://calls.example/agent", "agt_1")
    assert len({first.secret, again.secret, own.secret}) == 3
    assert str(again.secret) not in repr(again)
    known = await provider.webhook("agt_1")
    assert known is not None
    assert (known.url, known.secret) == (own.url, own.secret)
    assert await all_of(provider.deliveries()) == await all_of(provider.deliveries("agt_1")) == []


async def test_what_was_said_and_the_end_of_a_call_are_told(provider: AgentPhone) -> None:
    turns: dict[str | None, int] = {}
    for n in range(12):
        accepted = await provider.submit(Submission("a", f"+1415555{n:04d}", "agt_1"))
        told = await provider.execution(accepted.execution_id)
        assert told is not None
        turns[told.outcome] = len(await provider.transcript(accepted.execution_id))
        assert bool(told.transcript) == bool(turns[told.outcome])
        assert await provider.end_call(accepted.execution_id) == told.status, "it was over already"
    assert turns["completed"] > turns["no_answer"] == 0


async def test_a_wrong_key_buys_nothing_and_the_token_is_named(provider: AgentPhone, url: str) -> None:
    account = Account(name="tested", provider="agentphone", base_url=url, token=SecretStr("three"))
    async with open_client(url, connections_max=1, timeout_s=5.0) as client:
        with pytest.raises(NotReady, match="check the token"):
            await AgentPhone(account, client, SystemClock(), _no_pace).create_number("US")
    assert len(await all_of(provider.numbers())) == 3
