"""Generative models you can see at work, and read. `load` gives a checkpoint that samples."""

from playground.pipeline import Pipeline, Run, load

__all__ = ["Pipeline", "Run", "load"]
