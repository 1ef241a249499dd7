"""A pretended UnleashX."""
