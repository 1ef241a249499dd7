"""Compiles what is written in C while the package is built, where there is a C compiler.

Without one the package is installed all the same: Python gives the same answers, slower.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SOURCES = {
    "dialer/contacts/kernel/kernel.c": "dialer/contacts/kernel/libkernel.so",
    "dialer/lists/split.c": "dialer/lists/libsplit.so",
    "dialer/tables/render/render.c": "dialer/tables/render/librender.so",
}
_OPTIONS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
_TIMEOUT_S = 120


class KernelHook(BuildHookInterface[Any]):
    """Puts the compiled kernel into wheels, and next to its source for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; `version` is `standard` or `editable`."""
        without: dict[str, list[str]] = {}
        for source, library in _SOURCES.items():
            target = Path(self.root, library)
            why_not = compile_kernel(Path(self.root, source), target)
            if why_not:
                target.unlink(missing_ok=True)
                without.setdefault(why_not, []).append(source)
            else:
                build_data["artifacts"].append(library)
        for why_not, sources in without.items():
            said = "not compiled, Python does its work instead"
            self.app.display_warning(f"{', '.join(sources)}: {said}: {why_not}")
        if not build_data["artifacts"]:
            return
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def compile_kernel(source: Path, target: Path) -> str | None:
    """Compile a source into a shared library; return None, or in one line why that failed."""
    if sys.platform == "win32":
        return "Windows"
    compilers = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    compiler = next(
        (shlex.split(each) for each in compilers if each and shutil.which(shlex.split(each)[0])), None
    )
    if compiler is None:
        return "no C compiler found (CC, cc, gcc, clang)"
    # Its headers begin with its name.
    files = sorted(source.parent.glob(f"{source.stem}*.[ch]"))
    checksum = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    made = target.with_suffix(".new")
    define = f'-DKERNEL_SOURCE="{checksum}"'
    try:
        command = [*compiler, *_OPTIONS, define, "-o", str(made), str(source)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        if ended.returncode:
            return f"{compiler[0]} failed: {(ended.stderr.strip() or 'no message').splitlines()[0]}"
        # A process that has the old library loaded keeps it.
        made.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{compiler[0]} failed: {error}"
    finally:
        made.unlink(missing_ok=True)
    return None
