"""The lab: two small networks that play their game in the plane while one watches."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import validation
from playground.adversarial import LOSSES, Objective
from playground.data import densities
from playground.data.densities import Density
from playground.labs.gan import PRESETS, Lab, Settings
from playground.tabs import benches
from playground.tabs.gan import bench
from playground.ui import answers, component, controls, drawing_pad, how, lab, links
from playground.ui.controls import sentence, unchecked
from playground.validation import UserError

TITLE = "2-D lab"
DRAWN = "draw"
FIRST = "r3gan"
HOW = """
G turns noise z into points; D gives every point a logit, high where it believes the data to be. D learns to tell real
from fake, and G to move its points up D's slope: the arrows are minus the gradient of its loss. Everything is as on
digits, only so small that you can watch it learn.

[Goodfellow 2014](https://arxiv.org/abs/1406.2661) ·
[Metz 2017](https://arxiv.org/abs/1611.02163) (modes on a ring) ·
[Huang 2024](https://arxiv.org/abs/2501.05441) (R3GAN)
"""
LOSS_TITLES = {
    "relativistic": "Relativistic",
    "nonsaturating": "Non-saturating",
    "minimax": "Minimax",
    "leastsquares": "Least squares",
    "hinge": "Hinge",
    "wasserstein": "Wasserstein",
}


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order: the data, and `Settings` and `Objective` in one."""

    data: str = "ring"
    loss: str = "relativistic"
    gp: float = 0.0
    r1: float = 0.02
    r2: float = 0.02
    clip: float = 0.0
    k: int = 1
    lr_d: float = 5e-3
    lr_g: float = 5e-3
    momentum: float = 0.0
    spectral: bool = False
    kernels: int = 0
    matching: float = 0.0
    unroll: int = 0
    unroll_lr: float = 0.1
    latent: int = 2
    width: int = 64
    batch: int = 256
    steps: int = 8_000
    average: float = 0.998
    seed: int = 0

    def settings(self) -> Settings:
        """Of the lab.

        Raises:
            UserError: one of them is not allowed.
        """
        validation.choice("data", self.data, [*densities.DENSITIES, DRAWN])
        given = dataclasses.asdict(self)
        objective = Objective(**{field.name: given[field.name] for field in dataclasses.fields(Objective)})
        own = [field.name for field in dataclasses.fields(Settings) if field.name != "objective"]
        return Settings(objective, **{name: given[name] for name in own})


def of_preset(name: str, data: str = "ring", seed: int = 0) -> Asked:
    """The controls of a preset."""
    settings = PRESETS[name].settings
    flat = dataclasses.asdict(settings) | dataclasses.asdict(settings.objective)
    del flat["objective"]
    return Asked(**{**flat, "data": data, "seed": seed})


def data_of(asked: Asked, drawing: object) -> Density:
    """What is learned."""
    if asked.data == DRAWN:
        return densities.drawn(drawing_pad.decode(drawing))
    return densities.DENSITIES[asked.data]()


def begin(asked: Asked, drawing: object, why: str = "") -> dict[str, Any]:
    """A new lab as the value of the stage; or what is wrong."""
    try:
        settings = asked.settings()
        return lab.pack(bench.VIEW, bench.begin(data_of(asked, drawing), settings), why)
    except UserError as error:
        return component.message(sentence(error))


def build(page: gr.Blocks) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            preset, inputs, pad, dice, reset = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = lab.build("gan-lab", answers.answering("train", benches.train))
            how.build(HOW, Lab.step)
            link = links.build()
    seed = inputs[-1]
    values = [field.name for field in dataclasses.fields(Asked)]

    def restart(drawing: Any, *given: Any) -> list[Any]:
        """Begin a training with new networks. Returns its first picture."""
        asked = Asked(*given)
        linked = None if asked.data == DRAWN else asked
        return [begin(asked, drawing), links.value("gan.lab", linked)]

    def choose(name: str, drawing: Any, data: str, seed: Any) -> list[Any]:
        name = name if name in PRESETS else FIRST
        asked = dataclasses.replace(of_preset(name), data=data, seed=seed)
        linked = None if data == DRAWN else asked
        return [begin(asked, drawing, PRESETS[name].why), links.value("gan.lab", linked), *dataclasses.astuple(asked)]

    def rolled(drawing: Any, *given: Any) -> list[Any]:
        return [*restart(drawing, *given), given[-1]]

    def opened(request: gr.Request) -> list[Any]:
        """What the address describes, or the first preset."""
        asked, why = links.asked(Asked, "gan.lab", request)
        shown = asked or of_preset(FIRST)
        why = why or ("" if asked else PRESETS[FIRST].why)
        return [begin(shown, None, why), links.value("gan.lab", shown, asked is not None), *dataclasses.astuple(shown)]

    hidden: dict[str, Any] = {"show_progress": "hidden", "queue": False}
    outputs = [stage, link]
    changes = [reset.click, seed.submit, pad.change, *(control.input for control in inputs[:-1])]
    gr.on(changes, restart, [pad, *inputs], outputs, trigger_mode="always_last", api_name="gan_lab", **hidden)
    preset.input(choose, [preset, pad, inputs[0], seed], [*outputs, *inputs], **hidden, **controls.PRIVATE)
    dice.click(rolled, [pad, *inputs], [*outputs, seed], js=controls.roll(len(values)), **hidden, **controls.PRIVATE)
    page.load(opened, None, [*outputs, *inputs], **hidden, **controls.PRIVATE)


def _controls() -> tuple[Any, list[Any], Any, gr.Button, gr.Button]:
    """The preset, the controls in the order of `Asked`, the drawing pad, the dice and Reset."""
    titles = [(preset.title, name) for name, preset in PRESETS.items()]
    made: dict[str, Any] = {}
    preset = gr.Radio(titles, value=FIRST, label="Preset", info="Settings worth trying.", elem_classes="chips")
    made["data"] = gr.Radio([*densities.DENSITIES, DRAWN], value="ring", label="Data", elem_classes="chips")
    with gr.Column(visible=False) as drawn:
        pad = drawing_pad.build("gan-pad")
    losses = [(LOSS_TITLES[name], name) for name in LOSSES]
    made["loss"] = gr.Radio(losses, label="Loss", info="What G and D minimise.", elem_classes="chips")
    made["r1"] = _number("R1", "Keeps D flat at the data.")
    made["r2"] = _number("R2", "Keeps D flat at the fakes.")
    made["gp"] = _number("Gradient penalty", "Asks D for a slope of 1 between both.")
    made["seed"], dice = controls.seed("The same seed gives the same training.")
    reset = gr.Button("Reset", variant="primary", elem_id="gan-reset")
    with gr.Accordion("More", open=False):
        made["k"] = gr.Slider(1, 20, step=1, label="Steps of D", info="For each step of G.")
        made["lr_d"] = _number("Learning rate of D", "Of Adam; it falls to 0 on a line.")
        made["lr_g"] = _number("Learning rate of G", "Of Adam; it falls to 0 on a line.")
        made["momentum"] = _number("Momentum", "Adam's β₁, of both.")
        made["clip"] = _number("Clip weights", "The largest weight of D; 0 for none.")
        made["spectral"] = gr.Checkbox(label="Spectral norm", info="Divides D's weights by their largest gain.")
        made["kernels"] = gr.Slider(0, 64, step=1, label="Minibatch kernels", info="D compares the points of a batch.")
        made["matching"] = _number("Feature matching", "G also matches the means of D's features.")
        made["unroll"] = gr.Slider(0, 10, step=1, label="Unrolled steps", info="How far G foresees D.")
        made["unroll_lr"] = _number("Their size", "Of the unrolled steps.")
        made["latent"] = gr.Slider(1, 256, step=1, label="Noise dimensions", info="Of z.")
        made["width"] = gr.Slider(4, 256, step=4, label="Width", info="Of the three hidden layers of each network.")
        made["batch"] = gr.Slider(8, 1024, step=8, label="Batch", info="Points a step.")
        made["steps"] = gr.Slider(100, 50_000, step=100, label="Steps", info="Of G, until the training is over.")
        made["average"] = _number("Average", "Decay of the moving average of G that is shown; 0 for none.")
    made["data"].change(
        lambda name: gr.update(visible=name == DRAWN), made["data"], drawn,
        queue=False, show_progress="hidden", **controls.PRIVATE,
    )  # fmt: skip
    inputs = [unchecked(made[field.name]) for field in dataclasses.fields(Asked)]
    return unchecked(preset), inputs, pad, dice, reset


def _number(label: str, hint: str) -> gr.Number:
    return gr.Number(label=label, info=hint, min_width=100)
