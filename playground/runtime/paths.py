"""Folders of the app."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """Folders where the app finds its files: the checkpoints, and the data sets."""

    weights: Path
    data: Path

    def checkpoint(self, name: str) -> Path:
        """Return the path of a checkpoint."""
        return self.weights / f"{name}.safetensors"
