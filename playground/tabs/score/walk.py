"""Walk: particles that follow a score through the plane, by every sampler there is for it, played and scrubbed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground import checkpoint, langevin, validation
from playground.data import densities
from playground.data.densities import Density, Mixture
from playground.langevin import Moment, Score, ladder
from playground.models import score
from playground.sampling import Noise, generator
from playground.tabs import Places, live
from playground.ui import controls, export, how, links, palette, scrubber
from playground.ui.controls import unchecked
from playground.ui.scrubber import Counts, Curve, Histogram, Series, Strip
from playground.validation import UserError

TITLE, TAB = "Walk", "score.walk"
EXACT, LEARNED = SCORES = ("exact", "learned")
SPAN, SIDE, CELL = (
    3.2,
    256,
    4,
)  # of the picture: from -SPAN to SPAN, pixels a side, pixels a side of the density's cells
MAX_FRAMES = 101
HOW = """
Langevin dynamics follows the score uphill and is shaken by just so much noise that it ends with the density itself. In
theory from anywhere; in practice nothing crosses the empty space between two modes, so how many particles each one gets
depends on where they began. Much noise fills that space: annealing begins there, where there is a single hill, and
takes the noise away little by little. The reverse process and the probability flow do the same in one go.

[Welling 2011](https://www.stats.ox.ac.uk/~teh/research/compstats/WelTeh2011a.pdf) (Langevin) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (annealed) ·
[Song 2021](https://arxiv.org/abs/2011.13456) (predictor-corrector, probability flow)
"""
FORMULAS = {
    "langevin": "x ← x + h s(x) + √(2 h T) ε",
    "mala": "x′ = x + h s(x) + √(2 h) ε, taken with probability min(1, p(x′) q(x | x′) / p(x) q(x′ | x))",
    "annealed": "x ← x + h σ² s(x, σ) + √(2 h) σ ε, from σ to σ",
    "predictor-corrector": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε, and a step of Langevin at σ′",
    "reverse diffusion": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε",
    "probability flow": "dx = −σ s(x, σ) dσ, without any noise",
}
SAMPLERS = {
    "langevin": "Langevin",
    "mala": "Metropolis-adjusted",
    "annealed": "Annealed",
    "predictor-corrector": "Predictor-corrector",
    "reverse diffusion": "Reverse diffusion",
    "probability flow": "Probability flow",
}
PLAIN = ("langevin", "mala")  # which stay at one noise level
EACH = 5  # steps of annealed Langevin at a level
RATIO = 0.16  # of a corrector's step: see `langevin.predictor_corrector`


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order.

    Attributes:
        data: a name in `densities.DENSITIES`.
        scored: the exact score, or the one that a network learned.
        sampler: one of `SAMPLERS`.
        n: particles.
        size: of a step; for those that change the noise level, by its variance.
        temperature: of plain Langevin dynamics.
        steps: evaluations of the score.
        low, high: noise levels; plain dynamics stays at the low one.
        seed: of where the particles begin, and of the noise.
    """

    data: str = "uneven"
    scored: str = EXACT
    sampler: str = "langevin"
    n: int = 400
    size: float = 0.02
    temperature: float = 1.0
    steps: int = 100
    low: float = 0.05
    high: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.choice("data", self.data, densities.DENSITIES)
        validation.choice("score", self.scored, SCORES)
        validation.choice("sampler", self.sampler, SAMPLERS)
        whole = {"n": (10, 1000), "steps": (2, 500), "seed": (0, validation.MAX_SEED)}
        real = {"size": (1e-6, 10.0), "temperature": (0.0, 10.0), "low": (0.01, 10.0), "high": (0.02, 20.0)}
        validation.bound(self, whole, real)
        if self.low >= self.high:
            raise UserError("the least noise must lie below the most")
        if self.sampler == "mala" and self.scored == LEARNED:
            raise UserError("Metropolis-adjusted steps need the density itself, which no score gives: choose exact")


class Draws(Noise):
    """Normal noise of one generator for all particles."""

    def __init__(self, asked: Asked, stream: int):
        self.n, self.random = asked.n, generator(asked.seed, stream)

    def __call__(self, shape: Any, device: torch.device | str = "cpu") -> Tensor:
        """Draw (n, *shape)."""
        return torch.randn(self.n, *shape, generator=self.random).to(device)


def path(places: Places, data: str) -> Path:
    """The checkpoint of the score of a density."""
    return places.weights / f"score-{data}.safetensors"


def score_of(places: Places, asked: Asked) -> Score:
    """The score that is asked for.

    Raises:
        UserError: none was learned of this density.
    """
    density = densities.DENSITIES[asked.data]()
    if asked.scored == EXACT:
        return lambda x, sigma: density.noised(sigma).score(x)
    if not path(places, asked.data).exists():
        learned = [each for each in densities.DENSITIES if path(places, each).exists()]
        raise UserError(f"no network has learned {asked.data} yet: choose the exact score, or {' or '.join(learned)}")
    return cast(score.Model, checkpoint.load(path(places, asked.data), expect="score")).score()


def run(score: Score, asked: Asked) -> Iterator[Moment]:
    """The moments of a walk, `asked.steps` steps long."""
    noise, begin = Draws(asked, 0), Draws(asked, 1)((2,))
    if asked.sampler in PLAIN:
        x = asked.high / 2 * begin.clamp(-2, 2) / 2
        if asked.sampler == "langevin":
            return langevin.langevin(score, x, asked.low, asked.size, asked.steps, noise, asked.temperature)
        noised = densities.DENSITIES[asked.data]().noised(asked.low)
        coins = Draws(asked, 2)
        return langevin.mala(
            score, lambda x, _: noised.log_prob(x), x, asked.low, asked.size, asked.steps, noise, coins
        )
    return descent(score, asked.high * begin, asked.sampler, (asked.low, asked.high), asked.steps, asked.size, noise)


def descent(
    score: Score, x: Tensor, sampler: str, ends: tuple[float, float], evaluations: int, size: float, noise: Noise
) -> Iterator[Moment]:
    """The moments of a sampler that goes from the most noise to the least, by so many evaluations of the score.

    Args:
        size: of a step of annealed Langevin dynamics, by the variance of the level.
    """
    if sampler == "annealed":
        return langevin.annealed(score, x, ladder(*ends, max(2, evaluations // EACH)), EACH, size, noise)
    if sampler == "probability flow":
        return langevin.probability_flow(score, x, ladder(*ends, 1 + evaluations // 2))
    corrected = int(sampler == "predictor-corrector")
    levels = ladder(*ends, max(2, evaluations // (1 + corrected)))
    return langevin.predictor_corrector(score, x, levels, corrected, RATIO, noise)


class Frame(NamedTuple):
    """What a moment shows: its picture uint8 (SIDE, SIDE, 3), the shares of the modes, what the curves say."""

    picture: np.ndarray
    shares: np.ndarray
    sigma: float
    length: float
    accepted: float
    kl: float


def seen(density: Density, moment: Moment) -> Frame:
    """What a moment shows."""
    countable = isinstance(density, Mixture) and density.apart
    covered = densities.coverage(moment.x, cast(Mixture, density.noised(moment.sigma))) if countable else None
    return Frame(
        drawn(density, moment),
        covered.shares.numpy() if covered else np.zeros(0),
        moment.sigma,
        moment.score.norm(dim=1).mean().item(),
        moment.accepted.float().mean().item() if moment.accepted is not None else 1.0,
        covered.reverse_kl if covered else 0.0,
    )


def drawn(density: Density, moment: Moment) -> np.ndarray:
    """The particles on the density at their noise level, uint8 (SIDE, SIDE, 3)."""
    sheet = background(density, round(moment.sigma, 6)).copy()
    at = ((moment.x * torch.tensor([1.0, -1.0]) / SPAN + 1) / 2 * SIDE).long().numpy()
    rgb = [int(palette.NOISE[i : i + 2], 16) for i in (1, 3, 5)]
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            x, y = at[:, 0] + dx, at[:, 1] + dy
            inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
            sheet[y[inside], x[inside]] = rgb
    return sheet


@lru_cache(maxsize=256)
def background(density: Density, sigma: float) -> np.ndarray:
    """The density with noise of a level, dark where there is little, uint8 (SIDE, SIDE, 3)."""
    line = (torch.arange(SIDE // CELL) + 0.5) / (SIDE // CELL) * 2 * SPAN - SPAN
    y, x = torch.meshgrid(-line, line, indexing="ij")
    noised = density.noised(max(sigma, 0.03))
    p = noised.log_prob(torch.stack([x, y], dim=-1).reshape(-1, 2)).exp().reshape(x.shape)
    rgb = (p / p.max())[..., None] * torch.tensor([70.0, 130.0, 180.0]) + torch.tensor([0.0, 0.0, 12.0])
    return rgb.byte().numpy().repeat(CELL, 0).repeat(CELL, 1)


def strip(frames: list[Frame], plots: Sequence[Histogram] = ()) -> Strip:
    """The pictures of a walk."""
    sheet = np.stack([each.picture for each in frames])[:, None]
    return Strip("particles", "on the density at their noise level", sheet, plots=plots)


def film(asked: Asked, moments: list[Moment]) -> dict[str, Any]:
    """What the scrubber shows of a walk, as the arguments of `scrubber.pack`."""
    density = density_of(asked.data)
    kept = live.thinned(moments, MAX_FRAMES)
    frames, steps = [seen(density, each) for each in kept], [each.step for each in kept]
    if not np.isfinite(frames[-1].length):
        raise UserError("the particles ran off to infinity: choose a smaller step")
    plots = [_weights(density, frames)] if len(frames[0].shares) else []
    lines = {
        "σ": ("The noise level whose score is followed.", palette.DATA, [each.sigma for each in frames]),
        "score": ("Its mean length at the particles.", palette.ESTIMATE, [each.length for each in frames]),
    }
    if plots:
        lines["KL"] = ("From the shares of the modes to the true ones, nats.", palette.NOISE, [e.kl for e in frames])
    if asked.sampler == "mala":
        lines["taken"] = ("Share of the proposals.", palette.COMPARED, [each.accepted for each in frames])
    return {
        "strips": [strip(frames, plots)],
        "captions": [
            f"step {step} of {steps[-1]} · σ = {each.sigma:.3g}"
            + (f" · KL of the modes {each.kl:.3f} nats" if plots else "")
            for step, each in zip(steps, frames, strict=True)
        ],
        "ends": ("step 0", f"step {steps[-1]}"),
        "curves": [Curve(name, hint, [Series("", colour, values)]) for name, (hint, colour, values) in lines.items()],
        "formula": FORMULAS[asked.sampler],
        "keep": True,
    }


@lru_cache(maxsize=32)
def density_of(name: str) -> Density:
    """One object a name, for `background` to know it by."""
    return densities.DENSITIES[name]()


def _weights(density: Density, frames: list[Frame]) -> Histogram:
    """How many particles each mode has, against the truth."""
    truth = cast(Mixture, density).modes()[1].numpy()
    counts = [Counts("particles near to each mode", palette.NOISE, np.stack([each.shares for each in frames])),
              Counts("the truth", palette.DATA, np.tile(truth, (len(frames), 1)))]  # fmt: skip
    return Histogram("weights of the modes", [("first", "last")], counts)


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("score-walk")
            inputs, dice = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Particles that follow a score", "score-walk", "Walking …")
            how.build(HOW, langevin.langevin)
            kept = gr.State(None, time_to_live=3600)
            export.build(kept, "score-walk", told="")
            link = links.build()

    @live.shown_on_stage(beside=2)
    def walk(*given: Any) -> Iterator[Any]:
        """Let particles follow a score. Returns every frame as sprite sheets."""
        asked, moments = Asked(*given), list[Moment]()
        made, density = run(score_of(places, asked), asked), density_of(asked.data)

        def now(moment: Moment) -> list[Strip]:
            return [strip([seen(density, moment)])]

        yield from live.previews(made, asked.steps, moments.append, now)
        shown = film(asked, moments)
        about = {"settings": json.dumps(asdict(asked))}
        yield [scrubber.pack(**shown), export.of_film(f"{TAB}-seed{asked.seed}", about, shown), links.value(TAB, asked)]

    def opened(request: gr.Request) -> list[Any]:
        return live.opened(Asked, TAB, request)

    outputs, chosen = [stage, kept, link], inputs[:3]
    live.listen(stage, live.Buttons(go, stop, dice), walk, inputs, outputs, inputs[-1], "score_walk",
                also=[radio.input for radio in chosen], quietly=[link.select])  # fmt: skip
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _controls() -> tuple[list[Any], gr.Button]:
    """The controls in the order of `Asked`, and the dice."""
    default = Asked()
    data = gr.Radio(list(densities.DENSITIES), value=default.data, label="Data", elem_classes="chips")
    hint = "The true one, or that of a network in weights/."
    scored = gr.Radio(SCORES, value=default.scored, label="Score", info=hint, elem_classes="chips")
    named = [(title, name) for name, title in SAMPLERS.items()]
    sampler = gr.Radio(named, value=default.sampler, label="Sampler", info="The first two stay at the least noise.",
                       elem_classes="chips")  # fmt: skip
    n = gr.Slider(10, 1000, default.n, step=10, label="Particles", info="How many.")
    size = gr.Number(default.size, label="Step size h", info="Too large overshoots; too small crawls.", min_width=100)
    temperature = gr.Slider(0, 4, default.temperature, step=0.1, label="Temperature T", info="0 only climbs.")
    steps = gr.Slider(10, 500, default.steps, step=10, label="Steps", info="Evaluations of the score.")
    seed, dice = controls.seed()
    with gr.Accordion("More", open=False):
        low = gr.Number(default.low, label="Least noise", info="Where it ends.", min_width=100)
        high = gr.Number(default.high, label="Most noise", info="Where annealing begins.", min_width=100)
    every = (data, scored, sampler, n, size, temperature, steps, low, high, seed)
    return [unchecked(control) for control in every], dice
