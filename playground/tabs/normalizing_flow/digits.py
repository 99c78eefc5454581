"""Digits: noise becomes pictures and a picture noise, layer by layer; how likely it is; the way to another."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import gradio as gr
from torch import Tensor

from playground.datasets import mnist
from playground.datasets.dataset import TEST_NUMBERS
from playground.export import media
from playground.families import normalizing_flow
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from playground.tabs.normalizing_flow import interpolation, layer_trajectory, likelihood
from playground.tabs.normalizing_flow.likelihood import CHECKPOINTS
from playground.web import component, controls, explanation, export, image_picker, links, plots, scrubber
from playground.web.controls import Control, ControlValue, error_sentence
from playground.web.image_picker import ImagePicker, Sources
from playground.web.linked_run import LinkedView
from playground.web.newest import Requests, newest_only
from playground.web.scrubber import Film

TAB = "normalizing_flow.digits"
PICTURE, SAMPLES, WAY = CONTENTS = ("picture", "samples", "way")
SAMPLE = "A sample"
KINDS = (image_picker.TEST_IMAGE, image_picker.DRAWING, image_picker.UPLOAD, SAMPLE)
ENDS = (SAMPLE, image_picker.TEST_IMAGE)  # of a way
SIDE = 28  # pixels of a digit
MOST = 25  # samples
HOW = """
Every layer can be undone, so the same network both draws and reads: from noise z through the layers to a picture, and
from any picture to its z, exactly but for rounding. After the first scale, half of the numbers are finished and go
straight into z. Each layer knows how much it stretches space, so the likelihood is known too. Pixels are whole numbers,
but a density needs real ones: noise u, drawn by a small flow of its own, fills the gaps (dequantization). Its cost
counts in the bits, which are therefore a bound: on average no less than the exact value.

**Likely is not real.** A flow learns more of how smooth pictures are than of what they show: a blank page, which is no
digit, may be likelier than every digit. And the likeliest z, 0, is far from all samples.

This flow is small and was trained for three hours: its samples have the strokes of digits, but some are not digits.

