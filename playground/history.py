"""How an adversarial training went: pictures, logits and figures at some moments of it, packed small."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

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
    """Read a history.

    Raises:
        UserError: it is not there, or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        whole, ends = arrays.pop("pictures").tobytes(), arrays.pop("ends")
        starts = [0, *ends[:-1]]
        pictures = [whole[a:b] for a, b in zip(starts, ends, strict=True)]
        return History(**{**arrays, "pictures": pictures, "columns": int(arrays["columns"])})
    except Exception as error:  # numpy and zipfile raise many kinds
        name = path.name.removesuffix(".history.npz")
        raise UserError(f"{path.name} is missing or damaged: make it with `python -m train {name}`") from error
