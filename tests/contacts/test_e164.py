import numpy as np
import polars as pl

from dialer.contacts.e164 import as_e164


def test_numbers_of_any_length_become_texts():
    values = [value for size in range(1, 20) for value in (10 ** (size - 1), 10**size - 1)]
    texts = as_e164(np.array([0, *values, 0], dtype=np.uint64))
    assert texts.to_list() == [None, *(f"+{value}" for value in values), None]


def test_texts_are_what_polars_would_make_of_them():
    values = np.random.default_rng(1).integers(1, 10**15, 50_000).astype(np.uint64)
    texts, wanted = as_e164(values), "+" + pl.Series(values).cast(pl.String)
    assert texts.dtype == pl.String
    assert (texts == wanted).all()
    assert texts.unique().len() == wanted.unique().len()
    assert as_e164(np.zeros(0, dtype=np.uint64)).to_list() == []
