from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dialer.base.errors import BadInput
from dialer.base.settings import Settings
from dialer.campaign import Campaign, read_campaign

Reader = Callable[[str], Campaign]
Refusal = Callable[[str], list[str]]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose campaigns stand in ./campaigns, with one account."""
    monkeypatch.chdir(tmp_path)
    return Settings.model_validate(
        {"campaigns": tmp_path / "campaigns", "accounts": {"unleashx": {"name": "unleashx", "provider": "x"}}}
    )


@pytest.fixture
def read(settings: Settings) -> Reader:
    """Reads a text as campaigns/spring/campaign.toml."""

    def read_text(text: str) -> Campaign:
        file = settings.campaigns / "spring" / "campaign.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return read_campaign("spring", settings)

    return read_text


@pytest.fixture
def refusal(read: Reader) -> Refusal:
    """The lines that a text is refused with, without the file's name before the line number."""

    def refused_lines(text: str) -> list[str]:
        with pytest.raises(BadInput) as refused:
            read(text)
        file = str(Path("campaigns", "spring", "campaign.toml"))
        lines = str(refused.value).split("\n")
        assert all(line.startswith(file) for line in lines)
        return [line.removeprefix(file) for line in lines]

    return refused_lines
