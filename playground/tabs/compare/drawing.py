"""One drawing: a picture of a digit through every family, a row each, with what its result says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground.datasets import mnist
from playground.datasets.dataset import TEST_NUMBERS
from playground.families import gan
from playground.families.score_matching import samplers
from playground.runtime import pictures, validation
from playground.runtime.formula import Formula
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.compare import passages
from playground.tabs.compare.digits import FamiliesView, Models, describe_missing, make_series, to_export, to_tiles
from playground.tabs.compare.passages import PASSAGES, Progress
from playground.web import controls, formula, image_picker, links, run_view, scrubber
from playground.web.controls import Control, ControlValue
from playground.web.image_picker import DRAWING, TEST_IMAGE, UPLOAD, ImagePicker, Sources
from playground.web.live_run import LiveRun
from playground.web.scrubber import Curve, Film, Strip

TAB = "compare.drawing"
KINDS = (TEST_IMAGE, DRAWING, UPLOAD)
FRAMES = 41
HOW = """
Every family is given the same picture, and answers in the only way it can. The VAE has an encoder, the flow can be
run backwards, and so can DDIM, step by step and nearly. The GAN has neither: all that can be done is to look for the
code whose picture is nearest. The score removes noise that was added. Each row shows the picture, what the family
makes of it at this moment, and the difference, where grey is none; the rows move in step, each from its own start.

