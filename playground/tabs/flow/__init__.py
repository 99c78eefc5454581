"""The tab of normalizing flows."""
