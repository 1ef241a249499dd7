"""List file -> rows: which file, which format, which column is which; never the database."""

from dialer.lists.columns import find_column, likely_phone_columns
from dialer.lists.find import find_lists
from dialer.lists.open import open_list
from dialer.lists.shape import Batch, ListFile, ListInfo
from dialer.lists.source import shown

__all__ = [
    "Batch",
    "ListFile",
    "ListInfo",
    "find_column",
    "find_lists",
    "likely_phone_columns",
    "open_list",
    "shown",
]
