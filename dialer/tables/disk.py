"""A file of bytes whose first failure is the only one that anybody hears of."""

from __future__ import annotations

from collections.abc import Callable
from os import SEEK_SET
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")


class Disk:
    """What an archive is written to; once the disk has failed it takes everything and keeps nothing.

    An archive that cannot be finished tries to finish itself again when it is forgotten, where an error can
    only be printed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")
        self._failed = False
        self._at = 0

    def write(self, some: bytes) -> int:
        """Write the bytes."""
        self._at += len(some)
        return len(some) if self._failed else self._tried(lambda: self._file.write(some))

    def seek(self, place: int, whence: int = SEEK_SET) -> int:
        """Go to a place, counted from the start."""
        assert whence == SEEK_SET
        self._at = place
        return place if self._failed else self._tried(lambda: self._file.seek(place))

    def tell(self) -> int:
        """Return the place where is written next."""
        return self._at

    def flush(self) -> None:
        """Hand over what was written."""
        if not self._failed:
            self._tried(self._file.flush)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _tried(self, act: Callable[[], Answer]) -> Answer:
        try:
            return act()
        except OSError:
            self._failed = True
            raise
