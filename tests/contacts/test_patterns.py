import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from dialer.contacts.plans.patterns import Language, UnknownSyntax, parse_pattern, paths, prefix_intervals

METADATA = [
    PhoneMetadata.metadata_for_region(region, None) for region in sorted(phonenumbers.SUPPORTED_REGIONS)
]
GENERAL = [metadata.general_desc.national_number_pattern for metadata in METADATA]
PREFIXES = sorted({metadata.national_prefix_for_parsing for metadata in METADATA} - {None})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GENERAL), st.integers(1, 13), st.data())
def test_a_number_is_in_the_intervals_when_the_pattern_matches_it(pattern, length, data):
    intervals = Language(pattern).of_length(length)
    near = [bound + offset for pair in intervals for bound in pair for offset in (-1, 0)]
    anywhere = st.integers(0, 10**length - 1)
    number = data.draw(st.one_of(st.sampled_from(near), anywhere) if near else anywhere)
    if 0 <= number < 10**length:
        inside = any(low <= number < high for low, high in intervals)
        assert inside == bool(re.fullmatch(pattern, str(number).zfill(length)))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PREFIXES), st.text("0123456789", min_size=1, max_size=14))
def test_the_first_way_that_fits_is_the_one_a_matcher_takes(pattern, digits):
    match = re.match(pattern, digits)
    for path in paths(parse_pattern(pattern)):
        size = len(path.masks)
        fits = size <= len(digits) and all(m >> int(d) & 1 for m, d in zip(path.masks, digits, strict=False))
        if fits and not (path.ends and size != len(digits)):
            assert match is not None
            assert match.end() == size
            groups = {number: digits[slice(*span)] for number, span in path.groups.items()}
            assert groups == {n: text for n, text in enumerate(match.groups(), 1) if text is not None}
            return
    assert match is None


def test_first_digits_become_intervals():
    assert prefix_intervals((0b10, 0b1100), 4) == ((1200, 1400),)
    assert prefix_intervals((0b10, 0b1001), 3) == ((100, 110), (130, 140))
    assert prefix_intervals((0b11, 0b1111111111, 0b1), 3) == tuple((v, v + 1) for v in range(0, 200, 10))


@pytest.mark.parametrize("pattern", ["a", "1+", "[^1]", "(?=1)1", "1*", "(1", "[a]", "1??"])
def test_unknown_syntax_is_refused(pattern):
    with pytest.raises(UnknownSyntax):
        parse_pattern(pattern)
