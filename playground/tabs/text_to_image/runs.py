"""What the views of text to image show: runs of the model, kept small, as values of the scrubber."""

import math
import re
import threading
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from playground import checkpoint, compute, formulas, pictures
from playground.models import clip, text_to_image
from playground.models.clip import Word
from playground.models.text_to_image import Model, Moment, Settings
from playground.tabs import Places
from playground.ui import palette, scrubber
from playground.ui.scrubber import Box, Curve, Series, Strip, Words

NAME = "text-to-image-emoji"
MAX_FRAMES = 61  # of a run; longer ones keep an even subset
ATTENTION = 16_000_000  # bytes of attention that a run keeps: longer runs keep that of fewer moments
SENT = 2_000_000  # bytes of maps that the browser gets
LATENT, CHANNELS, GUIDANCE = SHOWN = ("Latent", "Channels", "Guidance")  # what the strips are of
DIAGRAM = (
    Box("prompt", "What you typed, cut into tokens and turned into states by the text encoder of a CLIP."),
    Box("z at t", "The noisy latent that goes into this step: three principal components as colours.", strip=1),
    Box("U-Net at t =", "Predicts v from the latent, the time and, by cross-attention, the words.", number="t"),
    Box("ε̂", "The noise in the latent by that estimate, colours as for z.", strip=2),
    Box("decoder", "Turns the latent of the estimate, ẑ0, into a picture."),
    Box("x̂0", "The picture that the model expects in the end.", strip=0),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run as one visitor's `gr.State` keeps it: F frames of N pictures, latents (F, N, c, h, w) in half precision.

    Attributes:
        times: of all steps, and 0.
        words: the tokens of the prompt, L of them.
        steps, t: of each frame.
        z, z0_hat, eps_hat, without, given: see `playground.models.text_to_image.Moment`.
        x0_hat: the estimate as pictures, uint8 (F, N, H, W, C).
        attention: of each cross-attention uint8 (K, N, heads, places, L), of K of the frames.
        kept: which of the K each frame shows.
    """

    settings: Settings
    times: list[int]
    words: list[Word]
    steps: list[int]
    t: list[int]
    z: Tensor
    z0_hat: Tensor
    eps_hat: Tensor
    without: Tensor
    given: Tensor
    x0_hat: np.ndarray
    attention: list[np.ndarray]
    kept: list[int]


class Recorder:
    """Keeps at most `MAX_FRAMES` moments of a run as they come, the first and the last included.

    Args:
        strength: of a run that starts from a picture.
    """

    def __init__(self, model: Model, settings: Settings, strength: float = 1.0):
        self.model, self.settings = model, settings
        self.times = text_to_image.times(model, settings, strength)
        self.words = model.attached().encoder.words(settings.prompt)
        frames = np.linspace(0, len(self.times) - 1, min(len(self.times), MAX_FRAMES)).round().astype(int)
        self._wanted = frames.tolist()
        self._looked: list[int] = []  # at whose attention
        self._rows: list[Moment] = []
        self._attention: list[list[np.ndarray]] = []

    def add(self, moment: Moment) -> None:
        """Keep a moment, if it is one of those to keep."""
        if moment.step not in self._wanted:
            return
        if not self._rows:
            size = sum(layer[..., : len(self.words)].numel() for layer in moment.attention)
            count = max(1, min(len(self._wanted), ATTENTION // size))
            self._looked = [self._wanted[i] for i in np.linspace(0, len(self._wanted) - 1, count).round().astype(int)]
        if moment.step in self._looked:
            shown = [layer[..., : len(self.words)] for layer in moment.attention]
            self._attention.append([(255 * layer.float()).round().byte().cpu().numpy() for layer in shown])
        latents = {name: getattr(moment, name).half().cpu() for name in ("z", "z0_hat", "eps_hat", "without", "given")}
        self._rows.append(moment._replace(attention=[], x=None, **latents))

    def run(self) -> Run:
        """The moments so far."""
        rows, looked = self._rows, self._looked[: len(self._attention)]
        latents = {
            name: torch.stack([getattr(row, name) for row in rows])
            for name in ("z", "z0_hat", "eps_hat", "without", "given")
        }
        nearest = [int(np.abs(np.array(looked) - row.step).argmin()) for row in rows]
        return Run(
            self.settings, self.times, self.words, [row.step for row in rows], [row.t for row in rows], **latents,
            x0_hat=decoded(self.model, latents["z0_hat"]),
            attention=[np.stack(layer) for layer in zip(*self._attention, strict=True)], kept=nearest,
        )  # fmt: skip


def path(places: Places) -> Path:
    """The checkpoint of this tab."""
    return places.weights / f"{NAME}.safetensors"


def load_model(places: Places) -> Model:
    """The model of this tab, with its two parts."""
    model = cast(Model, checkpoint.load(path(places), expect="text_to_image"))
    model.attached()
    return model


def provenance(places: Places) -> dict[str, Any]:
    """Of that checkpoint."""
    return checkpoint.header(path(places)).provenance


# From latents to pictures.


@torch.no_grad()
def decoded(model: Model, z: Tensor) -> np.ndarray:
    """Latents (F, N, c, h, w) -> the pictures that the decoder makes of them, uint8 (F, N, H, W, C)."""
    made = []
    for part in z.flatten(0, 1).float().split(32):
        with compute.fast(part):
            made.append(pictures.to_uint8(model.decode(part).float()))
    return np.concatenate(made).reshape(*z.shape[:2], *made[0].shape[1:])


def channels(z: Tensor, side: int) -> np.ndarray:
    """Latents (F, N, c, h, w), shown from -3 to 3, as pictures of their channels, uint8 (F, N, side, side, 3)."""
    f, n, c = z.shape[:3]
    grey = pictures.noise_to_uint8(z.float().flatten(0, 2)[:, None])  # (F N c, h, w, 1)
    sheets = np.stack([pictures.grid(each) for each in grey.reshape(f * n, c, *grey.shape[1:])])
    return _magnified(sheets.repeat(3, -1).reshape(f, n, *sheets.shape[1:3], 3), side)


def principal(z: Tensor, side: int, like: Tensor | None = None) -> np.ndarray:
    """Latents (F, N, c, h, w) as colours: their first three principal components, from -3 to 3 standard deviations of
    the first; uint8 (F, N, side, side, 3).

    Args:
        like: the latents (N, c, h, w) whose components these are; the last frame's by default.
    """
    places = (z[-1] if like is None else like).float().movedim(1, -1).flatten(0, -2)  # (N h w, c)
    mean = places.mean(0)
    _, spread, axes = torch.linalg.svd(places - mean, full_matrices=False)
    deviation = (spread[0] / len(places) ** 0.5).clamp(min=1e-6)
    colours = (z.float().movedim(2, -1) - mean) @ axes[:3].T / deviation  # (F, N, h, w, 3)
    shown = pictures.noise_to_uint8(colours.movedim(-1, 2).flatten(0, 1))
    return _magnified(shown.reshape(*z.shape[:2], *shown.shape[1:]), side)


def _magnified(images: np.ndarray, side: int) -> np.ndarray:
    factor = side // images.shape[2]
    return images.repeat(factor, 2).repeat(factor, 3)


ESTIMATE = ("x̂0, the predicted picture", "what the model expects in the end")


def of_latents(x0_hat: np.ndarray, z: Tensor, eps_hat: Tensor, apart: bool = False) -> list[Strip]:
    """The strips of pictures uint8 (F, N, H, W, C) and latents (F, N, c, h, w), the channels of these `apart` or as
    colours that mean the same in both."""
    side = x0_hat.shape[2]
    drawn = channels if apart else partial(principal, like=z[-1])
    how = "its four channels, grey is 0" if apart else "three principal components as colours"
    return [
        Strip(*ESTIMATE, x0_hat),
        Strip("z at time t", f"the noisy latent: {how}", drawn(z, side)),
        Strip("ε̂, the predicted noise", f"what the step takes away: {how}", drawn(eps_hat, side)),
    ]


def strips(model: Model, run: Run, shown: str) -> list[Strip]:
    """The strips of a run: its latents, or what guidance makes the estimate of."""
    if shown != GUIDANCE:
        return of_latents(run.x0_hat, run.z, run.eps_hat, apart=shown == CHANNELS)
    without, given = decoded(model, run.without), decoded(model, run.given)
    difference = (127.5 + (given.astype(np.float32) - without) / 2).round().astype(np.uint8)
    against = f"with “{run.settings.negative}”, to be avoided" if run.settings.negative else "without the prompt"
    return [
        Strip(*ESTIMATE, run.x0_hat),
        Strip(against, "the model's estimate if it is told nothing, or what to avoid", without),
        Strip("with the prompt", "its estimate as it learned", given),
        Strip("difference", "what guidance takes w times; grey is none, as in the last steps", difference),
    ]


# Attention.


def layers(run: Run) -> list[str]:
    """The names of the cross-attentions."""
    sizes = [math.isqrt(layer.shape[3]) for layer in run.attention]
    return [f"layer {i + 1}, {size}x{size}" for i, size in enumerate(sizes)]


def words(run: Run, layer: int | None = None, head: int | None = None) -> Words:
    """The words with their maps, each as bright as it gets at that moment.

    Args:
        layer, head: whose attention; the mean over all if there is none.
    """
    chosen = run.attention if layer is None else [run.attention[layer]]
    size = max(math.isqrt(each.shape[3]) for each in chosen)
    mean = torch.stack([_maps(each, head, size) for each in chosen]).mean(0)  # (K, N, L, S, S)
    share = max(1, math.ceil(mean.numel() / SENT))
    mean = mean[::share]
    brightest = mean.amax((1, 3, 4), keepdim=True).clamp(min=1e-6)
    maps = (255 * mean / brightest).round().byte().permute(0, 2, 1, 3, 4).contiguous().numpy()
    return Words(
        [(word.text, "" if word.known else NOT_KNOWN) for word in run.words], maps, [k // share for k in run.kept]
    )


NOT_KNOWN = "the encoder has never seen this word"


def _maps(attention: np.ndarray, head: int | None, size: int) -> Tensor:
    """The attention of a layer (K, N, heads, places, L), of one head or the mean, as maps (K, N, L, size, size)."""
    each = torch.from_numpy(attention).float()
    each = each.mean(2) if head is None else each[:, :, head]  # (K, N, places, L)
    side = math.isqrt(each.shape[2])
    maps = each.transpose(2, 3).unflatten(-1, (side, side))
    return F.interpolate(maps.flatten(0, 1), [size, size], mode="nearest").unflatten(0, maps.shape[:2])


# The scrubber.


def describe(
    model: Model,
    run: Run,
    shown: str = LATENT,
    notice: str = "",
    layer: int | None = None,
    head: int | None = None,
    keep: bool = False,
) -> dict[str, Any]:
    """The scrubber's value for a run; of the words' attention, that of a layer and a head, or of all.

    Args:
        keep: the frame on show: of the same run.
    """
    settings, schedule = run.settings, model.schedule
    times, count = run.times, len(run.times) - 1
    alpha_bar = schedule.alpha_bar[run.t].tolist()
    weights = [settings.weight(times[min(step, count - 1)] / schedule.T) for step in run.steps]
    apart = (run.given - run.without).float().square().mean((1, 2, 3, 4)).sqrt().tolist()
    numbers = formulas.reverse_numbers(settings.sampler, schedule, times, run.steps, settings.eta)
    return scrubber.pack(
        strips(model, run, shown),
        [
            f"step {step} of {count} · t = {t} · ᾱ = {a:.3g} · w = {w:.3g} · the prompt moves ẑ0 by {d:.3f}"
            for step, t, a, w, d in zip(run.steps, run.t, alpha_bar, weights, apart, strict=True)
        ],
        (f"t = {times[0]}", "t = 0"),
        curves=[
            Curve("ᾱ", "Share of the signal in the power of the latent.", [Series("", palette.DATA, alpha_bar)]),
            Curve("w", "How far the estimate goes towards the prompt.", [Series("", palette.ESTIMATE, weights)]),
            Curve("with − without", "Root mean square of what the prompt changes in ẑ0; w multiplies it.",
                  [Series("", palette.NOISE, apart)]),
        ],
        formula=formulas.latent_step(settings.sampler, model.config.prediction, settings.negative),
        numbers=numbers | {"w": [f"{w:.3g}" for w in weights]},
        diagram=() if shown == GUIDANCE else DIAGRAM,
        words=words(run, layer, head),
        keep=keep,
        notice=notice or notices(model, settings.prompt),
    )  # fmt: skip


FIRST = Settings(n=4)  # the run that greets
_sampling_first = threading.Lock()  # two visitors at once wait for one run


@lru_cache(maxsize=2)
def _first_run(places: Places, modified_ns: int) -> Run:
    model = load_model(places)
    recorder = Recorder(model, FIRST)
    for moment in compute.one_by_one(text_to_image.sample(model, FIRST)):
        recorder.add(moment)
    return recorder.run()


def first(places: Places) -> Run:
    """The run `FIRST`, sampled once and kept to greet every visitor."""
    load_model(places)  # says what is wrong, if something is
    with _sampling_first:
        return _first_run(places, path(places).stat().st_mtime_ns)


def notices(model: Model, prompt: str) -> str:
    """What there is to say of a prompt."""
    encoder = model.attached().encoder
    said, found = encoder.words(prompt), []
    if len(said) == 2:
        found.append("An empty prompt: the model draws whatever it likes.")
    unknown = [
        word
        for word in dict.fromkeys(re.split(r"[\s!-/:-@\[-`{-~]+", prompt))  # at spaces and punctuation
        if not all(part.known for part in encoder.words(word))
    ]
    if unknown:
        found.append(f"Not known to the model: {' '.join(unknown[:8])}. What it knows is listed under Draw.")
    if len(said) == encoder.tokenize([""]).shape[1] and clip.length(prompt) > len(said):
        found.append(f"Only the first {len(said) - 2} tokens of the prompt are read.")
    return " ".join(found)


def preview(model: Model, moment: Moment) -> list[Strip]:
    """The latent of a moment under way."""
    z0_hat, z, eps_hat = (part[None].cpu() for part in (moment.z0_hat, moment.z, moment.eps_hat))
    return of_latents(decoded(model, z0_hat), z, eps_hat)
