"""Reverse: a run from noise to digits, live while it is made and scrubbed afterwards."""

from collections.abc import Iterable
from functools import partial
from typing import TypedDict

import gradio as gr

from playground.datasets.registry import class_names_of
from playground.diffusion.samplers import SAMPLERS
from playground.export import media
from playground.families import ddpm
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.recording import Recorder, Recording
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.tabs.ddpm import runs
from playground.tabs.ddpm.runs import MAX_PICTURES, MAX_W, ViewParams
from playground.web import controls, explanation, export, links, run_view, scrubber
from playground.web.controls import Control, ControlValue, skip_preprocess
from playground.web.first_run import FirstRunView
from playground.web.live_run import LiveRun

ALL = "all"  # the class control's value for all ten classes in turn
# The controls in their order, by the names of their parameters.
NAMES = ("model", "label", "n", "sampler", "steps", "w", "eta", "seed", "clip")
HOW = """
The network sees the noisy picture x<sub>t</sub>, the time t and the class. From what it predicts follow two
estimates: ε̂, the noise, and x̂<sub>0</sub>, the finished picture. The sampler moves to an earlier time s along them.
While t is large, x̂<sub>0</sub> is a blurred average of every picture that x<sub>t</sub> could become; it sharpens as t
falls.
Guidance evaluates the network without and with the class and goes w times the way from the one to the other.

[Ho 2020](https://arxiv.org/abs/2006.11239) (DDPM) ·
[Song 2021](https://arxiv.org/abs/2010.02502) (DDIM) ·
[Lu 2022](https://arxiv.org/abs/2211.01095) (DPM-Solver++) ·
[Karras 2022](https://arxiv.org/abs/2206.00364) (Heun) ·
[Ho and Salimans 2022](https://arxiv.org/abs/2207.12598) (guidance) ·
[Salimans and Ho 2022](https://arxiv.org/abs/2202.00512) (predicting v, as the shipped network does)
"""


class ClassChoices(TypedDict):
    """Properties of the control of the class."""

    choices: list[tuple[str, str | int | float]]
    value: str | int
    visible: bool


def class_choices(paths: Paths, model: object, label: object) -> ClassChoices:
    """Return the properties of the control of the class: the classes of a model, and one of them or "all"."""
    try:
        path = runs.CHECKPOINTS.path(paths, model)
        names = class_names_of(
            checkpoint.read_header(path).provenance, runs.CHECKPOINTS.load(paths, model).config.classes
        )
    except UserError:  # reported when the model is to sample
        names = []
    value = label if isinstance(label, int) and 0 <= label < len(names) else ALL
    return {"choices": [(ALL, ALL), *((name, k) for k, name in enumerate(names))], "value": value,
            "visible": len(names) > 1}  # fmt: skip


def build_controls(paths: Paths) -> tuple[list[Control], gr.Button]:
    """Build the controls in the order of `NAMES`, set as for the first run, and the button for a new seed."""
    default, model = runs.FIRST, runs.CHECKPOINTS.build(paths)
    label = controls.radio(label="Class", hint="What to draw.", **class_choices(paths, "", ALL))
    n = controls.slider(1, MAX_PICTURES, default.n, 1, "Pictures", "How many at once.")
    sampler = controls.sampler(default.sampler)
    steps = controls.steps(1000, default.steps)
    hint = "0 ignores the class, 1 follows it as trained, more exaggerates it."
    w = controls.slider(0, MAX_W, default.w, 0.1, "Guidance w", hint)
    eta = controls.eta(default.eta, sampler)
    seed, new_seed = controls.seed(value=default.seed)
    clip = gr.Checkbox(default.clip, label="Clip x̂0", info="Keep every estimate between black and white.")
    return [model, label, n, sampler, steps, w, eta, seed, skip_preprocess(clip)], new_seed


class ReverseView(FirstRunView[ViewParams, Recording]):
    """Exchange between the controls and the scrubber."""

    TITLE = "Reverse: noise to digits"
    HINT = "**Press Play**, or drag the slider under the pictures, and watch digits appear."
    picker, tab, first, names = runs.CHECKPOINTS, "ddpm", runs.FIRST, NAMES

    def __init__(self, paths: Paths):
        stage = partial(scrubber.build, "Denoising, frame by frame", "ddpm-scrubber", "Sampling a first run …")
        function = SAMPLERS[runs.FIRST.sampler].function
        controls_of = partial(build_controls, paths)
        layout = run_view.lay_out("ddpm", controls_of, stage, HOW, function, export.COMMAND_LABEL)
        self.paths, self.layout, self.inputs = paths, layout, layout.inputs
        self.outputs = [layout.stage, layout.run, layout.command, layout.code, layout.link]

    @classmethod
    def params_of(cls, values: Iterable[ControlValue]) -> ViewParams:
        """Return the parameters in the values of the controls, where "all" stands for no class."""
        model, label, *other_values = values
        return super().params_of([model, None if label == ALL else label, *other_values])

    @classmethod
    def values_of(cls, params: ViewParams) -> list[object]:
        """Return the values of the controls for parameters."""
        model, label, *other_values = super().values_of(params)
        return [model, ALL if label is None else label, *other_values]

    def control_values(self, params: ViewParams) -> list[object]:
        """Return the values of the controls, with the classes of the model that they choose."""
        model, label, *other_values = super().control_values(params)
        return [model, gr.update(**class_choices(self.paths, params.model, label)), *other_values]

    def update_classes(self, model: str, label: int | str) -> object:
        """Return the control of the class for another model."""
        return gr.update(**class_choices(self.paths, model, label))

    def load_first_run(self, model: str) -> Recording:
        """Return the first run of a model."""
        return runs.first(self.paths, model)

    def run_values(self, params: ViewParams, run: Recording, address: bool = True, notice: str = "") -> list[object]:
        """Return the values of the outputs for a finished run, which goes into the page's `address`, or not."""
        path, model = runs.CHECKPOINTS.path(self.paths, params.model), runs.CHECKPOINTS.load(self.paths, params.model)
        film = runs.make_film(model, params, run, notice, runs.read_digits(self.paths, params.model, run))
        about = media.build_metadata(path, params.settings)
        strips = [strip.frames for strip in film.strips]
        return [
            scrubber.pack(film),
            export.from_steps(
                f"{path.stem}-seed{params.seed}", about | links.record(self.tab, params), strips, run.steps, run.t
            ),
            about["command"],
            explanation.source(SAMPLERS[params.sampler].function),
            links.value(self.tab, params, address),
        ]

    @run_view.follow_run
    def sample(self, *values: ControlValue) -> LiveRun[Frame]:
        """Sample digits by denoising. Returns every frame as sprite sheets, and the command line."""
        params = self.params_of(values)
        recorder = Recorder(params.steps)
        frames = ddpm.sample(runs.CHECKPOINTS.load(self.paths, params.model), params)
        return LiveRun(
            frames, params.steps, recorder.add, runs.preview,
            lambda: self.run_values(params, recorder.recording()), links.value(self.tab, params),
        )  # fmt: skip

    def bind(self, page: gr.Blocks) -> None:
        model, label, *_ = self.inputs
        model.input(self.update_classes, [model, label], label, **controls.INSTANT)
        seed = self.inputs[NAMES.index("seed")]
        view = run_view.RunView(self.layout.stage, self.layout.buttons, self.inputs, seed, self.outputs)
        view.bind(self.sample, self.tab, link_runs=[self.bind_load(page, view, controls.LIGHT)])
