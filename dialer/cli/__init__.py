"""The same by command."""
