"""Number plans as tables, from the metadata of phonenumbers: what digits become, and what numbers are."""
