"""Forward: noise added to a digit, t from 0 to T, under both schedules."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial
from math import log10

import gradio as gr
import torch
from torch import Tensor

from playground.datasets.dataset import TEST_NUMBERS
from playground.diffusion import formulas, schedule
from playground.runtime import pictures, validation
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from playground.tabs.ddpm import runs
from playground.web import component, controls, explanation, formula, image_picker, links, palette, scrubber
from playground.web.controls import error_sentence
from playground.web.image_picker import NO_SOURCES, Sources
from playground.web.newest import Requests, newest_only
from playground.web.scrubber import Curve, Film, Series, Strip
from playground.web.view import View

TAB = "ddpm.forward"
T = 1000
MODEL = "Model's sample"  # from the first run: of digits, the 7
KINDS = (MODEL, image_picker.TEST_IMAGE, image_picker.DRAWING, image_picker.UPLOAD)
TIMES = list(range(0, T + 1, 4))
SCHEDULES = {name: make(T) for name, make in schedule.SCHEDULES.items()}
COLOURS = {"cosine": palette.DATA, "linear": palette.COMPARISON}
HINTS = {"cosine": "keeps the picture longer", "linear": "has lost most of it by half-way"}
HOW = """
No network is at work here: at time t the picture is a fixed mixture of the original and the same noise ε. The schedule
sets how fast the signal's share ᾱ falls. The linear schedule destroys most of the digit in the first half;
the cosine schedule spends more of its time where something can still be seen, which is where there is most to learn.

