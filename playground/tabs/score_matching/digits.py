"""Digits: the diffusion model's noise is a score, and Langevin dynamics and its kin draw digits with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground.export import media
from playground.families import ddpm
from playground.families.score_matching import langevin, samplers
from playground.runtime import pictures, validation
from playground.runtime.formula import Formula
from playground.runtime.paths import Paths
from playground.runtime.recording import subsample
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.tabs.ddpm import runs
from playground.web import controls, export, formula, links, palette, run_view, scrubber
from playground.web.controls import Control, ControlValue
from playground.web.linked_run import LinkedRunView
from playground.web.live_run import LiveRun
from playground.web.scrubber import Curve, Film, Strip

TAB = "score_matching.digits"
MAX_FRAMES = 61
ANY = "any"
DIGITS = (ANY, *map(str, range(10)))
FORMULA = Formula(
    "s(x, σ) = −ε̂(x / √(1 + σ²), t(σ)) / σ", source="Vincent 2011, eq. 10", where="ε̂: noise that the network predicts"
)
HOW = """
No network was trained for this view: the diffusion model predicts the noise ε̂ in a picture, and −ε̂ / σ is the score of
pictures with noise σ. A picture x with noise of level σ is the diffusion's xₜ divided by √ᾱₜ, so each level has its t.

