"""The file as it lies on disk: what kind it is by its first bytes, its digest, its bytes in blocks.

The first bytes decide what a file is; its name only says what was meant.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from stat import S_ISFIFO, S_ISREG
from typing import IO, Any, TypeVar, cast
from zipfile import BadZipFile, ZipFile

from dialer.base.errors import BadInput

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "parquet",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
FOREIGN = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel file of the old kind (.xls)",
    b"%PDF-": "a PDF document",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"SQLite format 3\x00": "an SQLite database",
    b"ARROW1\x00\x00": "an Arrow file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
Item = TypeVar("Item")

READABLE = "CSV, TSV or other text (plain, .gz or .zst), Parquet or Excel (.xlsx)"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of known kind: `csv`, `parquet` or `xlsx`, and what tells that it changed."""

    path: Path
    format: str
    compression: str | None
    bytes: int
    changed_ns: int


def identify(path: Path) -> Source:
    """Return what the file is, by its first bytes.

    Raises:
        BadInput: there is no such file, it is a pipe, cannot be read, is empty, or is nothing we read.
    """
    with readable(path):
        if path.is_dir():
            raise BadInput(f"{path}: is a folder, expected a file; name the files in it, such as '*.csv'")
        state = path.stat()
        if not S_ISREG(state.st_mode):
            kind = "a pipe" if S_ISFIFO(state.st_mode) else "a device or a socket"
            raise BadInput(f"{path}: is {kind}, which is not read here; write it to a file first")
        with path.open("rb") as file:
            head = file.read(16)
    if not head:
        raise BadInput(f"{path}: is empty (0 bytes), expected a header and rows")
    kind = _kind(path, head)
    _refuse_false_name(path, kind)
    compression = kind if kind in ("gzip", "zstd") else None
    return Source(
        path=path,
        format="csv" if compression or kind == "text" else kind,
        compression=compression,
        bytes=state.st_size,
        changed_ns=state.st_mtime_ns,
    )


def packed_kind(head: bytes) -> str | None:
    """Return what the first unpacked bytes begin, where that is no text: packed once more, a workbook."""
    known = {"gzip": "a gzip archive", "zstd": "a zstd archive", "parquet": "a Parquet file"}
    known["zip"] = "an Excel workbook or a zip archive"
    own = {magic: known[kind] for magic, kind in MAGIC.items()}
    return next((name for magic, name in {**own, **FOREIGN}.items() if head.startswith(magic)), None)


def _kind(path: Path, head: bytes) -> str:
    for magic, name in FOREIGN.items():
        if head.startswith(magic):
            raise BadInput(f"{path}: is {name}, which is not read here; save it as {READABLE}")
    kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), "text")
    if kind != "zip":
        return kind
    try:
        with ZipFile(path) as archive:
            if any(name.startswith("xl/workbook.") for name in archive.namelist()):
                return "xlsx"
    except (BadZipFile, OSError) as error:
        raise BadInput(f"{path}: is a damaged Excel or zip file ({error}); make or copy it anew") from error
    raise BadInput(f"{path}: is a zip archive and no Excel workbook; unpack it first")


def _refuse_false_name(path: Path, kind: str) -> None:
    claimed = {".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx", ".xlsm": "xlsx"}.get(
        path.suffix.lower()
    )
    if claimed and kind != claimed:
        spoken = {"parquet": "a Parquet file", "xlsx": "an Excel workbook"}
        really = spoken.get(kind, "compressed" if kind in ("gzip", "zstd") else "text or damaged")
        raise BadInput(
            f"{path}: is named {path.suffix} but is not {spoken[claimed]} (it is {really});"
            " save it anew, or rename it if it is text"
        )


def shown(path: Path) -> str:
    """Return the path as text that can be printed and stored: bytes that are no UTF-8 as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@lru_cache(maxsize=64)
def digest(source: Source) -> str:
    """Return the SHA-256 of the file's bytes in hexadecimal.

    Raises:
        BadInput: the file changed since it was identified, or cannot be read.
    """
    with readable(source.path), source.path.open("rb") as file:
        refuse_change(source)
        found = hashlib.file_digest(file, "sha256").hexdigest()
        refuse_change(source)
    return found


def blocks(source: Source, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield the unpacked bytes in blocks of `size`, each with how much of the file is behind it.

    Raises:
        BadInput: the file changed since it was identified, or cannot be unpacked to its end.
    """
    with readable(source.path), source.path.open("rb") as file:
        refuse_change(source)
        unpacked = _unpacked(source, file)
        while block := unpacked.read(size):
            yield block, source.bytes if len(block) < size else min(file.tell(), source.bytes)
        refuse_change(source)


def overlapping(source: Source, size: int, most: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the bytes of a plain file in blocks, each with how many of its last bytes begin the next one too.

    These are what stands behind the last line feed, unless that is more than `most` bytes.

    Raises:
        BadInput: the file changed since it was identified.
    """
    with readable(source.path), source.path.open("rb", buffering=0) as file:
        refuse_change(source)
        while block := _full(file, size):
            last = block.rfind(b"\n") + 1
            again = len(block) - last if last and len(block) == size else 0
            again = again if again <= most else 0
            file.seek(-again, os.SEEK_CUR)
            yield block, again, file.tell()
        refuse_change(source)


def _full(file: IO[bytes], size: int) -> bytes:
    """Return the next `size` bytes, fewer only at the end of the file."""
    block = file.read(size)
    while block and len(block) < size and (more := file.read(size - len(block))):
        block += more
    return block


def ahead(blocks: Iterator[Item]) -> Iterator[Item]:
    """Yield the same blocks, the next one read and unpacked while the last one is looked at."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        coming = beside.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = beside.submit(next, blocks, None)
            yield block


def _unpacked(source: Source, file: IO[bytes]) -> IO[bytes]:
    if source.compression == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb"))
    if source.compression == "zstd":
        import pyarrow as pa  # 0.1 s that only such a file costs

        return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"))
    return file


def refuse_change(source: Source) -> None:
    """Raise BadInput when the file is not the one that was identified any more."""
    state = source.path.stat()
    if (state.st_size, state.st_mtime_ns) != (source.bytes, source.changed_ns):
        raise BadInput(f"{source.path}: changed while it was read; start again when nobody writes to it")


@contextmanager
def readable(path: Path) -> Iterator[Any]:
    """Turn what the system or an unpacker says of the file into a sentence.

    Raises:
        BadInput: instead of OSError, EOFError and zlib.error.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(f"{path}: there is no such file") from error
    except PermissionError as error:
        raise BadInput(f"{path}: may not be read by this user; change its permissions") from error
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise BadInput(f"{path}: no file has so long a name; look how it is written") from error
        raise BadInput(f"{path}: cannot be read to its end ({error}); copy or make it anew") from error
