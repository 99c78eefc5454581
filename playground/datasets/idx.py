"""Data sets in the format of MNIST: images and labels in four IDX files, downloaded by torchvision."""

import gzip
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from playground.datasets.dataset import ALL, N_TEST
from playground.datasets.download import DataError, hold, socket_timeout

SPLIT_SIZES = {"train": 60_000, "test": N_TEST}
_FILES = {  # of each split, without the ending "-ubyte"
    "train": ("train-images-idx3", "train-labels-idx1"),
    "test": ("t10k-images-idx3", "t10k-labels-idx1"),
}
_UINT8 = b"\0\0\x08"  # an IDX file begins with its data type, followed by the number of dimensions


@dataclass(frozen=True, eq=False)
class IdxDataset:
    """Images of 28 x 28 grey values in ten classes, in four IDX files."""

    title: str  # name for messages
    torchvision_name: str  # class of `torchvision.datasets` that downloads the files, and their folder
    transform: Callable[[Tensor], Tensor]  # function applied to images (N, 1, 28, 28) in [-1, 1]
    system_folder: Path | None = None  # folder of an operating system's package with the files, compressed by gzip
    first_test: Path | None = None  # NPZ file of the first test images and labels, for which nothing is downloaded
    _cache: dict[tuple[Path, str], tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def load(
        self, root: str | Path, split: str = "train", download: bool = False, subset: slice = ALL
    ) -> tuple[Tensor, Tensor]:
        """Load a split, see `Loader`; the data are cached in memory, the images as bytes."""
        root = Path(root)
        at_hand = None if _is_complete(self._raw(root)) else self._first_test(split, subset)
        images, labels = at_hand or self._load_all(root, split, download)
        return self.transform(images[subset].float().div_(127.5).sub_(1)), labels[subset]

    def _first_test(self, split: str, subset: slice) -> tuple[Tensor, Tensor] | None:
        """Return the first test images, uint8 (n, 1, 28, 28), and labels, or None if they do not hold the subset."""
        if split != "test" or not self.first_test:
            return None
        with np.load(self.first_test) as arrays:
            images, labels = (torch.from_numpy(arrays[name]) for name in ("images", "labels"))
        indices = range(SPLIT_SIZES[split])[subset]
        return (images[:, None], labels.long()) if indices and max(indices) < len(images) else None

    def _load_all(self, root: Path, split: str, download: bool) -> tuple[Tensor, Tensor]:
        """Return all images, uint8 (N, 1, 28, 28), and labels of a split from the cache, or read them once."""
        key = root.resolve(), split
        if key in self._cache:
            return self._cache[key]
        with hold(self._lock, self.title):  # so that two first visitors download and read once
            if key not in self._cache:
                self._cache[key] = self._read(root, split, download)
            return self._cache[key]

    def _read(self, root: Path, split: str, download: bool) -> tuple[Tensor, Tensor]:
        """Read all images and labels of a split from its files, or raise DataError if that fails, or the download."""
        raw = self._raw(root)
        try:
            if not _is_complete(raw) and self.system_folder and self.system_folder.is_dir():
                raw = self.system_folder
            elif download:
                self._download(root, split)
            images, labels = (_read_idx(raw / f"{name}-ubyte") for name in _FILES[split])
            if images.shape != (SPLIT_SIZES[split], 28, 28) or labels.shape != (SPLIT_SIZES[split],):
                raise ValueError(f"unexpected shape {images.shape}")
        except DataError:  # another file is being fetched
            raise
        except Exception as error:  # torchvision raises many kinds
            raise DataError(self._advice(root, error)) from error
        return torch.from_numpy(images)[:, None], torch.from_numpy(labels).long()

    def _raw(self, root: Path) -> Path:
        """Return the folder of the files, where torchvision expects it too."""
        return root / self.torchvision_name / "raw"

    def _download(self, root: Path, split: str) -> None:
        """Download missing files into a temporary folder and move the complete ones, so that none is partial."""
        raw = self._raw(root)
        if _is_complete(raw):
            return
        import torchvision.datasets  # slow to import, and only needed here

        raw.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=raw) as folder, socket_timeout():  # torchvision sets no timeout
            getattr(torchvision.datasets, self.torchvision_name)(folder, train=split == "train", download=True)
            for path in self._raw(Path(folder)).glob("*-ubyte"):
                path.replace(raw / path.name)

    def _advice(self, root: Path, error: Exception) -> str:
        raw, reason = self._raw(root), str(error).strip().partition("\n")[0].rstrip(": ")
        if any(raw.glob("*")):
            problem = f"the {self.title} files in {raw} are incomplete or damaged"
            return f"{problem}: delete that folder and run again ({reason})"
        return (
            f"{self.title} is not in the folder {root} and could not be fetched: check the network, or point --data to "
            f"a folder that holds {self.torchvision_name}/raw ({reason})"
        )


def _is_complete(raw: Path) -> bool:
    return all((raw / f"{name}-ubyte").exists() for names in _FILES.values() for name in names)


def _read_idx(path: Path) -> np.ndarray:
    """Read a uint8 array of an IDX file, or of the compressed file beside it.

    Raises:
        ValueError: The file is no IDX file of such an array, or has another length than its header says.
        OSError: The file is missing or cannot be read.
    """
    archive = path.with_name(f"{path.name}.gz")
    content = path.read_bytes() if path.exists() or not archive.exists() else gzip.decompress(archive.read_bytes())
    n_dims = content[3] if len(content) > 3 and content[:3] == _UINT8 else 0
    shape = np.frombuffer(content[4 : 4 + 4 * n_dims], ">i4")
    if not n_dims or len(content) != 4 + 4 * n_dims + shape.prod(dtype=np.int64):
        raise ValueError(f"{path.name} is no complete IDX file")
    return np.frombuffer(bytearray(content), np.uint8, offset=4 + 4 * n_dims).reshape(shape)
