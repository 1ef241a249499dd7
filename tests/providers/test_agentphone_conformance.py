"""AgentPhone passes what every provider passes, in both of its error envelopes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

pytest.register_assert_rewrite("tests.providers.conformance")

from tests.providers.conformance import Conformance  # noqa: E402

pytestmark = pytest.mark.anyio


class TestAgentPhone(Conformance):
    provider = "agentphone"
    agent = "agt_1"
    carries_attempt_id = False

    def told_of(self, call: dict[str, Any]) -> tuple[str, float]:
        """Records say how a call ended, not why: that is for the webhook."""
        words = {"voicemail": "completed", "canceled": "failed"}
        return words.get(call["outcome"], call["outcome"]), call["duration_s"]


class TestAgentPhoneAsOfOld(TestAgentPhone):
    """`detail` for errors, three statuses, small pages, oldest calls first, the wait as X-RateLimit-Reset."""

    config = replace(
        Conformance.config,
        error_envelope="detail",
        fine_statuses=False,
        newest_first=False,
    )
    options: ClassVar = {"page_size": 7}

    def told_of(self, call: dict[str, Any]) -> tuple[str, float]:
        talked = call["outcome"] in ("completed", "voicemail")
        return "completed" if talked else "failed", call["duration_s"]
