"""Reverse: a run from noise to digits, live while it is made and scrubbed afterwards."""

import inspect
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

import gradio as gr
import numpy as np

from playground import checkpoint, formulas, pictures, sampling, validation
from playground.models import ddpm
from playground.recording import Recorder, Recording, record
from playground.tabs import Places
from playground.ui import controls, export, links, palette, scrubber
from playground.ui.controls import answered, sentence, unchecked
from playground.ui.export import Kept
from playground.ui.scrubber import Box, Curve, Series, Strip

NAME = "ddpm-digits"
MAX_PICTURES = 64
PAUSE = 0.1  # seconds between previews
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
DIAGRAM = (
    Box("x at t", "The noisy picture that goes into this step.", strip=0),
    Box("U-Net at t =", "The network: it sees the noisy picture, the time t and the class.", number="t"),
    Box("ε̂", "Its estimate of the noise in the picture.", strip=2),
    Box("x̂0", "What remains when that noise is taken away: its estimate of the finished picture.", strip=1),
    Box("step to s =", "The sampler moves to an earlier time s along the estimates, by the formula above.", number="s"),
    Box("x at s", "The picture after the step; it goes into the next one.", strip=0, ahead=1),
)


def load_model(places: Places) -> ddpm.Model:
    """The checkpoint of this tab."""
    return checkpoint.load(places.weights / f"{NAME}.safetensors", expect="ddpm")  # type: ignore[return-value]


_sampling_first = threading.Lock()  # two visitors at once wait for one run


@lru_cache(maxsize=2)
def _first_run(places: Places, modified_ns: int) -> Recording:
    return record(ddpm.sample(load_model(places), ddpm.Settings()), ddpm.Settings().steps)


def first_run(places: Places) -> Recording:
    """The run with the default settings: sampled at start-up, and kept to greet every visitor."""
    load_model(places)  # says what is wrong, if something is
    with _sampling_first:
        return _first_run(places, (places.weights / f"{NAME}.safetensors").stat().st_mtime_ns)


def warm_up(places: Places) -> None:
    """Make the first run before the first visitor asks; what is wrong, the page will say."""
    with suppress(*controls.EXPECTED):
        first_run(places)


# ---- from a run to what the scrubber shows ----


def strips(x: np.ndarray, x0_hat: np.ndarray, eps_hat: np.ndarray) -> list[Strip]:
    """The three strips of a run, each uint8 (F, N, H, W, C)."""
    return [
        Strip("x at time t", "the noisy pictures", x),
        Strip("x̂0, the predicted picture", "what the network expects in the end", x0_hat),
        Strip("ε̂, the predicted noise", "what it would take away", eps_hat),
    ]


def captions(run: Recording, settings: ddpm.Settings, alpha_bar: list[float], snr: list[float]) -> list[str]:
    """The numbers of each frame, in words."""
    kept = "" if len(run.steps) > settings.steps else f" · {len(run.steps)} of {settings.steps + 1} frames kept"
    rows = zip(run.steps, run.t, alpha_bar, snr, run.eps_norm, run.x0_change, strict=True)
    return [
        f"step {step} of {settings.steps} · t = {t} · ᾱ = {a:.3g} · SNR = {'∞' if t == 0 else f'{s:.3g}'} · "
        f"‖ε̂‖/√d = {e:.2f} (unit noise: 1) · change of x̂0 = {c:.3f}{kept}"
        for step, t, a, s, e, c in rows
    ]


def describe(model: ddpm.Model, settings: ddpm.Settings, run: Recording, asked: bool) -> dict[str, Any]:
    """The scrubber's value for a finished run; one that was asked for goes into the page's address."""
    alpha_bar, snr = (values[run.t].tolist() for values in (model.schedule.alpha_bar, model.schedule.snr))
    times = model.schedule.steps(settings.steps)
    curves = (
        Curve("ᾱ", "Share of the signal in the power of x at t.", [Series("", palette.DATA, alpha_bar)]),
        Curve("SNR", "Signal-to-noise ratio, ᾱ / (1 − ᾱ).", [Series("", palette.DATA, snr)], log=True),
        Curve("‖ε̂‖/√d", "Size of the predicted noise; 1 is unit noise.", [Series("", palette.NOISE, run.eps_norm)]),
        Curve("change of x̂0", "How far the estimate moved.", [Series("", palette.ESTIMATE, run.x0_change)]),
    )
    return scrubber.pack(
        strips(run.x, run.x0_hat, run.eps_hat),
        captions(run, settings, alpha_bar, snr),
        (f"t = {times[0]}", "t = 0"),
        curves=curves,
        formula=formulas.reverse_step(settings.sampler),
        numbers=formulas.reverse_numbers(settings.sampler, model.schedule, times, run.steps, settings.eta),
        diagram=DIAGRAM,
        query=links.query("ddpm", settings) if asked else None,
    )


