"""MNIST from its four files, and what is said when they are not there."""

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from playground.data import digits


def write_idx(root: Path, split: str, images: np.ndarray, labels: np.ndarray) -> Path:
    """MNIST's own format: a magic number, the sizes, the bytes. The files of the other split are there, but empty."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    (raw / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, *images.shape) + images.tobytes())
    (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, *labels.shape) + labels.tobytes())
    return raw


@pytest.fixture
def fake() -> tuple[np.ndarray, np.ndarray]:
    """As many images as MNIST's test set has: number i holds i % 256 in its first pixel and 255 in its last."""
    images, labels = np.zeros((10_000, 28, 28), np.uint8), np.arange(10_000) % 10
    images[:, 0, 0], images[:, -1, -1] = np.arange(10_000) % 256, 255
    return images, labels.astype(np.uint8)


def refused(root: Path, split: str = "test") -> str:
    """The message of a refusal: one line that names the folder."""
    with pytest.raises(digits.DataError) as caught:
        digits.load(root, split)
    message = str(caught.value)
    assert "\n" not in message
    assert str(root) in message
    return message


def test_images_are_padded_to_32_and_scaled_to_minus_1_and_1(tmp_path, fake):
    write_idx(tmp_path, "t10k", *fake)
    images, labels = digits.load(tmp_path, "test")
    assert (images.shape, images.dtype) == ((10_000, 1, 32, 32), torch.float32)
    assert (labels.tolist(), labels.dtype) == (fake[1].tolist(), torch.int64)
    assert images[[0, 51, 255], 0, 2, 2].tolist() == pytest.approx([-1, 51 / 127.5 - 1, 1])
    assert (images[:, :, 29, 29] == 1).all()
    for border in (images[:, :, :2], images[:, :, -2:], images[..., :2], images[..., -2:]):
        assert (border == -1).all()


def test_a_missing_data_set_says_where_it_was_looked_for(tmp_path):
    message = refused(tmp_path)
    assert "MNIST is not in" in message
    assert "check the network" in message


@pytest.mark.parametrize("part", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("keep", [None, 0, 3, 1000])
def test_damaged_files_say_what_to_delete(tmp_path, fake, part, keep):
    raw = write_idx(tmp_path, "t10k", *fake)
    if keep is None:
        (raw / part).unlink()
    else:
        (raw / part).write_bytes((raw / part).read_bytes()[:keep])
    assert "delete that folder and run again" in refused(tmp_path)


def test_an_empty_split_is_damage(tmp_path, fake):
    write_idx(tmp_path, "t10k", *fake)
    assert "incomplete or damaged" in refused(tmp_path, "train")


def test_another_number_of_images_is_damage(tmp_path, fake):
    images, labels = fake
    write_idx(tmp_path, "t10k", images[:100], labels[:100])
    assert "unexpected shape (100, 28, 28)" in refused(tmp_path)


def ink_box(image: torch.Tensor) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is not black."""
    rows, columns = ((image[0, 0] > -0.9).any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize(("height", "width"), [(100, 100), (200, 60), (7, 30)])
@pytest.mark.parametrize(("ground", "ink"), [(0, 255), (255, 0), (128, 255), (200, 120)])
def test_a_drawing_is_scaled_to_20_pixels_and_centred(height, width, ground, ink):
    grey = np.full((300, 250), ground, np.uint8)
    grey[10 : 10 + height, 180 : 180 + width] = ink
    image = digits.centred(grey)
    assert (image.shape, image.dtype) == ((1, 1, 32, 32), torch.float32)
    assert -1 <= image.min() <= image.max() <= 1
    top, bottom, left, right = ink_box(image)
    assert max(bottom - top, right - left) + 1 == 20
    assert (top + bottom) / 2 == pytest.approx(15.5, abs=0.6)
    assert (left + right) / 2 == pytest.approx(15.5, abs=0.6)


def test_the_centre_is_that_of_mass():
    """An L is heavy below and at the left: its box moves up and to the right, as MNIST's does."""
    grey = np.zeros((100, 100), np.uint8)
    grey[20:80, 20:30] = 255
    grey[70:80, 20:80] = 255
    image = digits.centred(grey)[0, 0].double() + 1
    rows = float((image.sum(1) * torch.arange(32)).sum() / image.sum())
    columns = float((image.sum(0) * torch.arange(32)).sum() / image.sum())
    assert (rows, columns) == (pytest.approx(15.5, abs=0.6), pytest.approx(15.5, abs=0.6))
    top, _, left, _ = ink_box(digits.centred(grey))
    assert top < 6 < left


SPECKS = np.zeros((1000, 1000), np.uint8)
SPECKS[1, 1] = SPECKS[-2, -2] = 255  # nothing is left of them when the box shrinks to 20 pixels


@pytest.mark.parametrize(
    "grey", [np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8), np.full((1, 1), 90, np.uint8), SPECKS]
)
def test_a_blank_drawing_is_refused(grey):
    with pytest.raises(ValueError, match="blank"):
        digits.centred(grey)


def test_two_first_visitors_share_what_is_read_once(tmp_path, fake):
    write_idx(tmp_path, "t10k", *fake)
    with ThreadPoolExecutor(2) as pool:
        (one, _), (other, _) = pool.map(lambda download: digits.load(tmp_path, "test", download), [False, True])
    assert one is other
