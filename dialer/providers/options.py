"""The keys of an account that only its provider knows, checked as strictly as the common ones."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dialer.base.errors import BadInput
from dialer.base.settings import Account, account_options, account_token
from dialer.base.words import did_you_mean

Options = TypeVar("Options", bound=BaseModel)


def read_options(account: Account, model: type[Options]) -> Options:
    """Return the account's own keys of its provider, with defaults where left out.

    Raises:
        BadInput: a key is unknown (with the nearest known one) or its value cannot be meant.
    """
    known = {*Account.model_fields, *model.model_fields} - {"name"}
    given: dict[str, Any] = account_options(account)
    for key in given:
        if key not in model.model_fields:
            raise BadInput(
                f"accounts.{account.name}.{key}: not a setting of provider "
                f"'{account.provider}'{did_you_mean(key, known)}"
            )
    try:
        return model.model_validate(given)
    except ValidationError as error:
        # Never the value as pydantic prints it, nor its input: a secret may stand in the wrong line.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"accounts.{account.name}.{where}: {first['msg']}") from None


def read_base_url(account: Account, default: str) -> str:
    """Return the API's address without a slash at its end. Raises BadInput where it is none."""
    url = (account.base_url or default).strip().rstrip("/")
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("http", "https") or not rest or any(mark in rest for mark in "@?# "):
        raise BadInput(
            f"accounts.{account.name}.base_url: expected an address such as {default}, "
            "without user name, query or spaces"
        )
    return url


def read_token(account: Account) -> str:
    """Return the account's secret, fit for a header.

    Raises:
        BadInput: it is missing, or holds what no header may hold; it is not shown.
    """
    token = account_token(account).strip()
    if re.fullmatch(r"[!-~]+", token) is None:
        raise BadInput(
            f"accounts.{account.name}.token: empty, or it holds a space, a line break or a non-ASCII sign; "
            "was more than the token copied?"
        )
    return token
