"""The lab: two small networks that play their game in the plane while one watches."""

import dataclasses
from dataclasses import dataclass

import gradio as gr

from playground.datasets.densities import Density
from playground.families.gan.lab import PRESETS, Lab, Settings
from playground.families.gan.losses import LOSSES, Objective
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.gan import lab_pictures, variants
from playground.web import controls
from playground.web.component import Value
from playground.web.controls import Control, ControlValue
from playground.web.lab_view import DATA, STEPS, LabControls, LabView, number_control
from playground.web.newest import newest_only

TAB = "gan.lab"
FIRST = "r3gan"
HOW = """
G turns noise z into points; D gives every point a logit, high where it believes the data to be. D learns to tell real
from fake, and G to move its points up D's slope: the arrows are minus the gradient of its loss. Everything is as on
digits, only so small that you can watch it learn.

[Goodfellow 2014](https://arxiv.org/abs/1406.2661) ·
[Metz 2017](https://arxiv.org/abs/1611.02163) (modes on a ring) ·
[Huang 2024](https://arxiv.org/abs/2501.05441) (R3GAN)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls: the data, and `Settings` and `Objective` in one."""

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
    ema_decay: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        validation.check_choice("data", self.data, DATA)
        validation.check_integer("steps", self.steps, *STEPS)
        self.settings()

    def settings(self) -> Settings:
        """Return the settings of the lab."""
        fields = dataclasses.asdict(self)
        objective = Objective(**{field.name: fields[field.name] for field in dataclasses.fields(Objective)})
        own = [field.name for field in dataclasses.fields(Settings) if field.name != "objective"]
        return Settings(objective, **{name: fields[name] for name in own})


def preset_params(name: str, data: str = "ring", seed: int = 0) -> ViewParams:
    """Return the controls of a preset."""
    settings = PRESETS[name].settings
    flat = dataclasses.asdict(settings) | dataclasses.asdict(settings.objective)
    del flat["objective"]
    return ViewParams(**{**flat, "data": data, "seed": seed})


def find_preset(*values: ControlValue) -> str | None:
    """Return the preset that the values of the controls are, whatever their data and seed; None if they are none."""
    try:
        params = ViewParams(*values)
    except UserError:
        return None
    return next((name for name in PRESETS if params == preset_params(name, params.data, params.seed)), None)


class GANLabView(LabView[ViewParams]):
    """View of two networks that learn from each other, with presets of their settings."""

    HINT = (
        "**Press Play** to watch both learn in the plane, then try *Cause collapse*; *Losses* shows the same on digits."
    )
    tab, planes, first = TAB, lab_pictures.VIEW, preset_params(FIRST)
    why = PRESETS[FIRST].explanation
    preset: Control

    def __init__(self, paths: Paths):
        super().__init__("gan", HOW, Lab.step)

    @staticmethod
    def start_lab(data: Density, params: ViewParams) -> Value:
        """Start a lab; return its session."""
        return lab_pictures.start_lab(data, params.settings())

    @property
    def outputs(self) -> list[Control]:
        """Return the components that a new lab fills: the preset too, where the settings are one."""
        return [*super().outputs, self.preset]

    def restart(self, drawing: object, *values: object, why: str = "") -> list[object]:
        """Begin a training with new networks. Returns its first picture."""
        return [*super().restart(drawing, *values, why=why), find_preset(*values)]

    def choose(self, name: str, drawing: object, data: str, seed: int) -> list[object]:
        """Start the lab of a preset; return also the values of the controls."""
        name = name if name in PRESETS else FIRST
        fields = {**dataclasses.asdict(preset_params(name)), "data": data, "seed": seed}
        return [*self.restart(drawing, *fields.values(), why=PRESETS[name].explanation), *fields.values()]

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the values for the lab of the page's address, or for the first lab."""
        stage_value, link, *settings = super().on_load(request)
        return [stage_value, link, find_preset(*settings), *settings]

    def bind(self, page: gr.Blocks) -> None:
        super().bind(page)
        settings, seed, pad, *_ = self.controls
        inputs = [self.requests, self.preset, pad, settings[0], seed]
        self.preset.input(newest_only(self.choose), inputs, [*self.outputs, *settings], **controls.INSTANT)

    def build_controls(self) -> LabControls:
        titles = [(preset.title, name) for name, preset in PRESETS.items()]
        self.preset = controls.radio(titles, FIRST, "Preset", "Settings worth trying.")
        return super().build_controls()

    def build_settings(self) -> dict[str, Control]:
        losses = [(variants.TITLES[name], name) for name in LOSSES]
        return {
            "loss": controls.radio(losses, None, "Loss", "What G and D minimize."),
            "r1": number_control("R1", "Keeps D flat at the data."),
            "r2": number_control("R2", "Keeps D flat at the fakes."),
            "gp": number_control("Gradient penalty", "Asks D for a slope of 1 in between."),
        }

    def build_more_settings(self) -> dict[str, Control]:
        kernels_hint = "Features by which D compares the points of a batch; 0 for none."
        unroll_hint = "How many steps of D the generator looks ahead; 0 for none."
        return {
            "k": controls.slider(1, 20, None, 1, "Steps of D", "How many for each step of G."),
            "lr_d": number_control("Learning rate of D", "Adam's step size; it decays linearly to 0."),
            "lr_g": number_control("Learning rate of G", "Adam's step size; it decays linearly to 0."),
            "momentum": number_control("Momentum", "Adam's β₁, for both networks."),
            "clip": number_control("Clip weights", "The largest weight that D may have; 0 for no limit."),
            "spectral": gr.Checkbox(label="Spectral norm", info="Divides D's weights by their largest gain."),
            "kernels": controls.slider(0, 64, None, 1, "Minibatch kernels", kernels_hint),
            "matching": number_control("Feature matching", "G also matches the means of D's features."),
            "unroll": controls.slider(0, 10, None, 1, "Unrolled steps", unroll_hint),
            "unroll_lr": number_control("Unrolled step size", "Learning rate of the unrolled steps."),
            "latent": controls.slider(1, 256, None, 1, "Noise dimensions", "How many numbers z has."),
            "width": controls.slider(4, 256, None, 4, "Width", "Units in each of the three hidden layers."),
            "batch": controls.slider(8, 1024, None, 8, "Batch", "Points per step."),
            "steps": controls.slider(*STEPS, None, 100, "Steps", "Updates of G in the whole training."),
            "ema_decay": number_control("Moving average", "Decay of the average of G on show; 0 for G itself."),
        }
