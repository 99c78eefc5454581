"""Participants of the comparison: a sampler of digits each, with the settings under which it answers a request."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from playground.datasets.registry import DATASETS
from playground.families import ddpm, gan, normalizing_flow, vae
from playground.families.score_matching import samplers
from playground.runtime import pictures
from playground.runtime.family import Family
from playground.runtime.run import Frame
from playground.tabs.score_matching import digits as score_digits

DATA = DATASETS["digits"]


class Request(NamedTuple):
    """Request that all get: so many pictures, of a class or, if it is None, of the ten in turn."""

    n: int
    label: int | None
    seed: int


def pad(images: np.ndarray) -> np.ndarray:
    """Return digits uint8 (N, H, W, C) with a black border, as large as those of the data set."""
    border = (DATA.shape[-1] - images.shape[1]) // 2
    return np.pad(images, ((0, 0), (border, border), (border, border), (0, 0)))


@dataclass(frozen=True)
class Participant:
    """Sampler of a checkpoint.

    Attributes:
        title: Name on the page.
        about: How it samples, in a few words.
        address: Of the view that shows it.
        checkpoint: Name of its checkpoint.
        family: Of the checkpoint.
        settings: Function from the model and a request to the settings of a run.
        steps: Function from the model and these settings to the number of steps of the run.
        part: Name of the module that samples, if that is not the whole model.
        has_command: True if the command line makes the same pictures.
    """

    title: str
    about: str
    address: str
    checkpoint: str
    family: Family
    settings: Callable[[Any, Request], Any]
    steps: Callable[[Any, Any], int] = lambda model, settings: 0
    part: str = ""
    has_command: bool = True

    def sample(self, model: Any, settings: Any) -> Iterator[Frame]:
        """Return the frames of a run."""
        assert self.family.sample, "every participant samples"
        return self.family.sample(model, settings)

    def draw(self, model: Any, settings: Any, frame: Frame) -> np.ndarray:
        """Return the pictures of a frame, uint8 (N, H, W, C), with the border of those of the data set."""
        return pad(pictures.to_uint8(self.family.to_images(model, frame)))


class ScoreParticipant(Participant):
    """Sampler that follows the score of the diffusion model."""

    def sample(self, model: Any, settings: score_digits.ViewParams) -> Iterator[Frame]:
        return score_digits.run(model, settings)

    def draw(self, model: Any, settings: score_digits.ViewParams, frame: Frame) -> np.ndarray:
        noisy, *_ = score_digits.strips([frame], settings.low)
        return noisy.frames[0]


def _diffusion(title: str, about: str, **settings: Any) -> Participant:
    """Return a participant that samples the diffusion model with some of its settings."""

    def make(_: ddpm.Model, request: Request) -> ddpm.Settings:
        return ddpm.Settings(**request._asdict(), **settings)

    return Participant(title, about, "ddpm", "ddpm-digits", ddpm.FAMILY, make, lambda _, params: params.steps)


def _vae_settings(model: vae.Model, request: Request) -> vae.Settings:
    return vae.Settings(request.n, "mixture" if model.config.components else "normal", seed=request.seed)


def _score_settings(_: ddpm.Model, request: Request) -> score_digits.ViewParams:
    digit = score_digits.ANY if request.label is None else str(request.label)
    return score_digits.ViewParams(digit=digit, n=request.n, seed=request.seed)


PARTICIPANTS = {
    "vae": Participant(
        "VAE", "one pass through the decoder, of codes from a fitted mixture", "vae", "vae-digits",
        vae.FAMILY, _vae_settings, part="decoder",
    ),
    "gan": Participant(
        "Conditional GAN", "one pass through the generator", "gan?view=samples", "gan-digits-conditional", gan.FAMILY,
        lambda _, request: gan.Settings(**request._asdict()), part="generator",
    ),
    "flow": Participant(
        "Flow", "one pass backwards through the layers, at temperature 0.8", "normalizing_flow?view=digits",
        "flow-digits", normalizing_flow.FAMILY,
        lambda _, request: normalizing_flow.Settings(request.n, temperature=0.8, seed=request.seed),
        lambda model, _: sum(len(scale) for scale in model.scales), part="scales",
    ),
    "dpm": _diffusion("DPM-Solver++", "diffusion in 10 steps", sampler="dpm-solver++", steps=10),
    "ddim": _diffusion("DDIM", "diffusion in 20 steps", sampler="ddim", steps=20),
    "ddpm": _diffusion("DDPM", "diffusion in 50 noisy steps", sampler="ddpm", steps=50),
    "score": ScoreParticipant(
        "Langevin dynamics", "annealed, with the diffusion model's score", "score_matching?view=digits",
        "ddpm-digits", ddpm.FAMILY, _score_settings,
        lambda _, settings: samplers.SAMPLERS[settings.sampler].steps(settings.evaluations), has_command=False,
    ),
}  # fmt: skip
