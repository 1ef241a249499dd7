"""Texts to numbers exactly as libphonenumber reads them, whole columns at once."""
