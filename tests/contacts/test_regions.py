import phonenumbers
import pytest
from phonenumbers.geodata.locale import LOCALE_DATA

from dialer.base.errors import BadInput
from dialer.contacts.regions import _locales, name_of, region_of, require_region, suggest_region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("in", "IN"),
        (" GB ", "GB"),
        ("UK", "GB"),
        ("Great Britain", "GB"),
        ("England", "GB"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("the UAE", None),
        ("UAE", "AE"),
        ("ARE", "AE"),
        ("South Korea", "KR"),
        ("Korea, Republic of", None),
        ("Deutschland", "DE"),
        ("ÖSTERREICH", "AT"),
        ("Cote d'Ivoire", "CI"),
        ("Côte d’Ivoire", "CI"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("St. Lucia", "LC"),
        ("Hong Kong", "HK"),
        ("日本", "JP"),
        ("KSA", "SA"),
        ("Czech Republic", "CZ"),
        ("Nowhere", None),
        ("", None),
    ],
)
def test_a_country_is_found_by_code_name_and_short_form(text, region):
    assert region_of(text) == region


def test_every_region_is_found_by_its_own_name():
    assert {region_of(name_of(region)) for region in phonenumbers.SUPPORTED_REGIONS} == (
        phonenumbers.SUPPORTED_REGIONS
    )


def test_an_unknown_default_region_is_refused():
    with pytest.raises(BadInput, match="expected an ISO code"):
        require_region("ZZ")


def test_the_names_of_countries_are_read_without_the_towns():
    assert _locales() == LOCALE_DATA
    assert _locales() is not LOCALE_DATA


@pytest.mark.parametrize(
    ("text", "suggested"),
    [("Germny", "Germany"), ("Indai", "India"), ("Untied Kingdom", "United Kingdom"), ("Atlantis", None)],
)
def test_only_a_name_that_is_close_is_suggested(text, suggested):
    assert suggest_region(text) == (f" (did you mean '{suggested}'?)" if suggested else "")
