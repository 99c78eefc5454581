"""The device on which checkpoints are measured: a GPU if there is one."""

import os
from pathlib import Path
from typing import Any

import torch

from playground.runtime import checkpoint

# A GPU for each process of `accelerate launch`.
DEVICE = (
    torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if torch.cuda.is_available() else torch.device("cpu")
)


def load(path: Path, family: str | None = None) -> Any:
    """Return a checkpoint's model on the device."""
    return checkpoint.load(path, family, DEVICE)
