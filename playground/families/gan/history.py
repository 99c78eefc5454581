"""History of an adversarial training: samples, logits and measurements at checkpoints of it, in a small file."""

import io
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from playground.runtime import files
from playground.runtime.validation import UserError

Array = np.ndarray


class History(NamedTuple):
    """History of a training with M checkpoints, S values of each measurement and L points of the curves."""

    steps: Array  # steps of the checkpoints (M,)
    pictures: list[bytes]  # grids of samples from the same codes, a WebP file each
    columns: int  # columns of these grids
    # Logits of data and of samples (M, S).
    real: Array
    fake: Array
    slopes: Array  # norms of D's gradient between data and samples (M, S)
    classes: Array  # number of samples that the judge assigns to each class (M, 10)
    frechet: Array  # Frechet distances of the samples, in units of that of real data (M,)
    curve_steps: Array  # steps of the curves (L,)
    curves: Array  # losses of D and G, and norms of their gradients (4, L), see `CURVES`


CURVES = ("discriminator", "generator", "discriminator_gradient", "generator_gradient")


def save(path: Path, history: History) -> Path:
    """Write a history to a file, atomically."""
    ends = np.cumsum([len(picture) for picture in history.pictures])
    pictures = np.frombuffer(b"".join(history.pictures), np.uint8)
    with files.atomic_write(path) as file:
        np.savez_compressed(file, **history._asdict() | {"ends": ends, "pictures": pictures})
    return path


def load(path: Path) -> History:
    """Read a history, cached until the file changes, or raise UserError if it is missing or damaged."""
    return _load(path, files.version(path))


@lru_cache(maxsize=32)
def _load(path: Path, version: tuple[int, ...]) -> History:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        data, ends = arrays.pop("pictures").tobytes(), arrays.pop("ends")
        starts = [0, *ends[:-1]]
        pictures = [data[a:b] for a, b in zip(starts, ends, strict=True)]
        return History(**{**arrays, "pictures": pictures, "columns": int(arrays["columns"])})
    except Exception as error:  # numpy and zipfile raise many kinds
        name = path.name.removesuffix(".history.npz")
        raise UserError(f"{path.name} is missing or damaged: make it with `python -m train {name}`") from error


def decode_pictures(history: History) -> Array:
    """Return the samples, uint8 (M, N, H, W, 1); those of early stages of progressive growing are magnified."""
    sheets = [np.asarray(Image.open(io.BytesIO(picture)).convert("L")) for picture in history.pictures]
    side = max(sheet.shape[1] for sheet in sheets) // history.columns
    return np.stack([_split_grid(sheet, history.columns, side) for sheet in sheets])


def _split_grid(sheet: Array, columns: int, side: int) -> Array:
    """Split a grid of square pictures into (N, side, side, 1), magnified to that side."""
    factor = side * columns // sheet.shape[1]
    large = sheet.repeat(factor, 0).repeat(factor, 1)
    rows = large.shape[0] // side
    return large.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side, 1)


def average_curves(history: History) -> dict[str, Array]:
    """Return each curve at the checkpoints (M,): the mean since the checkpoint before, or the next value where there is
    none since."""
    ends = np.searchsorted(history.curve_steps, history.steps, side="right")
    last = len(history.curve_steps) - 1
    means = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        start = min(start, last)
        means.append(history.curves[:, start : max(end, start + 1)].mean(axis=1))
    return dict(zip(CURVES, np.stack(means, axis=1), strict=True))


MIN_CLASS_SHARE = 0.01  # a class with a smaller share of the samples does not count as covered


def count_covered_classes(history: History) -> Array:
    """Return the number of classes covered at each checkpoint (M,)."""
    return (history.classes >= MIN_CLASS_SHARE * history.classes.sum(axis=1, keepdims=True)).sum(axis=1)
