"""A file of rules that changes while somebody dials."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialer.base.errors import BadInput
from dialer.rules.heard import HeardRules

NARROW = '[[rule]]\nid = "US-FL"\nhours = { every = "10:00-12:00" }\n'
BLOCKED = '[[block]]\nregion = "US-FL"\nreason = "a storm"\nsince = 2026-01-01\n'


def test_a_change_is_heard_once_it_was_seen_twice(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(NARROW)
    heard = HeardRules(file)
    before = heard.look()
    with capture_logs() as logs:
        file.write_text(NARROW + BLOCKED)
        assert heard.look() is before  # it may be half written
        after = heard.look()
        assert after is heard.look()
    assert [one.reason for one in after.blocks] == ["a storm"]
    assert before.version != after.version  # the file calls itself version 1 all the same
    assert [(one["event"], one["version"]) for one in logs] == [("rules.heard", after.version)]


def test_a_comment_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(NARROW)
    heard = HeardRules(file)
    before = heard.look()
    file.write_text(f"# our counsel's\n{NARROW}")
    assert [heard.look(), heard.look()] == [before, before]


@pytest.mark.parametrize("broken", ["[[rule]]\nid = 1\n", '[[rule]]\nid = "US-F', None])
def test_a_broken_file_keeps_the_rules_and_is_said_once(tmp_path: Path, broken: str | None) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(NARROW)
    heard = HeardRules(file)
    before = heard.look()
    with capture_logs() as logs:
        file.unlink() if broken is None else file.write_text(broken)
        assert {heard.look() for _ in range(4)} == {before}
    assert [(one["event"], one["log_level"]) for one in logs] == [("rules.not_read", "warning")]
    assert "rules.toml" in logs[0]["error"]
    file.write_text(NARROW + BLOCKED)
    heard.look()
    assert heard.look().blocks


def test_a_file_that_is_broken_at_the_start_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("[[rule]]\n")
    with pytest.raises(BadInput, match=r"rules\.toml"):
        HeardRules(file)
