"""Recordings: the frames of a run as images and figures, for the page and for export."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from torch import Tensor

from playground.runtime import pictures
from playground.runtime.run import Frame

Item = TypeVar("Item")

MAX_FRAMES = 251  # 250 steps and the last frame; of longer runs an even subset is recorded


@dataclass(frozen=True, eq=False)  # arrays are not compared, so that a run can be a key
class Recording:
    """Frames of a run of a diffusion model."""

    # Step and time of each frame (F,).
    steps: list[int]
    t: list[int]
    # Images, uint8 (F, N, H, W, C); eps_hat is clipped to three standard deviations.
    x: np.ndarray
    x0_hat: np.ndarray
    eps_hat: np.ndarray
    eps_rms: list[float]  # root mean square of eps_hat over pixels and images (F,); 1 for unit noise
    x0_change: list[float]  # root mean square of the change of x0_hat since the frame before (F,)
    coefficients: list[Mapping[str, float]]  # numbers of the sampler's step from each frame (F,), see `Frame`

    @property
    def images(self) -> np.ndarray:
        """Return the sampled images, uint8 (N, H, W, C)."""
        return self.x[-1]


class Recorder:
    """Recorder of at most `MAX_FRAMES` frames of a run of so many steps, the first and the last included."""

    def __init__(self, steps: int):
        self._recorded_steps = subsample(range(steps + 1), MAX_FRAMES)
        self._rows: list[tuple[object, ...]] = []  # of a frame each, the fields of `Recording`
        self._last_x0_hat: Tensor | None = None

    def add(self, frame: Frame) -> None:
        """Record a frame, unless its step is left out of a long run."""
        if frame.step not in self._recorded_steps:
            return
        last_x0_hat = frame.x0_hat if self._last_x0_hat is None else self._last_x0_hat
        self._last_x0_hat = frame.x0_hat
        images = pictures.to_uint8(frame.x), pictures.to_uint8(frame.x0_hat), pictures.noise_to_uint8(frame.eps_hat)
        figures = _rms(frame.eps_hat), _rms(frame.x0_hat - last_x0_hat), frame.coefficients
        self._rows.append((frame.step, frame.t, *images, *figures))

    def recording(self) -> Recording:
        """Return the frames recorded so far."""
        steps, t, x, x0_hat, eps_hat, *figures = map(list, zip(*self._rows, strict=True))
        return Recording(steps, t, np.stack(x), np.stack(x0_hat), np.stack(eps_hat), *figures)


def subsample(items: Sequence[Item], n: int) -> list[Item]:
    """Return n of the items at equal distances, with the first and the last; all if there are fewer."""
    indices = np.linspace(0, len(items) - 1, min(len(items), n))
    return [items[i] for i in indices.round().astype(int).tolist()]


def _rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


def record(frames: Iterator[Frame], steps: int) -> Recording:
    """Record a run of a diffusion model with the given number of steps."""
    recorder = Recorder(steps)
    for frame in frames:
        recorder.add(frame)
    return recorder.recording()


def record_images(frames: Iterator[Frame], steps: int, to_images: Callable[[Frame], Tensor]) -> np.ndarray:
    """Record a run of any family of so many steps as images, uint8 (F, N, H, W, C), by its `Family.to_images`."""
    recorded_steps = subsample(range(steps + 1), MAX_FRAMES)
    return np.stack([pictures.to_uint8(to_images(frame)) for frame in frames if frame.step in recorded_steps])
