"""What is told of a rejected row."""

TOLD = (
    "campaign",
    "list_file",
    "list_row",
    "list_line",
    "column",
    "raw",
    "reason",
    "detail",
    "suggestion",
    "row",
)
"""The columns beside the list's own in a file of rejects: as in the view `rejects`."""
