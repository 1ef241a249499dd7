"""The right to dial: a lock that a killed process cannot leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialer.base.errors import Busy, NotReady

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def only_dialer(database: Path) -> Iterator[None]:
    """Hold the right to dial from this SQLite file, for the length of the block.

    The lock is the operating system's (flock on `<file>.lock`), so it is gone the moment its
    process is, however that ended: whoever gets it knows that no other worker lives.

    Raises:
        Busy: another process dials from this file.
    """
    path = database.with_name(database.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise NotReady(f"cannot make {path}: {error.strerror}") from error
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    if fcntl is None:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError as error:
            raise _busy(path) from error
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy(path) from error


def _busy(path: Path) -> Busy:
    return Busy(
        f"another dialer is dialing from {path.name.removesuffix('.lock')}; SQLite carries one at a time. "
        "Wait for it to end."
    )
