"""The lab of score matching: a small network learns the score of points in the plane while one watches."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.labs.score import Settings
from playground.models import score
from playground.tabs import benches, labs
from playground.tabs.score import bench
from playground.ui import answers, controls, how, lab, links
from playground.ui.controls import unchecked

TITLE, TAB = "2-D lab", "score.lab"
HOW = """
The score is the gradient of the log density: at every place the way to where the data are denser. Nobody knows it for
pictures; for these points it is known exactly, and stands beside what a network has learned. Denoising score matching
adds noise to points and asks for the way back; on average that is the score of the noised data. In much noise it leads
to the middle of all, in little noise to the nearest mode: turn the dial.

What is minimised, with x = x₀ + σ ε and a weight λ(σ) by which an untrained network's loss is as large at every level:

- *Denoising*: E λ(σ) ‖s(x, σ) + ε / σ‖². The noise that was added can't be told from x alone, so this never comes to 0.
- *Sliced*: E λ(σ) (vᵀ ∂s/∂x v + ½ ‖s(x, σ)‖²) for random directions v. It needs no noise that is known, and falls
  below 0.
- *Explicit*: E λ(σ) ‖s(x, σ) − ∇ log p(x; σ)‖², where the score is known, as here.

[Vincent 2011](https://www.iro.umontreal.ca/~vincentp/Publications/smdae_techreport.pdf) (denoising score matching) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (many noise levels) ·
[Song 2020](https://arxiv.org/abs/1905.07088) (sliced)
"""
OBJECTIVES = [("Denoising", "denoising"), ("Sliced", "sliced"), ("Explicit", "explicit")]


@dataclass(frozen=True)
class Asked(Settings):
    """What a link restores, and the controls hold, in their order: the settings of the lab, and the data."""

    data: str = "grid"

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
            stage = lab.build("score-lab", answers.answering("train", benches.train))
            how.build(HOW, score.loss)
            link = links.build()
    why = "Turn the dial: the less noise, the finer the score."
    labs.listen(page, TAB, Asked, begin, shown, stage, link, Asked(), why)


def _controls() -> labs.Controls:
    """The controls in the order of `Asked`."""
    made: dict[str, Any] = {}
    made["data"], pad = labs.data(Asked().data, "score-pad")
    hint = "Learn from the noise that was added; from random directions; or from the true score."
    made["objective"] = gr.Radio(OBJECTIVES, label="Objective", info=hint, elem_classes="chips")
    made["low"] = labs.number("Least noise", "The same as the most for a single level.")
    made["high"] = labs.number("Most noise", "Standard deviation; the data are about 4 wide.")
    made["lr"] = labs.number("Learning rate", "Of Adam; it falls to 0 in a straight line.")
    made["seed"], dice = controls.seed("The same seed gives the same training.")
    reset = gr.Button("Reset", variant="primary", elem_id="score-reset")
    with gr.Accordion("More", open=False):
        made["width"] = gr.Slider(4, 256, step=4, label="Width", info="Of the network's hidden layers.")
        made["layers"] = gr.Slider(1, 6, step=1, label="Hidden layers", info="Of the network.")
        made["frequencies"] = gr.Slider(0, 8, step=1, label="Frequencies", info="Waves that it is given for the place.")
        made["batch"] = gr.Slider(8, 2048, step=8, label="Batch", info="Points a step.")
        made["steps"] = gr.Slider(100, 50_000, step=100, label="Steps", info="Until the training is over.")
        made["average"] = labs.number("Average", "Decay of the moving average that is shown; 0 for none.")
    inputs = [unchecked(made[field.name]) for field in dataclasses.fields(Asked)]
    return labs.Controls(inputs, made["seed"], pad, dice, reset)
