"""The lab of flows: invertible layers learn to turn points in the plane into noise while one watches."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.invertible import Coupling
from playground.labs.flow import Settings
from playground.tabs import benches, labs
from playground.tabs.flow import bench
from playground.ui import answers, controls, how, lab, links
from playground.ui.controls import unchecked

TITLE, TAB = "2-D lab", "flow.lab"
HOW = """
Every layer can be undone: a normalisation shifts and scales, a mixing turns and shears, a coupling bends one coordinate
as the other one says. How much each of them stretches the plane is known, so the density of every point is known too:
log p(x) = log N(z; 0, I) + log |det dz/dx|, with no bound and no guess. Turn the dial to see the data become noise,
layer by layer, and a net of noise become the data.

[Dinh 2017](https://arxiv.org/abs/1605.08803) (couplings) ·
[Kingma 2018](https://arxiv.org/abs/1807.03039) (normalisation and mixing) ·
[Durkan 2019](https://arxiv.org/abs/1906.04032) (splines)
"""


@dataclass(frozen=True)
class Asked(Settings):
    """What a link restores, and the controls hold, in their order: the settings of the lab, and the data."""

    data: str = "moons"

    def __post_init__(self) -> None:
        super().__post_init__()
        labs.known(self.data)


def begin(asked: Asked, drawing: object, why: str = "") -> dict[str, Any]:
    """A new lab as the value of the stage.

    Raises:
        UserError: nothing is drawn.
    """
    return lab.pack(bench.VIEW, bench.begin(labs.data_of(asked.data, drawing), asked), why)


def build(page: gr.Blocks) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            shown = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = lab.build("flow-lab", answers.answering("train", benches.train))
            how.build(HOW, Coupling)
            link = links.build()
    why = "Turn the dial back and forth: the same layers, one way from the data, the other from noise."
    labs.listen(page, TAB, Asked, begin, shown, stage, link, Asked(), why)


def _controls() -> labs.Controls:
    """The controls in the order of `Asked`."""
    made: dict[str, Any] = {}
    made["data"], pad = labs.data(Asked().data, "flow-pad")
    hint = "How a coordinate is bent: scaled and shifted, or by a curve of several pieces."
    made["coupling"] = gr.Radio([("Affine", "affine"), ("Spline", "spline")], label="Coupling", info=hint,
                                elem_classes="chips")  # fmt: skip
    made["couplings"] = gr.Slider(1, 16, step=1, label="Couplings", info="Each after a normalisation and a mixing.")
    made["bins"] = gr.Slider(2, 32, step=1, label="Bins", info="Of a spline.")
    made["lr"] = labs.number("Learning rate", "Of Adam; it falls to 0 in a straight line.")
    made["seed"], dice = controls.seed("The same seed gives the same training.")
    reset = gr.Button("Reset", variant="primary", elem_id="flow-reset")
    with gr.Accordion("More", open=False):
        made["width"] = gr.Slider(4, 256, step=4, label="Width", info="Of a coupling's hidden layers.")
        made["batch"] = gr.Slider(8, 2048, step=8, label="Batch", info="Points a step.")
        made["steps"] = gr.Slider(100, 50_000, step=100, label="Steps", info="Until the training is over.")
        made["average"] = labs.number("Average", "Decay of the moving average that is shown; 0 for none.")
    inputs = [unchecked(made[field.name]) for field in dataclasses.fields(Asked)]
    return labs.Controls(inputs, made["seed"], pad, dice, reset)
