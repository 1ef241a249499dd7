"""A file that appears when it is complete, in the place of one that was there before, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialer.base.errors import BadInput, NotReady


@contextmanager
def whole_file(to: Path) -> Iterator[Path]:
    """Give a place beside `to` to write in; at the end of the block it becomes `to`, unless that failed.

    Raises:
        NotReady: it could not be written to its end; what was there before is still there.
    """
    part = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(to)
    except OSError as error:
        raise NotReady(f"{to}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


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
