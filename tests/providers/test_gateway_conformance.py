"""A gateway that is described in dialer.toml alone passes what every provider passes."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any, ClassVar

import pytest

pytest.register_assert_rewrite("tests.providers.conformance")

from dialer.simulator.gateway import NOTIFY_SECRET, describe  # noqa: E402
from tests.providers.conformance import Conformance  # noqa: E402

pytestmark = pytest.mark.anyio


def described(**changes: Any) -> dict[str, Any]:
    """What the simulator itself says belongs into dialer.toml, without what the suite gives."""
    account = tomllib.loads(describe("http://gateway.example", "unused"))["accounts"]["gateway"]
    for key in ("provider", "base_url", "token"):
        del account[key]
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            account[section][key] = value
        elif value is None:
            del account[section]
        else:
            account[section] = value
    return account


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_NOTIFY_SECRET", NOTIFY_SECRET)


class TestGateway(Conformance):
    provider = "http"
    agent = "renewals"
    options: ClassVar = described()


class TestGatewayThatKeepsNoReference(Conformance):
    """Lost answers are found by number and time; small pages, no webhooks."""

    provider = "http"
    agent = "renewals"
    config = replace(Conformance.config, page_size_max=7, newest_first=False)
    options: ClassVar = described(
        fields={"phone": "to", "created_at": "created_at", "duration_s": "seconds"}, events=None
    )

    test_every_fault_has_its_certainty_and_is_never_sent_again = None
    test_on_a_bad_day_every_word_of_the_provider_agrees_with_the_ledger = None
