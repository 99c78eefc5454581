"""Measurements of trained checkpoints: sample quality, prompts, disentanglement, and the tables of results."""
