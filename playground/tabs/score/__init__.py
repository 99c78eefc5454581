"""The tab of score matching and of what follows a score."""
