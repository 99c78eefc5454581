"""Frames of a run, and runs of more images than fit into one batch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeVar

from torch import Tensor

from playground.runtime.validation import Bounds

BATCH = 250  # images sampled at once by a run of more


@dataclass(frozen=True)
class Frame:
    """One moment of a run of any family."""

    step: int  # number of steps taken so far, 0 to N
    # Noise level of `x`: the time t of a diffusion model (T at the first frame, 0 at the last), the standard deviation
    # sigma of a score model, 0 in families without noise levels.
    level: float
    # State of the run (B, ...): noisy images x_t, latents z_t, points, or logits of pixels; `Family.to_images` turns it
    # into images.
    x: Tensor
    # Model outputs at `x` by their names in the papers, each (B, ...): "x0_hat", "eps_hat", "score", "x0_uncond",
    # "x0_cond".
    estimates: Mapping[str, Tensor] = field(default_factory=dict)
    # Further tensors by name, a row for each item of the batch, such as "z", "log_det" or "accepted".
    extras: Mapping[str, Tensor] = field(default_factory=dict)
    # Attention weights of each cross-attention layer (B, heads, h w, L), if there are any.
    attention: tuple[Tensor, ...] = ()
    layer: str = ""  # name of the layer just applied, in a normalizing flow
    # Numbers in the formula of the sampler's step from here, by name; at the last frame those of the step that led to
    # it.
    coefficients: Mapping[str, float] = field(default_factory=dict)

    @property
    def t(self) -> int:
        """Return the time of a diffusion model, T (noise) to 0 (data)."""
        return int(self.level)

    @property
    def sigma(self) -> float:
        """Return the standard deviation of the noise, in a score model."""
        return self.level

    @property
    def x0_hat(self) -> Tensor:
        """Return the estimate of x0 (B, ...); `x` itself at the last frame."""
        return self.estimates["x0_hat"]

    @property
    def eps_hat(self) -> Tensor:
        """Return the estimate of the noise in `x` (B, ...); at the last frame that of the step before it."""
        return self.estimates["eps_hat"]

    @property
    def score(self) -> Tensor:
        """Return the gradient of the log-density at `x` (B, ...); where sigma is 0, that of the step before it."""
        return self.estimates["score"]


def last_frame(frames: Iterable[Frame]) -> Frame:
    """Drain a sampler and return its last frame."""
    return deque(frames, maxlen=1)[0]


class RunSettings(Protocol):
    """Settings of a run of any family: a frozen dataclass, with the number of images and the seed of their noise."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    BOUNDS: ClassVar[Bounds]

    @property
    def n(self) -> int: ...
    @property
    def seed(self) -> int: ...


Settings = TypeVar("Settings", bound=RunSettings)


def sample_batches(
    sample: Callable[[Settings, int], Iterable[Frame]],
    settings: Settings,
    to_images: Callable[[Frame], Tensor],
    first: int = 0,
) -> Iterator[Tensor]:
    """Sample any number of images, at most `BATCH` at a time.

    Args:
        sample: `Family.sample` with its model: takes settings and the index of the first image.
        settings: Settings of the family; `n` images are sampled.
        to_images: `Family.to_images` with its model.
        first: Index of the first image of all.

    Yields:
        Images (B, C, H, W) in [-1, 1].
    """
    for part, index in split_batches(settings, first):
        yield to_images(last_frame(sample(part, index)))


def split_batches(settings: Settings, first: int = 0) -> Iterator[tuple[Settings, int]]:
    """Yield the settings of runs of at most `BATCH` images that make up a run whose first image has an index, each with
    the index of its own first image."""
    for start in range(0, settings.n, BATCH):
        yield replace(settings, n=min(BATCH, settings.n - start)), first + start
