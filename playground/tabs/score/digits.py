"""Digits: the diffusion model's noise is a score, and Langevin dynamics and its kin draw digits with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from playground import exports, langevin, pictures, validation
from playground.langevin import Moment
from playground.models import ddpm
from playground.sampling import Noise
from playground.tabs import Places, live
from playground.tabs.ddpm import runs
from playground.tabs.score import samplers
from playground.ui import controls, export, how, links, palette, scrubber
from playground.ui.controls import unchecked
from playground.ui.scrubber import Curve, Series, Strip

TITLE, TAB = "Digits", "score.digits"
SAMPLERS = tuple(langevin.DESCENTS)
SHOWN = 61  # frames
ANY = "any"
DIGITS = (ANY, *map(str, range(10)))
HOW = """
No network was trained for this view: the diffusion model predicts the noise ε̂ in a picture, and −ε̂ / σ is the score of
pictures with noise σ. A picture x with noise of level σ is the diffusion's xₜ divided by √ᾱₜ, so each level has its t.

[Vincent 2011](https://www.iro.umontreal.ca/~vincentp/Publications/smdae_techreport.pdf) (noise and score) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (annealed) · [Song 2021](https://arxiv.org/abs/2011.13456) (the others)
"""


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order.

    Attributes:
        sampler: one of `SAMPLERS`.
        digit: the class of all, or `ANY`: the ten in turn.
        n: pictures.
        evaluations: of the network for each picture.
        size: of a step of annealed Langevin dynamics, by the variance of the level.
        low, high: noise levels.
        seed: of the noise.
    """

    sampler: str = "annealed"
    digit: str = ANY
    n: int = 10
    evaluations: int = 120
    size: float = 0.3
    low: float = 0.05
    high: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.choice("sampler", self.sampler, SAMPLERS)
        validation.choice("digit", self.digit, DIGITS)
        whole = {"n": (1, 20), "evaluations": (10, 400), "seed": (0, validation.MAX_SEED)}
        real = {"size": (1e-4, 1.0), "low": (0.01, 1.0), "high": (2.0, 50.0)}
        validation.bound(self, whole, real, samplers.CALLED)


def run(model: ddpm.Model, asked: Asked) -> Iterator[Moment]:
    """From noise to digits, the classes in turn if any will do."""
    y = torch.arange(asked.n) % 10 if asked.digit == ANY else torch.full((asked.n,), int(asked.digit))
    score = langevin.of_denoiser(model.denoiser(y, 1.0, clip=True), model.schedule)
    noise, config = Noise(asked.seed, asked.n), model.config
    x = asked.high * noise((config.channels, config.size, config.size))
    return langevin.descent(score, x, asked.sampler, (asked.low, asked.high), asked.evaluations, asked.size, noise)


def strips(moments: list[Moment], low: float) -> list[Strip]:
    """What moments show: the noisy pictures on the scale that the network sees, its estimate, and the score.

    Args:
        low: the least noise, whose score the last moment has, without any.
    """
    sigma = torch.tensor([each.sigma for each in moments])[:, None, None, None, None]
    x, s = (torch.stack([getattr(each, name) for each in moments]) for name in ("x", "score"))
    noisy, eps = x / (1 + sigma**2).sqrt(), sigma.clamp(min=low) * s

    def drawn(part: Tensor, noise: bool = False) -> Any:
        flat = part.flatten(0, 1)
        made = pictures.noise_to_uint8(flat) if noise else pictures.to_uint8(flat)
        return made.reshape(*part.shape[:2], *made.shape[1:])

    return [
        Strip("x", "noisy digits, divided by √(1 + σ²)", drawn(noisy)),
        Strip("x + σ² s(x, σ)", "the digits that the score points to", drawn(x + sigma**2 * s)),
        Strip("σ s(x, σ)", "the score, in units of the noise: −ε̂; grey is 0", drawn(eps, noise=True)),
    ]


def film(asked: Asked, moments: list[Moment]) -> dict[str, Any]:
    """What the scrubber shows of a run, as the arguments of `scrubber.pack`."""
    kept = live.thinned(moments, SHOWN)
    sigmas = [each.sigma for each in kept]
    lengths = [each.score.flatten(1).norm(dim=1).mean().item() for each in kept]
    whole = kept[0].x[0].numel() ** 0.5  # the length of unit noise
    unit = [max(sigma, asked.low) * length / whole for sigma, length in zip(sigmas, lengths, strict=True)]
    return {
        "strips": strips(kept, asked.low),
        "captions": [
            f"step {each.step} of {kept[-1].step} · σ = {each.sigma:.3g} · mean length of the score {length:.3g}"
            for each, length in zip(kept, lengths, strict=True)
        ],
        "ends": (f"σ = {sigmas[0]:.3g}", f"σ = {sigmas[-1]:.3g}"),
        "curves": [
            Curve("σ", "The noise level whose score is followed.", [Series("", palette.NOISE, sigmas)], log=True),
            Curve("score", "Its mean length, which grows as the noise falls.",
                  [Series("", palette.ESTIMATE, lengths)], log=True),
            Curve("σ · score", "By the length of unit noise: 1 where a picture is noise alone.",
                  [Series("", palette.DATA, unit)]),
        ],
        "formula": samplers.formula(asked.sampler, asked.size) + "<br>s(x, σ) = −ε̂(x / √(1 + σ²), t(σ)) / σ",
        "numbers": {"sigma": [f"{sigma:.3g}" for sigma in sigmas]},
        "keep": True,
    }  # fmt: skip


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("score-digits")
            inputs, dice = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Digits by a score", "score-digits", "Press Sample: a few seconds.")
            how.build(HOW, langevin.of_denoiser)
            kept = gr.State(None, time_to_live=3600)
            export.build(kept, "score-digits", told="")
            link = links.build()

    @live.shown_on_stage(beside=2)
    def sample(*given: Any) -> Iterator[Any]:
        """Draw digits by the score of the diffusion model. Returns every frame as sprite sheets."""
        asked, moments = Asked(*given), list[Moment]()
        made = run(runs.load_model(places), asked)
        steps = langevin.DESCENTS[asked.sampler](asked.evaluations)
        yield from live.previews(made, steps, moments.append, lambda moment: strips([moment], asked.low))
        shown = film(asked, moments)
        about = exports.origin(runs.NAME, asked, runs.provenance(places))
        yield [scrubber.pack(**shown), export.of_film(f"{TAB}-seed{asked.seed}", about, shown), links.value(TAB, asked)]

    def opened(request: gr.Request) -> list[Any]:
        return live.opened(Asked, TAB, request)

    outputs = [stage, kept, link]
    live.listen(stage, live.Buttons(go, stop, dice), sample, inputs, outputs, inputs[-1], "score_digits",
                quietly=[link.select])  # fmt: skip
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _controls() -> tuple[list[Any], gr.Button]:
    """The controls in the order of `Asked`, and the dice."""
    default = Asked()
    named = [(title, name) for name, title in samplers.SAMPLERS.items() if name in SAMPLERS]
    sampler = gr.Radio(named, value=default.sampler, label="Sampler", info="All start from noise of the highest level.",
                       elem_classes="chips")  # fmt: skip
    digit = gr.Dropdown(list(DIGITS), value=default.digit, label="Digit", info="Any: the ten in turn.")
    n = gr.Slider(1, 20, default.n, step=1, label="Pictures", info="How many at once.")
    hint = "Of the network for each picture; more are slower, and better."
    evaluations = gr.Slider(10, 400, default.evaluations, step=10, label="Evaluations", info=hint)
    seed, dice = controls.seed()
    with gr.Accordion("More", open=False):
        hint = "Of annealed Langevin, by the variance of the level."
        size = gr.Number(default.size, label="Step size h", info=hint, min_width=100)
        controls.rest(size, sampler, "annealed")
        low = gr.Number(default.low, label="Least noise", info="Where it ends.", min_width=100)
        high = gr.Number(default.high, label="Most noise", info="Where it begins.", min_width=100)
    every = (sampler, digit, n, evaluations, size, low, high, seed)
    return [unchecked(control) for control in every], dice
