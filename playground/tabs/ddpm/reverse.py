"""Reverse: a run from noise to digits, live while it is made and scrubbed afterwards."""

import dataclasses
import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import gradio as gr

from playground import checkpoint, sampling, validation
from playground.models import ddpm
from playground.recording import Recorder, Recording
from playground.tabs import Places
from playground.tabs.ddpm import runs
from playground.ui import controls, export, how, links, scrubber
from playground.ui.controls import answered, sentence, unchecked
from playground.ui.export import Kept
from playground.validation import UserError

MAX_PICTURES, MAX_W = 64, 8
ALL = "all"  # the class control's value for the ten in turn
SAMPLERS = [
    ("DDIM: straight, few steps", "ddim"),
    ("DDPM: fresh noise at every step", "ddpm"),
    ("DDPM, the larger of its two variances", "ddpm-large"),
    ("DPM-Solver++: the fewest steps", "dpm-solver++"),
]
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


def settings_of(names: Iterable[str], values: Iterable[Any]) -> ddpm.Settings:
    """The controls' values as settings.

    Raises:
        UserError: one of them is not allowed.
    """
    given = dict(zip(names, values, strict=True))
    given["label"] = None if given["label"] == ALL else given["label"]
    validation.integer("number of pictures", given["n"], 1, MAX_PICTURES)  # the command line makes more
    validation.number("guidance w", given["w"], 0, MAX_W)
    return ddpm.Settings(**given)


def values_of(names: Iterable[str], settings: ddpm.Settings) -> list[Any]:
    """The controls' values for some settings."""
    given = {**dataclasses.asdict(settings), "label": ALL if settings.label is None else settings.label}
    return [given[name] for name in names]


def build_controls() -> tuple[dict[str, Any], gr.Button]:
    """The controls by the names in `ddpm.Settings`, as the first run has them, and the dice."""
    default = runs.FIRST
    fixed: dict[str, Any] = {"filterable": False}  # a list that was typed in stays open when the focus moves on
    classes: list[tuple[str, Any]] = [("All ten, in turn", ALL), *((str(digit), digit) for digit in range(10))]
    made: dict[str, Any] = {
        "label": gr.Dropdown(classes, value=ALL, label="Class", info="Which digit to ask for.", **fixed),
        "n": gr.Slider(1, MAX_PICTURES, default.n, step=1, label="Pictures", info="How many at once."),
        "sampler": gr.Dropdown(SAMPLERS, value=default.sampler, label="Sampler", info="How a step is made.", **fixed),
        "steps": gr.Slider(1, 1000, default.steps, step=1, label="Steps", info="More are slower, and more exact."),
        "w": gr.Slider(0, MAX_W, default.w, step=0.1, label="Guidance w", info="0 ignores the class, 1 is neutral."),
        "eta": gr.Slider(0, 1, default.eta, step=0.05, label="Noise eta", info="η of DDIM: 0 none, 1 as much as DDPM."),
    }
    made["seed"], dice = controls.seed(value=default.seed)
    with gr.Accordion("More", open=False):
        made["clip"] = gr.Checkbox(default.clip, label="Clip x̂0", info="Keep every estimate from black to white.")
    only_ddim = lambda name: gr.update(interactive=name == "ddim")  # noqa: E731
    made["sampler"].change(only_ddim, made["sampler"], made["eta"], queue=False, api_visibility="private")
    return {name: unchecked(control) for name, control in made.items()}, dice


