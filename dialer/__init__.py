"""dialer: a contact list in, calls out, every execution id in a results database.

    import dialer
    dialer.outcomes("renewals")                              # polars, one row per contact
    dialer.contacts.normalize(frame, phone=["mobile"], region="IN")

`dialer.outcomes` and `dialer.attempts` are rooms of the house and tables at once: modules that can be
called. polars and SQLAlchemy come in with the first call, so that `dialer --help` is quick.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dialer.tables.analyst import attempts as attempts
    from dialer.tables.analyst import outcomes as outcomes
    from dialer.tables.analyst import rejects as rejects

__version__ = "0.1.0"


class _Table(ModuleType):
    """A module that returns its table when it is called."""

    def __call__(self, campaign: str | None = None, *, database_url: str | None = None) -> Any:
        read = getattr(import_module("dialer.tables.analyst"), self.__name__.rpartition(".")[2])
        return read(campaign, database_url=database_url)


for _room in ("dialer.attempts", "dialer.outcomes"):
    # Before anybody else can import them: from here on the name means both, whatever comes first.
    import_module(_room).__class__ = _Table


def __getattr__(name: str) -> Any:
    """Bring in what is used without being imported."""
    if name == "rejects":
        return import_module("dialer.tables.analyst").rejects
    if name == "contacts":
        return import_module("dialer.contacts")
    raise AttributeError(f"module 'dialer' has no attribute '{name}'")
