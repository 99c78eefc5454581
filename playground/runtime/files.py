"""Atomic writing of files, and errors of the operating system as one sentence for the user."""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from playground.runtime.validation import UserError

ABANDONED = 24 * 3600.0  # seconds after which nobody writes to a temporary file any more


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a temporary file, for writing bytes, that replaces `path` when the block ends, or is deleted if the block
    fails; raise UserError if the disk is full, the folder is read-only ... If several write the same path at once, the
    file of the last one to end stays, whole. What a killed process leaves is deleted by a later one."""
    path = Path(path)
    # Unlike a file of `tempfile`, it has the permissions of any new file.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    with os_errors_to_user_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _delete_abandoned(path.parent.absolute())
        file = partial.open("xb")
        try:
            with file:
                yield file
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


@lru_cache(maxsize=64)  # once for each folder
def _delete_abandoned(folder: Path) -> None:
    """Delete the temporary files that processes left behind in a folder when they were killed, at the earliest a day
    before."""
    for partial in folder.glob(f"*.{'[0-9a-f]' * 8}.partial"):
        with contextlib.suppress(OSError):  # another process deletes it too, or it belongs to another user
            if time.time() - partial.stat().st_mtime > ABANDONED:
                partial.unlink()


def check_writable(folder: str | Path) -> None:
    """Create a folder if it is missing, and check that files can be written to it, before hours of work are lost; raise
    UserError if not."""
    with os_errors_to_user_error(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


@contextlib.contextmanager
def os_errors_to_user_error(path: str | Path, verb: str = "written") -> Iterator[None]:
    """Turn an OSError into a UserError that says which file or folder cannot be written, or "read" or the like."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} cannot be {verb}: {error.strerror or error}") from error


def version(path: str | Path) -> tuple[int, ...]:
    """Return numbers that change whenever a file is written or replaced, for the keys of caches.

    Returns:
        Inode, size, and times of modification and of status change; empty if the file is missing. The last one
        changes even if a file is replaced by another of the same size and modification time.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
