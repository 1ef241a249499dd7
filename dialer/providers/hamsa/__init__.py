"""Hamsa: calls on three paths, numbers, conversations, webhooks with a shared secret."""

from dialer.providers.hamsa.provider import Hamsa

__all__ = ["Hamsa"]
