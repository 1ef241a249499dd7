"""A pretended AgentPhone, webhooks included."""
