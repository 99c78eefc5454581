"""The device on which checkpoints are measured: a GPU if there is one."""

from pathlib import Path
from typing import Any

import torch

from playground.runtime import checkpoint

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load(path: Path, family: str | None = None) -> Any:
    """Return a checkpoint's model on the device."""
    return checkpoint.load(path, family, DEVICE)
