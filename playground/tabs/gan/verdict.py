"""Ask D: what every discriminator says of one picture, and where that falls among real pictures and fakes."""

import html
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from playground import pictures, validation
from playground.formulas import minus
from playground.models import gan
from playground.sampling import last
from playground.tabs import Places
from playground.tabs.gan import contest
from playground.ui import controls, how, links, palette, plots, source
from playground.ui.controls import sentence
from playground.validation import UserError

TITLE = "Ask D"
FAKE = "A fake"
FORGER = "gan-digits-r3gan"  # whose fake
KINDS = (FAKE, source.TEST, source.DRAWN, source.UPLOADED)
HOW = """
A logit alone means little: every loss has a scale of its own. These are the moving averages of the networks that the
arena shows in training. Its place among the logits of test digits and of the
model's own fakes tells whether this D would take the picture for real. Try a digit of your own, then something that is
none: a discriminator has only ever seen digits and fakes, and may be sure of anything else. One that knows classes is
asked about the class that it believes most.
"""


@dataclass(frozen=True)
class Asked:
    """What a link restores: the picture, and the seed of a fake. A drawing or an upload fits into no link."""

    picture: str = FAKE
    number: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.choice("picture", self.picture, KINDS)
        number = validation.integer("number of the test image", self.number, 0, 9_999)
        validation.keep(self, number=number, seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED))


def picture(places: Places, asked: Asked, drawing: object, upload: object) -> Tensor:
    """What is asked about, (1, 1, 32, 32)."""
    if asked.picture == FAKE:
        return last(gan.sample(contest.load(places, FORGER), gan.Settings(n=1, seed=asked.seed))).x
    return source.picture(asked.picture, asked.number, drawing, upload, places.data)


def table(places: Places, x: Tensor) -> str:
    """HTML: the picture, and a row for each discriminator."""
    found = []
    for name in contest.offered(places):
        with suppress(UserError):  # a damaged checkpoint says so where it is chosen
            found.append(row(contest.MODELS[name].title, contest.load(places, name), x))
    shown = plots.picture(pictures.to_uint8(x)[0], "the picture that is judged", 128)
    key = f"{_tick(palette.DATA)} test digits &emsp;{_tick(palette.NOISE)} fakes of this model &emsp;▼ this picture"
    return f'{shown}<p>{key}</p><div class="verdicts">{"".join(found)}</div>'


def row(title: str, model: gan.Model, x: Tensor) -> str:
    """HTML of what one D says: its logit, a line with all that it is compared with, and a sentence."""
    own, real, fake = float(gan.verdicts(model, x)), model.kept_real, model.kept_fake
    low, high = (float(end) for end in torch.cat([real, fake, torch.tensor([own])]).aminmax())
    span = max(high - low, 1e-9)

    def ticks(values: Tensor, colour: str, top: int) -> str:
        return "".join(
            f'<i style="left:{100 * (value - low) / span:.1f}%;top:{top}px;background:{colour}"></i>'
            for value in values[::2].tolist()
        )

    above_real, above_fake = ((values < own).float().mean().item() for values in (real, fake))
    return (
        f"<div><b>{html.escape(title)}</b><span>D = {minus(f'{own:.2f}')}</span></div>"
        f'<div class="line">{ticks(real, palette.DATA, 14)}{ticks(fake, palette.NOISE, 28)}'
        f'<u style="left:{100 * (own - low) / span:.1f}%">▼</u></div>'
        f"<div>more real than {above_real:.0%} of test digits and {above_fake:.0%} of fakes</div>"
    )


def _tick(colour: str) -> str:
    return f'<span style="display:inline-block;width:3px;height:12px;background:{colour}"></span>'


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes=["tab-body", "controls-first"]):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            chosen = source.build("gan-ask", KINDS, "What D looks at.")
            seed, dice = controls.seed("The same seed gives the same fake.")
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = gr.HTML(elem_id="gan-verdicts")
            how.build(HOW, gan.Discriminator.forward)
            link = links.build()

    def ask(kind: Any, number: Any, drawing: Any, upload: Any, seed: Any, address: bool = True) -> list[Any]:
        """Ask every discriminator about a picture. Returns a table as HTML."""
        try:
            wanted = source.awaited(kind, drawing, upload)
            if wanted:
                return [plots.paragraph(wanted), gr.skip()]
            asked = Asked(kind, number, seed)
            linked = asked if kind in (FAKE, source.TEST) else None
            return [table(places, picture(places, asked, drawing, upload)), links.value("gan.ask", linked, address)]
        except UserError as error:
            return [plots.paragraph(sentence(error)), gr.skip()]

    def opened(request: gr.Request) -> list[Any]:
        """What the address describes, or a fake."""
        asked, wrong = links.asked(Asked, "gan.ask", request)
        shown = asked or Asked()
        made, link = ask(shown.picture, shown.number, "", None, shown.seed, address=asked is not None)
        return [(plots.paragraph(wrong) if wrong else "") + made, link, shown.picture, shown.number, shown.seed]

    inputs = [*chosen.inputs, seed]
    changes = [*chosen.changes, *chosen.choices, seed.input]
    gr.on(changes, ask, inputs, [stage, link], trigger_mode="always_last", api_name="gan_ask", **controls.LIGHT)
    private = {**controls.LIGHT, **controls.PRIVATE}
    controls.thrown(dice, seed).then(ask, inputs, [stage, link], **private)
    page.load(opened, None, [stage, link, inputs[0], inputs[1], seed], **private)
