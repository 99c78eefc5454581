"""A run of a sampler kept as pictures and numbers: what the page scrubs and the command line writes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from playground import pictures
from playground.sampling import Frame

MAX_FRAMES = 251  # 250 steps and the picture; longer runs keep an even subset


@dataclass(frozen=True)
class Recording:
    """The frames of a run.

    Attributes:
        steps, t: of each frame, (F,).
        x, x0_hat, eps_hat: uint8 (F, N, H, W, C); eps_hat is shown from -3 to 3.
        eps_norm: root mean square of eps_hat over pixels and pictures, (F,): 1 for unit noise.
        x0_change: root mean square of the change of x0_hat since the kept frame before, (F,).
    """

    steps: list[int]
    t: list[int]
    x: np.ndarray
    x0_hat: np.ndarray
    eps_hat: np.ndarray
    eps_norm: list[float]
    x0_change: list[float]

    @property
    def images(self) -> np.ndarray:
        """The finished pictures, uint8 (N, H, W, C)."""
        return self.x[-1]


class Recorder:
    """Keeps at most `MAX_FRAMES` of the frames of a run as they come, the first and the last included."""

    def __init__(self, steps: int):
        kept = np.linspace(0, steps, min(steps + 1, MAX_FRAMES)).round().astype(int)
        self._kept = set(kept.tolist())
        self._frames: list[tuple] = []
        self._x0_before = None

    def add(self, frame: Frame) -> None:
        """Keep a frame, if it is one of those to keep."""
        if frame.step not in self._kept:
            return
        before = frame.x0_hat if self._x0_before is None else self._x0_before
        self._x0_before = frame.x0_hat
        self._frames.append(
            (
                frame.step,
                frame.t,
                pictures.to_uint8(frame.x),
                pictures.to_uint8(frame.x0_hat),
                pictures.to_uint8(frame.eps_hat / 3),
                frame.eps_hat.square().mean().sqrt().item(),
                (frame.x0_hat - before).square().mean().sqrt().item(),
            )
        )

    def recording(self) -> Recording:
        """The frames so far."""
        steps, t, x, x0_hat, eps_hat, eps_norm, x0_change = map(list, zip(*self._frames, strict=True))
        return Recording(steps, t, np.stack(x), np.stack(x0_hat), np.stack(eps_hat), eps_norm, x0_change)


def record(frames: Iterator[Frame], steps: int) -> Recording:
    """Drain a sampler of so many steps into a recording."""
    recorder = Recorder(steps)
    for frame in frames:
        recorder.add(frame)
    return recorder.recording()
