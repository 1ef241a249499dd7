"""The provider of docs/guide/write-a-provider.md as it stands there: installed, found, held to the suite."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

pytest.register_assert_rewrite("tests.providers.conformance")

from dialer.base.errors import BadInput  # noqa: E402
from dialer.base.settings import Account  # noqa: E402
from dialer.providers.registry import check_account, find_provider, provider_names  # noqa: E402
from tests.providers.conformance import Conformance  # noqa: E402

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "write-a-provider.md"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Install what the guide shows: its file as module `small`, its entry point as a package's."""
    guide = GUIDE.read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    [entry] = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    folder = tmp_path_factory.mktemp("site")
    (folder / "small.py").write_text(code)
    about = folder / "small-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
    points = re.sub(r'\[project\.entry-points\."(.*)"\]', r"[\1]", entry).replace('"', "")
    (about / "entry_points.txt").write_text(points)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield
    sys.path.remove(str(folder))
    sys.modules.pop("small", None)
    importlib.invalidate_caches()


class TestTheProviderOfTheGuide(Conformance):
    provider = "small"
    simulator = "http"
    agent = "renewals"

    def test_it_is_found_by_its_entry_point(self) -> None:
        assert "small" in provider_names()
        assert find_provider("small").name == "small"

    def test_its_agent_and_its_settings_are_checked(self, account: Account) -> None:
        with pytest.raises(BadInput, match="one word"):
            check_account(account, "two words")
        mistyped = Account(name="a", provider="small", token=SecretStr("t"), page_sise=3)
        with pytest.raises(BadInput, match="did you mean 'page_size'"):
            check_account(mistyped, "renewals")
