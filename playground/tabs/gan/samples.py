"""Samples: what a generator draws, on the way from some codes to others, and what its discriminator says of it."""

from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from playground import adversarial, checkpoint, exports, interpolation, pictures, validation
from playground.formulas import ARC, SHARE, minus
from playground.models import gan
from playground.tabs import Places, live
from playground.tabs.gan import contest
from playground.ui import component, controls, export, how, links, neighbours, palette, plots, scrubber
from playground.ui.controls import sentence
from playground.ui.scrubber import Box, Curve, Series, Strip
from playground.validation import UserError

TITLE = "Samples"
FIRST = "gan-digits-r3gan"
SHOWN, FRAMES = 16, 25
ANY = "any"  # class
HOW = """
The generator draws a picture of any code z ~ N(0, I); between the codes of two seeds lies a way on which every point is
a code. Truncation keeps the codes away from the tails: fewer surprises, less variety. D's slope shows what would
raise its logit: it lights up strokes that it misses, and darkens those that it doubts.

[Goodfellow 2014](https://arxiv.org/abs/1406.2661) · [Radford 2016](https://arxiv.org/abs/1511.06434) (walks) ·
[Brock 2019](https://arxiv.org/abs/1809.11096) (truncation) · [Miyato 2018](https://arxiv.org/abs/1802.05637) (classes)
"""
FORMULA = (
    f'z = {ARC}, {SHARE} · D(G(z)) = <b data-number="logit"></b><br><i class=where>z<sub>0</sub>, z<sub>1</sub>: '
    "codes of the two seeds · Ω: angle between them · D(G(z)): the logit of the first picture</i>"
)


@dataclass(frozen=True)
class Asked:
    """What a link restores: the model, the seeds of both ends, a class for a model that knows any, the truncation."""

    model: str = FIRST
    seed: int = 0
    to: int = 1
    label: str = ANY
    truncation: float = 4.0

    def __post_init__(self) -> None:
        validation.choice("model", self.model, contest.MODELS)
        validation.choice("class", self.label, LABELS)
        validation.keep(self, seed=self.settings(self.seed).seed, to=self.settings(self.to).seed)

    def settings(self, seed: Any) -> gan.Settings:
        """Of the samples at one end."""
        return gan.Settings(SHOWN, None if self.label == ANY else int(self.label), self.truncation, seed)


LABELS = [ANY, *map(str, range(10))]


class Walk(NamedTuple):
    """What lies between two seeds: pictures x (F, N, 1, H, W), D's logits (F, N), and its gradient there, as x."""

    x: Tensor
    logits: Tensor
    gradient: Tensor


def ways(model: gan.Model, asked: Asked) -> Tensor:
    """From the codes of one seed to those of another, each along the arc between them: (F, N, Z)."""
    ends = [gan.codes(model.config.latent, asked.settings(seed)) for seed in (asked.seed, asked.to)]
    return torch.stack([interpolation.spherical(a, b, FRAMES) for a, b in zip(*ends, strict=True)], dim=1)


@torch.no_grad()
def draw(model: gan.Model, asked: Asked, z: Tensor) -> Tensor:
    """The pictures (N, 1, H, W) of codes (N, Z)."""
    return model.generator(z, gan.labels(model, asked.settings(asked.seed)))


def walk(model: gan.Model, asked: Asked) -> Walk:
    """All that is shown of the ways."""
    y = gan.labels(model, asked.settings(asked.seed))
    made = []
    for z in ways(model, asked):
        x = draw(model, asked, z).requires_grad_()
        logits = model.discriminator(x, y)
        made.append((x.detach(), logits.detach(), adversarial.input_gradient(logits, x).detach()))
    return Walk(*(torch.stack(parts) for parts in zip(*made, strict=True)))


