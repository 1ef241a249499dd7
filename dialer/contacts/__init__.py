"""Rows -> contacts: E.164 numbers, or the reason why a row is not one."""

from dialer.contacts.rows import normalize
from dialer.contacts.strict import parse_numbers

__all__ = ["normalize", "parse_numbers"]
