"""Where secrets are kept, which is never in a file that is committed, and which keys hold one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from dialer.base.errors import BadInput

HIDDEN = "***"
"""What stands in messages and logs in place of a secret."""

_SECRET_KEY = re.compile(
    r"(^|_)(tokens?|secrets?|passwords?|passwd|api_?keys?|auth_?keys?|credentials?|authorization|cookie)$|^database_url$",
    re.IGNORECASE,
)


def is_secret(key: str) -> bool:
    """Return whether a value under this key is not to be shown: `token`, `webhook_secret`."""
    return _SECRET_KEY.search(key.replace("-", "_")) is not None


def is_reference(text: str) -> bool:
    """Return whether `text` says where a secret is kept: `env:NAME` or `file:PATH`."""
    return re.match(r"(env|file):\s*\S", text) is not None


def read_secret(reference: str, key: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the secret that `env:NAME` or `file:PATH` leads to, without the blanks around it.

    Args:
        reference: where it is kept. A text that is no reference is the secret itself.
        key: whose it is, for messages: `accounts.unleashx.token`.
        environment: in place of the process's own.

    Raises:
        BadInput: the variable is not set, the file cannot be read, or it holds no usable secret.
    """
    if not is_reference(reference):
        return reference
    kind, _, name = (part.strip() for part in reference.partition(":"))
    if kind == "env":
        value = (os.environ if environment is None else environment).get(name, "")
        if not value.strip():
            raise BadInput(
                f"{key}: the environment variable {name} is not set; export {name}=... and try again"
            )
        origin = f"the environment variable {name}"
    else:
        value = _text_of(Path(name), key)
        origin = f"the file {name}"
    secret = value.strip()
    # It travels in a header: anything else would fail there, in words that may quote it.
    if not re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", secret):
        raise BadInput(f"{key}: {origin} is empty or not one line of plain characters")
    return secret


def _text_of(file: Path, key: str) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"{key}: the file {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{key}: the file {file} is not UTF-8 text") from error
