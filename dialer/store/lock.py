"""The right to dial: a lock that a killed process cannot leave behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from dialer.base.errors import Busy, NotReady
from dialer.store.database import Store

DEAD_CONNECTION_S = 2.0
"""How long PostgreSQL may take to notice that the process which held the lock was killed."""

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


@contextmanager
def only_dialer_of(store: Store, account: str) -> Iterator[None]:
    """Hold the right to dial with this account, on PostgreSQL, for the length of the block.

    An advisory lock of a connection of its own: it is gone the moment the connection is.

    Raises:
        Busy: another process dials with the account.
    """
    with store.engine.connect() as connection:
        # Outside of any transaction, so that the connection does not sit in one for hours.
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        query = text("SELECT pg_try_advisory_lock(hashtext(:name))")
        given_up_at = time.monotonic() + DEAD_CONNECTION_S
        while not connection.scalar(query, {"name": f"dialer account {account}"}):
            if time.monotonic() < given_up_at:
                time.sleep(0.1)
                continue
            raise Busy(f"another dialer is dialing with account '{account}'; wait for it to end")
        try:
            yield
        finally:
            connection.invalidate()


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
