"""Tests of MNIST and Fashion-MNIST: reading, damaged files and downloads."""

import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets

from playground.datasets import mnist
from playground.datasets.download import DataError
from playground.datasets.idx import IdxDataset
from playground.datasets.registry import DATASETS

Arrays = tuple[np.ndarray, np.ndarray]


@pytest.fixture(params=["MNIST", "FashionMNIST"])
def dataset(request: pytest.FixtureRequest) -> IdxDataset:
    return IdxDataset(request.param, request.param, mnist.pad)


def write_idx(raw: Path, split: str, images: np.ndarray, labels: np.ndarray) -> Path:
    """Write the files of a split in the IDX format, and empty files for the other split."""
    raw.mkdir(parents=True, exist_ok=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    (raw / f"{split}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, *images.shape) + images.tobytes())
    (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, *labels.shape) + labels.tobytes())
    return raw


@pytest.fixture
def arrays() -> Arrays:
    """Images and labels of a test split; image i holds i % 256 in its first pixel and 255 in its last."""
    images, labels = np.zeros((10_000, 28, 28), np.uint8), np.arange(10_000) % 10
    images[:, 0, 0], images[:, -1, -1] = np.arange(10_000) % 256, 255
    return images, labels.astype(np.uint8)


@pytest.fixture
def raw(dataset: IdxDataset, tmp_path: Path, arrays: Arrays) -> Path:
    """Folder with the files of the test split."""
    return write_idx(tmp_path / dataset.torchvision_name / "raw", "t10k", *arrays)


def error_message(dataset: IdxDataset, root: Path, split: str = "test") -> str:
    """Return the message of a failed load: one line that names the folder."""
    with pytest.raises(DataError) as caught:
        dataset.load(root, split)
    message = str(caught.value)
    assert "\n" not in message
    assert str(root) in message
    return message


def test_images_are_padded_to_32_and_scaled_to_minus_1_and_1(
    dataset: IdxDataset, tmp_path: Path, raw: Path, arrays: Arrays
) -> None:
    images, labels = dataset.load(tmp_path, "test")
    assert (images.shape, images.dtype) == ((10_000, 1, 32, 32), torch.float32)
    assert (labels.tolist(), labels.dtype) == (arrays[1].tolist(), torch.int64)
    assert images[[0, 51, 255], 0, 2, 2].tolist() == pytest.approx([-1, 51 / 127.5 - 1, 1])
    assert (images[:, :, 29, 29] == 1).all()
    for border in (images[:, :, :2], images[:, :, -2:], images[..., :2], images[..., -2:]):
        assert (border == -1).all()


@pytest.mark.usefixtures("raw")
def test_the_files_are_read_as_torchvision_reads_them(dataset: IdxDataset, tmp_path: Path) -> None:
    expected = getattr(torchvision.datasets, dataset.torchvision_name)(str(tmp_path), train=False)
    images, labels = dataset.load(tmp_path, "test")
    assert torch.equal(mnist.crop(images)[:, 0], expected.data.float() / 127.5 - 1)
    assert torch.equal(labels, expected.targets)


def test_a_missing_data_set_says_where_it_was_looked_for(dataset: IdxDataset, tmp_path: Path) -> None:
    message = error_message(dataset, tmp_path)
    assert f"{dataset.title} is not in" in message
    assert "check the network" in message


@pytest.mark.parametrize("part", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("size", [None, 0, 3, 1000])
def test_damaged_files_say_what_to_delete(
    dataset: IdxDataset, tmp_path: Path, raw: Path, part: str, size: int | None
) -> None:
    if size is None:
        (raw / part).unlink()
    else:
        (raw / part).write_bytes((raw / part).read_bytes()[:size])
    assert "delete that folder and run again" in error_message(dataset, tmp_path)


@pytest.mark.usefixtures("raw")
def test_an_empty_split_is_damaged(dataset: IdxDataset, tmp_path: Path) -> None:
    assert "incomplete or damaged" in error_message(dataset, tmp_path, "train")


def test_another_number_of_images_is_damage(dataset: IdxDataset, tmp_path: Path, raw: Path, arrays: Arrays) -> None:
    images, labels = arrays
    write_idx(raw, "t10k", images[:100], labels[:100])
    assert "unexpected shape (100, 28, 28)" in error_message(dataset, tmp_path)


def test_files_of_another_type_are_damaged(dataset: IdxDataset, tmp_path: Path, raw: Path) -> None:
    path = raw / "t10k-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x0d" + path.read_bytes()[3:])  # the code of float32
    assert "no complete IDX file" in error_message(dataset, tmp_path)


@pytest.fixture
def server_folder(
    dataset: IdxDataset, tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Folder that the data set is downloaded from: the test split, and empty files for the training split."""
    raw, folder = write_idx(tmp_path / "source", "t10k", *arrays), tmp_path / "server"
    folder.mkdir()
    resources = []
    for path in sorted(raw.iterdir(), reverse=True):
        archive = folder / f"{path.name}.gz"
        archive.write_bytes(gzip.compress(path.read_bytes(), 1))
        resources.append((archive.name, hashlib.md5(archive.read_bytes()).hexdigest()))
    downloader = getattr(torchvision.datasets, dataset.torchvision_name)
    monkeypatch.setattr(downloader, "resources", resources)
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        monkeypatch.setattr(downloader, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        threading.Thread(target=server.serve_forever).start()
        yield folder
        server.shutdown()


def test_missing_files_are_downloaded(dataset: IdxDataset, tmp_path: Path, server_folder: Path) -> None:
    images, _ = dataset.load(tmp_path / "data", "test", download=True)
    assert len(images) == 10_000
    raw = tmp_path / "data" / dataset.torchvision_name / "raw"
    assert {path.name for path in raw.iterdir()} == {path.stem for path in server_folder.iterdir()}


def test_an_interrupted_download_leaves_nothing_behind(
    dataset: IdxDataset, tmp_path: Path, server_folder: Path
) -> None:
    archive = min(server_folder.iterdir())  # the last one that is downloaded
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="could not be fetched"):
        dataset.load(tmp_path / "data", "test", download=True)
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    archive.write_bytes(content)
    assert len(dataset.load(tmp_path / "data", "test", download=True)[0]) == 10_000


@pytest.mark.usefixtures("raw")
def test_images_are_kept_as_bytes(dataset: IdxDataset, tmp_path: Path) -> None:
    sizes: list[int] = []
    measured = replace(dataset, transform=lambda images: (sizes.append(len(images)), images)[1])
    measured.load(tmp_path, "test", subset=slice(3, 5))
    assert sizes == [2], "only what is asked for becomes floats"
    ((images, _),) = measured._cache.values()
    assert images.nbytes == 10_000 * 28 * 28


@pytest.mark.usefixtures("raw")
def test_two_first_visitors_share_one_copy(dataset: IdxDataset, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        (_, first), (_, second) = pool.map(lambda download: dataset.load(tmp_path, "test", download), [False, True])
    assert first.data_ptr() == second.data_ptr()


def test_compressed_files_of_the_system_are_used_where_the_data_folder_has_none(tmp_path: Path, arrays: Arrays) -> None:
    folder = write_idx(tmp_path / "system", "t10k", *arrays)
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        path.unlink()
    dataset = IdxDataset("Fashion-MNIST", "FashionMNIST", mnist.pad, system_folder=folder)
    assert dataset.load(tmp_path / "data", "test")[1].tolist() == arrays[1].tolist()
    write_idx(tmp_path / "data" / "FashionMNIST" / "raw", "t10k", 255 - arrays[0], arrays[1])
    images, _ = IdxDataset("Fashion-MNIST", "FashionMNIST", mnist.pad, system_folder=folder).load(
        tmp_path / "data", "test"
    )
    assert images[0, 0, 2, 2] == 1, "files in the data folder come first"


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_the_registry_describes_the_data_set(name: str, tmp_path: Path, arrays: Arrays) -> None:
    dataset = DATASETS[name]
    assert (dataset.name, dataset.shape, len(dataset.classes)) == (name, (1, 32, 32), 10)
    write_idx(tmp_path / {"digits": "MNIST", "fashion_mnist": "FashionMNIST"}[name] / "raw", "t10k", *arrays)
    images, labels = dataset.load(tmp_path, "test")
    assert images.shape[1:] == dataset.shape
    assert torch.equal(dataset.remove_padding(images), mnist.crop(images))
    assert labels.unique().tolist() == list(range(len(dataset.classes)))


SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not SYSTEM_FOLDER.is_dir(), reason="the package dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_the_system_has_balanced_classes(tmp_path: Path) -> None:
    images, labels = DATASETS["fashion_mnist"].load(tmp_path, "test")
    assert images.shape == (10_000, 1, 32, 32)
    assert labels.bincount().tolist() == [1000] * 10
    brightness = [images[labels == DATASETS["fashion_mnist"].classes.index(name)].mean() for name in ("coat", "sandal")]
    assert brightness[0] > brightness[1] + 0.3, "a coat covers more of an image than a sandal"
