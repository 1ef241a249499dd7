"""What our tables say is what `phonenumbers` says, for every text and default region."""

import importlib.util
import re
from pathlib import Path

import phonenumbers
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers.timezone import time_zones_for_number

from dialer.contacts import parse_numbers
from dialer.contacts.numbers import TYPES

_spec = importlib.util.spec_from_file_location("corpus", Path(__file__).with_name("corpus.py"))
corpus = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(corpus)

EXTENDED = re.compile(r"(tel:)?\+?[0-9]{1,19}( ?(x|ext\.?|;ext=|,,|#)[0-9]{1,8}#?)?")


def expected(text, region):
    """Return the row that `phonenumbers` makes of a text."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return (None, False, None, None, None, None)
    return (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        phonenumbers.is_valid_number(number),
        phonenumbers.region_code_for_number(number),
        TYPES[phonenumbers.number_type(number)],
        number.extension,
        ",".join(time_zones_for_number(number)),
    )


@pytest.fixture(scope="module")
def disagreements(both_ways):
    """Give a function that returns the rows where we say something else, on one way or the other."""

    def compare(texts, regions):
        columns = pl.Series(texts, dtype=pl.String), pl.Series(regions, dtype=pl.String)
        wanted = [expected(text, region) for text, region in zip(texts, regions, strict=True)]
        return [
            row
            for answers in both_ways(lambda: parse_numbers(*columns))
            for row in zip(texts, regions, answers.iter_rows(), wanted, strict=True)
            if row[2] != row[3]
        ]

    return compare


@pytest.mark.parametrize("seed", [101, 102])
def test_a_list_of_forty_regions_reads_as_phonenumbers_reads_it(disagreements, seed):
    assert disagreements(*corpus.Corpus(seed).mixed_list(6000)) == []


@pytest.mark.parametrize("seed", [201, 202, 203])
def test_the_corners_of_all_regions_read_as_phonenumbers_reads_them(disagreements, seed):
    assert disagreements(*corpus.Corpus(seed).conformance(5000)) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.text(max_size=30),
                st.text(alphabet="0123456789+-() ./x;,#~eE\u00a0–＋３٣ー'\n", max_size=26),
                st.from_regex(
                    re.compile(r"(tel:)?\+?[0-9]{1,19}( ?(x|ext\.?|;ext=|,,|#)[0-9]{1,8}#?)?"), fullmatch=True
                ),
            ),
            st.sampled_from([*corpus.REGIONS, None, "us", "001"]),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_any_text_reads_as_phonenumbers_reads_it(disagreements, rows):
    assert disagreements([text for text, _ in rows], [region for _, region in rows]) == []


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+0044 20 7946 0018", "GB"),
        ("+0044 20 7946 0018", "US"),
        ("011 44 20 7946 0018", "US"),
        ("8~10 44 20 7946 0018", "RU"),
        ("0011 44 20 7946 0018", "AU"),
        ("011 15 2345 6789", "AR"),
        ("+54 9 11 2345 6789", None),
        ("044 55 1234 5678", "MX"),
        ("0 15 11 91234 5678", "BR"),
        ("17900 10 6552 9988", "CN"),
        ("086 1 0 6552 9988", "CN"),
        ("+39 06 698 12345", None),
        ("06 698 12345", "VA"),
        ("457 1234", "AG"),
        ("+883 5100 1234 5678", None),
        ("+800 1234 5678", "DE"),
        ("1-800-FLOWERS", "US"),
        ("1-800-fl", "US"),
        ("tel:7946 0018;phone-context=+44-20", None),
        ("tel:020-7946-0018;phone-context=example.com", "GB"),
        ("tel:+44-20-7946-0018;isub=12345", None),
        ("+44 20 7946 0018;ext=1234", None),
        ("٠٥٠ ١٢٣ ٤٥٦٧", "AE"),
        ("０３ー１２３４ー５６７８", "JP"),
        ("+44\u00a020\u201179460018", None),
        ("020\u200b7946\u20600018", "GB"),
        ("(530) 583-6985 x302/x2303", "US"),
        ("519٣565841,–179", "US"),
        ("12", "DE"),
        ("1 2", "DE"),
        ("1", "DE"),
        ("2079460018", "us"),
        ("+442079460018", "us"),
        ("2079460018", None),
        ("211-217 extensio\u0301n 87467", "SR"),
        ("0011 2347001234567", "NG"),
        ("011 972 15111341574", "IL"),
        ("0011 911861123705419", "IN"),
        ("82 0 8531 12345678901234", "KR"),
        ("+82 0 8531 12345678901234", None),
        ("1" * 19, "JP"),
        ("0" * 24, "ID"),
        ("1" * 251, "US"),
        ("", "US"),
        (None, "US"),
    ],
)
def test_a_known_corner_reads_as_phonenumbers_reads_it(disagreements, text, region):
    assert disagreements([text], [region]) == []


def test_one_region_for_all_texts_or_none(way):
    texts = pl.Series(["020 7946 0018", "+16502530000"])
    assert parse_numbers(texts, "GB")["phone"].to_list() == ["+442079460018", "+16502530000"]
    assert parse_numbers(texts, None)["phone"].to_list() == [None, "+16502530000"]
    assert parse_numbers(texts.clear(), None).height == 0


def test_only_few_rows_of_a_list_are_asked_one_by_one(way, monkeypatch):
    texts, regions = corpus.Corpus(301).mixed_list(20_000)
    asked = []

    def ask(some, *rest):
        asked.extend(some)
        return original(some, *rest)

    original = importlib.import_module("dialer.contacts.reading.scalar").ask_phonenumbers
    monkeypatch.setattr("dialer.contacts.reading.reader.ask_phonenumbers", ask)
    parse_numbers(pl.Series(texts), pl.Series(regions))
    assert len(asked) < 0.0005 * len(texts)
