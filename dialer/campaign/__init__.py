"""What a campaign says: `campaign.toml` becomes a `Campaign`, and its JSON Schema."""
