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

RAGGED = "put a cell that holds the delimiter between quotes, or fill in its columns in an export of rejects"
"""What may be done about a row that has other fields than the header; of the cells nothing is known."""