[Ho 2020](https://arxiv.org/abs/2006.11239) (linear) · [Nichol 2021](https://arxiv.org/abs/2102.09672) (cosine)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link: the model that may draw the picture, the picture, and the seed of the noise.

    A link cannot hold a drawing or an upload.
    """

    model: str = ""
    picture: str = MODEL
    number: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.check_choice("picture", self.picture, KINDS)
        bounds = {"number": TEST_NUMBERS, "seed": (0, validation.MAX_SEED)}
        validation.check_bounds(self, bounds, labels=validation.LABELS)

    @property
    def linkable(self) -> "ViewParams | None":
        """Return the parameters as a link can hold them; no drawing."""
        return self if self.picture in (MODEL, image_picker.TEST_IMAGE) else None


def make_film(x0: Tensor, seed: int, notice: str = "") -> Film:
    """Return a picture x0 (1, C, H, W) under growing noise."""
    eps = torch.randn(x0.shape, generator=make_rng(seed))
    noisy = {name: s.add_noise(x0, torch.tensor(TIMES), eps) for name, s in SCHEDULES.items()}
    noise = pictures.noise_to_uint8(eps)[None].repeat(len(TIMES), axis=0)
    signal = {name: s.alpha_bar[TIMES].sqrt().tolist() for name, s in SCHEDULES.items()}
    sigma = {name: s.sigma[TIMES].tolist() for name, s in SCHEDULES.items()}
    snr = {name: s.snr[TIMES].tolist() for name, s in SCHEDULES.items()}
    return Film(
        [
            *(Strip(f"x at time t, {name} schedule", HINTS[name], pictures.to_uint8(x)[:, None])
              for name, x in noisy.items()),
            Strip("ε, the noise", "the same at every time; grey is 0", noise),
        ],
        [f"t = {t} of {T} · " + " · ".join(f"{name}: SNR {_ratio(values[k])}" for name, values in snr.items())
         for k, t in enumerate(TIMES)],
        ("t = 0, data", f"t = {T}, noise"),
        curves=(
            Curve("√ᾱ", "How much of the picture is left.", _series(signal)),
            Curve("√(1 − ᾱ)", "Standard deviation of the noise.", _series(sigma)),
            Curve("SNR", "Signal-to-noise ratio, ᾱ / (1 − ᾱ).", _series(snr), log=True),
        ),
        formula=formula.render(formulas.FORWARD),
        numbers={f"{name}_{part}": [f"{value:.3g}" for value in values[name]]
                 for name in SCHEDULES for part, values in (("signal", signal), ("sigma", sigma))},
        start=len(TIMES) // 4,
        keep=True,
        notice=notice,
    )  # fmt: skip


def _series(values: Mapping[str, Sequence[float]]) -> list[Series]:
    return [Series(name, COLOURS[name], line) for name, line in values.items()]


def _ratio(snr: float) -> str:
    if snr == float("inf"):
        return "∞"
    return f"{formula.format_number(snr)} ({formula.use_minus_signs(f'{10 * log10(snr):.1f}')} dB)"


def models_digit(paths: Paths, name: str) -> Tensor:
    """Return the eighth picture of a model's first run, of digits the seven, (1, C, H, W)."""
    return pictures.from_uint8(runs.first(paths, name or runs.CHECKPOINTS.first_name(paths)).images[7:8])


def load_picture(paths: Paths, model: str, kind: str, number: int, sources: Sources) -> Tensor:
    """Return the picture of one of `KINDS`, (1, C, H, W) in [-1, 1]."""
    if kind == MODEL:
        return models_digit(paths, model)
    return image_picker.load_image(kind, number, sources, runs.CHECKPOINTS.dataset(paths, model), paths.data)


class ForwardView(View):
    """Controls of the picture and the noise, and the scrubber that shows the one drown in the other."""

    TITLE = "Forward: digit to noise"
    HINT = (
        "A digit drowns in noise under two schedules; the network learns to undo this. **Drag the slider**: how long "
        "can you read it?"
    )

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.model = runs.CHECKPOINTS.build(paths, info="Noise is added to a sample of it, or to its data.")
                self.image = image_picker.build(
                    "ddpm-forward", KINDS, "What the noise is added to.", partial(runs.CHECKPOINTS.dataset, paths),
                    [self.model],
                )  # fmt: skip
                self.seed, self.new_seed = controls.seed("The same seed gives the same noise.")
            with controls.stage_column():
                self.stage = scrubber.build("Noising, frame by frame", "ddpm-forward-scrubber", "Choose a picture.")
                explanation.build(HOW, schedule.NoiseSchedule.add_noise)
                self.link = links.build()

    def noise(
        self, model: str, kind: str, number: int, drawing: object, upload: object, correction: object, seed: int
    ) -> Iterator[tuple[object, object]]:
        """Add noise to a digit under both schedules. Returns every frame as sprite sheets."""
        try:
            sources = Sources(drawing, upload, correction)
            image_picker.check_input(kind, sources)
            yield self.values(ViewParams(model, kind, number, seed), sources)
        except UserError as error:
            yield component.message(error_sentence(error), outdated=True), links.nothing(TAB)
            controls.raise_unseen(error)

    def values(
        self, params: ViewParams, sources: Sources = NO_SOURCES, notice: str = "", address: bool = True
    ) -> tuple[object, object]:
        """Return the values of the scrubber and the link; the parameters go into the page's `address`, or not."""
        x0 = load_picture(self.paths, params.model, params.picture, params.number, sources)
        film = make_film(x0, params.seed, notice)
        return scrubber.pack(film), links.value(TAB, params.linkable, address)

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the first picture: what the address describes, or the model's digit."""
        picker = runs.CHECKPOINTS
        params, address, wrong = picker.settings_from_request(self.paths, ViewParams, TAB, request)
        try:
            values = self.values(params, notice=wrong, address=address)
        except UserError as error:
            sentence = error_sentence(error)
            values = component.message(wrong or sentence), gr.skip()
            with suppress(UserError):
                first = ViewParams(picker.first_name(self.paths))
                values = self.values(first, notice=sentence, address=False)
                params = first
        return [*values, *picker.control_values(self.paths, astuple(params))]

    def bind(self, page: gr.Blocks) -> None:
        image = self.image
        outputs, requests = [self.stage, self.link], gr.State(Requests())
        noise = newest_only(self.noise), [requests, self.model, *image.inputs, self.seed], outputs
        changes = [*image.changes, self.model.input, *image.choices, self.seed.input]
        gr.on(changes, *noise, api_name=links.api_name(TAB), **controls.LIGHT)
        controls.on_new_seed(self.new_seed, self.seed).then(*noise, **controls.LIGHT)
        page.load(self.on_load, None, [*outputs, self.model, *image.inputs[:2], self.seed], **controls.LIGHT)
