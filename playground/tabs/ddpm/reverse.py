"""Reverse: a run from noise to digits, live while it is made and scrubbed afterwards."""

import dataclasses
import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import gradio as gr

from playground import sampling, validation
from playground.models import ddpm
from playground.recording import Recorder, Recording
from playground.tabs import Places, live
from playground.tabs.ddpm import runs
from playground.ui import component, controls, export, how, links, scrubber
from playground.ui.controls import sentence, unchecked
from playground.validation import UserError

MAX_PICTURES, MAX_W = 64, 8
ALL = "all"  # the class control's value for the ten in turn
NAMES = ("label", "n", "sampler", "steps", "w", "eta", "seed", "clip")  # the controls, by their names in the settings
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


def settings_of(values: Iterable[Any]) -> ddpm.Settings:
    """The controls' values as settings.

    Raises:
        UserError: one of them is not allowed.
    """
    given = dict(zip(NAMES, values, strict=True))
    given["label"] = None if given["label"] == ALL else given["label"]
    validation.integer("number of pictures", given["n"], 1, MAX_PICTURES)  # the command line makes more
    validation.number("guidance w", given["w"], 0, MAX_W)
    return ddpm.Settings(**given)


def values_of(settings: ddpm.Settings) -> list[Any]:
    """The controls' values for some settings."""
    given = {**dataclasses.asdict(settings), "label": ALL if settings.label is None else settings.label}
    return [given[name] for name in NAMES]


def build_controls() -> tuple[list[Any], gr.Button]:
    """The controls in the order of `NAMES`, as the first run has them, and the dice."""
    default = runs.FIRST
    classes: list[tuple[str, Any]] = [("all", ALL), *((str(digit), digit) for digit in range(10))]
    label = gr.Radio(classes, value=ALL, label="Class", info="Which digit to ask for.", elem_classes="chips")
    n = gr.Slider(1, MAX_PICTURES, default.n, step=1, label="Pictures", info="How many at once.")
    sampler = controls.sampler(default.sampler)
    steps = gr.Slider(1, 1000, default.steps, step=1, label="Steps", info="More are slower, and more exact.")
    hint = "0 ignores the class, 1 is the model as it learned, more exaggerates the class."
    w = gr.Slider(0, MAX_W, default.w, step=0.1, label="Guidance w", info=hint)
    eta = controls.eta(default.eta, sampler)
    seed, dice = controls.seed(value=default.seed)
    clip = gr.Checkbox(default.clip, label="Clip x̂0", info="Keep every estimate from black to white.")
    return [unchecked(control) for control in (label, n, sampler, steps, w, eta, seed, clip)], dice


class View(NamedTuple):
    """The components of the view: the controls, the buttons, and what a run fills."""

    controls: list[Any]
    buttons: live.Buttons
    stage: gr.HTML
    kept: gr.State
    command: gr.Code
    code: gr.Code
    link: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """What a run fills."""
        return [self.stage, self.kept, self.command, self.code, self.link]


def lay_out() -> View:
    """The controls beside the stage."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("ddpm")
            inputs, dice = build_controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Denoising, frame by frame", "ddpm-scrubber", "Sampling a first run …")
            code = how.build(HOW, sampling.SAMPLERS[runs.FIRST.sampler])
            kept = gr.State(None, time_to_live=3600)
            command = export.build(kept, "ddpm-scrubber")
            link = links.build()
    return View(inputs, live.Buttons(go, stop, dice), stage, kept, command, code, link)


UNCHANGED = [gr.skip()] * 4  # what stands beside the stage, while that shows something else than a finished run


def finished(
    places: Places, model: ddpm.Model, settings: ddpm.Settings, run: Recording, asked: bool = True, notice: str = ""
) -> tuple[Any, ...]:
    """A finished run as values of the outputs; `asked` for, it goes into the page's address."""
    strips = run.x, run.x0_hat, run.eps_hat
    kept = export.of_diffusion(runs.NAME, settings, runs.provenance(places), strips, run.steps, run.t)
    shown, code = runs.describe(model, settings, run, notice), how.source(sampling.SAMPLERS[settings.sampler])
    return shown, kept, kept.about["command"], code, links.value("ddpm", settings, address=asked)


def first_run(places: Places, notice: str = "") -> tuple[Any, ...]:
    """The run that greets, and the controls that say so; or what is wrong with the model."""
    try:
        shown = finished(places, runs.load_model(places), runs.FIRST, runs.first(places), asked=False, notice=notice)
    except UserError as error:
        shown = component.message(notice or sentence(error)), *UNCHANGED
    return *shown, *values_of(runs.FIRST), None


def opened(places: Places, request: gr.Request) -> tuple[Any, ...]:
    """The controls as the address sets them, and the first run if it asks for none."""
    try:
        asked = links.restore(ddpm.Settings, "ddpm", request.query_params)
        if not asked:
            return first_run(places)
        values = values_of(asked)
        settings_of(values)  # the page allows less than the command line
        return component.message("Sampling the run of this link …"), *UNCHANGED, *values, asked
    except UserError as error:
        return first_run(places, sentence(error))


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    view = lay_out()

    @live.shown_on_stage(beside=len(UNCHANGED))
    def sample(*values: Any) -> Iterator[Any]:
        """Sample digits by denoising. Returns every frame as sprite sheets, and the command line."""
        settings, model = settings_of(values), runs.load_model(places)
        recorder = Recorder(settings.steps)
        moments = ddpm.sample(model, settings)
        yield from live.previews(moments, settings.steps, recorder.add, runs.preview)
        yield finished(places, model, settings, recorder.recording())

    def sample_linked(asked: ddpm.Settings | None) -> Iterator[Any]:
        if asked:
            yield from sample(*values_of(asked))
        else:  # Gradio tells of the state of a hidden tab even if it did not change
            yield gr.skip(), *UNCHANGED

    def open_page(request: gr.Request) -> tuple[Any, ...]:
        return opened(places, request)

    inputs, outputs = view.controls, view.outputs
    asked = gr.State(None)  # by a link: only then is there something to sample
    page.load(open_page, None, [*outputs, *inputs, asked], **controls.LIGHT, **controls.PRIVATE)
    linked = asked.change(sample_linked, asked, outputs, **controls.MODEL, **controls.PRIVATE)
    seed = inputs[NAMES.index("seed")]
    live.listen(view.stage, view.buttons, sample, inputs, outputs, seed, "ddpm_sample", linked=[linked])
    threading.Thread(target=runs.warm_up, args=[places], daemon=True).start()
