"""MNIST digits (LeCun 1998), padded to 32x32: 60,000 to train on, 10,000 to test."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

SIZE = 32
CLASSES = 10
_COUNTS = {"train": 60_000, "test": 10_000}


class DataError(Exception):
    """The data set is missing or damaged; the message says what to do."""


def load(root: str | Path, split: str = "train", download: bool = False) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 32, 32) float32 in [-1, 1], black is -1, and labels (N,) int64.

    Args:
        root: the folder that holds (or will hold) MNIST/raw.
        split: "train" or "test".
        download: fetch the files where they are missing (11 MB).

    Raises:
        DataError: missing or damaged files, or a failed download.
    """
    from torchvision.datasets import MNIST  # slow to import, and the app can start without it

    try:
        data = MNIST(str(root), train=split == "train", download=download)
        images, labels = data.data, data.targets
        if images.shape != (_COUNTS[split], 28, 28) or labels.shape != (_COUNTS[split],):
            raise ValueError(f"unexpected shape {tuple(images.shape)}")
    except Exception as error:
        raise DataError(_advice(Path(root), error)) from error
    return pad(images[:, None].float() / 127.5 - 1), labels


def pad(images: Tensor) -> Tensor:
    """(B, 1, 28, 28) -> (B, 1, 32, 32), two black pixels on each side."""
    return F.pad(images, (2, 2, 2, 2), value=-1.0)


def _advice(root: Path, error: Exception) -> str:
    raw = root / "MNIST" / "raw"
    if raw.exists():
        return f"The MNIST files in {raw} are incomplete or damaged: delete that folder and run again ({error})."
    return (
        f"MNIST is not in {root}, and could not be downloaded: check the network, or point to a folder that holds "
        f"MNIST/raw ({error})."
    )
