import re
from pathlib import Path

import phonenumbers
import pytest
from phonenumbers.geodata.locale import LOCALE_DATA

from dialer.base.errors import BadInput
from dialer.contacts.country_names import ALIASES, TITLES
from dialer.contacts.regions import _locales, _pairs, name_of, region_of, require_region, suggest_region


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
        ("the UAE", "AE"),
        ("UAE", "AE"),
        ("ARE", "AE"),
        ("South Korea", "KR"),
        ("S. Korea", "KR"),
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


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("U.K.", "GB"),
        ("G.B.", "GB"),
        ("the U. S.", "US"),
        ("U.A.E.", "AE"),
        ("D.R. Congo", "CD"),
        ("Virgin Islands (U.S.)", "VI"),
        ("Virgin Islands (British)", "VG"),
        ("United States of America (the)", "US"),
        ("Netherlands, Kingdom of the", "NL"),
        ("Falkland Islands (the) [Malvinas]", "FK"),
        ("Congo (the Democratic Republic of the)", "CD"),
        ("Congo, Rep.", "CG"),
        ("Korea, Dem. People's Rep.", "KP"),
        ("Micronesia, Fed. Sts.", "FM"),
        ("Cayman Isl.", "KY"),
        ("China, Hong Kong SAR", "HK"),
        ("Saint Martin (French part)", "MF"),
        ("Palestine, State of", "PS"),
        ("Lao People\N{RIGHT SINGLE QUOTATION MARK}s Democratic Republic", "LA"),
    ],
)
def test_the_order_of_words_and_how_they_are_shortened_do_not_matter(text, region):
    assert region_of(text) == region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("Germany (DE)", "DE"),
        ("DE - Deutschland", "DE"),
        ("Burma / Myanmar", "MM"),
        ("Northern Ireland, UK", "GB"),
        ("Georgia, US", None),
        ("US/UK", None),
        ("London, UK", None),
        ("Congo, CD", None),
        ("N/A", None),
    ],
)
def test_parts_of_a_cell_name_a_country_where_all_of_them_agree(text, region):
    assert region_of(text) == region


@pytest.mark.parametrize(
    "text",
    [
        "Virgin Islands",
        "Korea, Democratic Republic of",
        "Republic of China",
        "Republic of Dominica",
        "State of Georgia",
        "Republic of the",
        "Kingdom",
        "Islands",
        "the",
        "in the",
        "N.A.",
        "n/a",
        "A/C",
        "C.O.D.",
        "S.U.",
        "Netherlands Antilles",
        "Serbia and Montenegro",
        "Antarctica",
        "(,)",
    ],
)
def test_a_name_of_nobody_or_of_two_is_refused(text):
    assert region_of(text) is None


def test_all_names_of_iso_3166_are_known_in_each_order():
    # From Debian's iso-codes, 2026: code (- where nobody can be called), short name, full name.
    lines = Path(__file__).with_name("iso3166.tsv").read_text(encoding="utf-8").splitlines()
    wrong = []
    for region, *names in (line.split("\t") for line in lines):
        for name in names:
            head, tail = re.fullmatch(r"(.*?)(?:, (.*))?", name).groups(default="the")
            forms = {name, name.upper(), f"the {name}", f"{name} (the)", f"{head} ({tail})", f"{tail} {head}"}
            wrong += [(form, region_of(form)) for form in forms if (region_of(form) or "-") != region]
    assert wrong == []
    assert len(lines) == 249


def titles():
    """Return each country with each of its titles."""
    for title, *regions in map(str.split, TITLES.strip().splitlines()):
        yield from ((region, title.replace("_", " ")) for region in regions)


def test_every_short_and_long_name_means_its_own_country():
    assert [(region, name) for region, name in _pairs(ALIASES) if region_of(name) != region] == []
    long = [(region, f"{title} of {name_of(region)}") for region, title in titles()]
    assert [(region, name) for region, name in long if region_of(name) != region] == []


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


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("Virgin Islands", "'British Virgin Islands' or 'U.S. Virgin Islands'"),
        ("Republic of China", "'China' or 'Taiwan'"),
        ("Korea, Democratic Republic of", "'North Korea'"),
    ],
)
def test_of_a_name_cut_short_all_who_are_called_so_are_suggested(text, suggested):
    assert suggest_region(text) == f" (did you mean {suggested}?)"


@pytest.mark.parametrize("text", ["Republic", "Islands", "the", "(,)"])
def test_of_many_nobody_is_suggested(text):
    assert suggest_region(text) == ""
