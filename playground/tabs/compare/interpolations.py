"""Interpolations: from one test digit to another through every latent space, and through pixels, in step."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import gradio as gr
import torch
from torch import Tensor

from playground.datasets import mnist
from playground.datasets.dataset import TEST_NUMBERS
from playground.nn import interpolation
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.tabs.compare import paths_between
from playground.tabs.compare.digits import FamiliesView, Models, describe_missing, make_series, to_export, to_tiles
from playground.tabs.compare.paths_between import FRAMES, PATHS, Progress
from playground.tabs.ddpm import readings
from playground.web import controls, formula, image_picker, links, run_view, scrubber
from playground.web.controls import Control, ControlValue
from playground.web.live_run import LiveRun
from playground.web.scrubber import Curve, Film, Strip

TAB = "compare.interpolations"
HOW = """
The ends are the same for all: each family takes both digits into its own latent space, and turns what lies between the
two codes back into pictures. All but the pixels follow a great circle, on which codes stay about as long as their ends.
The ends come back as well as the family can bring them back: up to rounding from the flow, nearly from DDIM, smoothed
from the VAE, and from the GAN as the nearest picture that a search found.

A path is good if every picture on it is a digit. In pixels the two only lie over each other, though a classifier may
still read one of them. VAE and GAN were made to draw digits from any code, so theirs morph. What a flow or DDIM makes
of the noise between two noises need not lie between the two pictures: it may be another digit, or none.

[Shoemake 1985](https://doi.org/10.1145/325334.325242) (great circle) ·
[White 2016](https://arxiv.org/abs/1609.04468) (why not the line) ·
[Song 2021](https://arxiv.org/abs/2010.02502), section 5.3 (DDIM)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls."""

    # Numbers of the test digits at both ends.
    number: int = 18
    to_number: int = 0
    seed: int = 0  # of the codes that the projection begins with

    def __post_init__(self) -> None:
        bounds = {"number": TEST_NUMBERS, "to_number": TEST_NUMBERS, "seed": (0, validation.MAX_SEED)}
        validation.check_bounds(self, bounds, labels=validation.LABELS)


def film(paths: Paths, progress: Mapping[str, Progress]) -> Film:
    """Return the film of the paths, by title."""
    available = {title: entry for title, entry in progress.items() if len(entry.images)}
    steps = {title: _change(entry.images) for title, entry in available.items()}
    probabilities = _read(paths, available)
    captions = [f"{k / (FRAMES - 1):.0%} of the way" for k in range(FRAMES)]
    curves = [
        Curve("change", "Root mean square of what changed since the last frame; even is smooth.", make_series(steps))
    ]
    if probabilities:
        surest = {title: p.amax(1).tolist() for title, p in probabilities.items()}
        digits = {title: p.argmax(1).tolist() for title, p in probabilities.items()}
        readings_of = [
            ", ".join(f"{title} {digits[title][k]} ({surest[title][k]:.0%})" for title in available)
            for k in range(FRAMES)
        ]
        captions = [f"{a} · a classifier reads: {b}" for a, b in zip(captions, readings_of, strict=True)]
        curves.append(Curve("confidence", "Probability of the digit that a classifier reads.", make_series(surest)))
    return Film(
        [Strip(title, text, to_tiles(images)[:, None]) for title, (images, text) in available.items()],
        captions,
        ("the first digit", "the other"),
        curves,
        formula.render(interpolation.path_formulas("line", "arc", "codes of the two digits, here at right angles")),
        interpolation.path_numbers(torch.eye(2), FRAMES),
        start=FRAMES // 2,
        keep=True,
        notice=describe_missing(text for title, (_, text) in progress.items() if title not in available),
    )


def _read(paths: Paths, available: Mapping[str, Progress]) -> dict[str, Tensor]:
    """Return the probabilities of the digits (FRAMES, 10) that a classifier reads in each path; none without it."""
    classifier = readings.load_classifier(paths, mnist.DATASET)
    if classifier is None:
        return {}
    return {
        title: readings.classify(classifier, to_tiles(entry.images)[:, None])[:, 0]
        for title, entry in available.items()
    }


def _change(images: Tensor) -> list[float]:
    """Return how far each image (FRAMES, 1, H, W) is from the one before, root mean square; 0 at the first."""
    return [0.0, *images.diff(dim=0).square().mean((1, 2, 3)).sqrt().tolist()]


def preview(progress: Mapping[str, Progress]) -> list[Strip]:
    """Return the strips of a run under way: the middle of each path so far."""
    return [
        Strip(title, text, to_tiles(images[FRAMES // 2 : FRAMES // 2 + 1])[None])
        for title, (images, text) in progress.items()
        if len(images)
    ]


class InterpolationsView(FamiliesView):
    """View of the paths between two digits."""

    TITLE = "Interpolations"
    HINT = (
        "The path from one digit to another through the latent space of each family. **Drag the slider**: which paths "
        "show digits all the way?"
    )
    params_type, tab = ViewParams, TAB

    def __init__(self, paths: Paths):
        stage = partial(scrubber.build, "From one digit to another, in step", "compare-interpolations",
                        "Going from digit to digit: a few seconds …")  # fmt: skip
        super().__init__(paths, "compare-interpolations", stage, HOW, paths_between.follow_ddim, verb="Run")

    @run_view.follow_run
    def sample(self, *values: ControlValue) -> LiveRun[tuple[str, Progress]]:
        """Go from one test digit to another through every latent space. Returns every frame as sprite sheets."""
        params, models, progress = ViewParams(*values), Models(self.paths), dict[str, Progress]()
        ends = torch.cat([mnist.DATASET.load_test_image(self.paths.data, n) for n in (params.number, params.to_number)])

        def finish() -> list[object]:
            film_value = film(self.paths, progress)
            about = models.build_origin(params) | links.record(TAB, params)
            about |= {"results": json.dumps({title: entry.sentence for title, entry in progress.items()})}
            run = to_export(f"interpolations-{params.number}-to-{params.to_number}", about, film_value, in_rows=False)
            return [scrubber.pack(film_value), run, links.value(TAB, params)]

        return LiveRun(
            paths_between.run(models, ends, params.seed), sum(path.steps for path in PATHS) - 1,
            lambda item: progress.update([item]), lambda _: preview(progress), finish, links.value(TAB, params),
        )  # fmt: skip

    def bind(self, page: gr.Blocks) -> None:
        number, to_number, _ = self.layout.inputs
        self.bind_runs(page, [number.release, to_number.release])

    def build_controls(self) -> tuple[list[Control], gr.Button]:
        default = ViewParams()
        number = controls.slider(*TEST_NUMBERS, default.number, 1, "From test image", image_picker.FETCHED)
        hint = "The digit where the path ends."
        to_number = controls.slider(*TEST_NUMBERS, default.to_number, 1, "To test image", hint)
        seed, new_seed = controls.seed("Sets where the GAN's search for the ends begins.")
        return [number, to_number, seed], new_seed
