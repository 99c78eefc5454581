"""Tests of the normalization of drawn digits, and of the digits that come with the page."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from playground.datasets import mnist
from playground.datasets.download import DataError
from playground.families import judge
from playground.runtime import checkpoint


def ink_box(image: torch.Tensor) -> tuple[int, int, int, int]:
    """Return the first and last row and the first and last column that are not black."""
    rows, columns = ((image[0, 0] > -0.9).any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize(("height", "width"), [(100, 100), (200, 60), (7, 30)])
@pytest.mark.parametrize(("background", "ink"), [(0, 255), (255, 0), (128, 255), (200, 120)])
def test_a_drawing_is_scaled_to_20_pixels_and_centred(height, width, background, ink):
    grey = np.full((300, 250), background, np.uint8)
    grey[10 : 10 + height, 180 : 180 + width] = ink
    image = mnist.normalize(grey)
    assert (image.shape, image.dtype) == ((1, 1, 32, 32), torch.float32)
    assert -1 <= image.min() <= image.max() <= 1
    top, bottom, left, right = ink_box(image)
    assert max(bottom - top, right - left) + 1 == 20
    assert (top + bottom) / 2 == pytest.approx(15.5, abs=0.6)
    assert (left + right) / 2 == pytest.approx(15.5, abs=0.6)


def test_the_centre_of_mass_is_moved_to_the_middle():
    """An L is heavy at the bottom left, so its bounding box moves up and to the right, as in MNIST."""
    grey = np.zeros((100, 100), np.uint8)
    grey[20:80, 20:30] = 255
    grey[70:80, 20:80] = 255
    image = mnist.normalize(grey)[0, 0].double() + 1
    rows = float((image.sum(1) * torch.arange(32)).sum() / image.sum())
    columns = float((image.sum(0) * torch.arange(32)).sum() / image.sum())
    assert (rows, columns) == (pytest.approx(15.5, abs=0.6), pytest.approx(15.5, abs=0.6))
    top, _, left, _ = ink_box(mnist.normalize(grey))
    assert top < 6 < left


SPECKS = np.zeros((1000, 1000), np.uint8)
SPECKS[1, 1] = SPECKS[-2, -2] = 255  # they vanish when the bounding box is scaled to 20 pixels


@pytest.mark.parametrize(
    "grey", [np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8), np.full((1, 1), 90, np.uint8), SPECKS]
)
def test_a_blank_drawing_is_refused(grey):
    with pytest.raises(ValueError, match="blank"):
        mnist.normalize(grey)


def test_the_first_hundred_test_digits_need_no_files(tmp_path: Path) -> None:
    images, labels = mnist.load(tmp_path, "test", subset=slice(100))
    assert images.shape == (100, 1, 32, 32)
    classifier = cast(judge.Model, checkpoint.load(checkpoint.WEIGHTS / "judge-digits.safetensors"))
    assert (classifier(images).argmax(1) == labels).float().mean() >= 0.97
    assert torch.equal(mnist.load(tmp_path, "test", subset=slice(18, 19))[0], images[18:19])
    with pytest.raises(DataError):
        mnist.load(tmp_path, "test", subset=slice(99, 101))
    with pytest.raises(DataError):
        mnist.load(tmp_path, "train", subset=slice(1))
