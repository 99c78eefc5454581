"""Runs of text to image, live and finished, as the scrubber shows them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from playground.diffusion import formulas
from playground.diffusion.samplers import SAMPLERS
from playground.families import latent_diffusion
from playground.families.latent_diffusion import Model, Settings
from playground.runtime import checkpoint, inference, validation
from playground.runtime.paths import Paths
from playground.runtime.run import Frame
from playground.tabs.latent_diffusion.latent_pictures import ESTIMATE, decoded, of_latents
from playground.tabs.latent_diffusion.recorder import Recorder, Run
from playground.web import formula, palette
from playground.web.checkpoint_picker import CheckpointPicker, settings_from
from playground.web.once_per_model import OncePerModel
from playground.web.scrubber import Box, Curve, Film, Strip, Words

CHECKPOINTS = CheckpointPicker[Model]("latent_diffusion", "text-to-image-emoji")
MAX_PICTURES, MAX_STEPS = 9, 250  # of the page; the command line makes more
MAX_MAP_BYTES = 2_000_000  # bytes of maps that the browser gets
LATENT, CHANNELS, GUIDANCE = STRIP_KINDS = ("Latent", "Channels", "Guidance")
SMOOTH, EXACT = DETAILS = ("Smooth", "Exact")  # ways to show attention over the pictures
DIAGRAM = (
    Box("prompt", "What you typed, cut into tokens and turned into states by the text encoder of a CLIP."),
    Box("z at t", "The noisy latent that goes into this step: three principal components as colours.", strip=1),
    Box("U-Net at t =", "The network: it sees the latent, the time and, by cross-attention, the words.", number="t"),
    Box("ε̂", "The noise that the network sees in the latent; colours as for z.", strip=2),
    Box("decoder", "Turns the latent of the estimate, ẑ0, into a picture."),
    Box("x̂0", "The picture that the model expects in the end.", strip=0),
)  # fmt: skip


@dataclass(frozen=True)
class ViewParams(Settings):
    """Parameters of a link: a run of a checkpoint."""

    model: str = ""

    def __post_init__(self) -> None:
        validation.check_integer("number of pictures", self.n, 1, MAX_PICTURES)
        validation.check_integer("steps", self.steps, 1, MAX_STEPS)
        super().__post_init__()

    @property
    def settings(self) -> Settings:
        """Return the settings of the run."""
        return settings_from(Settings, self)


def provenance(paths: Paths, name: object) -> dict[str, Any]:
    """Return the provenance of a checkpoint, which says which words it knows."""
    return checkpoint.read_header(CHECKPOINTS.path(paths, name)).provenance


def read_prompts(paths: Paths, name: object, settings: Settings) -> Settings:
    """Return settings with their prompts in the words of a checkpoint, or raise UserError if it knows none of them."""
    return latent_diffusion.read_prompts(settings, provenance(paths, name))[0]


def load_model(paths: Paths, name: object) -> Model:
    """Return a model of this tab, with its two parts."""
    model = CHECKPOINTS.load(paths, name)
    model.components()
    return model


def strips(model: Model, run: Run, strip_kind: str) -> list[Strip]:
    """Return the strips of a run: its latents, or what guidance makes the estimate of."""
    if strip_kind != GUIDANCE:
        return of_latents(run.x0_hat, run.z, run.eps_hat, by_channel=strip_kind == CHANNELS)
    uncond, cond = decoded(model, run.uncond), decoded(model, run.cond)
    difference = (127.5 + (cond.astype(np.float32) - uncond) / 2).round().astype(np.uint8)
    against = f"with “{run.settings.negative}”, to be avoided" if run.settings.negative else "without the prompt"
    return [
        Strip(*ESTIMATE, run.x0_hat),
        Strip(against, "the model's estimate when told nothing, or what to avoid", uncond),
        Strip("with the prompt", "its estimate given the prompt", cond),
        Strip("difference", "what guidance multiplies by w; grey is none, as in the last steps", difference),
    ]


# Attention.


def layers(run: Run) -> list[str]:
    """Return the names of the cross-attentions."""
    sizes = [math.isqrt(layer.shape[3]) for layer in run.attention]
    return [f"layer {i + 1}, {size}x{size}" for i, size in enumerate(sizes)]


@dataclass(frozen=True)
class Attention:
    """Attention that the words show: that of a layer and a head, or the mean over all; smooth over the pictures, or
    exactly as the network has it."""

    layer: int | None = None
    head: int | None = None
    smooth: bool = True


ALL_ATTENTION = Attention()


def words(run: Run, attention: Attention) -> Words:
    """Return the words with their maps, each as bright as it gets at that moment, and over all moments."""
    layers_chosen = run.attention if attention.layer is None else [run.attention[attention.layer]]
    size = max(math.isqrt(layer_maps.shape[3]) for layer_maps in layers_chosen)
    mean = torch.stack([_maps(layer_maps, attention.head, size) for layer_maps in layers_chosen]).mean(0)
    share = max(1, math.ceil(mean.numel() / MAX_MAP_BYTES))
    mean = torch.cat([mean[::share], mean.mean(0, keepdim=True)])  # (K + 1, N, L, S, S)
    brightest = mean.amax((1, 3, 4), keepdim=True).clamp(min=1e-6)
    maps = (255 * mean / brightest).round().byte().permute(0, 2, 1, 3, 4).contiguous().numpy()
    return Words(
        [(word.text, "" if word.in_vocabulary else NOT_KNOWN) for word in run.words],
        maps,
        [k // share for k in run.attention_index],
        attention.smooth,
    )


NOT_KNOWN = "the encoder has never seen this word"


def _maps(attention: np.ndarray, head: int | None, size: int) -> Tensor:
    """Return the attention of a layer (K, N, heads, places, L), of one head or the mean, as maps (K, N, L, size,
    size)."""
    layer_maps = torch.from_numpy(attention).float()
    layer_maps = layer_maps.mean(2) if head is None else layer_maps[:, :, head]  # (K, N, places, L)
    side = math.isqrt(layer_maps.shape[2])
    maps = layer_maps.transpose(2, 3).unflatten(-1, (side, side))
    return F.interpolate(maps.flatten(0, 1), [size, size], mode="nearest").unflatten(0, maps.shape[:2])


# The scrubber.


def make_film(model: Model, run: Run, strip_kind: str = LATENT, attention: Attention = ALL_ATTENTION) -> Film:
    """Return the film of a run."""
    settings, schedule, times, n_steps = run.settings, model.schedule, run.times, len(run.times) - 1
    alpha_bar = schedule.alpha_bar[run.t].tolist()
    weights = [settings.weight(times[min(step, n_steps - 1)] / schedule.T) for step in run.steps]
    prompt_effect = (run.cond - run.uncond).float().square().mean((1, 2, 3, 4)).sqrt().tolist()
    step_formula = SAMPLERS[settings.sampler].formula
    return Film(
        strips(model, run, strip_kind),
        [
            f"step {step} of {n_steps} · t = {t} · ᾱ = {a:.3g} · w = {w:.3g} · the prompt moves ẑ0 by {d:.3f}"
            for step, t, a, w, d in zip(run.steps, run.t, alpha_bar, weights, prompt_effect, strict=True)
        ],
        (f"t = {times[0]}", "t = 0"),
        curves=[
            Curve.of("ᾱ", "Share of the signal in the power of the latent.", palette.DATA, alpha_bar),
            Curve.of("w", "Guidance: how far the estimate follows the prompt.", palette.ESTIMATE, weights),
            Curve.of("with − without", "Root mean square of what the prompt changes in ẑ0; w multiplies it.",
                     palette.NOISE, prompt_effect),
        ],
        formula=formula.render(formulas.latent_denoising_step(step_formula, model.prediction, settings.negative)),
        numbers=formulas.denoising_numbers(schedule, times, run.steps, run.coefficients, weights),
        diagram=() if strip_kind == GUIDANCE else DIAGRAM,
        words=words(run, attention),
    )  # fmt: skip


FIRST = ViewParams(n=4)  # the first run


def _sample_first(paths: Paths, name: str) -> Run:
    """Return the run `FIRST` of a model."""
    model = load_model(paths, name)
    recorder = Recorder(model, FIRST.settings)
    for frame in inference.in_worker_thread(latent_diffusion.sample(model, FIRST.settings), FIRST.steps + 1):
        recorder.add(frame)
    return recorder.run()


first = OncePerModel(CHECKPOINTS, _sample_first, limit=2)


def preview(model: Model, frame: Frame) -> list[Strip]:
    """Return the strips of a run's newest frame."""
    z0_hat, z, eps_hat = (part[None].cpu() for part in (frame.x0_hat, frame.x, frame.eps_hat))
    return of_latents(decoded(model, z0_hat), z, eps_hat)
