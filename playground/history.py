"""How an adversarial training went: pictures, logits and figures at some moments of it, packed small."""

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from playground.validation import UserError

Array = np.ndarray


class History(NamedTuple):
    """M moments of a training, S samples of each figure at a moment, L points of the curves.

    Attributes:
        steps: of the moments (M,).
        pictures: of the same codes at each moment, as the bytes of a WebP picture.
        columns: in which they are laid out.
        real, fake: logits of data and of samples (M, S).
        slopes: norms of D's gradient between data and samples (M, S).
        classes: how many of the judged samples were read as each class (M, 10).
        frechet: Frechet distances of the judged samples, in floors (M,).
        curve_steps: of the curves (L,).
        curves: losses of D and G, and norms of their gradients (4, L), see `CURVES`.
    """

    steps: Array
    pictures: list[bytes]
    columns: int
    real: Array
    fake: Array
    slopes: Array
    classes: Array
    frechet: Array
    curve_steps: Array
    curves: Array


CURVES = ("discriminator", "generator", "discriminator_gradient", "generator_gradient")


def save(path: Path, history: History) -> Path:
    """Write a history; never half a file."""
    arrays: dict[str, Any] = history._asdict()
    arrays["ends"] = np.cumsum([len(picture) for picture in history.pictures])
    arrays["pictures"] = np.frombuffer(b"".join(history.pictures), np.uint8)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return partial.replace(path)


def load(path: Path) -> History:
    """Read a history; kept until the file changes.

    Raises:
        UserError: it is not there, or damaged.
    """
    return _load(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=32)
def _load(path: Path, mtime_ns: int) -> History:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = dict(found)
        whole, ends = arrays.pop("pictures").tobytes(), arrays.pop("ends")
        starts = [0, *ends[:-1]]
        pictures = [whole[a:b] for a, b in zip(starts, ends, strict=True)]
        return History(**{**arrays, "pictures": pictures, "columns": int(arrays["columns"])})
    except Exception as error:  # numpy and zipfile raise many kinds
        name = path.name.removesuffix(".history.npz")
        raise UserError(f"{path.name} is missing or damaged: make it with `python -m train {name}`") from error


def tiles(history: History) -> Array:
    """The pictures, uint8 (M, N, H, W, 1); small ones, of a network that grows, have larger pixels."""
    sheets = [np.asarray(Image.open(io.BytesIO(picture)).convert("L")) for picture in history.pictures]
    side = max(sheet.shape[1] for sheet in sheets) // history.columns
    return np.stack([_cut(sheet, history.columns, side) for sheet in sheets])


def _cut(sheet: Array, columns: int, side: int) -> Array:
    """A sheet of square pictures as (N, side, side, 1)."""
    factor = side * columns // sheet.shape[1]
    large = sheet.repeat(factor, 0).repeat(factor, 1)
    rows = large.shape[0] // side
    return large.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side, 1)


def since(history: History) -> dict[str, Array]:
    """The curves at the moments, each (M,): means since the moment before, or what is noted next."""
    ends = np.searchsorted(history.curve_steps, history.steps, side="right")
    last = len(history.curve_steps) - 1
    means = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        start = min(start, last)
        means.append(history.curves[:, start : max(end, start + 1)].mean(axis=1))
    return dict(zip(CURVES, np.stack(means, axis=1), strict=True))


FEW = 0.01  # of the samples: a class that is read less often is not covered


def covered(history: History) -> Array:
    """How many classes are covered at each moment, (M,)."""
    return (history.classes >= FEW * history.classes.sum(axis=1, keepdims=True)).sum(axis=1)
