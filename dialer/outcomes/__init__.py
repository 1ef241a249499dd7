"""Attempts -> outcomes: what came of every accepted call."""
