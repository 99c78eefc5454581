"""Reverse: a run from noise to digits, live while it is made and scrubbed afterwards."""

import inspect
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import gradio as gr

from playground import checkpoint, sampling, validation
from playground.models import ddpm
from playground.recording import Recording
from playground.tabs import Places
from playground.tabs.ddpm import runs
from playground.ui import controls, export, links, scrubber
from playground.ui.controls import answered, sentence, unchecked
from playground.ui.export import Kept

MAX_PICTURES = 64
ALL = "all"  # the class control's value for the ten in turn
FIELDS = ("n", "label", "sampler", "steps", "eta", "w", "clip", "seed")  # of ddpm.Settings: the order of the inputs
HOW = """
The network sees the noisy picture x<sub>t</sub>, the time t and the class. From what it predicts follow two
estimates: ε̂, the noise, and x̂<sub>0</sub>, the finished picture. The sampler moves to an earlier time s along them.
While t is large, x̂<sub>0</sub> is a blurred average of all that the digits could become; it sharpens as t falls.
Guidance evaluates the network without and with the class and goes w times the way from the one to the other.

[Ho 2020](https://arxiv.org/abs/2006.11239) (DDPM) ·
[Song 2021](https://arxiv.org/abs/2010.02502) (DDIM) ·
[Lu 2022](https://arxiv.org/abs/2211.01095) (DPM-Solver++) ·
[Ho and Salimans 2022](https://arxiv.org/abs/2207.12598) (guidance) ·
[Salimans and Ho 2022](https://arxiv.org/abs/2202.00512) (what this network predicts, v)
"""


def settings_of(*values: Any) -> ddpm.Settings:
    """The controls' values, in the order of `FIELDS`, as settings; ValueError says which one is not allowed."""
    given = dict(zip(FIELDS, values, strict=True))
    given["label"] = None if given["label"] == ALL else given["label"]
    validation.integer("number of pictures", given["n"], 1, MAX_PICTURES)  # the command line makes more
    return ddpm.Settings(**given)


def values_of(settings: ddpm.Settings) -> list[Any]:
    """The controls' values for some settings."""
    values = [getattr(settings, field) for field in FIELDS]
    return [ALL if field == "label" and value is None else value for field, value in zip(FIELDS, values, strict=True)]


def build_controls() -> tuple[list[gr.components.Component], gr.Button]:
    """The controls in the order of `FIELDS`, and the dice."""
    classes: list[tuple[str, Any]] = [("All ten, in turn", ALL), *((str(digit), digit) for digit in range(10))]
    label = gr.Dropdown(classes, value=ALL, label="Class", info="Which digit to ask for.")
    n = gr.Slider(1, MAX_PICTURES, 10, step=1, label="Pictures", info="How many at once.")
    sampler = gr.Dropdown(list(sampling.SAMPLERS), value="ddim", label="Sampler", info="How a step is made.")
    steps = gr.Slider(1, 1000, 50, step=1, label="Steps", info="More are slower, and nearer to the exact path.")
    w = gr.Slider(0, 8, 1, step=0.1, label="Guidance w", info="0 ignores the class, 1 is neutral, more insists on it.")
    eta = gr.Slider(0, 1, 0, step=0.05, label="Noise eta", info="DDIM only: 0 adds no noise, 1 as much as DDPM.")
    seed, dice = controls.seed()
    with gr.Accordion("More", open=False):
        clip = gr.Checkbox(True, label="Clip x̂0", info="Keep every estimate between black and white.")
    return [unchecked(control) for control in (n, label, sampler, steps, eta, w, clip, seed)], dice


def source_code(sampler: str) -> str:
    """The code of the function that ran."""
    function = sampling.SAMPLERS.get(sampler, sampling.ddim)
    return inspect.getsource(getattr(function, "func", function))  # one of them is a partial


class View(NamedTuple):
    """The components of the view: the controls in the order of `FIELDS`, the buttons, and what a run fills."""

    inputs: list[gr.components.Component]
    dice: gr.Button
    go: gr.Button
    stop: gr.Button
    stage: gr.HTML
    kept: gr.State
    command: gr.Code
    code: gr.Code


def lay_out() -> View:
    """The controls beside the stage."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            inputs, dice = build_controls()
            with gr.Row(elem_classes="go"):
                go = gr.Button("Sample", variant="primary", elem_id="ddpm-sample", min_width=80)
                stop = gr.Button("Stop", elem_id="ddpm-stop", min_width=80)
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Denoising, frame by frame", "ddpm-scrubber", "Sampling a first run …")
            with gr.Accordion("How it works", open=False):
                gr.Markdown(HOW)
                label = "The function that ran, playground/sampling.py"
                code = gr.Code(source_code("ddim"), language="python", label=label)
            kept = gr.State(None, time_to_live=3600)
            command = export.build(kept, "ddpm-scrubber")
            links.copy_button()
    return View(inputs, dice, go, stop, stage, kept, command, code)


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    view = lay_out()
    outputs = [view.stage, view.kept, view.command, view.code]
    unchanged = [gr.skip()] * (len(outputs) - 1)

    def finished(model: ddpm.Model, settings: ddpm.Settings, run: Recording, asked: bool) -> tuple[Any, ...]:
        kept = Kept(runs.NAME, settings, checkpoint.header(runs.path(places)).provenance, run)
        return runs.describe(model, settings, run, asked), kept, kept.command, source_code(settings.sampler)

    def follow(model: ddpm.Model, settings: ddpm.Settings) -> Iterator[tuple[Any, ...]]:
        for state in runs.live(model, settings):
            yield (state, *unchanged) if isinstance(state, dict) else finished(model, settings, state, asked=True)

    @answered
    def sample(*values: Any) -> Iterator[tuple[Any, ...]]:
        """Sample digits by denoising. Returns every frame as sprite sheets, and the command line."""
        try:
            yield from follow(runs.load_model(places), settings_of(*values))
        except controls.EXPECTED as error:
            yield scrubber.message(sentence(error)), *unchanged
            raise

    def opened(request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """The first picture: the run that the address describes, or the default one."""
        try:
            model, asked = runs.load_model(places), links.restore(ddpm.Settings, "ddpm", request.query_params)
            if asked is None:
                settings = ddpm.Settings()
                yield *finished(model, settings, runs.first(places), asked=False), *values_of(settings)
                return
            values = values_of(asked)
            for state in follow(model, settings_of(*values)):
                yield *state, *values
        except controls.EXPECTED as error:
            yield scrubber.message(sentence(error)), *unchanged, *[gr.skip()] * len(view.inputs)

    connect(page, view, sample, opened, outputs)
    threading.Thread(target=runs.warm_up, args=[places], daemon=True).start()


def connect(page: gr.Blocks, view: View, sample: Any, opened: Any, outputs: list[Any]) -> None:
    """Buttons and opening start a run, one at a time for all visitors; Stop ends this visitor's."""
    heavy: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, "show_progress": "hidden"}
    private: dict[str, Any] = {"api_visibility": "private"}
    clicked = view.go.click(sample, view.inputs, outputs, api_name="ddpm_sample", trigger_mode="once", **heavy)
    rolled = view.dice.click(None, None, view.inputs[-1], js=controls.ROLL, queue=False).then(
        sample, view.inputs, outputs, **heavy, **private
    )
    loaded = page.load(opened, None, [*outputs, *view.inputs], **heavy, **private)
    started = [clicked, rolled, loaded]
    view.stop.click(lambda: scrubber.STOPPED, None, view.stage, cancels=started, queue=False, **private)