[Vincent 2011](https://www.iro.umontreal.ca/~vincentp/Publications/smdae_techreport.pdf) (noise and score) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (annealed) · [Song 2021](https://arxiv.org/abs/2011.13456) (the others)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls."""

    model: str = ""  # the diffusion model's checkpoint
    sampler: str = "annealed"  # one of `samplers.FROM_NOISE`
    digit: str = ANY  # the class of all, or `ANY`: the ten in turn
    n: int = 10  # pictures
    evaluations: int = 120  # of the network for each picture
    step_size: float = 0.3  # of annealed Langevin dynamics, by the variance of the level
    # Noise levels.
    low: float = 0.05
    high: float = 10.0
    seed: int = 0  # of the noise

    def __post_init__(self) -> None:
        validation.check_choice("sampler", self.sampler, samplers.FROM_NOISE)
        validation.check_choice("digit", self.digit, DIGITS)
        integers = {"n": (1, 20), "evaluations": (10, 400), "seed": (0, validation.MAX_SEED)}
        floats = {"step_size": (1e-4, 1.0), "low": (0.01, 1.0), "high": (2.0, 50.0)}
        validation.check_bounds(self, integers, floats, samplers.LABELS)


def run(model: ddpm.Model, params: ViewParams) -> Iterator[Frame]:
    """Return the frames from noise to digits, of the classes in turn if any will do."""
    y = ddpm.labels(model, ddpm.Settings(params.n, None if params.digit == ANY else int(params.digit)))
    score = langevin.denoiser_to_score(model.denoiser(y, 1.0, clip=True), model.schedule)
    noise, config = Noise(params.seed, params.n), model.config
    x, sigma_range = params.high * noise((config.channels, config.size, config.size)), (params.low, params.high)
    return samplers.sample(score, x, params.sampler, sigma_range, params.evaluations, params.step_size, noise)


def strips(frames: Sequence[Frame], low: float) -> list[Strip]:
    """Return the strips of frames: the noisy pictures on the scale that the network sees, its estimate, and the score,
    which is that of the noise `low` in the last frame, without any."""
    sigma = torch.tensor([frame.sigma for frame in frames])[:, None, None, None, None]
    x, s = torch.stack([frame.x for frame in frames]), torch.stack([frame.score for frame in frames])
    noisy, eps = x / (1 + sigma**2).sqrt(), sigma.clamp(min=low) * s

    def to_images(x: Tensor, to_uint8: Callable[[Tensor], np.ndarray] = pictures.to_uint8) -> np.ndarray:
        images = to_uint8(x.flatten(0, 1))
        return images.reshape(*x.shape[:2], *images.shape[1:])

    return [
        Strip("x", "noisy digits, divided by √(1 + σ²)", to_images(noisy)),
        Strip("x + σ² s(x, σ)", "the digits that the score points to", to_images(x + sigma**2 * s)),
        Strip(
            "σ s(x, σ)",
            "the score times σ, which is −ε̂; grey is 0",
            to_images(eps, pictures.noise_to_uint8),
            small=True,
        ),
    ]


def film(params: ViewParams, run: Sequence[Frame]) -> Film:
    """Return the film of a run."""
    frames = subsample(run, MAX_FRAMES)
    sigmas = [frame.sigma for frame in frames]
    lengths = [frame.score.flatten(1).norm(dim=1).mean().item() for frame in frames]
    steps = samplers.SAMPLERS[params.sampler].steps(params.evaluations)
    noise_length = frames[0].x[0].numel() ** 0.5  # of unit noise
    unit = [max(sigma, params.low) * length / noise_length for sigma, length in zip(sigmas, lengths, strict=True)]
    return Film(
        strips(frames, params.low),
        [
            f"step {frame.step} of {steps} · σ = {frame.sigma:.3g} · mean length of the score {length:.3g}"
            for frame, length in zip(frames, lengths, strict=True)
        ],
        (f"σ = {sigmas[0]:.3g}", f"σ = {sigmas[-1]:.3g}"),
        [
            Curve.of("σ", "The noise level whose score is followed.", palette.NOISE, sigmas, log=True),
            Curve.of("score", "Its mean length, which grows as the noise falls.", palette.ESTIMATE, lengths, log=True),
            Curve.of("σ · score", "Its length relative to that of unit noise: 1 where a picture is nothing but noise.",
                     palette.DATA, unit),
        ],
        formula.render([samplers.SAMPLERS[params.sampler].formula, FORMULA]),
        samplers.numbers(sigmas, params.step_size),
        keep=True,
    )  # fmt: skip


class DigitsView(LinkedRunView):
    """View of digits that a sampler draws by the score of the diffusion model."""

    TITLE = "Digits"
    HINT = (
        "The noise that the diffusion model predicts is a score: whatever follows it turns from noise into digits. "
        "**Press Play**, then try another sampler."
    )
    picker, params_type, tab = runs.CHECKPOINTS, ViewParams, TAB

    def __init__(self, paths: Paths):
        stage = partial(scrubber.build, "Digits by a score", "score-digits", "Sampling first digits: a few seconds …")
        super().__init__(paths, "score-digits", stage, HOW, langevin.denoiser_to_score)

    @run_view.follow_run
    def sample(self, *values: ControlValue) -> LiveRun[Frame]:
        """Draw digits by the score of the diffusion model. Returns every frame as sprite sheets."""
        params, frames = ViewParams(*values), list[Frame]()
        steps = samplers.SAMPLERS[params.sampler].steps(params.evaluations)

        def finish() -> list[object]:
            film_value = film(params, frames)
            about = media.build_origin(runs.CHECKPOINTS.path(self.paths, params.model), params)
            run_value = export.from_film(f"{TAB}-seed{params.seed}", about | links.record(TAB, params), film_value)
            return [scrubber.pack(film_value), run_value, links.value(TAB, params)]

        return LiveRun(
            run(runs.CHECKPOINTS.load(self.paths, params.model), params), steps, frames.append,
            lambda frame: strips([frame], params.low), finish, links.value(TAB, params),
        )  # fmt: skip

    def build_controls(self) -> tuple[list[Control], gr.Button]:
        default, model = ViewParams(), runs.CHECKPOINTS.build(self.paths, info="Whose score is followed.")
        titles = [(samplers.SAMPLERS[name].title, name) for name in samplers.FROM_NOISE]
        hint = "How to follow the score; all start from the most noise."
        sampler = controls.radio(titles, default.sampler, "Sampler", hint)
        digit = controls.dropdown(list(DIGITS), default.digit, "Digit", "Any: all ten in turn.")
        n = controls.slider(1, 20, default.n, 1, "Pictures", "How many at once.")
        hint = "How often the network is evaluated for each picture; more is slower and better."
        evaluations = controls.slider(10, 400, default.evaluations, 10, "Evaluations", hint)
        seed, new_seed = controls.seed()
        with gr.Accordion("More", open=False):
            hint = "For annealed Langevin, as a share of the level's variance."
            step_size = controls.number(default.step_size, "Step size h", hint, step=0.01, min_width=100)
            controls.enable_for_samplers(step_size, sampler, "annealed")
            low = controls.number(default.low, "Least noise", "Where the run ends.", step=0.01, min_width=100)
            high = controls.number(default.high, "Most noise", "Where the run begins.", step=0.1, min_width=100)
        return [model, sampler, digit, n, evaluations, step_size, low, high, seed], new_seed
