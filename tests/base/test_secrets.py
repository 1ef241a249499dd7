from __future__ import annotations

from pathlib import Path

import pytest

from dialer.base.errors import BadInput
from dialer.base.secrets import is_secret, read_secret


def test_a_secret_is_read_from_a_variable_without_the_blanks_around_it() -> None:
    assert read_secret("env:TOKEN", "accounts.a.token", {"TOKEN": " s3cret\n"}) == "s3cret"


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    assert read_secret(f"file:{tmp_path / 'token'}", "accounts.a.token", {}) == "s3cret"


def test_a_text_that_is_no_reference_is_the_secret_itself() -> None:
    assert read_secret("s3cret", "accounts.a.token", {}) == "s3cret"


@pytest.mark.parametrize("environment", [{}, {"TOKEN": ""}, {"TOKEN": "  "}])
def test_a_variable_that_is_not_set_is_named_with_the_account(environment: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"accounts\.a\.token: the environment variable TOKEN is not set"):
        read_secret("env:TOKEN", "accounts.a.token", environment)


def test_a_file_that_is_not_there_is_named_with_the_account(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"accounts\.a\.token: the file .*none cannot be read: No such file"):
        read_secret(f"file:{tmp_path / 'none'}", "accounts.a.token", {})


@pytest.mark.parametrize("content", ["", "two\nlines", "s\u200bcret", "\x00"])
def test_what_no_header_can_hold_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(BadInput, match="is empty or not one line of plain characters") as refused:
        read_secret(f"file:{tmp_path / 'token'}", "accounts.a.token", {})
    assert not content or content not in str(refused.value)


@pytest.mark.parametrize(
    "key",
    ["token", "TOKEN", "api_token", "webhook_secret", "password", "api-key", "Authorization", "database_url"],
)
def test_keys_that_hold_secrets_are_known(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize("key", ["agent", "auth_style", "execution_id", "attempt_id", "base_url", "monkey"])
def test_other_keys_are_not_taken_for_secrets(key: str) -> None:
    assert not is_secret(key)
