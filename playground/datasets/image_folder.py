"""Folders of a user's own images as data sets: any sizes, grey or colour, optionally one subfolder for each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from playground.datasets.dataset import ALL, Dataset
from playground.datasets.download import DataError
from playground.runtime import pictures
from playground.runtime.validation import UserError, check_folder

MIN_IMAGES = 20
TEST_PERIOD = 10  # one image in this many is for tests


def read_image_folder(folder: str | Path, size: int, channels: int) -> Dataset:
    """Describe a folder of images as a data set, checking all images by their headers.

    Images are scaled and cropped to their central square; every tenth one is left for tests.

    Args:
        folder: Folder of images, or of one subfolder for each class; other files are ignored.
        size: Height and width of the images of the data set, in pixels.
        channels: 1 for grey, 3 for RGB.

    Raises:
        UserError: The folder is missing, or its images are too few, too small or unreadable.
    """
    folder = check_folder("--data-folder", Path(folder)).resolve()  # the name of "." is empty
    paths, labels, classes = _list_images(folder)
    if len(paths) < MIN_IMAGES:
        raise DataError(
            f"{folder} holds {len(paths)} images ({_SUFFIX_LIST}), and training needs at least {MIN_IMAGES}"
        )
    _check_headers(folder, paths, size)
    return Dataset(
        name=folder.name,
        title=folder.name,
        description=f"the folder {folder.name} of {len(paths):,} images",
        shape=(channels, size, size),
        classes=classes,
        n_test=len(paths[::TEST_PERIOD]),
        load=_ImageFolder(paths, labels, size, channels).load,
    )


_SUFFIX_LIST = ", ".join(sorted(pictures.FILE_TYPES))


def _list_images(folder: Path) -> tuple[tuple[Path, ...], tuple[int, ...], tuple[str, ...]]:
    """Return the paths of all images, the label of each, and the names of the classes, empty without subfolders."""
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in pictures.FILE_TYPES)
    images = [path for path in paths if _is_visible(path, folder)]
    in_subfolders = [path for path in images if path.parent != folder]
    if not in_subfolders:
        return tuple(images), (0,) * len(images), ()
    if len(in_subfolders) < len(images):
        raise DataError(
            f"{folder} holds images both in subfolders and beside them: put all into the folder, or each into the "
            "subfolder of its class"
        )
    names = [path.relative_to(folder).parts[0] for path in images]
    classes = sorted(set(names))
    return tuple(images), tuple(classes.index(name) for name in names), tuple(classes)


def _is_visible(path: Path, folder: Path) -> bool:
    """Return False for hidden files and for files in hidden folders."""
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _check_headers(folder: Path, paths: Sequence[Path], size: int) -> None:
    """Check that all images can be opened and are large enough, or raise DataError."""
    unreadable, small = [], []
    for path in paths:
        try:
            with Image.open(path, formats=pictures.FORMATS) as image:
                if min(image.size) < size:
                    small.append(f"{path.relative_to(folder)} ({image.width} x {image.height})")
        except Exception:  # the decoders raise many kinds
            unreadable.append(str(path.relative_to(folder)))
    for problem, names, advice in (
        ("cannot be read", unreadable, "remove them"),
        (f"are smaller than {size} x {size} pixels", small, "remove them, or choose a smaller size"),
    ):
        if names:
            raise DataError(
                f"{len(names)} of the {len(paths)} images in {folder} {problem}, such as {names[0]}: {advice}"
            )


@dataclass(frozen=True)
class _ImageFolder:
    """Images of a folder with their labels."""

    paths: tuple[Path, ...]  # files of the images
    labels: tuple[int, ...]  # index of the class of each image
    size: int  # height and width to scale and crop to, in pixels
    channels: int  # 1 for grey, 3 for RGB

    def load(
        self, root: str | Path = "", split: str = "train", download: bool = False, subset: slice = ALL
    ) -> tuple[Tensor, Tensor]:
        """Load a split, see `Loader`; the paths are known, so `root` and `download` have no effect."""
        images, labels = _decode(self), torch.tensor(self.labels)
        in_test = torch.arange(len(labels)) % TEST_PERIOD == 0
        index = (in_test if split == "test" else ~in_test).nonzero()[subset, 0]
        return images[index].float() / 127.5 - 1, labels[index]


@lru_cache(maxsize=1)
def _decode(folder: _ImageFolder) -> Tensor:
    """Decode all images to uint8 (N, C, H, W), or raise DataError if one is damaged or has too many pixels."""
    images = np.empty((len(folder.paths), folder.size, folder.size, folder.channels), np.uint8)
    for i, path in enumerate(folder.paths):
        try:
            images[i] = pictures.open_square(path, folder.size, folder.channels)
        except UserError as error:
            raise DataError(f"{path} cannot be used: {error}") from error
    return torch.from_numpy(images).permute(0, 3, 1, 2)
