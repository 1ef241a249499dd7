import numpy as np

from dialer.contacts.plans.lookup import Lookup
from dialer.contacts.plans.tables import context_key


def test_a_key_is_found_in_the_run_that_it_falls_into():
    random = np.random.default_rng(2)
    cells = [np.zeros(1, dtype=np.uint64)]
    for place in (1, 3):
        # Starts close to each other share a bucket, those far from each other do not.
        starts = np.concatenate([[0], random.integers(0, 10**9, 300), 5000 + np.arange(100)])
        cells.append(context_key(np.array([place]), np.array([9])) | starts.astype(np.uint64))
    keys = np.unique(np.concatenate(cells))
    place = random.choice([1, 3], 20_000)
    digits = np.concatenate([random.integers(0, 10**9, 10_000), random.integers(0, 10**4, 10_000)])
    asked = context_key(place, np.full(20_000, 9)) | digits.astype(np.uint64)
    asked = np.concatenate([asked, keys, keys + np.uint64(1)])
    assert np.array_equal(Lookup(keys).find(asked), np.searchsorted(keys, asked, side="right") - 1)
