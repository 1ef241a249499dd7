"""Rows -> contacts: exact E.164, types, time zones, repairs, rejects. Never touches the database."""
