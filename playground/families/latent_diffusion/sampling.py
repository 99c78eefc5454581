"""Sampling of text to image with classifier-free guidance, and with the attention to every word."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from playground.diffusion.guidance import guide
from playground.diffusion.samplers import SAMPLERS, DenoiserOutput, SamplerName
from playground.families.latent_diffusion.model import GuidanceSchedule, Model
from playground.nn.attention import Context
from playground.runtime import inference, validation
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.runtime.validation import Bounds

# Factors of w - 1 as functions of t / T, which is 1 at the noise.
GUIDANCE_SCHEDULES: dict[GuidanceSchedule, Callable[[float], float]] = {
    "constant": lambda time: 1.0,
    "linear": lambda time: 2 * (1 - time),  # Wang 2024, "Analysis of Classifier-Free Guidance Weight Schedulers"
    "cosine": lambda time: 1 + float(torch.cos(torch.tensor(torch.pi * time))),
    "interval": lambda time: float(0.2 <= time <= 0.8),  # Kynkaanniemi 2024, "Guidance in a Limited Interval"
}


@dataclass(frozen=True)
class Settings:
    """Settings of a run, checked when made."""

    BOUNDS: ClassVar[Bounds] = Bounds(
        {"n": (1, 1_000_000), "steps": (1, 1000), "seed": (0, validation.MAX_SEED)}, {"eta": (0, 1), "w": (0, 12)}
    )

    n: int = 4  # Number of images.
    prompt: str = "a small pizza on a blue background"  # Text prompt; an empty one makes the run unconditional.
    negative: str = ""  # Negative prompt, which replaces the empty prompt of classifier-free guidance.
    # Sampler: ddpm adds noise at every step, ddpm-large more of it, ddim as much as eta says, the others none.
    sampler: SamplerName = "ddim"
    # Steps of the sampler, 1 to 1000; each evaluates the network with and without the prompt, Heun's method twice.
    steps: int = 20
    eta: float = 0.0  # DDIM's stochasticity: 0 is deterministic, 1 has the variance of DDPM.
    w: float = 3.0  # Guidance weight, 0 to 12: 0 ignores the prompt, 1 is the conditional model.
    # Schedule of w - 1 over a run with w above 1: linear and cosine grow, interval guides the middle of the run alone.
    guidance: GuidanceSchedule = "constant"
    seed: int = 0  # Seed of the noise; image i depends on (seed, i) alone.

    def __post_init__(self) -> None:
        for name in ("prompt", "negative"):
            validation.check_text(f"the {name}", getattr(self, name))
        validation.check_choice("sampler", self.sampler, SAMPLERS)
        validation.check_choice("guidance", self.guidance, GUIDANCE_SCHEDULES)
        validation.check_bounds(self, *self.BOUNDS, validation.LABELS)

    def weight(self, time: float) -> float:
        """Return the guidance weight at a time t / T: w - 1 times the schedule, plus 1; w itself where it is at most
        1, since less than no guidance has no schedule."""
        if self.w <= 1:
            return self.w
        return 1 + (self.w - 1) * GUIDANCE_SCHEDULES[self.guidance](time)


AttentionEdit = Callable[[float, Tensor], Tensor]  # t / T, attention weights (B, heads, h w, L) -> new ones


class CFGDenoiser:
    """Denoiser with classifier-free guidance from a negative prompt to the prompts of a run.

    Args:
        negative: Context of the negative prompt, a batch of 1.
        prompts: Contexts of the prompts, one for each image.
        edit: Changes the attention weights to the prompts.
    """

    def __init__(
        self,
        model: Model,
        negative: Context,
        prompts: Context,
        settings: Settings,
        edit: AttentionEdit | None = None,
    ):
        self.model, self.settings, self.edit = model, settings, edit
        pairs = zip(negative, prompts, strict=True)
        self.context = Context(*(torch.cat([uncond.expand_as(cond), cond]) for uncond, cond in pairs))

    def __call__(self, zt: Tensor, t: int) -> DenoiserOutput:
        """Return the guided estimate of z0, both estimates that it comes from, and the attention to the prompts."""
        model, z, time = self.model, zt.repeat(2, 1, 1, 1), t / self.model.schedule.T
        layers = list[Tensor]()

        def hook(_: int, attention: Tensor) -> Tensor:
            uncond, cond = attention.chunk(2)
            if self.edit:
                cond = self.edit(time, cond)
                attention = torch.cat([uncond, cond])
            layers.append(cond.half())
            return attention

        with inference.fast_mode(z):
            out = model(z, torch.full((len(z),), t, device=z.device), self.context, hook).float()
        coefficients = model.schedule.coefficients(torch.tensor([t]), zt)
        uncond, cond = (model.prediction.x0_hat(part, zt, *coefficients) for part in out.chunk(2))
        guided = guide(uncond, cond, self.settings.weight(time))
        return DenoiserOutput(guided, {"x0_uncond": uncond, "x0_cond": cond}, tuple(layers))


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0, prompts: Sequence[str] = ()) -> Iterator[Frame]:
    """Sample latents, from noise to data, in `settings.steps` + 1 frames; `decode_frame` decodes them to images.

    Args:
        first: Index of the first image, for runs split into batches.
        prompts: Prompts, one for each image, where they are not all `settings.prompt`.
    """
    noise = Noise(settings.seed, settings.n, first)
    context = model.encode_text(prompts or [settings.prompt] * settings.n)
    yield from _run(model, settings, context, noise(_shape(model)), noise, timesteps(model, settings))


@torch.no_grad()
def decode_frame(model: Model, frame: Frame) -> Tensor:
    """Decode the latents of a frame, with their noise, to images (B, C, H, W) in [-1, 1]."""
    return model.decode(frame.x)


def _shape(model: Model) -> tuple[int, int, int]:
    return model.config.channels, model.config.size, model.config.size


def timesteps(model: Model, settings: Settings, strength: float = 1.0) -> list[int]:
    """Return the times of a run, down to 0.

    Args:
        strength: Fraction of the steps to run, the last ones; at least one step.

    Raises:
        UserError: The model has fewer times than steps.
    """
    return model.schedule.timesteps(settings.steps)[min(settings.steps - 1, round((1 - strength) * settings.steps)) :]


def _run(
    model: Model,
    settings: Settings,
    context: Context,
    z: Tensor,
    noise: Noise,
    times: Sequence[int],
    edit: AttentionEdit | None = None,
) -> Iterator[Frame]:
    """Sample from latents z (B, c, h, w) at the first of the times on."""
    denoise = CFGDenoiser(model, model.encode_text([settings.negative]), context, settings, edit)
    z = z.to(next(model.parameters()).device)
    yield from SAMPLERS[settings.sampler].sample(denoise, z, model.schedule, times, noise, settings.eta)
