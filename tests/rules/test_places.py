"""Zones from the best evidence, jurisdictions from the number and the address."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dialer.rules.places import Group, group_keys

COLUMNS = ("phone", "phone_region", "phone_type", "time_zones", "zone", "state", "zip")


def one(**values: Any) -> Group:
    row = {
        "phone": "+18505551234",
        "phone_region": "US",
        "phone_type": "fixed_line_or_mobile",
        "time_zones": "America/New_York,America/Chicago",
        **values,
    }
    frame = pl.DataFrame({name: [row.get(name)] for name in COLUMNS}, dict.fromkeys(COLUMNS, pl.String))
    return Group.of_key(group_keys(frame, own_zone="zone", state="state", postal_code="zip")[0])


def test_the_number_tells_state_and_all_candidate_zones() -> None:
    assert one() == Group(("America/Chicago", "America/New_York"), "number", ("US", "US-FL"), "either")


def test_an_explicit_zone_wins_and_both_jurisdictions_bind() -> None:
    group = one(zone="America/Denver", zip="59715")
    assert (group.zones, group.zones_from) == (("America/Denver",), "list")
    assert group.places == ("US", "US-FL", "US-MT")


@pytest.mark.parametrize("written", ["33101", "33101-4455", "33101.0"])
def test_a_postal_code_is_better_evidence_than_a_number(written: str) -> None:
    group = one(phone="+12125551234", time_zones="America/New_York", zip=written)
    assert group.zones == ("America/New_York", "America/Chicago")
    assert (group.zones_from, group.places) == ("postal_code", ("US", "US-FL", "US-NY"))


def test_a_zip_code_that_lost_its_leading_zero_is_understood() -> None:
    assert one(zip="2139").places == ("US", "US-FL", "US-MA")


@pytest.mark.parametrize("written", ["TX", "texas", "US-TX"])
def test_a_state_is_read_by_code_and_name(written: str) -> None:
    group = one(state=written)
    assert (group.zones_from, group.places) == ("state", ("US", "US-FL", "US-TX"))


def test_a_zone_that_does_not_exist_counts_as_not_given() -> None:
    assert one(zone="America/Springfield").zones_from == "number"


def test_a_us_number_of_no_state_is_bound_by_the_strictest() -> None:
    assert one(phone="+18005551234", phone_type="toll_free").places == ("US", "US-*")


def test_an_unknown_zone_is_no_zone() -> None:
    group = one(phone="+870773111632", phone_region="001", time_zones="Etc/Unknown")
    assert (group.zones, group.zones_from) == ((), "unknown")


def test_a_territory_is_under_federal_rules() -> None:
    group = one(phone="+17875551234", phone_region="PR", time_zones="America/Puerto_Rico")
    assert group.places == ("US", "US-PR")


def test_a_key_gives_the_group_back() -> None:
    group = one(state="TX")
    assert Group.of_key(group.key) == group
