"""Hamsa passes what every provider passes, on each path that starts a call."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

pytest.register_assert_rewrite("tests.providers.conformance")

from tests.providers.conformance import Conformance  # noqa: E402

pytestmark = pytest.mark.anyio

AGENT = "5d1c2b1e-6a54-4a9e-9f0d-0c3f7b5a9c11"
CALLER = "+18449292835"


class TestHamsa(Conformance):
    provider = "hamsa"
    agent = AGENT
    options: ClassVar = {"from_number": CALLER}


class TestHamsaByPhoneNumber(Conformance):
    """The path that answers with a `jobId`, small pages, oldest calls first, and `success: true`."""

    provider = "hamsa"
    agent = AGENT
    options: ClassVar = {"from_number": CALLER, "call_endpoint": "phone-number", "page_size": 7}
    config = replace(Conformance.config, newest_first=False, success_flag=True)

    test_every_fault_has_its_certainty_and_is_never_sent_again = None
    test_on_a_bad_day_every_word_of_the_provider_agrees_with_the_ledger = None
