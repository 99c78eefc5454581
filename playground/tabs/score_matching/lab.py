"""The lab of score matching: a small network learns the score of points in the plane while one watches."""

from dataclasses import dataclass

from playground.families import score_matching
from playground.families.score_matching.lab import Settings
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.tabs.score_matching import lab_pictures
from playground.web import controls
from playground.web.controls import Control
from playground.web.lab_view import DATA, STEPS, LabView, number_control, training_controls

TAB = "score_matching.lab"
HOW = """
The score is the gradient of the log density: at every point the way to where the data are denser. Nobody knows it for
pictures; for these points it is known exactly, and stands beside what a network has learned. Denoising score matching
adds noise to points and asks for the way back; on average that is the score of the noised data. With much noise it
leads to the middle of all points, with little noise to the nearest mode: move the slider under the planes.

What is minimized, with x = x₀ + σ ε and a weight λ(σ) that makes an untrained network's loss as large at every level:

- *Denoising*: E λ(σ) ‖s(x, σ) + ε / σ‖². The noise that was added can't be told from x alone, so this never comes to 0.
- *Sliced*: E λ(σ) (vᵀ ∂s/∂x v + ½ ‖s(x, σ)‖²) for random directions v. It needs no known noise, and falls below 0.
- *Explicit*: E λ(σ) ‖s(x, σ) − ∇ log p(x; σ)‖², where the score is known, as here.

[Vincent 2011](https://www.iro.umontreal.ca/~vincentp/Publications/smdae_techreport.pdf) (denoising score matching) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (many noise levels) ·
[Song 2020](https://arxiv.org/abs/1905.07088) (sliced)
"""
OBJECTIVES = [("Denoising", "denoising"), ("Sliced", "sliced"), ("Explicit", "explicit")]


@dataclass(frozen=True)
class ViewParams(Settings):
    """Parameters of a link, in the order of the controls: the settings of the lab, and the data."""

    data: str = "grid"

    def __post_init__(self) -> None:
        validation.check_integer("steps", self.steps, *STEPS)
        super().__post_init__()
        validation.check_choice("data", self.data, DATA)


class ScoreLabView(LabView[ViewParams]):
    """View of a network that learns a score."""

    HINT = (
        "**Press Play** to watch a network learn it; in *Langevin* particles follow it, and in *Restore* it repairs "
        "digits."
    )
    tab, planes, first = TAB, lab_pictures.VIEW, ViewParams()
    why = "Move the slider under the planes: the less noise, the finer the score."
    start_lab = staticmethod(lab_pictures.start_lab)

    def __init__(self, paths: Paths):
        super().__init__("score", HOW, score_matching.loss)

    def build_settings(self) -> dict[str, Control]:
        objective_hint = "Learn from the noise that was added, from random directions, or from the true score."
        low_hint = "Smallest σ to learn; the same as the most noise for a single level."
        return {
            "objective": controls.radio(OBJECTIVES, None, "Objective", objective_hint),
            "sigma_min": number_control("Least noise", low_hint),
            "sigma_max": number_control("Most noise", "Largest σ to learn; the data are about 4 wide."),
            "lr": number_control("Learning rate", "Adam's step size; it decays linearly to 0."),
        }

    def build_more_settings(self) -> dict[str, Control]:
        hint = "Waves that encode the position of a point."
        return {
            "width": controls.slider(4, 256, None, 4, "Width", "Units in each hidden layer."),
            "layers": controls.slider(1, 6, None, 1, "Hidden layers", "How many the network has."),
            "frequencies": controls.slider(0, 8, None, 1, "Frequencies", hint),
            **training_controls(),
        }
