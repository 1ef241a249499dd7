"""Numbers are read in two ways, by the kernel and in Python, and both must say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from dialer.contacts.reading.reader import READER

Answer = TypeVar("Answer")


@pytest.fixture(params=["kernel", "python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test on both ways, on the kernel only where it was compiled."""
    if request.param == "python":
        monkeypatch.setitem(READER.ready().__dict__, "kernel", None)
    elif READER.ready().kernel is None:
        pytest.skip("the kernel is not compiled, or turned off")
    return str(request.param)


@pytest.fixture(scope="session")
def both_ways() -> Callable[[Callable[[], Answer]], list[Answer]]:
    """Give a function that does the same work on each way there is, Python first."""

    def work_twice(work: Callable[[], Answer]) -> list[Answer]:
        kernel = READER.ready().kernel
        READER.__dict__["kernel"] = None
        try:
            answers = [work()]
        finally:
            READER.__dict__["kernel"] = kernel
        return [*answers, work()] if kernel is not None else answers

    return work_twice
