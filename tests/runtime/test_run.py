"""Frames, and runs in batches."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.runtime import run
from playground.runtime.run import Frame, last_frame, sample_batches


@dataclass(frozen=True)
class Settings:
    n: int


def sample(settings: Settings, first: int) -> Iterator[Frame]:
    """Two frames, of which the last holds the indices of the images, negated."""
    yield Frame(0, 1, torch.zeros(settings.n, 1, 1, 1))
    yield Frame(1, 0, -torch.arange(first, first + settings.n).float().view(-1, 1, 1, 1))


def to_images(frame: Frame) -> Tensor:
    return -frame.x


def test_a_frame_names_its_level_and_its_estimates() -> None:
    x = torch.zeros(2, 1)
    diffusion = Frame(3, 400, x, {"x0_hat": x + 1, "eps_hat": x + 2})
    assert (diffusion.t, diffusion.x0_hat[0].item(), diffusion.eps_hat[0].item()) == (400, 1, 2)
    by_score = Frame(3, 0.25, x, {"score": x + 3})
    assert (by_score.sigma, by_score.score[0].item()) == (0.25, 3)


def test_the_last_frame_is_the_last() -> None:
    assert last_frame(sample(Settings(2), 0)).step == 1


def test_batches_hold_every_image_once_in_order_as_images(monkeypatch) -> None:
    monkeypatch.setattr(run, "BATCH", 4)
    batches = list(sample_batches(sample, Settings(10), to_images, first=5))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert torch.cat(batches).flatten().tolist() == list(range(5, 15))
