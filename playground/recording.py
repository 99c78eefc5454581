"""A run of a sampler kept as pictures and numbers: what the page scrubs and the command line writes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from playground import pictures
from playground.sampling import Frame

MAX_FRAMES = 251  # 250 steps and the picture; longer runs keep an even subset


@dataclass(frozen=True)
class Recording:
    """The frames of a run.

    Attributes:
        steps, t: of each frame, (F,).
        x, x0_hat, eps_hat: uint8 (F, N, H, W, C); eps_hat is shown from -3 to 3.
        eps_rms: root mean square of eps_hat over pixels and pictures, (F,): 1 for unit noise.
        x0_change: root mean square of the change of x0_hat since the kept frame before, (F,).
    """

    steps: list[int]
    t: list[int]
    x: np.ndarray
    x0_hat: np.ndarray
    eps_hat: np.ndarray
    eps_rms: list[float]
    x0_change: list[float]

    @property
    def images(self) -> np.ndarray:
        """The finished pictures, uint8 (N, H, W, C)."""
        return self.x[-1]


class _Row(NamedTuple):
    """A frame as pictures and numbers."""

    steps: int
    t: int
    x: np.ndarray
    x0_hat: np.ndarray
    eps_hat: np.ndarray
    eps_rms: float
    x0_change: float


class Recorder:
    """Keeps at most `MAX_FRAMES` of the frames of a run as they come, the first and the last included."""

    def __init__(self, steps: int):
        self._wanted = _evenly(steps)
        self._rows: list[_Row] = []
        self._x0_before: Tensor | None = None

    def add(self, frame: Frame) -> None:
        """Keep a frame, if it is one of those to keep."""
        if frame.step not in self._wanted:
            return
        before = frame.x0_hat if self._x0_before is None else self._x0_before
        self._x0_before = frame.x0_hat
        self._rows.append(
            _Row(
                frame.step,
                frame.t,
                pictures.to_uint8(frame.x),
                pictures.to_uint8(frame.x0_hat),
                pictures.noise_to_uint8(frame.eps_hat),
                _rms(frame.eps_hat),
                _rms(frame.x0_hat - before),
            )
        )

    def recording(self) -> Recording:
        """The frames so far."""
        columns: dict[str, Any] = {name: [getattr(row, name) for row in self._rows] for name in _Row._fields}
        stacked = {name: np.stack(columns[name]) for name in ("x", "x0_hat", "eps_hat")}
        return Recording(**columns | stacked)


def _evenly(steps: int) -> set[int]:
    """The steps that are kept, of 0 ... steps."""
    return set(np.linspace(0, steps, min(steps + 1, MAX_FRAMES)).round().astype(int).tolist())


def _rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


def record(frames: Iterator[Frame], steps: int) -> Recording:
    """Drain a sampler of so many steps into a recording."""
    recorder = Recorder(steps)
    for frame in frames:
        recorder.add(frame)
    return recorder.recording()


def film(frames: Iterator[Any], steps: int, shown: Callable[[Any], Tensor]) -> np.ndarray:
    """Drain a sampler of so many steps into pictures, uint8 (F, N, H, W, C); `shown` is what a frame shows."""
    wanted = _evenly(steps)
    return np.stack([pictures.to_uint8(shown(frame)) for frame in frames if frame.step in wanted])
