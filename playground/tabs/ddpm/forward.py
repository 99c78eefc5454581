"""Forward: noise added to a digit, t from 0 to T, under both schedules."""

from contextlib import suppress
from dataclasses import dataclass
from math import log10
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from playground import formulas, pictures, sampling, schedule, validation
from playground.tabs import Places
from playground.tabs.ddpm import runs
from playground.ui import component, controls, how, links, palette, scrubber, source
from playground.ui.controls import answered, sentence
from playground.ui.scrubber import Curve, Series, Strip
from playground.validation import UserError

T = 1000
MODEL = "Model's 7"  # of the first run
KINDS = (MODEL, source.TEST, source.DRAWN, source.UPLOADED)
TIMES = list(range(0, T + 1, 4))
HOW = """
No network is at work here: at time t the picture is a fixed mixture of the original and one and the same noise ε. The
schedule says how fast the signal's share ᾱ falls. The linear schedule destroys most of the digit in the first half;
the cosine schedule spends more of its time where something can still be seen, which is where there is most to learn.

[Ho 2020](https://arxiv.org/abs/2006.11239) (linear) · [Nichol 2021](https://arxiv.org/abs/2102.09672) (cosine)
"""


@dataclass(frozen=True)
class Settings:
    """What a link restores: the picture and the seed of the noise. A drawing or an upload fits into no link."""

    picture: str = MODEL
    number: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.choice("picture", self.picture, KINDS)
        number = validation.integer("number of the test image", self.number, 0, 9_999)
        validation.keep(self, number=number, seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED))


def describe(x0: Tensor, seed: int, notice: str = "") -> dict[str, Any]:
    """The scrubber's value for a picture x0 (1, C, H, W) under growing noise."""
    eps = torch.randn(x0.shape, generator=sampling.generator(seed))
    t = torch.tensor(TIMES)
    both = {name: make(T) for name, make in schedule.SCHEDULES.items()}
    strips = [
        Strip(f"x at time t, {name}", f"the {name} schedule", pictures.to_uint8(s.add_noise(x0, t, eps))[:, None])
        for name, s in both.items()
    ]
    noise = pictures.noise_to_uint8(eps)
    strips.append(Strip("ε, the noise", "the same at every time; grey is 0", noise[None].repeat(len(TIMES), axis=0)))
    colours = {"cosine": palette.DATA, "linear": palette.COMPARED}

    def curve(name: str, hint: str, values: dict[str, Tensor], log: bool = False) -> Curve:
        return Curve(name, hint, [Series(k, colours[k], v[t].tolist()) for k, v in values.items()], log)

    signal = {name: s.alpha_bar.sqrt() for name, s in both.items()}
    sigma = {name: s.sigma for name, s in both.items()}
    snr = {name: s.snr for name, s in both.items()}
    return scrubber.pack(
        strips,
        [
            f"t = {time} of {T} · " + " · ".join(f"{k}: SNR {_ratio(v[time].item())}" for k, v in snr.items())
            for time in TIMES
        ],
        ("t = 0, data", f"t = {T}, noise"),
        curves=(
            curve("√ᾱ", "How much of the picture is left.", signal),
            curve("√(1 − ᾱ)", "Standard deviation of the noise.", sigma),
            curve("SNR", "Signal-to-noise ratio, ᾱ / (1 − ᾱ).", snr, log=True),
        ),
        formula=formulas.FORWARD_STEP,
        numbers={
            f"{k}_{part}": [f"{values[k][time].item():.3g}" for time in TIMES]
            for k in both
            for part, values in (("signal", signal), ("sigma", sigma))
        },
        start=len(TIMES) // 4,
        keep=True,
        notice=notice,
    )


def _ratio(snr: float) -> str:
    """A ratio in plain numbers and decibels."""
    return "∞" if snr == float("inf") else f"{snr:.3g} ({10 * log10(snr):.0f} dB)"


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes=["tab-body", "controls-first"]):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            chosen = source.build("ddpm-forward", KINDS, "What the noise is added to.")
            seed, dice = controls.seed("The same seed gives the same noise.")
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Noising, frame by frame", "ddpm-forward-scrubber", "Choose a picture.")
            how.build(HOW, schedule.NoiseSchedule.add_noise)
            link = links.build()

    def picture(settings: Settings, drawing: Any = "", upload: Any = None) -> Tensor:
        if settings.picture == MODEL:
            return models_digit(places)
        return source.picture(settings.picture, settings.number, drawing, upload, places.data)

    @answered
    def noise(kind: Any, number: Any, drawing: Any, upload: Any, seed: Any) -> tuple[Any, Any]:
        """Add noise to a digit under both schedules. Returns every frame as sprite sheets."""
        settings = Settings(kind, number, seed)
        linked = settings if kind in (MODEL, source.TEST) else None  # a drawing fits into no link
        return describe(picture(settings, drawing, upload), settings.seed), links.value("ddpm.forward", linked)

    def chose(kind: Any, number: Any, drawing: Any, upload: Any, seed: Any) -> tuple[Any, Any]:
        wanted = source.awaited(kind, drawing, upload)
        return (component.message(wanted), gr.skip()) if wanted else noise(kind, number, drawing, upload, seed)

    def first(linked: Settings | None, notice: str = "") -> tuple[Any, ...]:
        asked = linked or Settings()
        link = links.value("ddpm.forward", asked, address=linked is not None)
        return describe(picture(asked), asked.seed, notice), link, asked.picture, asked.number, asked.seed

    def opened(request: gr.Request) -> tuple[Any, ...]:
        """The first picture: what the address describes, or the model's digit."""
        try:
            return first(links.restore(Settings, "ddpm.forward", request.query_params))
        except UserError as error:
            with suppress(UserError):
                return first(None, notice=sentence(error))
            return component.message(sentence(error)), *[gr.skip()] * 4

    inputs, shown = [*chosen.inputs, seed], [stage, link]
    private = {**controls.LIGHT, **controls.PRIVATE}
    newest: dict[str, Any] = {"trigger_mode": "always_last"}
    gr.on(chosen.changes, noise, inputs, shown, api_name="ddpm_noise", **newest, **controls.LIGHT)
    gr.on([*chosen.choices, seed.input], chose, inputs, shown, **newest, **private)
    controls.thrown(dice, seed).then(chose, inputs, shown, **private)
    page.load(opened, None, [*shown, inputs[0], inputs[1], seed], **private)


def models_digit(places: Places) -> Tensor:
    """The seven of the first run, (1, 1, 32, 32)."""
    image = torch.from_numpy(runs.first(places).images[7])  # (H, W, C)
    return image.permute(2, 0, 1)[None] / 127.5 - 1
