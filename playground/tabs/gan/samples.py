"""Samples: what a generator draws, on the way from some codes to others, and what its discriminator says of it."""

from dataclasses import dataclass
from typing import NamedTuple

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground.datasets import mnist
from playground.export import media
from playground.families import gan
from playground.families.gan import losses
from playground.nn import interpolation
from playground.runtime import checkpoint, pictures, validation
from playground.runtime.formula import Formula
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.gan import variants
from playground.web import (
    component,
    controls,
    explanation,
    export,
    formula,
    links,
    neighbours,
    palette,
    plots,
    scrubber,
)
from playground.web.controls import Control, ControlValue, error_sentence
from playground.web.formula import use_minus_signs
from playground.web.linked_run import LinkedView
from playground.web.newest import Requests, newest_only
from playground.web.scrubber import Box, Curve, Film, Series, Strip

TAB = "gan.samples"
N_SAMPLES, FRAMES = 16, 25
ANY = "any"  # class
LABELS = [ANY, *map(str, range(10))]
HOW = """
The generator draws a picture from any code z ~ N(0, I); every point on the path between the codes of two seeds is a
code too. Truncation keeps the codes away from the tails: fewer surprises, less variety. D's slope shows what would
raise its logit: it lights up strokes that it misses, and darkens those that it doubts.

[Goodfellow 2014](https://arxiv.org/abs/1406.2661) · [Radford 2016](https://arxiv.org/abs/1511.06434) (walks) ·
[Brock 2019](https://arxiv.org/abs/1809.11096) (truncation) · [Miyato 2018](https://arxiv.org/abs/1802.05637) (classes)
"""
FORMULA = (
    interpolation.SLERP,
    Formula(
        "D(G(z)) = {logit}",
        where="z_0, z_1: codes of the two seeds · Ω: angle between them · D(G(z)): the logit of the first picture",
    ),
)
DIAGRAM = (
    Box("z", "Noise: the code of the first picture, on its way from seed to seed."),
    Box("G", "The generator, a network that draws a picture from any code."),
    Box("fake", "What it draws.", strip=0),
    Box("D", "The discriminator, a network that tells real pictures from fakes."),
    Box("logit", "Its logit: the higher, the surer that the picture is real.", number="logit"),
)


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link: the model, the seeds of both ends, a class for a model that knows any, the truncation."""

    model: str = ""
    seed: int = 0
    to: int = 1
    label: str = ANY
    truncation: float = 4.0

    def __post_init__(self) -> None:
        validation.check_choice("class", self.label, LABELS)
        validation.set_frozen(self, seed=self.settings(self.seed).seed, to=self.settings(self.to).seed)

    def settings(self, seed: int) -> gan.Settings:
        """Return the settings of the samples at one end."""
        return gan.Settings(N_SAMPLES, None if self.label == ANY else int(self.label), self.truncation, seed)


class Walk(NamedTuple):
    """Path between two seeds: pictures x (F, N, 1, H, W), D's logits (F, N), and its gradient there, as x."""

    x: Tensor
    logits: Tensor
    gradient: Tensor


def interpolate(model: gan.Model, params: ViewParams) -> Tensor:
    """Return the codes on the arcs from those of one seed to those of another, (F, N, Z)."""
    ends = [gan.sample_prior(model.config.latent, params.settings(seed)) for seed in (params.seed, params.to)]
    return torch.stack([interpolation.slerp(a, b, FRAMES) for a, b in zip(*ends, strict=True)], dim=1)


@torch.no_grad()
def draw(model: gan.Model, params: ViewParams, z: Tensor) -> Tensor:
    """Return the pictures (N, 1, H, W) of codes (N, Z)."""
    return model.generator(z, gan.labels(model, params.settings(params.seed)))


def walk(model: gan.Model, params: ViewParams) -> Walk:
    """Return the pictures of the paths, with D's logits and gradients."""
    y = gan.labels(model, params.settings(params.seed))
    frames = []
    for z in interpolate(model, params):
        x = draw(model, params, z).requires_grad_()
        logits = model.discriminator(x, y)
        frames.append((x.detach(), logits.detach(), losses.input_gradient(logits, x).detach()))
    return Walk(*(torch.stack(parts) for parts in zip(*frames, strict=True)))


def film(path: Walk, params: ViewParams, caveat: str = "", notice: str = "") -> Film:
    """Return the film of a path; a caveat says why the model is poor, if it is, a notice what else there is to say."""
    share = torch.linspace(0, 1, FRAMES).tolist()
    first, mean = path.logits[:, 0].tolist(), path.logits.mean(dim=1).tolist()
    steepest = path.gradient.abs().max().clamp(min=1e-12)
    captions = [
        f"{part:.0%} of the way from seed {params.seed} to seed {params.to} · mean logit of D {logit:.2f}"
        for part, logit in zip(share, mean, strict=True)
    ]
    return Film(
        [
            Strip("G(z)", caveat or "what the generator draws", _frames(path.x)),
            Strip("∇D", "what D wants to be brighter or darker; grey is 0", _frames(path.gradient / steepest)),
        ],
        [*map(use_minus_signs, captions)],
        (f"seed {params.seed}", f"seed {params.to}"),
        [Curve("D's logit", "High where D takes a picture for real.",
               [Series("mean", palette.NOISE, mean), Series("first picture", palette.ESTIMATE, first)])],
        formula.render(FORMULA),
        {"share": [f"{part:.2f}" for part in share], "logit": [use_minus_signs(f"{logit:.2f}") for logit in first]},
        DIAGRAM,
        start=0,
        keep=True,
        notice=notice,
    )  # fmt: skip


