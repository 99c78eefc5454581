"""The arena: the same codes under every loss, side by side, while training time is scrubbed."""

from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from playground import adversarial, exports, history, pictures, validation
from playground.formulas import minus
from playground.history import History
from playground.tabs import Places
from playground.tabs.gan import contest, gauges
from playground.ui import component, controls, download, how, links, scrubber
from playground.ui.controls import answered, sentence
from playground.ui.scrubber import Curve, Series, Strip
from playground.validation import UserError

TITLE = "Arena"
FIRST = "minimax,wasserstein-gp,r3gan"
PREFIX = "gan-digits-"
HOW = """
Every loss trains the same two networks, from the same weights, on the same digits in the same order; what you see are
pictures of the same codes z. (Three need more: *hinge* divides D's weights by their gain, *of classes* has an input for
the class, *growing* has outputs at every size.) D gives a picture a logit, high for real ones. The networks are those
in training, as they are: a loss that swings or collapses does so before your eyes. *Samples* and *Ask D* have their
moving average, which is better.

*Frechet* is the distance between the features of 10,000 fakes and those of test digits, in floors: 1 is what as many
training digits would have.

**Why it saturates.** G learns by the slope of its loss at the logits of its fakes. Minimax is flat where D is sure of
a fake, just when G has most to learn; the non-saturating loss is steep there. **Why D is held back.** A slope of D that
is 0 teaches G nothing, a huge one throws it about: a gradient penalty asks for 1, R1 and R2 for little, clipping for
whatever small weights give.

[Goodfellow 2014](https://arxiv.org/abs/1406.2661) · [Mao 2017](https://arxiv.org/abs/1611.04076) (least squares) ·
[Arjovsky 2017](https://arxiv.org/abs/1701.07875) and [Gulrajani 2017](https://arxiv.org/abs/1704.00028) (Wasserstein) ·
[Miyato 2018](https://arxiv.org/abs/1802.05957) (spectral norm, hinge) ·
[Mescheder 2018](https://arxiv.org/abs/1801.04406) (R1) · [Huang 2024](https://arxiv.org/abs/2501.05441) (R3GAN) ·
[Karras 2018](https://arxiv.org/abs/1710.10196) (growing)
"""


@dataclass(frozen=True)
class Asked:
    """What a link restores: which losses, parted by commas, and what is drawn below their pictures."""

    losses: str = FIRST
    below: str = "logits"

    def __post_init__(self) -> None:
        validation.choice("below", self.below, gauges.GAUGES)
        if not self.losses:
            raise UserError("tick at least one loss")
        for loss in str(self.losses).split(","):
            validation.choice("loss", loss, [name.removeprefix(PREFIX) for name in contest.MODELS])

    @property
    def names(self) -> list[str]:
        """Of the models."""
        return [PREFIX + loss for loss in self.losses.split(",")]


def first(places: Places) -> Asked:
    """What a visitor sees first: three losses, as far as their models are there."""
    there = [name.removeprefix(PREFIX) for name in contest.offered(places)]
    return Asked(",".join([loss for loss in FIRST.split(",") if loss in there] or there[:3]))


def describe(places: Places, asked: Asked) -> dict[str, Any]:
    """The scrubber's value: a strip for each loss, and curves over training time.

    Raises:
        UserError: the history of none of them can be read.
    """
    histories, missing = found(places, asked.names)
    first = next(iter(histories.values()))
    return scrubber.pack(
        [
            Strip(
                contest.MODELS[name].title,
                contest.MODELS[name].caveat or contest.MODELS[name].short,
                history.tiles(seen),
                *gauges.GAUGES[asked.below](name, seen),
            )
            for name, seen in histories.items()
        ],
        [f"step {step:,} of G and of D · {step * BATCH / DIGITS:.1f} epochs" for step in first.steps.tolist()],
        ("step 1", f"step {first.steps[-1]:,}, logarithmic"),
        curves=curves(histories),
        formula=formula(histories),
        numbers=numbers(histories),
        keep=True,
        notice=" ".join(missing),
    )


def _together(losses: object) -> str:
    return ",".join(map(str, losses)) if isinstance(losses, list) else ""


BATCH, DIGITS = 128, 60_000  # of the recipes


def found(places: Places, names: list[str]) -> tuple[dict[str, History], list[str]]:
    """The histories of models, and what is wrong with the others.

    Raises:
        UserError: there is none.
    """
    histories: dict[str, History] = {}
    missing = []
    for name in names:
        try:
            seen = contest.seen(places, name)
            first = next(iter(histories.values()), seen)
            if not np.array_equal(seen.steps, first.steps):
                raise UserError(f"{name} was looked at in other moments of its training than the first of the losses")
            histories[name] = seen
        except UserError as error:
            missing.append(sentence(error))
    if not histories:
        raise UserError(missing[0])
    return histories, missing


