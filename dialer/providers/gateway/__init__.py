"""Any gateway that is described in dialer.toml: `provider = "http"`."""

from dialer.providers.gateway.provider import Gateway

__all__ = ["Gateway"]