def _frames(x: Tensor) -> np.ndarray:
    return np.stack([pictures.to_uint8(frame) for frame in x])


class SamplesView(LinkedView):
    """View of the samples between two seeds, drawn anew at each change."""

    TITLE = "Samples"
    HINT = (
        "What a trained generator draws, on the way from some random codes to others. **Drag the slider**, or choose "
        "another loss."
    )
    picker, params_type, tab = variants.CHECKPOINTS, ViewParams, TAB

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.inputs, self.new_seed = self._build_controls()
            with controls.stage_column():
                self.stage = scrubber.build("From seed to seed", "gan-samples", "Choose a model.")
                self.search = gr.Button("Nearest training digits of these pictures", size="sm")
                self.neighbours = gr.HTML(elem_id="gan-nearest")
                self.index = gr.Number(0, visible=False)
                explanation.build(HOW, gan.sample)
                self.run = gr.State(None, time_to_live=3600)
                self.notice = gr.State("")  # what is wrong with the address
                self.command = export.build(
                    self.run, self.stage, "The pictures of the first seed from the command line"
                )
                self.link = links.build()
        self.outputs = [self.stage, self.link, self.run, self.command, self.neighbours]

    def _build_controls(self) -> tuple[list[Control], gr.Button]:
        """Build the controls in the order of `ViewParams`, and the button for a new seed."""
        model = variants.CHECKPOINTS.build(self.paths, "Loss", "The loss that the networks were trained with.")
        seed, new_seed = controls.seed()
        to = controls.number(1, "To seed", "The seed where the path ends.", precision=0)
        label = controls.radio(LABELS, ANY, "Class", "The class of all pictures.", visible=False)
        hint = "Largest size of each number of z; below 1 only the safest codes are left."
        truncation = controls.slider(0.05, 4, 4, 0.05, "Truncation", hint)
        model.change(self.show_label, model, label, **controls.INSTANT)
        return [model, seed, to, label, truncation], new_seed

    def show_label(self, model: str) -> object:
        """Return the update that shows the class for a model of classes alone."""
        models = variants.describe_all(self.paths)
        return gr.update(visible=model in models and models[model].classes)

    def show(self, *values: ControlValue, notice: str = "") -> list[ControlValue]:
        """Draw samples on the way from one seed to another. Returns every frame as sprite sheets."""
        try:
            params = ViewParams(*values)
            path = variants.CHECKPOINTS.path(self.paths, params.model)
            caveat = variants.About(path.stem, checkpoint.read_header(path)).caveat
            film_value = film(walk(variants.CHECKPOINTS.load(self.paths, params.model), params), params, caveat, notice)
            # Without the command, which makes the pictures of the first frame alone.
            about = media.build_origin(path, params) | links.record(TAB, params)
            run = export.from_film(f"{path.stem}-seed{params.seed}-to{params.to}", about, film_value)
            command = media.build_command(path, params.settings(params.seed), "grid.png")
            return [scrubber.pack(film_value), links.value(TAB, params), run, command, ""]
        except UserError as error:
            message = component.message(error_sentence(error), outdated=True)
            return [message, links.nothing(TAB), *[gr.skip()] * 3]

    def show_first(self, notice: str, *values: ControlValue) -> list[ControlValue]:
        """Return the samples with which the page opens, and what is wrong with its address."""
        return self.show(*values, notice=notice)

    def find_neighbours(self, requests: Requests, index: object, *values: ControlValue) -> object:
        """Return HTML of the nearest training digits of a frame's pictures, or nothing new if others are on show."""
        try:
            params = ViewParams(*values)
            model = variants.CHECKPOINTS.load(self.paths, params.model)
            x = draw(model, params, interpolate(model, params)[validation.check_integer("frame", index, 0, FRAMES - 1)])
            html = neighbours.render_rows(x, mnist.DATASET, self.paths.data, n=1, width=64)
        except UserError as error:
            html = plots.paragraph(error_sentence(error))
        return html if requests.is_newest(values) else gr.skip()

    def bind(self, page: gr.Blocks) -> None:
        requests = gr.State(Requests())
        show = newest_only(self.show), [requests, *self.inputs], self.outputs
        changes = [control.input for control in self.inputs]
        gr.on(changes, *show, api_name=links.api_name(TAB), **controls.LIGHT)
        controls.on_new_seed(self.new_seed, self.inputs[1]).then(*show, **controls.LIGHT)
        first_inputs = [requests, self.notice, *self.inputs]
        self.link.select(newest_only(self.show_first), first_inputs, self.outputs, **controls.LIGHT)
        self.search.click(self.find_neighbours, [requests, self.index, *self.inputs], self.neighbours,
                          js=scrubber.frame_index_js(self.stage, 1), **controls.SLOW)  # fmt: skip
        page.load(self.on_load, None, [self.notice, self.link, *self.inputs], **controls.LIGHT)