That a picture comes back exactly does not show that a family knows digits: a flow brings noise back just as exactly.
What fails to come back is telling: a GAN or a VAE draws only what it has learned. Each likelihood has a scale of its
own: see *The likelihood paradox*.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114) (VAE) · [Dinh 2017](https://arxiv.org/abs/1605.08803) (flow)
· [Zhu 2016](https://arxiv.org/abs/1609.03552) (projection) · [Song 2021](https://arxiv.org/abs/2010.02502) (DDIM) ·
[Song 2021](https://arxiv.org/abs/2011.13456) (score, probability flow)
"""
WHERE = "error: root mean square over the pixels, where black to white is 2"
FORMULAS = (
    Formula("x̂ = decoder(μ(x))", source="Kingma and Welling 2014", name="VAE"),
    Formula("z = f(x), x = f^(−1)(z)", source="Dinh 2017, eq. 6 to 8", name="Flow"),
    Formula("z = argmin ‖G(z) − x‖²", source="Zhu 2016, section 4.1", name="GAN"),
    Formula("x_t = √ᾱ_t x̂_0 + √(1 − ᾱ_t) ε̂, from t = 0 up, and down again", source="Song 2021, eq. 13", name="DDIM"),
    replace(samplers.SAMPLERS["reverse diffusion"].formula, numbers="", name="Score", where=WHERE),
)  # fmt: skip


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls. A link cannot hold a drawing or an upload."""

    picture: str = TEST_IMAGE  # one of `KINDS`
    number: int = 18  # of a test image
    seed: int = 0  # of the noise, and of the codes that the projection begins with

    def __post_init__(self) -> None:
        validation.check_choice("picture", self.picture, KINDS)
        bounds = {"number": TEST_NUMBERS, "seed": (0, validation.MAX_SEED)}
        validation.check_bounds(self, bounds, labels=validation.LABELS)

    @property
    def linkable(self) -> "ViewParams | None":
        """Return the parameters as a link can hold them; no drawing."""
        return self if self.picture == TEST_IMAGE else None


@dataclass
class Recorder:
    """Pictures of each passage so far, and its newest sentence, by title."""

    x: Tensor  # the picture (1, 1, 32, 32)
    images: dict[str, list[Tensor]] = field(default_factory=dict)  # each (1, 1, 32, 32)
    sentences: dict[str, str] = field(default_factory=dict)

    def add(self, item: tuple[str, Progress]) -> None:
        """Record the progress of the passage with a title."""
        title, progress = item
        self.sentences[title] = progress.sentence
        if len(progress.images):
            self.images.setdefault(title, []).extend(passages.with_border(progress.images).split(1))

    def strips(self, frames: int) -> list[Strip]:
        """Return a strip for each passage, of a number of frames from its beginning to its end, or of its newest."""
        return [
            Strip(title, self.sentences[title], self._tiles(images, frames)) for title, images in self.images.items()
        ]

    def _tiles(self, images: Sequence[Tensor], frames: int) -> np.ndarray:
        """Return the picture, what became of it and their difference at each frame, uint8 (F, 3, 32, 32, 1)."""
        results = torch.cat([images[k] for k in _indices(len(images), frames)])
        tiles = [to_tiles(self.x.expand_as(results)), to_tiles(results), pictures.to_uint8((results - self.x) / 2)]
        return np.stack(tiles, axis=1)

    def film(self) -> Film:
        """Return the film of all passages, in step with each other, or raise UserError if none was possible."""
        if not self.images:
            raise UserError(describe_missing(self.sentences.values()))
        errors = {
            title: [passages.error(images[k], self.x) for k in _indices(len(images), FRAMES)]
            for title, images in self.images.items()
        }
        names = {title: title.partition(":")[0] for title in errors}
        return Film(
            self.strips(FRAMES),
            [f"{k / (FRAMES - 1):.0%} of the way · error so far: "
             + ", ".join(f"{names[title]} {values[k]:.2f}" for title, values in errors.items())
             for k in range(FRAMES)],
            ("where each begins", "its result"),
            [Curve("error", "Root-mean-square difference from the picture; black to white is 2.",
                   make_series({names[title]: values for title, values in errors.items()}))],
            formula.render(FORMULAS),
            keep=True,
            notice=describe_missing(text for title, text in self.sentences.items() if title not in errors),
        )  # fmt: skip


def _indices(n: int, frames: int) -> list[int]:
    """Return the indices of n pictures that a number of frames show, the last alone for one frame."""
    return [round(k) for k in np.linspace(0 if frames > 1 else n - 1, n - 1, frames)]


class DrawingView(FamiliesView):
    """View of one picture on its passage through every family."""

    TITLE = "One drawing"
    HINT = (
        "One picture, what each family makes of it, and where the two differ. **Drag the slider** to follow each on "
        "its way, then draw a picture of your own, or one that is not a digit."
    )
    params_type, tab = ViewParams, TAB
    image: ImagePicker

    def __init__(self, paths: Paths):
        stage = partial(scrubber.build, "One picture through every family", "compare-drawing",
                        "Taking a digit through every family: a few seconds …", in_rows=True)  # fmt: skip
        super().__init__(paths, "compare-drawing", stage, HOW, gan.project, verb="Run")

    @run_view.follow_run
    def sample(
        self, drawing: object, upload: object, correction: object, *values: ControlValue
    ) -> LiveRun[tuple[str, Progress]]:
        """Take a picture of a digit through every family. Returns every frame as sprite sheets."""
        params, sources = ViewParams(*values), Sources(drawing, upload, correction)
        x = image_picker.load_image(params.picture, params.number, sources, mnist.DATASET, self.paths.data)
        recorder, models = Recorder(x), Models(self.paths)

        def finish() -> list[object]:
            film, link = recorder.film(), links.value(TAB, params.linkable)
            about = models.build_origin(params) | {"results": json.dumps(recorder.sentences)}
            stem = f"drawing-{params.number if params.linkable else 'own'}-seed{params.seed}"
            return [scrubber.pack(film), to_export(stem, about | links.record(TAB, params.linkable), film), link]

        return LiveRun(
            passages.run(PASSAGES, models, x, params.seed), sum(passage.steps for passage in PASSAGES) - 1,
            recorder.add, lambda _: recorder.strips(1), finish, links.value(TAB, params.linkable),
        )  # fmt: skip

    def bind(self, page: gr.Blocks) -> None:
        _, _, *sources = self.image.inputs
        self.bind_runs(page, self.image.settled, sources)

    def build_controls(self) -> tuple[list[Control], gr.Button]:
        hint = "What every family gets: a digit, or anything else."
        self.image = image_picker.build("compare-drawing", KINDS, hint, lambda: mnist.DATASET)
        seed, new_seed = controls.seed("Sets the noise, and where the GAN's search begins.")
        kind, number, *_ = self.image.inputs
        return [kind, number, seed], new_seed