def film(made: Walk, asked: Asked) -> dict[str, Any]:
    """What the scrubber shows, as the arguments of `scrubber.pack`."""
    share = torch.linspace(0, 1, FRAMES).tolist()
    first, mean = made.logits[:, 0].tolist(), made.logits.mean(dim=1).tolist()
    steepest = made.gradient.abs().max().clamp(min=1e-12)
    strips = [
        Strip("G(z)", contest.MODELS[asked.model].caveat or "what the generator draws", _frames(made.x)),
        Strip("∇D", "what D wants brighter and darker; grey is 0", _frames(made.gradient / steepest)),
    ]
    return {
        "strips": strips,
        "captions": [
            f"{part:.0%} of the way from seed {asked.seed} to seed {asked.to} · mean logit of D {minus(f'{logit:.2f}')}"
            for part, logit in zip(share, mean, strict=True)
        ],
        "ends": (f"seed {asked.seed}", f"seed {asked.to}"),
        "curves": [
            Curve("D's logit", "High where D believes a picture.",
                  [Series("mean", palette.NOISE, mean), Series("first picture", palette.ESTIMATE, first)]),
        ],
        "formula": FORMULA,
        "numbers": {"share": [f"{part:.2f}" for part in share], "logit": [minus(f"{logit:.2f}") for logit in first]},
        "diagram": (
            Box("z", "Noise: the code of the first picture, on its way."),
            Box("G", "The generator, a network that draws a picture of any code."),
            Box("fake", "What it draws.", strip=0),
            Box("D", "The discriminator, a network that tells real pictures from fakes."),
            Box("logit", "Its verdict: the higher, the more it believes the picture.", number="logit"),
        ),
        "start": 0,
        "keep": True,
    }  # fmt: skip


def _frames(x: Tensor) -> np.ndarray:
    return np.stack([pictures.to_uint8(frame) for frame in x])


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            inputs, dice = _controls(places)
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("From seed to seed", "gan-samples", "Choose a model.")
            search = gr.Button("Nearest training digits of these pictures", size="sm")
            table = gr.HTML(elem_id="gan-nearest")
            how.build(HOW, gan.sample)
            kept = gr.State(None, time_to_live=3600)
            command = export.build(kept, "gan-samples", "The pictures of the first seed from the command line")
            link = links.build()
    index = gr.Number(0, visible=False)

    def show(*given: Any) -> list[Any]:
        """Draw samples on the way from one seed to another. Returns every frame as sprite sheets."""
        try:
            asked = Asked(*given)
            shown = film(walk(contest.load(places, asked.model), asked), asked)
            provenance = checkpoint.header(places.weights / f"{asked.model}.safetensors").provenance
            about = exports.metadata(asked.model, asked.settings(asked.seed), provenance) | {"to": str(asked.to)}
            run = export.of_film(f"{asked.model}-seed{asked.seed}-to{asked.to}", about, shown)
            return [scrubber.pack(**shown), links.value("gan.samples", asked), run, about["command"], ""]
        except UserError as error:
            return [component.message(sentence(error)), *[gr.skip()] * 4]

    def opened(request: gr.Request) -> list[Any]:
        """The controls as the address sets them; the samples are drawn when they are seen, if nothing is wrong."""
        return live.opened(Asked, "gan.samples", request, lambda: show(*astuple(Asked()))[0])

    def nearest(at: float, *given: Any) -> str:
        try:
            asked = Asked(*given)
            model = contest.load(places, asked.model)
            return neighbours.rows(draw(model, asked, ways(model, asked)[_frame(at)]), 1, places.data, width=64)
        except UserError as error:
            return plots.paragraph(sentence(error))

    outputs = [stage, link, kept, command, table]
    changes = [control.input for control in inputs]
    gr.on(changes, show, inputs, outputs, trigger_mode="always_last", api_name="gan_samples", **controls.LIGHT)
    controls.thrown(dice, inputs[1]).then(show, inputs, outputs, **controls.LIGHT, **controls.PRIVATE)
    search.click(nearest, [index, *inputs], table, js=scrubber.at_frame("gan-samples"), **controls.SLOW)
    link.select(show, inputs, outputs, **controls.LIGHT, **controls.PRIVATE)
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _frame(at: object) -> int:
    return validation.integer("frame", at, 0, FRAMES - 1)


def _controls(places: Places) -> tuple[list[Any], gr.Button]:
    """The controls in the order of `Asked`, and the dice."""
    offered = [(contest.MODELS[name].title, name) for name in contest.offered(places)]
    model = gr.Radio(offered, value=FIRST, label="Loss", info="What the networks were trained with.",
                     elem_classes="chips")  # fmt: skip
    seed, dice = controls.seed()
    to = gr.Number(1, label="To seed", info="The other end of the way.", precision=0)
    label = gr.Radio(LABELS, value=ANY, label="Class", info="The class of all pictures.", visible=False,
                     elem_classes="chips")  # fmt: skip
    truncation = gr.Slider(
        0.05, 4, 4, step=0.05, label="Truncation", info="Largest |z|: below 1 the safest codes only."
    )

    def reveal(name: str) -> Any:
        return gr.update(visible=name == "gan-digits-conditional")

    model.change(reveal, model, label, queue=False, **controls.HIDDEN, **controls.PRIVATE)
    return [controls.unchecked(control) for control in (model, seed, to, label, truncation)], dice
