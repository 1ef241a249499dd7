"""dialer: a contact list in, calls out, every execution id in a results database."""

__version__ = "0.1.0"