CURVES = (  # what each shows, its name, a hint, whether it is logarithmic
    ("frechet", "Frechet distance", "In floors; 1 is as good as data.", True),
    ("discriminator", "Loss of D", "What D minimises.", False),
    ("generator", "Loss of G", "What G minimises.", False),
    ("discriminator_gradient", "Gradient of D", "Its norm, over D's weights.", True),
    ("generator_gradient", "Gradient of G", "Its norm, over G's weights.", True),
)


def curves(histories: dict[str, History]) -> list[Curve]:
    """Lines over training time, one for each loss."""

    lines = {name: {"frechet": seen.frechet, **history.since(seen)} for name, seen in histories.items()}

    def curve(key: str, name: str, hint: str, log: bool) -> Curve:
        shown = [
            Series(contest.MODELS[model].short, contest.MODELS[model].colour, values[key].astype(float).tolist())
            for model, values in lines.items()
        ]
        return Curve(name, hint, shown, log)

    return [curve(*about) for about in CURVES]


def formula(histories: dict[str, History]) -> str:
    """What is minimised under each loss, with the numbers of the moment."""
    rows = [
        f"{contest.MODELS[name].short}: L<sub>D</sub> = {contest.MODELS[name].d} = <b data-number={name}-d></b> · "
        f"L<sub>G</sub> = {contest.MODELS[name].g} = <b data-number={name}-g></b>"
        for name in histories
    ]
    where = "D(x), D(G(z)): logits of real and fake pictures · softplus(a) = ln(1 + eᵃ), so −ln of a probability"
    return "<br>".join(rows) + f"<br><i class=where>{where}</i>"


def numbers(histories: dict[str, History]) -> dict[str, list[str]]:
    """The losses at each moment."""
    moments = {name: history.since(seen) for name, seen in histories.items()}
    return {
        f"{name}-{player}": [minus(f"{value:.3g}") for value in lines[row]]
        for name, lines in moments.items()
        for player, row in (("d", "discriminator"), ("g", "generator"))
    }


def _controls(places: Places) -> list[Any]:
    """What is ticked, and what is drawn below the pictures."""
    offered = [(contest.MODELS[name].title, name.removeprefix(PREFIX)) for name in contest.offered(places)]
    losses = gr.CheckboxGroup(
        offered, value=first(places).losses.split(","), label="Losses",
        info="All trained alike. Three fit beside each other.", elem_classes="chips",
    )  # fmt: skip
    below = gr.Radio(
        gauges.TITLES, value="logits", label="Below the pictures", info="What is drawn under each.",
        elem_classes="chips",
    )  # fmt: skip
    return [controls.unchecked(control) for control in (losses, below)]


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            losses, below = _controls(places)
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Training time", "gan-arena", "Tick a loss.")
            how.build(HOW, adversarial.discriminator_loss)
            with gr.Accordion("Export", open=False):
                animation = gr.Button("Animation (GIF)", size="sm")
                saving = download.build("gan-arena-download")
            link = links.build()

    def chosen(losses: Any, below: Any) -> list[Any]:
        """Show the trainings of some losses. Returns every moment as sprite sheets."""
        try:
            asked = Asked(_together(losses), below)
            return [describe(places, asked), links.value("gan.arena", asked)]
        except UserError as error:
            return [component.message(sentence(error)), gr.skip()]

    def opened(request: gr.Request) -> list[Any]:
        """What the address describes, or the first three."""
        asked, wrong = links.asked(Asked, "gan.arena", request)
        shown = asked or first(places)
        try:
            made = describe(places, shown)
        except UserError as error:
            made = component.message(sentence(error))
        link = links.value("gan.arena", shown, asked is not None)
        return [made | ({"notice": wrong} if wrong else {}), link, shown.losses.split(","), shown.below]

    def save(losses: Any) -> dict[str, Any]:
        histories, _ = found(places, Asked(_together(losses)).names)
        grids = [np.stack([pictures.grid(moment) for moment in history.tiles(seen)]) for seen in histories.values()]
        path = download.path("gan-arena.gif")
        exports.gif(path, np.stack(grids, axis=1), {"losses": ", ".join(histories)})
        return download.file(path)

    changes = [losses.input, below.input]
    shown, newest = [stage, link], {"trigger_mode": "always_last"}
    gr.on(changes, chosen, [losses, below], shown, api_name="gan_arena", **newest, **controls.LIGHT)
    animation.click(answered(save), losses, saving, **controls.SLOW)
    page.load(opened, None, [stage, link, losses, below], **controls.LIGHT, **controls.PRIVATE)
