"""Columns of text -> the bytes of a file, in compiled code where there is some; formats.py does without."""
