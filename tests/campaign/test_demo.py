"""The demo's campaign and list: they hold what the demo wants to show."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dialer.base.settings import Settings
from dialer.campaign import read_campaign

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """The demo's list, every cell as text."""
    return pl.read_csv(CAMPAIGNS / "demo" / "contacts.csv", infer_schema=False)


def test_the_demo_campaign_is_valid() -> None:
    campaign = read_campaign("demo", Settings(campaigns=CAMPAIGNS))
    assert (campaign.name, campaign.call.account, campaign.call.agent) == ("demo", "demo", "962")
    assert campaign.list.phone == ("mobile", "landline")
    assert campaign.on_unknown == "redial"


def test_the_list_has_the_columns_that_the_campaign_names(rows: pl.DataFrame) -> None:
    said = read_campaign("demo", Settings(campaigns=CAMPAIGNS)).list
    assert {*(said.phone or ()), *said.metadata, said.id, said.region_column} <= set(rows.columns)


def test_every_row_has_a_key_of_its_own(rows: pl.DataFrame) -> None:
    assert rows.height > 500
    assert rows["customer_id"].n_unique() == rows.height


@pytest.mark.parametrize(
    "dirt",
    [
        r"^\s+\S",  # blanks
        r"\d-\d",
        r"\(\d",
        r"^00\d",
        r"^011\d",
        r"^\d{10,15}$",  # no plus
        r"E\+\d",
        r"\.0$",
        r'^="',
        r"^'\d",
        r"^[a-z ]+$",  # text
        r"^(n/a|N/A|#N/A)$",
        r"\d( / |; | or )",  # two numbers
        r"(ext\.| x)\s?\d",
        r"^\d{3}$",  # short code
        r"[０-９]",
        r"[\u200b\u200e\u202a]",
        r"^tel:",
    ],
)
def test_the_list_has_the_dirt_of_real_lists(dirt: str, rows: pl.DataFrame) -> None:
    assert rows["mobile"].drop_nulls().str.contains(dirt).any()
