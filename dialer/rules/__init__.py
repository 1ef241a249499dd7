"""Which hours, caps and refusals bind a contact: dated rules, places, local time and windows.

Rules are data with sources (`presets/`), never legal advice. Nothing here touches the database.
"""
