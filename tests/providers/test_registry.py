"""Providers are found by name."""

from __future__ import annotations

import pytest

from dialer.base.errors import BadInput
from dialer.providers.registry import find_provider, provider_names
from dialer.providers.unleashx import UnleashX


def test_a_provider_is_found_by_its_entry_point() -> None:
    assert find_provider("unleashx") is UnleashX
    assert "unleashx" in provider_names()


def test_an_unknown_provider_is_told_with_the_nearest_name_and_all_of_them() -> None:
    with pytest.raises(
        BadInput, match=r"no provider 'unleash'.*did you mean 'unleashx'.*there is: .*unleashx"
    ):
        find_provider("unleash")
