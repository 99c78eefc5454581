"""The lab of flows: invertible layers learn to turn points in the plane into noise while one watches."""

from dataclasses import dataclass

from playground.families.normalizing_flow.lab import Settings
from playground.families.normalizing_flow.layers import Coupling
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.tabs.normalizing_flow import lab_pictures
from playground.web import controls
from playground.web.controls import Control
from playground.web.lab_view import DATA, STEPS, LabView, number_control, training_controls

TAB = "normalizing_flow.lab"
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
        validation.check_choice("data", self.data, DATA)


class FlowLabView(LabView[ViewParams]):
    """View of a flow that learns a density."""

    HINT = "**Press Play** to train one, then *Play through* its layers; in *Digits* a digit turns into noise and back."
    tab, planes, first = TAB, lab_pictures.VIEW, ViewParams()
    why = "Move the slider under the planes: the same layers turn the data into noise, and noise into data."
    start_lab = staticmethod(lab_pictures.start_lab)

    def __init__(self, paths: Paths):
        super().__init__("flow", HOW, Coupling)

    def build_settings(self) -> dict[str, Control]:
        titles = [("Affine", "affine"), ("Spline", "spline")]
        coupling_hint = "How a coordinate is transformed: by scale and shift, or by a piecewise curve."
        couplings_hint = "How many; before each stand a normalization and a mixing."
        bins_hint = "Pieces of each spline; affine couplings have none."
        return {
            "coupling": controls.radio(titles, None, "Coupling", coupling_hint),
            "couplings": controls.slider(1, 16, None, 1, "Couplings", couplings_hint),
            "bins": controls.slider(2, 32, None, 1, "Bins", bins_hint),
            "lr": number_control("Learning rate", "Adam's step size; it decays linearly to 0."),
        }

    def build_more_settings(self) -> dict[str, Control]:
        hint = "Units in each hidden layer of a coupling."
        return {"width": controls.slider(4, 256, None, 4, "Width", hint), **training_controls()}
