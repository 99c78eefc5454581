"""Where checkpoints are measured: on a GPU if there is one."""

import copy
from pathlib import Path
from typing import Any

import torch

from playground import checkpoint

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load(path: Path, expect: str | None = None) -> Any:
    """A checkpoint's model there; a copy, since the one that `playground.checkpoint` keeps belongs to all."""
    return copy.deepcopy(checkpoint.load(path, expect)).to(DEVICE)
