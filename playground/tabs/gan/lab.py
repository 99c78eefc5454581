"""The lab: two small networks that play their game in the plane while one watches."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.adversarial import LOSSES, Objective
from playground.labs.gan import PRESETS, Lab, Settings
from playground.tabs import benches, labs
from playground.tabs.gan import bench
from playground.ui import answers, controls, how, lab, links
from playground.ui.controls import unchecked

TITLE, TAB = "2-D lab", "gan.lab"
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

    def __post_init__(self) -> None:
        labs.known(self.data)
        self.settings()

    def settings(self) -> Settings:
        """Of the lab."""
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


def begin(asked: Asked, drawing: object, why: str = "") -> dict[str, Any]:
    """A new lab as the value of the stage.

    Raises:
        UserError: nothing is drawn.
    """
    return lab.pack(bench.VIEW, bench.begin(labs.data_of(asked.data, drawing), asked.settings()), why)


def build(page: gr.Blocks) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            preset, shown = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = lab.build("gan-lab", answers.answering("train", benches.train))
            how.build(HOW, Lab.step)
            link = links.build()
    begun = labs.listen(page, TAB, Asked, begin, shown, stage, link, of_preset(FIRST), PRESETS[FIRST].why)

    def choose(name: str, drawing: Any, data: str, seed: Any) -> list[Any]:
        name = name if name in PRESETS else FIRST
        given = {**dataclasses.asdict(of_preset(name)), "data": data, "seed": seed}
        return [*begun(lambda: Asked(**given), drawing, PRESETS[name].why), *given.values()]

    inputs = shown.inputs
    preset.input(choose, [preset, shown.pad, inputs[0], shown.seed], [stage, link, *inputs], **controls.HIDDEN,
                 queue=False, **controls.PRIVATE)  # fmt: skip


def _controls() -> tuple[Any, labs.Controls]:
    """The preset, and the controls in the order of `Asked`."""
    titles = [(preset.title, name) for name, preset in PRESETS.items()]
    made: dict[str, Any] = {}
    preset = gr.Radio(titles, value=FIRST, label="Preset", info="Settings worth trying.", elem_classes="chips")
    made["data"], pad = labs.data("ring", "gan-pad")
    losses = [(LOSS_TITLES[name], name) for name in LOSSES]
    made["loss"] = gr.Radio(losses, label="Loss", info="What G and D minimise.", elem_classes="chips")
    made["r1"] = labs.number("R1", "Keeps D flat at the data.")
    made["r2"] = labs.number("R2", "Keeps D flat at the fakes.")
    made["gp"] = labs.number("Gradient penalty", "Asks D for a slope of 1 between both.")
    made["seed"], dice = controls.seed("The same seed gives the same training.")
    reset = gr.Button("Reset", variant="primary", elem_id="gan-reset")
    with gr.Accordion("More", open=False):
        made["k"] = gr.Slider(1, 20, step=1, label="Steps of D", info="For each step of G.")
        made["lr_d"] = labs.number("Learning rate of D", "Of Adam; it falls to 0 in a straight line.")
        made["lr_g"] = labs.number("Learning rate of G", "Of Adam; it falls to 0 in a straight line.")
        made["momentum"] = labs.number("Momentum", "Adam's β₁, of both.")
        made["clip"] = labs.number("Clip weights", "The largest weight of D; 0 for none.")
        made["spectral"] = gr.Checkbox(label="Spectral norm", info="Divides D's weights by their largest gain.")
        made["kernels"] = gr.Slider(0, 64, step=1, label="Minibatch kernels", info="D compares the points of a batch.")
        made["matching"] = labs.number("Feature matching", "G also matches the means of D's features.")
        made["unroll"] = gr.Slider(0, 10, step=1, label="Unrolled steps", info="How far G foresees D.")
        made["unroll_lr"] = labs.number("Their size", "Of the unrolled steps.")
        made["latent"] = gr.Slider(1, 256, step=1, label="Noise dimensions", info="Of z.")
        made["width"] = gr.Slider(4, 256, step=4, label="Width", info="Of the three hidden layers of each network.")
        made["batch"] = gr.Slider(8, 1024, step=8, label="Batch", info="Points a step.")
        made["steps"] = gr.Slider(100, 50_000, step=100, label="Steps", info="Of G, until the training is over.")
        made["average"] = labs.number("Average", "Decay of the moving average of G that is shown; 0 for none.")
    inputs = [unchecked(made[field.name]) for field in dataclasses.fields(Asked)]
    return unchecked(preset), labs.Controls(inputs, made["seed"], pad, dice, reset)