class View(NamedTuple):
    """The components of the view: the controls by name, the buttons, and what a run fills."""

    controls: dict[str, Any]
    dice: gr.Button
    go: gr.Button
    stop: gr.Button
    stage: gr.HTML
    kept: gr.State
    command: gr.Code
    code: gr.Code
    link: gr.HTML


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
            code = how.build(HOW, sampling.SAMPLERS[runs.FIRST.sampler])
            kept = gr.State(None, time_to_live=3600)
            command = export.build(kept, "ddpm-scrubber")
            link = links.build()
    return View(inputs, dice, go, stop, stage, kept, command, code, link)


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    view = lay_out()
    names, inputs = list(view.controls), list(view.controls.values())
    outputs = [view.stage, view.kept, view.command, view.code, view.link]
    unchanged = [gr.skip()] * (len(outputs) - 1)

    def finished(
        model: ddpm.Model, settings: ddpm.Settings, run: Recording, asked: bool, notice: str = ""
    ) -> tuple[Any, ...]:
        kept = Kept(runs.NAME, settings, checkpoint.header(runs.path(places)).provenance, run)
        shown, code = runs.describe(model, settings, run, notice), how.source(sampling.SAMPLERS[settings.sampler])
        return shown, kept, kept.command, code, links.value("ddpm", settings, address=asked)

    @answered
    def sample(*values: Any) -> Iterator[tuple[Any, ...]]:
        """Sample digits by denoising. Returns every frame as sprite sheets, and the command line."""
        try:
            settings, model = settings_of(names, values), runs.load_model(places)
            recorder = Recorder(settings.steps)
            for preview in runs.live(model, settings, recorder):
                yield preview, *unchanged
            yield finished(model, settings, recorder.recording(), asked=True)
        except Exception as error:
            yield scrubber.message(sentence(error)), *unchanged
            raise

    def sample_rolled(*values: Any) -> Iterator[tuple[Any, ...]]:
        for shown in sample(*values):
            yield *shown, values[names.index("seed")]

    def first_run(notice: str = "") -> tuple[Any, ...]:
        """The run that greets and the controls that say so, or what is wrong with the model."""
        settings = runs.FIRST
        try:
            shown = finished(runs.load_model(places), settings, runs.first(places), asked=False, notice=notice)
        except UserError as error:
            shown = scrubber.message(notice or sentence(error)), *unchanged
        return *shown, *values_of(names, settings), None

    def opened(request: gr.Request) -> tuple[Any, ...]:
        """The controls as the address sets them, and the first run if it asks for none."""
        try:
            asked = links.restore(ddpm.Settings, "ddpm", request.query_params)
            if not asked:
                return first_run()
            values = values_of(names, asked)
            settings_of(names, values)  # the page allows less than the command line
            return scrubber.message("Sampling the run of this link …"), *unchanged, *values, asked
        except UserError as error:
            return first_run(sentence(error))

    def linked(asked: ddpm.Settings) -> Iterator[tuple[Any, ...]]:
        """The run that the address describes."""
        yield from sample(*values_of(names, asked))

    common: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    heavy: dict[str, Any] = {"show_progress": "hidden", "concurrency_id": "model", "concurrency_limit": 1}
    heavy_private: dict[str, Any] = {**heavy, "api_visibility": "private"}
    for button in (view.go, view.dice):
        button.click(None, None, None, js=controls.await_run("ddpm-scrubber"))
    controls.mark_stale(inputs, "ddpm-scrubber")
    clicked = view.go.click(sample, inputs, outputs, api_name="ddpm_sample", trigger_mode="once", **heavy)
    dice: dict[str, Any] = {"js": controls.roll(names.index("seed")), "trigger_mode": "once"}
    rolled = view.dice.click(sample_rolled, inputs, [*outputs, view.controls["seed"]], **dice, **heavy_private)
    asked = gr.State(None)  # by a link: only then is there something to sample
    page.load(opened, None, [*outputs, *inputs, asked], concurrency_id="light", concurrency_limit=2, **common)
    followed = asked.change(linked, asked, outputs, **heavy_private)
    started: list[Any] = [clicked, rolled, followed]
    view.stop.click(scrubber.stopped, None, view.stage, cancels=started, queue=False, **common)
    threading.Thread(target=runs.warm_up, args=[places], daemon=True).start()
