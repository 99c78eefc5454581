"""The settings inside a file of a run, as `media` wrote them."""

import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from playground.runtime.validation import UserError

LOST = (
    "holds no settings of this app: another program made it, or they were lost on the way, as in a screenshot, through "
    "the clipboard and in many messengers"
)

# Errors of the decoders at a damaged or foreign file; RuntimeError is one that is encrypted, or nested too deeply.
DAMAGED = (Image.DecompressionBombError, ValueError, LookupError, SyntaxError, RuntimeError, EOFError, MemoryError,
           zipfile.BadZipFile, zlib.error, struct.error)  # fmt: skip


MAX_METADATA = 50_000_000  # bytes in an NPZ file: a small file may hold gigabytes of zeros


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a PNG, GIF or NPZ file: its settings, and the command or link that makes it again.

    Raises:
        UserError: The file cannot be read, or holds none.
    """
    try:
        metadata: object = _read_npz(path) if zipfile.is_zipfile(path) else _read_picture(path)
    except (Image.UnidentifiedImageError, *DAMAGED):
        metadata = None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if not isinstance(metadata, dict) or "settings" not in metadata:
        raise UserError(f"{path.name} {LOST}")
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def _read_npz(path: Path) -> object:
    with path.open("rb") as file, np.load(file) as arrays:  # np.load leaves a damaged file open
        if arrays.zip.getinfo("metadata.npy").file_size > MAX_METADATA:
            return None
        return json.loads(str(arrays["metadata"]))


def _read_picture(path: Path) -> object:
    with Image.open(path, formats=("PNG", "GIF")) as picture:
        return json.loads(picture.info["comment"]) if picture.format == "GIF" else picture.info
