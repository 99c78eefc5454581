"""Foundations of all other packages: checkpoints, seeded noise, frames of a run, inference, image files, validation."""
