"""C beside Python: the library that was compiled from a source of ours when the package was installed."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from functools import cache
from pathlib import Path


@cache
def compiled(source: Path) -> ctypes.CDLL | None:
    """Return the library of `source`, None where there is none, where it is of other text, or is turned off.

    The headers of a source begin with its name, and are part of its text.
    Whoever calls has a way without it that gives the same answers.
    """
    if os.environ.get("DIALER_KERNEL") == "off" or sys.byteorder != "little":
        return None
    try:
        library = ctypes.CDLL(str(source.with_name(f"lib{source.stem}.so")))
        library.dialer_source.restype = ctypes.c_char_p
        files = sorted(source.parent.glob(f"{source.stem}*.[ch]"))
        text = b"".join(file.read_bytes() for file in files)
        same = library.dialer_source() == hashlib.sha256(text).hexdigest().encode()
    except (OSError, AttributeError):
        return None
    return library if same else None
