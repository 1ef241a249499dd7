"""How each provider is spoken to: one module each, and what all of them promise."""
