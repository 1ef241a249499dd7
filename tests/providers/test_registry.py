"""Providers are found by name."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.base.errors import BadInput
from dialer.providers.registry import check_account, find_provider, provider_names
from dialer.providers.unleashx.provider import UnleashX
from tests.providers.scripted import account


def test_a_provider_is_found_by_its_entry_point() -> None:
    assert find_provider("unleashx") is UnleashX
    assert "unleashx" in provider_names()


def test_an_unknown_provider_is_told_with_the_nearest_name_and_all_of_them() -> None:
    with pytest.raises(
        BadInput, match=r"no provider 'unleash'.*did you mean 'unleashx'.*there is: .*unleashx"
    ):
        find_provider("unleash")


def test_a_usable_account_is_found_so_without_a_connection() -> None:
    check_account(account(base_url="https://nowhere.invalid"), agent="962")


@pytest.mark.parametrize(
    ("keys", "agent", "told"),
    [
        ({}, "agent_abc", "whole number"),
        ({"token": None}, "962", "token"),
        ({"auth_stile": "token"}, "962", "did you mean 'auth_style'"),
    ],
)
def test_an_account_that_cannot_be_meant_is_refused(keys: dict[str, Any], agent: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        check_account(account(**keys), agent=agent)
