"""A year of random campaigns over sixty places, read again by a checker that shares no code with it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.year import TICK_S, Year


def test_nobody_is_called_outside_the_law_in_a_year_nor_kept_waiting_within_it(tmp_path: Path) -> None:
    """`benchmarks/year.py` plays the same with a hundred thousand people."""
    year = Year(tmp_path, contacts=500, campaigns=2, batches=7, seed=7)
    year.play()
    verdict = year.judge()
    year.store.close()
    assert verdict.attempts > 600
    assert (verdict.zones, verdict.places) >= (40, 60)
    assert verdict.outside == []
    assert verdict.over_caps == []
    assert verdict.idle == []
    assert verdict.longest_wait_s <= TICK_S


def test_the_checker_finds_what_is_outside(tmp_path: Path) -> None:
    year = Year(tmp_path, contacts=40, campaigns=1, batches=1, seed=3)
    year.play()
    early = [one._replace(at_us=one.at_us - 14 * 3_600_000_000) for one in year.attempts]
    year.attempts = early
    verdict = year.judge(idle_every=10_000)
    year.store.close()
    assert len(verdict.outside) > len(early) / 3
