"""Tests of atomic writing, even on a full disk."""

import contextlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from playground.export import media
from playground.families import judge
from playground.families.gan import history
from playground.runtime import checkpoint, files
from playground.runtime.validation import UserError


@contextlib.contextmanager
def full_disk(limit: int = 100) -> Iterator[None]:
    """Limit the size of files, in bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_complete_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for content in (b"first", b"second"):
        with files.atomic_write(path) as file:
            file.write(content)
            assert not path.exists() or path.read_bytes() == b"first"
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("size", [1000, 1_000_000])  # in one write as the file is closed, and in many
def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"before")
    with full_disk(), pytest.raises(UserError, match=r"a\.txt cannot be written: File too large"):  # noqa: SIM117
        with files.atomic_write(path) as file:
            file.write(bytes(size))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


NOISE = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
WRITERS: dict[str, Callable[[Path], object]] = {
    "a checkpoint": lambda path: checkpoint.save(path, judge.Model(judge.Config(width=8)), {}),
    "a history": lambda path: history.save(path, history.History(NOISE, [bytes(9)], 1, *[NOISE] * 7)),
    "png": lambda path: media.write_png(path, NOISE[0], {"prompt": "a dog" * 50}),
    "gif": lambda path: media.write_gif(path, NOISE[:, None], {"prompt": "a dog" * 50}),
    "npz": lambda path: media.write_npz(path, {"images": NOISE}, {"prompt": "a dog"}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_leaves_the_old_file_on_a_full_disk(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.file"
    WRITERS[name](path)
    before = path.read_bytes()
    with full_disk(), pytest.raises(UserError, match=r"a\.file cannot be written: File too large"):
        WRITERS[name](path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_writers_left_a_day_ago_is_deleted(tmp_path: Path) -> None:
    path, now = tmp_path / "a[1].txt", time.time()
    ages = {"a[1].txt.00000000.partial": 25, "a[1].txt.11111111.partial": 23, "own.partial": 25}  # hours
    for name, hours in ages.items():
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (now - 3600 * hours,) * 2)
    with files.atomic_write(path) as file:
        file.write(b"whole")
    assert {found.name for found in tmp_path.iterdir()} == {path.name, *ages} - {"a[1].txt.00000000.partial"}


def test_two_writers_of_a_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with files.atomic_write(path) as first:
        first.write(b"of the first, ")
        with files.atomic_write(path) as second:
            second.write(b"of the second")
        assert path.read_bytes() == b"of the second"
        first.write(b"which ends last")
    assert path.read_bytes() == b"of the first, which ends last"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with files.atomic_write(tmp_path / "a.txt"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_interruption_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), files.atomic_write(path):
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["file/a.txt", "folder"])
def test_an_unwritable_path_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"{name} cannot be written: "), files.atomic_write(tmp_path / name):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


def test_a_version_changes_with_every_write(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    assert files.version(path) == ()
    path.write_bytes(b"before")
    status = path.stat()
    versions = [files.version(path)]
    assert files.version(path) == versions[0]
    path.write_bytes(b"after!")  # of the same length and age, as after `cp -p`
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    versions.append(files.version(path))
    with files.atomic_write(path) as file:
        file.write(b"once more")
    versions.append(files.version(path))
    assert len(set(versions)) == 3


def test_a_folder_is_checked_by_writing_to_it(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="file cannot be written: "):
        files.check_writable(tmp_path / "file")
