"""The lab of flows: invertible layers learn to turn points in the plane into noise while one watches."""

import dataclasses
from dataclasses import dataclass

import gradio as gr

from playground.datasets import densities
from playground.families.normalizing_flow.lab import Settings
from playground.families.normalizing_flow.layers import Coupling
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.tabs.normalizing_flow import lab_pictures
from playground.web import controls
from playground.web.controls import Control, skip_preprocess
from playground.web.lab_view import STEPS, LabControls, LabData, LabView, number_control, training_controls

TAB = "normalizing_flow.lab"
DATA = LabData(densities.DENSITIES, densities.from_drawing)
HOW = """
Every layer can be undone: a normalization shifts and scales, a mixing swaps, shears and stretches, a coupling bends one
coordinate as the other one says. How much each of them stretches the plane is known, so the density of every point is
known too: log p(x) = log N(z; 0, I) + log |det dz/dx|, exactly. Move the slider under the planes to see the data become
noise, layer by layer, and a net of noise become the data.

[Dinh 2017](https://arxiv.org/abs/1605.08803) (couplings) ·
[Kingma 2018](https://arxiv.org/abs/1807.03039) (normalization and mixing) ·
[Durkan 2019](https://arxiv.org/abs/1906.04032) (splines)
"""


@dataclass(frozen=True)
class ViewParams(Settings):
    """Parameters of a link, in the order of the controls: the settings of the lab, and the data."""

    data: str = "moons"

    def __post_init__(self) -> None:
        validation.check_integer("steps", self.steps, *STEPS)
        super().__post_init__()
        DATA.check_name(self.data)


class FlowLabView(LabView[ViewParams]):
    """View of a flow that learns a density."""

    HINT = "**Press Play** to train one, then *Play through* its layers; in *Digits* a digit turns into noise and back."
    tab, planes, data, first = TAB, lab_pictures.VIEW, DATA, ViewParams()
    why = "Move the slider under the planes: the same layers turn the data into noise, and noise into data."
    start_lab = staticmethod(lab_pictures.start_lab)

    def __init__(self, paths: Paths):
        super().__init__("flow-lab", HOW, Coupling)

    def build_controls(self) -> LabControls:
        axes: dict[str, Control] = {}
        axes["data"], pad = DATA.build(ViewParams().data, "flow-pad")
        hint = "How a coordinate is transformed: by scale and shift, or by a piecewise curve."
        axes["coupling"] = gr.Radio([("Affine", "affine"), ("Spline", "spline")], label="Coupling", info=hint,
                                    elem_classes="chips")  # fmt: skip
        axes["couplings"] = gr.Slider(
            1, 16, step=1, label="Couplings", info="How many; before each stand a normalization and a mixing."
        )
        axes["bins"] = gr.Slider(2, 32, step=1, label="Bins", info="Pieces of each spline; affine couplings have none.")
        axes["lr"] = number_control("Learning rate", "Adam's step size; it decays linearly to 0.")
        axes["seed"], dice = controls.seed("The same seed gives the same training.")
        reset = gr.Button("Reset", elem_id="flow-reset")
        with gr.Accordion("More", open=False):
            axes["width"] = gr.Slider(4, 256, step=4, label="Width", info="Units in each hidden layer of a coupling.")
            axes |= training_controls()
        inputs = [skip_preprocess(axes[field.name]) for field in dataclasses.fields(ViewParams)]
        return LabControls(inputs, axes["seed"], pad, dice, reset)
