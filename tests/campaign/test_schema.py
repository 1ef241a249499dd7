"""The JSON Schema that editors use says what the reader says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dialer.campaign.examples import example_campaign
from dialer.campaign.schema import campaign_schema, write_schema

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"


def mistakes(values: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(campaign_schema()).iter_errors(values)]


def test_the_committed_schema_is_fresh(tmp_path: Path) -> None:
    """If this fails: python -m dialer.campaign.schema campaigns/campaign.schema.json"""
    write_schema(tmp_path / "deep" / "fresh.json")
    fresh = (tmp_path / "deep" / "fresh.json").read_text("utf-8")
    assert (CAMPAIGNS / "campaign.schema.json").read_text("utf-8") == fresh


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(campaign_schema())


@pytest.mark.parametrize(
    "text", [example_campaign(), (CAMPAIGNS / "demo" / "campaign.toml").read_text("utf-8")]
)
def test_our_own_campaigns_follow_it(text: str) -> None:
    assert mistakes(tomllib.loads(text)) == []


@pytest.mark.parametrize(
    "more",
    [
        {"hours": {"begin": "10:00"}},
        {"redial": {"calls_max": 0}},
        {"caps": {"calls_total": 0}},
        {"list": {"files": ["*.csv"], "again": "often"}},
        {"list": {"files": []}},
        {"list": {"files": ["*.csv"], "phon": "mobile"}},
        {"pace": {"calls_per_second": 0}},
        {"stop": {"failure_rate": 2}},
        {"on_unknown": "hodl"},
        {"file": "list.csv"},
    ],
)
def test_an_editor_warns_of_what_is_refused(more: dict[str, Any]) -> None:
    base = {"list": {"files": ["*.csv"]}, "call": {"account": "unleashx", "agent": 962}}
    assert mistakes(base) == []
    assert len(mistakes({**base, **more})) == 1


def test_every_key_is_described() -> None:
    schema = campaign_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, key in section["properties"].items():
            assert "$ref" in key or key["description"], name
