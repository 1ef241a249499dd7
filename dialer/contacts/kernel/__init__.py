"""Cells -> numbers in compiled code: the same answers as the rest of this room gives, faster."""

from dialer.contacts.kernel.binding import load_library
from dialer.contacts.kernel.kernel import FIELDS, HAS_PLUS, IS_BARE, IS_BLANK, IS_FOREIGN, Kernel

__all__ = ["FIELDS", "HAS_PLUS", "IS_BARE", "IS_BLANK", "IS_FOREIGN", "Kernel", "load_library"]
