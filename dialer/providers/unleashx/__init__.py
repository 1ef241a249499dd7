"""UnleashX: calls, numbers, agents, costs; what its documents leave open is a setting."""

from dialer.providers.unleashx.provider import UnleashX

__all__ = ["UnleashX"]