[Dinh 2017](https://arxiv.org/abs/1605.08803) (couplings, scales) ·
[Kingma 2018](https://arxiv.org/abs/1807.03039) (normalization, mixing, temperature) ·
[Durkan 2019](https://arxiv.org/abs/1906.04032) (splines) ·
[Ho 2019](https://arxiv.org/abs/1902.00275) (dequantization) ·
[Nalisnick 2019](https://arxiv.org/abs/1810.09136) (likelihood of what is none of the data)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls. A link cannot hold a drawing or an upload."""

    model: str = ""  # its checkpoint
    show: str = PICTURE  # one of `CONTENTS`
    # What is taken to z.
    picture: str = image_picker.TEST_IMAGE
    number: int = 0
    # The end of a way: a sample and its seed, or a test image and its number.
    to: str = SAMPLE
    to_number: int = 1
    # Of samples.
    n: int = 16
    temperature: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        validation.check_choice("what is shown", self.show, CONTENTS)
        validation.check_choice("picture", self.picture, KINDS)
        validation.check_choice("other end", self.to, ENDS)
        validation.check_integer("number of pictures", self.n, 1, MOST)  # the command line makes more
        is_test_image = (self.show, self.to) == (WAY, image_picker.TEST_IMAGE)
        to_numbers = TEST_NUMBERS if is_test_image else (0, validation.MAX_SEED)
        bounds = {"number": TEST_NUMBERS, "to_number": to_numbers}
        validation.check_bounds(self, bounds, labels=validation.LABELS)
        validation.set_frozen(self, **asdict(self.settings))

    @property
    def settings(self) -> normalizing_flow.Settings:
        """Return the settings of the samples."""
        return normalizing_flow.Settings(self.n, self.temperature, self.seed)

    @property
    def linkable(self) -> "ViewParams | None":
        """Return the parameters if a link can hold all that is shown."""
        return self if self.show == SAMPLES or self.picture in ENDS else None


def load_images(paths: Paths, model: normalizing_flow.Model, params: ViewParams, sources: Sources) -> list[Tensor]:
    """Return the pictures that are taken to z, each (1, 1, 28, 28) in [-1, 1]: none, one, or both ends of a way; raise
    UserError if one is missing."""

    def load_image(kind: str, number: int, seed: int) -> Tensor:
        if kind == SAMPLE:
            run = normalizing_flow.sample(model, normalizing_flow.Settings(1, params.temperature, seed))
            return normalizing_flow.logits_to_images(last_frame(run).x)
        return mnist.crop(image_picker.load_image(kind, number, sources, mnist.DATASET, paths.data))

    if params.show != SAMPLES and (model.config.channels, model.config.size) != (1, SIDE):
        raise UserError(f"this needs a model of grey pictures of {SIDE} x {SIDE} pixels: choose one, or show samples")
    first, last = (params.picture, params.number, params.seed), (params.to, params.to_number, params.to_number)
    return [load_image(*end) for end in {SAMPLES: [], PICTURE: [first], WAY: [first, last]}[params.show]]


def film(model: normalizing_flow.Model, params: ViewParams, x: list[Tensor]) -> Film:
    """Return the film of the chosen pictures."""
    if params.show == SAMPLES:
        return layer_trajectory.sample_film(model, params.settings)
    if params.show == PICTURE:
        return layer_trajectory.trip_film(layer_trajectory.round_trip(model, *x))
    return interpolation.film(interpolation.interpolate(model, *x))


class Uncompared(NamedTuple):
    """Picture whose likelihood is not yet told among others: the values of its request, and its bits per dimension."""

    request: tuple[ControlValue, ...]
    bits: float


class DigitsView(LinkedView):
    """View of a flow of digits, run anew at each change."""

    TITLE = "Digits"
    HINT = (
        "A digit goes through the layers to noise, and comes back exactly. **Drag the slider**, or show samples "
        "instead: noise that becomes digits."
    )
    picker, params_type, tab = CHECKPOINTS, ViewParams, TAB

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.image, self.inputs, self.new_seed = _controls(paths)
            with controls.stage_column():
                self.stage = scrubber.build(
                    "Through the flow, layer by layer", "flow-digits", "Taking a first digit to noise and back …"
                )
                self.likelihood = gr.HTML(elem_id="flow-likelihood")
                explanation.build(HOW, normalizing_flow.Model.decode_steps)
                self.run = gr.State(None, time_to_live=3600)
                self.notice = gr.State("")  # what is wrong with the address
                self.command = export.build(self.run, self.stage)
                self.link = links.build()
        uncompared = gr.State(None)
        self.outputs = [self.stage, self.link, self.run, self.command, self.likelihood, uncompared]

    def show(
        self, drawing: object, upload: object, correction: object, *values: ControlValue, notice: str = ""
    ) -> Iterator[list[ControlValue]]:
        """Run the flow: draw samples, take a picture to noise and back, or go from one to another. Returns every frame
        as sprite sheets, and for a picture its likelihood among others as HTML."""
        try:
            params = ViewParams(*values)
            model = CHECKPOINTS.load(self.paths, params.model)
            x = load_images(self.paths, model, params, Sources(drawing, upload, correction))
            film_value = film(model, params, x)
            film_value = replace(film_value, notice=notice or film_value.notice)
            run = export.from_film(*self._origin(params), film_value)
            command = gr.update(value=run.about.get("command"), visible="command" in run.about)
            link = links.value(TAB, params.linkable)
            run_values = [scrubber.pack(film_value), link, run, command]
            if params.show != PICTURE:
                yield [*run_values, "", None]
                return
            is_known = likelihood.groups.is_made(self.paths, params.model)
            yield [*run_values, gr.skip() if is_known else plots.paragraph(likelihood.MEASURING), gr.skip()]
            bits = normalizing_flow.bits_per_dimension(model, x[0]).item()
            uncompared = Uncompared((drawing, upload, correction, *values), bits)
            yield [*[gr.skip()] * 4, *([self.compare(uncompared), None] if is_known else [gr.skip(), uncompared])]
        except UserError as error:
            stage_value = component.message(error_sentence(error), outdated=True)
            yield [stage_value, links.nothing(TAB), None, gr.update(visible=False), "", None]

    def compare(self, uncompared: Uncompared) -> str:
        """Return HTML of the likelihood of a picture among others."""
        _, _, _, *values = uncompared.request
        return likelihood.table(likelihood.groups(self.paths, ViewParams(*values).model), uncompared.bits)

    def compare_newest(self, requests: Requests, uncompared: Uncompared | None) -> object:
        """Return the result of `compare` for the picture on show, once its model is measured."""
        html = self.compare(uncompared) if uncompared else None
        return html if uncompared and requests.is_newest(uncompared.request) else gr.skip()

    def _origin(self, params: ViewParams) -> tuple[str, dict[str, str]]:
        """Return name and metadata of the files of a run; samples come from the command line too."""
        path = CHECKPOINTS.path(self.paths, params.model)
        by_command = params.show == SAMPLES
        about = media.build_metadata(path, params.settings) if by_command else media.build_origin(path, params)
        link = links.record(TAB, params.linkable)
        return f"{path.stem}-{params.show}-seed{params.seed}", about | link

    def show_first(self, notice: str, *values: ControlValue) -> Iterator[list[ControlValue]]:
        """Return the picture with which the page opens, and what is wrong with its address."""
        yield from self.show(*values, notice=notice)

    def bind(self, page: gr.Blocks) -> None:
        kind, number, *sources = self.image.inputs
        requests, uncompared = gr.State(Requests()), self.outputs[-1]
        show = newest_only(self.show), [requests, *sources, *self.inputs], self.outputs
        setting_changes = [control.input for control in self.inputs if control not in (kind, number)]
        changes = [*setting_changes, *self.image.changes, *self.image.choices]
        gr.on(changes, *show, api_name=links.api_name(TAB), **controls.LIGHT)
        controls.on_new_seed(self.new_seed, self.inputs[-1]).then(*show, **controls.LIGHT)
        first_inputs = [requests, self.notice, *sources, *self.inputs]
        self.link.select(newest_only(self.show_first), first_inputs, self.outputs, **controls.LIGHT)
        # The first comparison takes seconds, in which whoever waits for it keeps no other answer from coming.
        uncompared.change(self.compare_newest, [requests, uncompared], self.likelihood, concurrency_id="likelihood",
                          concurrency_limit=1, **controls.HIDDEN)  # fmt: skip
        page.load(self.on_load, None, [self.notice, self.link, *self.inputs], **controls.LIGHT)


def _controls(paths: Paths) -> tuple[ImagePicker, list[Control], gr.Button]:
    """Build the choice of a picture, the controls in the order of `ViewParams`, and the button for a new seed."""
    default, model = ViewParams(), CHECKPOINTS.build(paths)
    titles = list(zip(("A digit to noise and back", "Samples", "From one to another"), CONTENTS, strict=True))
    show = controls.radio(titles, default.show, "Show", "Layer by layer, or a path between two pictures.")
    with gr.Column() as picture_column:
        image = image_picker.build("flow-digits", KINDS, "The picture to turn into noise z.", lambda: mnist.DATASET)
    with gr.Row(visible=False) as end_row:
        to = controls.radio(ENDS, default.to, "To", "Where the path ends.")
        hint = "Seed of the sample, or number of the test image."
        to_number = controls.number(default.to_number, "Seed or number", hint, precision=0)
    n = controls.slider(1, MOST, default.n, 1, "Pictures", "How many at once.", visible=False)
    hint = "Standard deviation of z in samples: 1 as trained, 0 makes all alike."
    temperature = controls.slider(0, 2, default.temperature, 0.05, "Temperature", hint, visible=False)
    seed, new_seed = controls.seed()
    kind, number, *_ = image.inputs

    def show_controls(show: str, picture: str, end: str) -> list[object]:
        sampled = show == SAMPLES or picture == SAMPLE or (show == WAY and end == SAMPLE)
        return [gr.update(visible=visible) for visible in (show != SAMPLES, show == WAY, show == SAMPLES, sampled)]

    changes, optional = [show.change, kind.input, to.input], [picture_column, end_row, n, temperature]
    gr.on(changes, show_controls, [show, kind, to], optional, **controls.INSTANT)
    return image, [model, show, kind, number, to, to_number, n, temperature, seed], new_seed
