"""What holds for any list: nothing raises, nothing is lost, and nothing is accepted that does not exist."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.contacts import normalize, parse_numbers

_spec = importlib.util.spec_from_file_location("corpus", Path(__file__).with_name("corpus.py"))
corpus = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(corpus)

CELLS = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.text(alphabet="0123456789+-() ./;,|\n'\"=eE\u00a0\u200e ora", max_size=40),
)


def check(texts, regions):
    """Assert what holds for every answer."""
    rows = pl.DataFrame(
        {"phone": texts, "country": regions}, schema={"phone": pl.String, "country": pl.String}
    )
    answer = normalize(rows, "phone", None, "country")
    strict = parse_numbers(rows["phone"], rows["country"])
    assert answer.height == rows.height
    assert answer["raw"].to_list() == texts
    assert (answer["phone"].is_null() == answer["reason"].is_not_null()).all()
    assert (answer["detail"].is_null() == answer["reason"].is_null()).all()
    accepted = answer.filter(pl.col("phone").is_not_null())
    again = parse_numbers(accepted["phone"], None)
    assert again["valid"].all()
    assert again["phone"].to_list() == accepted["phone"].to_list()
    both = pl.concat([answer.rename(lambda name: f"{name}_here"), strict], how="horizontal")
    alone = both.filter(pl.col("repaired_here").is_null() & (pl.col("reason_here") != "spreadsheet_damage"))
    alone = pl.concat(
        [alone, both.filter(pl.col("repaired_here").is_null() & pl.col("reason_here").is_null())]
    )
    valid = pl.when("valid").then("phone")
    assert alone.filter(pl.col("phone_here").eq_missing(valid).not_()).is_empty()
    for name in ("phone_region", "phone_type", "phone_extension", "time_zones"):
        assert alone.filter(
            pl.col("valid") & pl.col(f"{name}_here").eq_missing(pl.col(name)).not_()
        ).is_empty()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(CELLS, st.sampled_from([*corpus.REGIONS, None])), min_size=1, max_size=40))
def test_any_cell_has_an_answer_and_no_number_is_made_up(rows):
    check([text for text, _ in rows], [region for _, region in rows])


@pytest.mark.parametrize("seed", [401, 402])
def test_lists_and_corners_have_answers_and_no_number_is_made_up(seed):
    check(*corpus.Corpus(seed).mixed_list(3000))
    texts, regions = corpus.Corpus(seed).conformance(3000)
    check(texts, [region if region in corpus.REGIONS else None for region in regions])


def test_no_float_of_a_spreadsheet_becomes_another_number():
    texts, regions = corpus.Corpus(501).mixed_list(6000)
    clean = parse_numbers(pl.Series(texts), pl.Series(regions)).with_columns(country=pl.Series(regions))
    clean = clean.filter(pl.col("valid"))
    bare = clean.select(phone=pl.col("phone").str.slice(1), country="country")
    wanted = normalize(bare, "phone", None, "country")
    floats = normalize(bare.with_columns(phone=pl.col("phone") + ".0"), "phone", None, "country")
    assert floats["phone"].to_list() == wanted["phone"].to_list()
    assert floats.filter(pl.col("phone").is_not_null())["repaired"].str.contains(r"\.0 dropped").all()
    rounded = bare.with_columns(
        phone=pl.col("phone").str.slice(0, 1) + "." + pl.col("phone").str.slice(1, 5) + "E+11"
    )
    lost = normalize(rounded, "phone", None, "country")
    assert set(lost["reason"]) == {"spreadsheet_damage"}