def run_live(model: ddpm.Model, settings: ddpm.Settings) -> Iterator[dict[str, Any] | Recording]:
    """Previews for the scrubber while a run is under way, at most one every `PAUSE`; the recording at the end."""
    recorder = Recorder(settings.steps)
    start = shown = time.monotonic()
    for frame in ddpm.sample(model, settings):
        recorder.add(frame)
        now = time.monotonic()
        if frame.step == 1 or now - shown > PAUSE:
            shown = now
            left = (now - start) / max(frame.step, 1) * (settings.steps - frame.step)
            images = (pictures.to_uint8(part)[None] for part in (frame.x, frame.x0_hat, frame.eps_hat / 3))
            caption = f"step {frame.step} of {settings.steps} · about {left:.0f} s left"
            yield scrubber.live(strips(*images), frame.step, settings.steps + 1, caption)
    yield recorder.recording()


# ---- the controls and the settings ----


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


def build(page: gr.Blocks, places: Places) -> None:
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
                code = gr.Code(
                    source_code("ddim"), language="python", label="The function that ran, playground/sampling.py"
                )
            kept = gr.State(None, time_to_live=3600)
            command = export.build(kept, "ddpm-scrubber")
            links.copy_button()

    def finished(model: ddpm.Model, settings: ddpm.Settings, run: Recording, asked: bool) -> tuple[Any, ...]:
        provenance = checkpoint.header(places.weights / f"{NAME}.safetensors").provenance
        keep = Kept(NAME, settings, provenance, run)
        return describe(model, settings, run, asked), keep, keep.command, source_code(settings.sampler)

    outputs = [stage, kept, command, code]
    unchanged = [gr.skip()] * (len(outputs) - 1)

    def follow(model: ddpm.Model, settings: ddpm.Settings) -> Iterator[tuple[Any, ...]]:
        for state in run_live(model, settings):
            yield (state, *unchanged) if isinstance(state, dict) else finished(model, settings, state, asked=True)

    @answered
    def sample(*values):  # type: ignore[no-untyped-def]
        """Sample digits by denoising. Returns every frame as sprite sheets, and the command line."""
        try:
            yield from follow(load_model(places), settings_of(*values))
        except controls.EXPECTED as error:
            yield scrubber.message(sentence(error)), *unchanged
            raise

    def opened(request: gr.Request):  # type: ignore[no-untyped-def]
        """The first picture: the run that the address describes, or the default one."""
        try:
            model, asked = load_model(places), links.restore(ddpm.Settings, "ddpm", request.query_params)
            settings = ddpm.Settings() if asked is None else settings_of(*values_of(asked))
            runs = (
                follow(model, settings) if asked else iter([finished(model, settings, first_run(places), asked=False)])
            )
            for made in runs:
                yield *made, *values_of(settings)
        except controls.EXPECTED as error:
            yield scrubber.message(sentence(error)), *unchanged, *[gr.skip()] * len(inputs)

    threading.Thread(target=warm_up, args=[places], daemon=True).start()
    heavy: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, "show_progress": "hidden"}
    light: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    clicked = go.click(sample, inputs, outputs, api_name="ddpm_sample", trigger_mode="once", **heavy)
    rolled = dice.click(None, None, inputs[-1], js=controls.ROLL, queue=False).then(
        sample, inputs, outputs, api_visibility="private", **heavy
    )
    loaded = page.load(opened, None, [*outputs, *inputs], api_visibility="private", **heavy)
    stop.click(lambda: scrubber.STOPPED, None, stage, cancels=[clicked, rolled, loaded], **light)
