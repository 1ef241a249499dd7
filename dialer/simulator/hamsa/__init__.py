"""A pretended Hamsa, campaigns and webhooks included."""
