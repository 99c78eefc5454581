"""Data sets as objects: recipes, tabs and the judge read all they need to know of one from its `Dataset`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from playground.runtime.validation import UserError

Sample = Callable[[int, torch.Generator], Tensor]  # (n, rng) -> training images (n, C, H, W) in [-1, 1]

ALL = slice(None)
N_TEST = 10_000  # test images of each data set of this package
TEST_NUMBERS = (0, N_TEST - 1)  # lowest and highest number of a test image


class Loader(Protocol):
    """Function that loads one split of a data set."""

    def __call__(
        self, root: str | Path, split: str = "train", download: bool = False, subset: slice = ALL
    ) -> tuple[Tensor, Tensor]:
        """Load the images and labels of a split; they may be cached, so do not write to them.

        Args:
            root: Data folder.
            split: "train" or "test".
            download: Download the files if they are missing.
            subset: Images of the split to load, all by default.

        Returns:
            Images (N, C, H, W) float32 in [-1, 1], and labels (N,) int64, all 0 in a data set without classes.

        Raises:
            DataError: Files are missing, damaged or unreadable, or the download failed.
        """


@dataclass(frozen=True)
class Dataset:
    """Data set of images. To add one, define `DATASET` in a file of this package."""

    name: str  # name on the command line and in checkpoints
    title: str  # name for people
    description: str  # source and number of training images, for the provenance of checkpoints
    shape: tuple[int, int, int]  # shape of an image (C, H, W)
    classes: tuple[str, ...]  # names of the classes in the order of their labels; empty if there are none
    load: Loader  # function that loads a split
    padding: int = 0  # number of pixels of constant padding on each side of an image
    n_test: int = N_TEST  # number of test images
    # In data sets that are rendered, `make_sample(root, device)` returns a function that renders random training
    # images, without end; None in data sets of files.
    make_sample: Callable[[str | Path, torch.device], Sample] | None = None
    # Colour "#rrggbb" of each class, where the classes are colours; empty otherwise.
    class_colours: tuple[str, ...] = ()
    # Function that makes a drawing or a photograph, grey uint8 (H, W), look like the images of the data set, (1, C, H,
    # W) in [-1, 1], with ink and ground swapped or not; None where this makes no sense.
    normalize: Callable[[np.ndarray, bool], Tensor] | None = None
    # Function that returns the known factors of a subset of n test images, by name, each (n,); None if they are not
    # known.
    test_factors: Callable[[slice], Mapping[str, Tensor]] | None = None

    def load_test_image(self, root: str | Path, number: int) -> Tensor:
        """Load a test image (1, C, H, W) in [-1, 1], downloaded when first needed, or raise UserError if it cannot be
        loaded."""
        images, _ = self.load(root, "test", download=True, subset=slice(number, number + 1))
        if not len(images):
            raise UserError(f"{self.title} has no test image {number}")
        return images

    def remove_padding(self, images: Tensor) -> Tensor:
        """Crop images (N, C, H, W) to (N, C, H - 2 padding, W - 2 padding)."""
        height, width = images.shape[-2:]
        return images[..., self.padding : height - self.padding, self.padding : width - self.padding]
