"""Contacts -> calls: loaded, allowed now, claimed."""
