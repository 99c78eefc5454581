"""What there is to see of score matching in the plane: the true score, the learned one, and what lies between them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from playground.data.densities import Density
from playground.labs import Diverged
from playground.labs.score import Lab, Settings
from playground.langevin import ladder
from playground.sampling import generator
from playground.tabs import benches
from playground.tabs.benches import SPAN, Kind, points
from playground.ui import palette
from playground.ui.lab import Curve, Dial, Mark, Plane, View

SIDE = 17  # arrows a side
JUDGED = 2_000  # points that the error is measured on
FEW = 150  # points of the data, which should not hide its density; at each level for the curve
LEVELS = 12  # of the dial
LONGEST = 0.34  # of the arrows
DENSITY, ERROR = ((0, 0, 12), (60, 110, 150)), ((0, 0, 12), (213, 94, 0))
VIEW = View(
    [
        Plane("The true score on the density of the noised data",
              [Mark(palette.DATA, "data"), Mark("", "bright: dense"),
               Mark("", "arrows: the score; the longest of all are as long at every noise level")], DENSITY),
        Plane("The learned score on the same density", [Mark("", "arrows: the learned score")], DENSITY),
        Plane("How far the learned score is from the true one",
              [Mark(palette.NOISE, "their distance, by the true score's length there and on average; bright: half")],
              ERROR),
    ],
    [
        Curve("Relative error of the score over the steps",
              {"error": Mark(palette.NOISE, "relative error, mean of all noise levels of the dial")}),
        Curve("Loss over the steps",
              {"loss": Mark(palette.DATA, "loss; only the explicit one can come to 0, the sliced one falls below")}),
    ],
)  # fmt: skip


def begin(data: Density, settings: Settings) -> dict[str, Any]:
    """A new lab, and some points of the data; the dial turns the noise level."""
    sigmas = levels(settings)
    dial = Dial("Noise level", [f"σ = {sigma:.3g}" for sigma in sigmas], len(sigmas) // 2)
    return {"still": [[[benches.still(data, FEW), palette.DATA]], [], []],
            **benches.begin(Lab(data, settings), KIND, dial)}  # fmt: skip


def levels(settings: Settings) -> list[float]:
    """Noise levels of the dial, from low to high."""
    alone = settings.low == settings.high
    return [settings.low] if alone else ladder(settings.low, settings.high, LEVELS)[::-1]


@torch.no_grad()
def picture(lab: Lab, losses: Mapping[str, float], at: int) -> dict[str, Any]:
    """Both scores on the density, and how far one is from the other, at the dial's noise level.

    Raises:
        Diverged: something is no longer a number.
    """
    sigmas = levels(lab.settings)
    sigma = sigmas[min(at, len(sigmas) - 1)]
    noised = lab.data.noised(sigma)
    error = relative_error(lab, sigma, JUDGED)
    errors = [relative_error(lab, each, FEW) for each in sigmas]
    places, cells = lattice(), benches.lattice()
    found = [part(places, sigma) for part in (lab.truth, lab.learned)]
    density, wrong = noised.log_prob(cells).exp(), distance_map(lab, cells, sigma)
    if not (error.isfinite() and wrong.isfinite().all()):
        raise Diverged("the score is no longer finite")
    dense, longest = benches.heat(density), found[0].norm(dim=1).max()
    fields = [
        {"dots": [], "heat": dense, "arrows": [points(places), points(shortened(arrows, longest))]} for arrows in found
    ]
    none = {"dots": [], "heat": benches.field(wrong), "arrows": ["", ""]}
    caption = [f"relative error at σ = {sigma:.3g}: {error:.1%}"]
    caption += [f"loss {loss:.3f}" for loss in losses.values()]
    row = {"error": torch.stack(errors).mean().item(), **losses}
    return {"planes": [*fields, none], "row": row, "caption": caption}


KIND = Kind({}, picture)


def relative_error(lab: Lab, sigma: float, n: int) -> Tensor:
    """The root of E |s - s_true|^2 / E |s_true|^2 over n points with noise."""
    x = lab.data.noised(sigma).sample(n, generator(lab.settings.seed, 2))
    return (apart(lab, x, sigma).square().mean() / lab.truth(x, sigma).square().sum(1).mean()).sqrt()


def distance_map(lab: Lab, x: Tensor, sigma: float) -> Tensor:
    """The distance of both scores at points (N, 2), from 0 to 1: (N,). 1 is half of the true one's length, and of what
    this is on average, since it is 0 on hilltops."""
    true = lab.truth(lab.data.noised(sigma).sample(FEW, generator(lab.settings.seed, 2)), sigma)
    average = true.square().sum(1).mean().sqrt()
    return (2 * apart(lab, x, sigma) / (lab.truth(x, sigma).norm(dim=1) + average)).clamp(0, 1)


def apart(lab: Lab, x: Tensor, sigma: float) -> Tensor:
    """The distance between both scores at points (N, 2): (N,)."""
    return (lab.learned(x, sigma) - lab.truth(x, sigma)).norm(dim=1)


def shortened(arrows: Tensor, longest: Tensor) -> Tensor:
    """Arrows (N, 2) fit to be drawn: the longest of all is `LONGEST`, and the others by the root of their lengths."""
    length = arrows.norm(dim=1, keepdim=True).clamp(min=1e-9)
    return LONGEST * arrows / length * (length / longest).clamp(max=1).sqrt()


def lattice() -> Tensor:
    """Where arrows begin: (SIDE^2, 2)."""
    line = torch.linspace(-SPAN, SPAN, SIDE + 2)[1:-1]
    return torch.cartesian_prod(line, line)
