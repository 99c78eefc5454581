"""Fashion-MNIST (Xiao 2017), photographs of clothes, padded to 32x32: 60,000 training and 10,000 test images."""

from pathlib import Path

import numpy as np
from torch import Tensor

from playground.datasets.dataset import Dataset
from playground.datasets.handwriting import BLANK
from playground.datasets.idx import IdxDataset
from playground.datasets.mnist import PADDING, SIZE, pad, scale_and_centre
from playground.runtime.pictures import contrast_to_border
from playground.runtime.validation import UserError


def normalize(grey: np.ndarray, swap: bool = False) -> Tensor:
    """Normalize the picture of a piece of clothing, uint8 (H, W), whose background fills most of the border: its
    bounding box fills the image (1, 1, 32, 32) in [-1, 1], bright on black (Xiao 2017, section 2), or with `swap` dark
    on bright. Raise UserError if it is blank."""
    ink = contrast_to_border(grey)
    rows, columns = (np.flatnonzero((ink > max(32.0, 0.25 * ink.max())).any(axis)) for axis in (1, 0))
    if not len(rows):
        raise UserError(BLANK)
    ink = (255 * ink / ink.max()).astype(np.uint8)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return scale_and_centre(255 - ink if swap else ink, 28)


DATASET = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST",
    description="Fashion-MNIST (Xiao 2017), the 60,000 training images",
    shape=(1, SIZE, SIZE),
    classes=("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    load=IdxDataset(
        "Fashion-MNIST",
        "FashionMNIST",
        pad,
        system_folder=Path("/usr/share/datasets/fashion-mnist"),  # of Debian's package dataset-fashion-mnist
    ).load,
    padding=PADDING,
    normalize=normalize,
)
