"""Digits: noise becomes pictures and a picture noise, layer by layer; how likely it is; the way to another."""

from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from typing import Any

import gradio as gr
from torch import Tensor

from playground import checkpoint, exports, validation
from playground.data import digits
from playground.models import flow
from playground.sampling import last
from playground.tabs import Places, live
from playground.tabs.flow import between, likelihood, passes
from playground.tabs.flow.likelihood import NAME, load_model
from playground.ui import component, controls, export, how, links, plots, scrubber, source
from playground.ui.controls import sentence
from playground.validation import UserError

TITLE, TAB = "Digits", "flow.digits"
SAMPLES, PICTURE, WAY = WHAT = ("samples", "picture", "way")
SAMPLE = "A sample"
KINDS = (SAMPLE, source.TEST, source.DRAWN, source.UPLOADED)
ENDS = (SAMPLE, source.TEST)  # of a way
MOST = 25  # samples
HOW = """
Every layer can be undone, so one network draws and reads: from noise z through the layers to a picture, and from any
picture to its z, exactly but for rounding. After the first scale half of the numbers are done. Each layer knows how
much it stretches space, so the likelihood is known too. Pixels are whole numbers, a density is of real ones: noise u,
drawn by a small flow of its own, fills the gaps between them (the dequantisation). What it costs is part of the bits,
which are a bound, by one draw of u: on average at least those of the exact likelihood.

**Likely is not real.** A flow learns more of how smooth pictures are than of what they show: a blank page, which is no
digit, may be likelier than every digit. And the likeliest z, 0, is far from all samples.

This flow is small and learned for three hours: its samples have the strokes of digits, and some are none.

[Dinh 2017](https://arxiv.org/abs/1605.08803) (couplings, scales) ·
[Kingma 2018](https://arxiv.org/abs/1807.03039) (normalisation, mixing, temperature) ·
[Durkan 2019](https://arxiv.org/abs/1906.04032) (splines) ·
[Ho 2019](https://arxiv.org/abs/1902.00275) (dequantisation) ·
[Nalisnick 2019](https://arxiv.org/abs/1810.09136) (likelihood of what is none of the data)
"""


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order. A drawing or an upload fits into no link.

    Attributes:
        what: is shown.
        picture, number: what is taken to z.
        to, other: the end of a way: a sample and its seed, or a test image and its number.
        n, temperature, seed: of samples.
    """

    what: str = SAMPLES
    picture: str = SAMPLE
    number: int = 0
    to: str = SAMPLE
    other: int = 1
    n: int = 16
    temperature: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        validation.choice("what is shown", self.what, WHAT)
        validation.choice("picture", self.picture, KINDS)
        validation.choice("other end", self.to, ENDS)
        validation.integer("number of pictures", self.n, 1, MOST)  # the command line makes more
        highest = 9_999 if (self.what, self.to) == (WAY, source.TEST) else validation.MAX_SEED
        validation.keep(
            self,
            number=validation.integer("number of the test image", self.number, 0, 9_999),
            other=validation.integer("number of the other end", self.other, 0, highest),
            **asdict(self.settings),
        )

    @property
    def settings(self) -> flow.Settings:
        """Of the samples."""
        return flow.Settings(self.n, self.temperature, self.seed)

    @property
    def linkable(self) -> bool:
        """Whether a link holds all that is shown."""
        return self.what == SAMPLES or self.picture in ENDS


def chosen(places: Places, model: flow.Model, asked: Asked, drawing: object, upload: object) -> list[Tensor]:
    """The pictures that are taken to z, each (1, 1, 28, 28) in [-1, 1]: none, one, or both ends of a way.

    Raises:
        UserError: what to do, in one sentence.
    """

    def one(kind: str, number: int, seed: int) -> Tensor:
        if kind == SAMPLE:
            return last(flow.sample(model, flow.Settings(1, asked.temperature, seed))).x
        return digits.crop(source.picture(kind, number, drawing, upload, places.data))

    first, other = (asked.picture, asked.number, asked.seed), (asked.to, asked.other, asked.other)
    return [one(*end) for end in {SAMPLES: [], PICTURE: [first], WAY: [first, other]}[asked.what]]


def film(model: flow.Model, asked: Asked, x: list[Tensor]) -> dict[str, Any]:
    """What the scrubber shows, as the arguments of `scrubber.pack`, of the chosen pictures."""
    if asked.what == SAMPLES:
        return passes.samples(model, asked.settings)
    if asked.what == PICTURE:
        return passes.described(passes.there_and_back(model, *x))
    return between.compared(between.ways(model, *x))


def exported(places: Places, asked: Asked, shown: dict[str, Any]) -> export.RunOnShow:
    """What the export panel saves of a film; samples come from the command line too."""
    provenance = checkpoint.header(places.weights / f"{NAME}.safetensors").provenance
    samples = asked.what == SAMPLES
    about = exports.metadata(NAME, asked.settings, provenance) if samples else exports.origin(NAME, asked, provenance)
    return export.of_film(f"{NAME}-{asked.what}-seed{asked.seed}", about, shown)


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            inputs, own, dice, changes = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            controls.to_settings()
            stage = scrubber.build("Through the flow, layer by layer", "flow-digits", "Drawing first samples …")
            table = gr.HTML(elem_id="flow-likelihood")
            how.build(HOW, flow.Model.back)
            kept = gr.State(None, time_to_live=3600)
            command = export.build(kept, "flow-digits")
            link = links.build()

    def show(drawing: Any, upload: Any, *given: Any) -> Iterator[list[Any]]:
        """Run the flow: draw samples, take a picture to noise and back, or go from one to another. Returns every frame
        as sprite sheets, and for a picture its likelihood among others as HTML."""
        try:
            asked, model = Asked(*given), load_model(places)
            x = chosen(places, model, asked, drawing, upload)
            shown = film(model, asked, x)
            run, made = exported(places, asked, shown), scrubber.pack(**shown, keep=True)
            command = gr.update(value=run.about.get("command"), visible="command" in run.about)
            beside = [links.value(TAB, asked if asked.linkable else None), run, command]
            if asked.what != PICTURE:
                yield [made, *beside, ""]
                return
            known = likelihood.is_measured(places)
            yield [made, *beside, gr.skip() if known else plots.paragraph(likelihood.MEASURING)]
            own = likelihood.bits(model, x[0]).item()
            yield [*[gr.skip()] * 4, likelihood.table(likelihood.groups(places), own)]
        except UserError as error:
            yield [component.message(sentence(error)), *[gr.skip()] * 4]

    def opened(request: gr.Request) -> list[Any]:
        """The controls as the address sets them; what they ask for is shown when it is seen, if nothing is wrong."""
        return live.opened(Asked, TAB, request, lambda: next(show(None, None, *astuple(Asked())))[0])

    every, outputs = [*own, *inputs], [stage, link, kept, command, table]
    gr.on(changes, show, every, outputs, api_name="flow_digits", **controls.LIGHT, trigger_mode="always_last")
    controls.thrown(dice, inputs[-1]).then(show, every, outputs, **controls.LIGHT, **controls.PRIVATE)
    link.select(show, every, outputs, **controls.LIGHT, **controls.PRIVATE)
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _controls() -> tuple[list[Any], list[Any], gr.Button, list[Any]]:
    """The controls in the order of `Asked`; the drawing and the upload; the dice; what changes the picture."""
    default = Asked()
    named = list(zip(("Samples", "A picture to z and back", "A way between two"), WHAT, strict=True))
    what = gr.Radio(named, value=default.what, label="Show", info="Layer by layer, or from one to another.",
                    elem_classes="chips")  # fmt: skip
    with gr.Column(visible=False) as taken:
        chosen = source.build("flow-digits", KINDS, "What is taken to z.")
    with gr.Row(visible=False) as end:
        to = gr.Radio(ENDS, value=default.to, label="To", info="The other end of the way.", elem_classes="chips")
        other = gr.Number(default.other, label="Which", info="Seed of the sample, or number of the test image.",
                          precision=0)  # fmt: skip
    n = gr.Slider(1, MOST, default.n, step=1, label="Pictures", info="How many at once.")
    hint = "Of samples, the standard deviation of z: 1 as the model learned, 0 all alike."
    temperature = gr.Slider(0, 2, default.temperature, step=0.05, label="Temperature", info=hint)
    seed, dice = controls.seed()

    kind, number, *own = chosen.inputs

    def reveal(name: str, picture: str, end: str) -> list[Any]:
        sampled = name == SAMPLES or picture == SAMPLE or (name == WAY and end == SAMPLE)
        return [gr.update(visible=yes) for yes in (name != SAMPLES, name == WAY, name == SAMPLES, sampled)]

    shown = [taken, end, n, temperature]
    gr.on([what.change, kind.input, to.input], reveal, [what, kind, to], shown, queue=False, **controls.HIDDEN,
          **controls.PRIVATE)  # fmt: skip
    free = [controls.unchecked(each) for each in (what, to, other, n, temperature, seed)]
    changes = [*(each.input for each in free), *chosen.changes, *chosen.choices]
    return [what, kind, number, to, other, n, temperature, seed], own, dice, changes
