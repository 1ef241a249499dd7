"""AgentPhone: calls, numbers, agents, signed webhooks."""

from dialer.providers.agentphone.provider import AgentPhone

__all__ = ["AgentPhone"]
