"""MNIST digits (LeCun 1998), padded to 32x32: 60,000 training and 10,000 test images."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from playground.datasets.dataset import ALL, Dataset
from playground.datasets.handwriting import extract_ink
from playground.datasets.idx import IdxDataset
from playground.runtime.validation import UserError

SIZE = 32
PADDING = 2  # black pixels on each side of the 28 x 28 pixels of the files
N_CLASSES = 10
DESCRIPTION = "MNIST (LeCun 1998), the 60,000 training digits"


def pad(images: Tensor) -> Tensor:
    """Pad images (B, 1, 28, 28) to (B, 1, 32, 32) with two black pixels on each side."""
    return F.pad(images, [PADDING] * 4, value=-1.0)


def crop(images: Tensor) -> Tensor:
    """Crop images (B, 1, 32, 32) to (B, 1, 28, 28): the inverse of `pad`."""
    return images[..., PADDING:-PADDING, PADDING:-PADDING]


FIRST_TEST = Path(__file__).with_name("mnist_first_test.npz")  # the first hundred test digits
_FILES = IdxDataset("MNIST", "MNIST", pad, first_test=FIRST_TEST)


def load(root: str | Path, split: str = "train", download: bool = False, subset: slice = ALL) -> tuple[Tensor, Tensor]:
    """Load the digits of a split; the labels are cached, so do not write to them.

    Args:
        root: Data folder, which contains MNIST/raw or will contain it.
        split: "train" or "test".
        download: Download the files if they are missing (11 MB); the first hundred test digits need none.
        subset: Images of the split to load, all by default.

    Returns:
        Images (N, 1, 32, 32) float32 in [-1, 1], where black is -1, and labels (N,) int64.

    Raises:
        DataError: Files are missing or damaged, or the download failed.
    """
    return _FILES.load(root, split, download, subset)


def normalize(grey: np.ndarray, swap: bool = False) -> Tensor:
    """Normalize the drawing or the photograph of a digit as MNIST does (LeCun 1998, "MNIST").

    The bounding box of the ink is scaled to 20 pixels, and its centre of mass moved to the middle.

    Args:
        grey: uint8 (H, W), dark ink on a bright background or the reverse.
        swap: See `extract_ink`.

    Returns:
        Image (1, 1, 32, 32) in [-1, 1], bright on black.

    Raises:
        UserError: The drawing is blank.
    """
    return scale_and_centre(extract_ink(grey, swap), 20)


def scale_and_centre(ink: np.ndarray, side: int) -> Tensor:
    """Scale ink uint8 (h, w) to a length of its longer side and put its centre of mass in the middle of an image.

    Args:
        side: At most 28 pixels.

    Returns:
        Image (1, 1, 32, 32) in [-1, 1], bright on black.

    Raises:
        UserError: Nothing of it is left.
    """
    drawing = _scale(ink, side)
    if not drawing.any():
        raise UserError(f"the picture is all but blank: its strokes are too thin to be read at {side} x {side} pixels")
    return torch.from_numpy(_centre(drawing))[None, None] / 127.5 - 1


def _scale(ink: np.ndarray, side: int) -> np.ndarray:
    """Scale uint8 (h, w) to a length of its longer side, as float32."""
    image = Image.fromarray(ink)
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(image.resize((width, height), resampling), np.float32)


def _centre(drawing: np.ndarray) -> np.ndarray:
    """Put a drawing (h, w) on black (32, 32), its centre of mass in the middle, as far as 2 pixels stay free."""
    h, w = drawing.shape
    mass = drawing.sum()
    top = round(SIZE / 2 - 0.5 - float((drawing.sum(1) * np.arange(h)).sum() / mass))
    left = round(SIZE / 2 - 0.5 - float((drawing.sum(0) * np.arange(w)).sum() / mass))
    top, left = (min(max(2, start), SIZE - 2 - side) for start, side in ((top, h), (left, w)))
    image = np.zeros((SIZE, SIZE), np.float32)
    image[top : top + h, left : left + w] = drawing
    return image


DATASET = Dataset(
    "digits", "MNIST digits", DESCRIPTION, (1, SIZE, SIZE), tuple("0123456789"), load, PADDING, normalize=normalize
)
