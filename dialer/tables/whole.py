"""A file that appears when it is complete, in the place of one that was there before, or not at all.

It is written as a draft, `.<name>.<8 hex digits>.part`, which is locked for as long as its process lives. The
draft of a process that was killed stays behind; the next one that writes a file of the same name finds it
without its lock and takes it away.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialer.base.errors import BadInput, NotReady

try:
    import fcntl
except ImportError:  # Windows, where drafts have no lock and stay
    fcntl = None  # type: ignore[assignment]

DRAFT = re.compile(r"[0-9a-f]{8}\.part")


@contextmanager
def whole_file(to: Path) -> Iterator[Path]:
    """Give a place beside `to` to write in; at the end of the block it becomes `to`, unless that failed.

    Raises:
        NotReady: it could not be written to its end; what was there before is still there.
    """
    try:
        _clear_stale(to)
        with _draft(to) as part:
            yield part
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(to)
    except OSError as error:
        raise NotReady(f"{to}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _draft(to: Path) -> Iterator[Path]:
    """Give an empty file beside `to` that no other process takes for a stale one."""
    while True:
        part = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            # Before it had its lock, another process may have taken it away.
            if _lock(descriptor) is not False and part.exists():
                if fcntl is None:  # there an open file cannot be given another name
                    os.close(descriptor)
                    descriptor = -1
                yield part
                return
        finally:
            if descriptor >= 0:
                os.close(descriptor)
            part.unlink(missing_ok=True)


def _clear_stale(to: Path) -> None:
    """Remove drafts of `to` whose process is gone."""
    start = f".{to.name}."
    for draft in to.parent.iterdir():
        if not (draft.name.startswith(start) and DRAFT.fullmatch(draft.name, len(start))):
            continue
        try:
            descriptor = os.open(draft, os.O_RDWR)
        except OSError:  # gone by now, or somebody else's
            continue
        try:
            if _lock(descriptor):
                draft.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock a file; False where another process has it, None where files have no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def check_place(to: Path) -> None:
    """Make sure that a file can be made there.

    Raises:
        BadInput: there is no such folder, it cannot be written to, or `to` is there and no file.
    """
    folder = to.parent
    if not folder.is_dir():
        raise BadInput(f"{to}: there is no folder {folder}; make it first, or choose another place")
    if to.is_dir():
        raise BadInput(f"{to}: is a folder, expected the name of a file")
    if to.exists() and not to.is_file():
        raise BadInput(f"{to}: is a pipe or a device, expected the name of a file")
    if not os.access(folder, os.W_OK):
        raise BadInput(f"{to}: the folder {folder} cannot be written to")
