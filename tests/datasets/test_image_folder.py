"""Tests of folders of a user's own images."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from playground.datasets.image_folder import MIN_IMAGES, read_image_folder
from playground.runtime.validation import UserError

SIZES = [(16, 16), (40, 16), (16, 90), (300, 200)]


def write_images(
    folder: Path, n: int = MIN_IMAGES, mode: str = "RGB", sizes: Sequence[tuple[int, int]] = SIZES
) -> None:
    """Write images of one colour, number i with i in its first channel."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        colour = i if mode == "L" else (i, 100, 200)
        Image.new(mode, sizes[i % len(sizes)], colour).save(folder / f"{i:03}.png")


def error_message(folder: Path, size: int = 16) -> str:
    """Return the message of a folder that is rejected: one line that names it."""
    with pytest.raises(UserError) as caught:
        read_image_folder(folder, size, 3).load("")
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_images_of_any_size_are_scaled_and_split(tmp_path: Path) -> None:
    write_images(tmp_path, 40)
    dataset = read_image_folder(tmp_path, 16, 3)
    assert (dataset.shape, dataset.classes) == ((3, 16, 16), ())
    assert dataset.description == f"the folder {tmp_path.name} of 40 images"
    train, labels = dataset.load("")
    test, _ = dataset.load("", "test")
    assert len(test) == dataset.n_test
    assert (train.shape, train.dtype) == ((36, 3, 16, 16), torch.float32)
    assert (test.shape, labels.tolist()) == ((4, 3, 16, 16), [0] * 36)
    values = ((torch.cat([train, test])[:, :, 8, 8] + 1) * 127.5).round()
    assert sorted(values[:, 0].tolist()) == list(range(40)), "every image is in one of the splits"
    assert (values[:, 1:] == torch.tensor([100, 200])).all()


def test_images_are_cropped_to_their_central_square(tmp_path: Path) -> None:
    write_images(tmp_path)
    wide = Image.new("RGB", (300, 100), (255, 0, 0))
    wide.paste((0, 0, 255), (100, 0, 200, 100))
    wide.save(tmp_path / "000.png")
    image = read_image_folder(tmp_path, 32 // 2, 3).load("", "test")[0][0]
    assert (image[:, :, 1:-1] == torch.tensor([-1.0, -1, 1])[:, None, None]).all()


def test_subfolders_are_classes(tmp_path: Path) -> None:
    write_images(tmp_path / "dogs", 20)
    write_images(tmp_path / "cats" / "black", 10)
    dataset = read_image_folder(tmp_path, 16, 3)
    assert dataset.classes == ("cats", "dogs")
    labels = torch.cat([dataset.load("", split)[1] for split in ("train", "test")])
    assert labels.bincount().tolist() == [10, 20]
    images, labels = dataset.load("")
    assert ((images[labels == 0][:, 0, 0, 0] + 1) * 127.5).max().round() == 9


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_have_as_many_channels_as_asked(tmp_path: Path, mode: str, channels: int) -> None:
    write_images(tmp_path, mode=mode)
    dataset = read_image_folder(tmp_path, 16, channels)
    assert dataset.shape == (channels, 16, 16)
    assert dataset.load("")[0].shape[1] == channels


def test_other_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "README.txt").write_text("some notes")
    (tmp_path / ".hidden.png").write_text("no image")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").write_text("no image")
    assert len(read_image_folder(tmp_path, 16, 3).load("")[0]) == 18


@pytest.mark.parametrize("n", [0, 1, MIN_IMAGES - 1])
def test_too_few_images_are_rejected(tmp_path: Path, n: int) -> None:
    write_images(tmp_path, n)
    assert f"holds {n} images" in error_message(tmp_path)


def test_small_images_are_rejected_by_name(tmp_path: Path) -> None:
    write_images(tmp_path)
    message = error_message(tmp_path, 64)
    assert "15 of the 20 images" in message
    assert "are smaller than 64 x 64 pixels, such as 000.png (16 x 16)" in message


def test_unreadable_images_are_rejected_by_name(tmp_path: Path) -> None:
    write_images(tmp_path)
    for name in ("text.png", "empty.jpg"):
        (tmp_path / name).write_text("no image" * (name == "text.png"))
    assert "2 of the 22 images" in error_message(tmp_path)
    assert "cannot be read, such as empty.jpg: remove them" in error_message(tmp_path)


def test_an_image_that_is_damaged_after_its_header_is_rejected_by_name(tmp_path: Path) -> None:
    write_images(tmp_path)
    path = tmp_path / "damaged.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    assert "damaged.png cannot be used: the file is not a picture that can be read" in error_message(tmp_path)


def test_images_beside_subfolders_are_rejected(tmp_path: Path) -> None:
    write_images(tmp_path / "cats")
    write_images(tmp_path, 1)
    assert "both in subfolders and beside them" in error_message(tmp_path)


def test_a_missing_folder_is_rejected(tmp_path: Path) -> None:
    assert "--data-folder must be a folder" in error_message(tmp_path / "missing")
