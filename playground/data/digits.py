"""MNIST digits (LeCun 1998), padded to 32x32: 60,000 to train on, 10,000 to test."""

import socket
import threading
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from playground.validation import UserError

SIZE = 32
CLASSES = 10
TRAINING = "MNIST (LeCun 1998), the 60,000 training digits"
COUNTS = {"train": 60_000, "test": 10_000}
PATIENCE = 10.0  # seconds to wait for another's download, and for a server's next word in one
_kept: dict[tuple[Path, str], tuple[Tensor, Tensor]] = {}
_lock = threading.Lock()


class DataError(UserError):
    """The data set is missing or damaged; the message says what to do."""


def load(root: str | Path, split: str = "train", download: bool = False) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 32, 32) float32 in [-1, 1], black is -1, and labels (N,) int64.

    Kept in memory once read; do not write to the tensors.

    Args:
        root: the folder that holds (or will hold) MNIST/raw.
        split: "train" or "test".
        download: fetch the files where they are missing (11 MB).

    Raises:
        DataError: missing or damaged files, or a failed download.
    """
    key = Path(root).resolve(), split
    if key in _kept:
        return _kept[key]
    if not _lock.acquire(timeout=PATIENCE):  # two first visitors fetch and read once
        raise DataError("MNIST is being fetched for someone else: try again in a moment")
    try:
        if key not in _kept:
            _kept[key] = _read(Path(root), split, download)
        return _kept[key]
    finally:
        _lock.release()


def _read(root: Path, split: str, download: bool) -> tuple[Tensor, Tensor]:
    from torchvision.datasets import MNIST  # slow to import, and the app can start without it

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)  # torchvision sets none
    try:
        data = MNIST(str(root), train=split == "train", download=download)
        images, labels = data.data, data.targets
        if images.shape != (COUNTS[split], 28, 28) or labels.shape != (COUNTS[split],):
            raise UserError(f"unexpected shape {tuple(images.shape)}")
    except Exception as error:
        raise DataError(_advice(root, error)) from error
    finally:
        socket.setdefaulttimeout(before)
    return pad(images[:, None].float() / 127.5 - 1), labels


def centred(grey: np.ndarray) -> Tensor:
    """A picture of a digit as MNIST would hold it: (1, 1, 32, 32) in [-1, 1].

    The ink's bounding box is scaled to 20 pixels and its centre of mass put in the middle (LeCun 1998, "MNIST").

    Args:
        grey: uint8 (H, W), ink on a ground that fills most of the border; which of them is bright does not matter.

    Raises:
        UserError: a picture of one colour.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey.astype(np.float32) - np.median(border))  # whatever differs from the ground, bright or dark
    rows, columns = (np.flatnonzero((ink > max(32.0, 0.25 * ink.max())).any(axis)) for axis in (1, 0))
    if not len(rows):
        raise UserError("the picture is blank: it needs light ink on a dark ground, or the other way round")
    ink = (255 * ink / ink.max()).astype(np.uint8)
    stroke = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = 20 / max(stroke.size)
    width, height = (max(1, round(side * scale)) for side in stroke.size)
    stroke = stroke.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)
    digit = np.asarray(stroke, np.float32)
    h, w = digit.shape
    mass = digit.sum()
    if mass == 0:
        raise UserError("the picture is all but blank: its strokes are too thin to be read at 20 x 20 pixels")
    top = round(SIZE / 2 - 0.5 - float((digit.sum(1) * np.arange(h)).sum() / mass))
    left = round(SIZE / 2 - 0.5 - float((digit.sum(0) * np.arange(w)).sum() / mass))
    top, left = (min(max(2, start), SIZE - 2 - side) for start, side in ((top, h), (left, w)))
    image = np.zeros((SIZE, SIZE), np.float32)
    image[top : top + h, left : left + w] = digit
    return torch.from_numpy(image)[None, None] / 127.5 - 1


def pad(images: Tensor) -> Tensor:
    """(B, 1, 28, 28) -> (B, 1, 32, 32), two black pixels on each side."""
    return F.pad(images, (2, 2, 2, 2), value=-1.0)


def crop(images: Tensor) -> Tensor:
    """(B, 1, 32, 32) -> (B, 1, 28, 28), the inverse of `pad`."""
    return images[..., 2:-2, 2:-2]


def _advice(root: Path, error: Exception) -> str:
    raw, reason = root / "MNIST" / "raw", str(error).strip().partition("\n")[0]
    if any(raw.glob("*")):
        return f"the MNIST files in {raw} are incomplete or damaged: delete that folder and run again ({reason})"
    return (
        f"MNIST is not in {root} and could not be fetched: check the network, or point --data to a folder that holds "
        f"MNIST/raw ({reason})"
    )
