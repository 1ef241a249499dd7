"""What every provider passes against its simulator, over real sockets.

A provider joins with a class in its own test file:

    class TestUnleashX(Conformance):
        provider = "unleashx"
        agent = "962"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, ClassVar

import anyio
import httpx
import pytest
from pydantic import SecretStr

from dialer.base.clock import SystemClock
from dialer.base.errors import AccountStopped, MaybeDialled, NotDialled, NotReady, Refused, SubmitError
from dialer.base.settings import Account
from dialer.providers.abilities import ListsAgents, ListsNumbers, TellsOfOne
from dialer.providers.provider import Accepted, Execution, OpenAttempt, Provider, Submission
from dialer.providers.registry import find_provider
from dialer.providers.transport import open_client
from dialer.simulator import FAULTS, SimulatorConfig, simulator_thread

TOKEN = "conformance-token-5f1c"

PLACED_BY = {fault: int(fault.endswith("_after")) for fault in FAULTS}

CERTAINTY: dict[str, type[SubmitError]] = dict.fromkeys(FAULTS, MaybeDialled) | {
    "throttle_before": NotDialled,
    "refuse_before": Refused,
}


class Pretended:
    """A running simulator, and what it knows."""

    def __init__(self, url: str) -> None:
        self.url = url

    def order(self, *faults: str) -> None:
        httpx.post(f"{self.url}/simulator/faults", json={"next": faults}).raise_for_status()

    def calls(self) -> list[dict[str, Any]]:
        return list(httpx.get(f"{self.url}/simulator/ledger").json())

    def calls_to(self, number: str) -> list[dict[str, Any]]:
        return [call for call in self.calls() if call["number"] == number]


class Conformance:
    """The suite; a subclass names the provider and an agent."""

    provider: ClassVar[str]
    agent: ClassVar[str]
    simulator: ClassVar[str] = ""
    """Whose simulator it is tested against; the provider's own where left out."""
    options: ClassVar[dict[str, Any]] = {}
    config: ClassVar[SimulatorConfig] = SimulatorConfig(
        tokens=(TOKEN,), time_scale=1e9, retry_after_share=1.0, retry_after_s=7
    )

    carries_attempt_id: ClassVar[bool] = True
    """The provider takes our attempt id along; where it does not, calls are known by number and time."""

    numbers: ClassVar[Iterator[int]] = count(9_876_543_210)

    def told_of(self, call: dict[str, Any]) -> tuple[str, float]:
        """What the list can tell of a call of the ledger: outcome and duration."""
        return call["outcome"], call["duration_s"]

    @pytest.fixture(scope="class")
    @classmethod
    def pretended(cls) -> Iterator[Pretended]:
        with simulator_thread(cls.config, provider=cls.simulator or cls.provider) as url:
            yield Pretended(url)

    @pytest.fixture
    def account(self, pretended: Pretended) -> Account:
        return Account(
            name="tested",
            provider=self.provider,
            base_url=pretended.url,
            token=SecretStr(TOKEN),
            timeout_s=0.25,
            **self.options,
        )

    @pytest.fixture
    async def opened(self, account: Account) -> AsyncIterator[Provider]:
        async with open_client(
            str(account.base_url), connections_max=4, timeout_s=account.timeout_s
        ) as client:
            yield find_provider(self.provider)(account, client, SystemClock(), _no_pace)

    @pytest.fixture
    def submission(self) -> Submission:
        """A call to a number that no other test calls."""
        n = next(self.numbers)
        return Submission(f"attempt-{n}", f"+91{n}", self.agent, metadata={"customer_id": "CUST001"})

    async def test_an_accepted_call_is_placed_once_under_its_execution_id(
        self, opened: Provider, pretended: Pretended, submission: Submission
    ) -> None:
        accepted = await opened.submit(submission)
        [call] = pretended.calls_to(submission.phone)
        assert call["execution_id"] == accepted.execution_id
        assert accepted.http_status == 200

    async def test_metadata_and_the_attempt_id_travel_with_the_call(
        self, opened: Provider, pretended: Pretended, submission: Submission
    ) -> None:
        await opened.submit(submission)
        [call] = pretended.calls_to(submission.phone)
        assert call["metadata"]["customer_id"] == "CUST001"
        assert (submission.attempt_id in call["metadata"].values()) is self.carries_attempt_id

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_every_fault_has_its_certainty_and_is_never_sent_again(
        self, opened: Provider, pretended: Pretended, submission: Submission, fault: str
    ) -> None:
        pretended.order(fault)
        with pytest.raises(SubmitError) as caught:
            await opened.submit(submission)
        assert type(caught.value) is CERTAINTY[fault]
        assert len(pretended.calls_to(submission.phone)) == PLACED_BY[fault]

    async def test_errors_tell_neither_number_nor_token(
        self, opened: Provider, pretended: Pretended, submission: Submission
    ) -> None:
        for fault in FAULTS:
            if not fault.startswith("hang"):
                pretended.order(fault)
                with pytest.raises(SubmitError) as caught:
                    await opened.submit(submission)
                assert submission.phone[1:] not in str(caught.value)
                assert TOKEN not in str(caught.value)

    async def test_a_429_slows_the_account_for_as_long_as_it_asks(
        self, opened: Provider, pretended: Pretended, submission: Submission
    ) -> None:
        pretended.order("throttle_before")
        with pytest.raises(NotDialled) as caught:
            await opened.submit(submission)
        assert caught.value.throttled
        assert caught.value.retry_after_s == 7.0
        assert caught.value.http_status == 429

    async def test_a_wrong_token_stops_the_account(
        self, account: Account, pretended: Pretended, submission: Submission
    ) -> None:
        wrong = account.model_copy(update={"token": SecretStr("wrong-token-77")})
        async with open_client(pretended.url, connections_max=1, timeout_s=1.0) as client:
            opened = find_provider(self.provider)(wrong, client, SystemClock(), _no_pace)
            with pytest.raises(AccountStopped, match="token") as caught:
                await opened.submit(submission)
        assert "wrong-token-77" not in str(caught.value)
        assert pretended.calls_to(submission.phone) == []

    async def test_a_refused_connection_is_surely_not_dialled(
        self, account: Account, submission: Submission
    ) -> None:
        with simulator_thread(self.config, provider=self.simulator or self.provider) as url:
            pass
        async with open_client(url, connections_max=1, timeout_s=1.0) as client:
            gone = account.model_copy(update={"base_url": url})
            opened = find_provider(self.provider)(gone, client, SystemClock(), _no_pace)
            with pytest.raises(NotDialled) as caught:
                await opened.submit(submission)
        assert not caught.value.throttled
        assert caught.value.code == "connect_refused"

    @pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.endswith("_after")])
    async def test_look_up_finds_the_call_whose_answer_was_lost(
        self, opened: Provider, pretended: Pretended, submission: Submission, fault: str
    ) -> None:
        attempt = _open_attempt(submission)
        pretended.order(fault)
        with pytest.raises(MaybeDialled):
            await opened.submit(submission)
        [found] = await opened.look_up(attempt)
        [call] = pretended.calls_to(submission.phone)
        assert found.provider_ref in (str(call["id"]), call["execution_id"])
        assert found.phone == submission.phone

    @pytest.mark.parametrize("fault", ["error_before", "close_before", "hang_before"])
    async def test_look_up_finds_nothing_where_nothing_was_placed(
        self, opened: Provider, pretended: Pretended, submission: Submission, fault: str
    ) -> None:
        attempt = _open_attempt(submission)
        pretended.order(fault)
        with pytest.raises(MaybeDialled):
            await opened.submit(submission)
        assert await opened.look_up(attempt) == []

    async def test_look_up_does_not_take_a_number_that_only_contains_ours(
        self, opened: Provider, submission: Submission
    ) -> None:
        longer = replace(submission, attempt_id="another", phone=submission.phone + "0")
        attempt = _open_attempt(submission)
        await opened.submit(longer)
        assert await opened.look_up(attempt) == []

    async def test_look_up_does_not_take_a_call_of_long_before(
        self, opened: Provider, submission: Submission
    ) -> None:
        await opened.submit(submission)
        tomorrow = _open_attempt(replace(submission, attempt_id="later"), later_s=86_400)
        assert await opened.look_up(tomorrow) == []

    async def test_look_up_says_when_it_could_not_ask(self, account: Account, submission: Submission) -> None:
        wrong = account.model_copy(update={"token": SecretStr("wrong-token-77")})
        async with open_client(str(account.base_url), connections_max=1, timeout_s=1.0) as client:
            opened = find_provider(self.provider)(wrong, client, SystemClock(), _no_pace)
            with pytest.raises(NotReady, match="token"):
                await opened.look_up(_open_attempt(submission))

    async def test_executions_tell_what_came_of_every_call(
        self, opened: Provider, pretended: Pretended, submission: Submission
    ) -> None:
        since_us = SystemClock().now_us()
        numbers = {f"+91{next(self.numbers)}" for _ in range(40)}
        for number in numbers:
            await opened.submit(replace(submission, attempt_id=f"a{number}", phone=number))
        told: dict[str | None, Execution] = {}
        async for page in opened.executions(self.agent, since_us):
            told |= {each.phone: each for each in page}
        for call in pretended.calls():
            if call["number"] in numbers:
                execution = told[call["number"]]
                assert (execution.outcome, execution.duration_s) == self.told_of(call)
        assert len({told[number].outcome for number in numbers}) > 1

    async def test_one_call_is_told_by_its_execution_id_where_the_provider_can(
        self, opened: Provider, submission: Submission
    ) -> None:
        accepted = await opened.submit(submission)
        if isinstance(opened, TellsOfOne):
            told = await opened.execution(accepted.execution_id)
            assert told is not None
            assert told.execution_id == accepted.execution_id
            assert await opened.execution("no-such-call-0000") is None
        else:
            assert not hasattr(opened, "execution")

    async def test_every_list_that_a_provider_has_says_when_it_could_not_be_asked(
        self, account: Account, pretended: Pretended
    ) -> None:
        wrong = account.model_copy(update={"token": SecretStr("wrong-token-77")})
        async with open_client(pretended.url, connections_max=1, timeout_s=1.0) as client:
            opened = find_provider(self.provider)(wrong, client, SystemClock(), _no_pace)
            lists: list[AsyncIterator[list[Any]]] = [opened.executions(self.agent, SystemClock().now_us())]
            if isinstance(opened, ListsNumbers):
                lists.append(opened.numbers())
            if isinstance(opened, ListsAgents):
                lists.append(opened.agents())
            for each in lists:
                with pytest.raises(NotReady, match="token") as caught:
                    await anext(each)
                assert "wrong-token-77" not in str(caught.value)

    async def test_on_a_bad_day_every_word_of_the_provider_agrees_with_the_ledger(
        self, account: Account, submission: Submission
    ) -> None:
        """Three hundred calls, sixteen at a time, every second one in trouble: what each error says about
        its call must hold in the ledger, and nothing may have been sent again.
        """
        rates = dict.fromkeys((fault for fault in FAULTS if "hang" not in fault), 0.05)
        numbers = [f"+91{next(self.numbers)}" for _ in range(300)]
        told: dict[str, type] = {}
        with simulator_thread(replace(self.config, **rates), provider=self.simulator or self.provider) as url:
            async with open_client(url, connections_max=16, timeout_s=5.0) as client:
                there = account.model_copy(update={"base_url": url})
                opened = find_provider(self.provider)(there, client, SystemClock(), _no_pace)

                async def call(mine: list[str]) -> None:
                    for number in mine:
                        try:
                            answer: object = await opened.submit(
                                replace(submission, attempt_id=number, phone=number)
                            )
                        except SubmitError as error:
                            answer = error
                        told[number] = type(answer)

                async with anyio.create_task_group() as tasks:
                    for first in range(16):
                        tasks.start_soon(call, numbers[first::16])
            placed = Counter(one["number"] for one in Pretended(url).calls())
        surely = {Accepted: 1, NotDialled: 0, Refused: 0}
        assert all(placed[number] == surely[kind] for number, kind in told.items() if kind in surely)
        assert set(told) == set(numbers)
        assert set(told.values()) == {*surely, MaybeDialled}
        assert max(placed.values()) == 1


def _open_attempt(submission: Submission, later_s: int = 0) -> OpenAttempt:
    return OpenAttempt(
        submission.attempt_id,
        submission.phone,
        submission.agent,
        SystemClock().now_us() + later_s * 1_000_000,
    )


async def _no_pace() -> None:
    return None
