"""Calls -> attempts: paced, sent, recorded, reconciled."""
