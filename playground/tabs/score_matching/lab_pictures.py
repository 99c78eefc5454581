"""Frames of the lab of score matching: the true score, the learned one, and the distance between them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from playground.datasets.densities import Density
from playground.families import score_matching
from playground.families.score_matching.lab import Lab, Settings
from playground.families.score_matching.langevin import geometric_sigmas
from playground.runtime.labs import DivergenceError
from playground.runtime.rng import make_rng
from playground.web import lab_sessions, palette
from playground.web.component import Value
from playground.web.lab import Curve, Dial, Mark, Plane, View
from playground.web.lab_sessions import SPAN, LabKind, encode_points

SIDE = 17  # arrows a side
N_TEST = 2_000  # points that the error is measured on
FEW = 150  # points of the data, which should not hide its density; at each level for the curve
LEVELS = 12  # of the dial
LONGEST = 0.34  # of the arrows
DENSITY, ERROR = ((0, 0, 12), (60, 110, 150)), ((0, 0, 12), (213, 94, 0))
VIEW = View(
    [
        Plane("The true score on the density of the noised data",
              [Mark(palette.DATA, "data"), Mark("", "bright: dense"),
               Mark("", "arrows: the score, scaled so that the longest are equal at every noise level")], DENSITY),
        Plane("The learned score on the same density", [Mark("", "arrows: the learned score")], DENSITY),
        Plane("How far the learned score is from the true one",
              [Mark(palette.NOISE, "error relative to the true score; brightest at one half and above")],
              ERROR),
    ],
    [
        Curve("Relative error of the score over the steps",
              {"error": Mark(palette.NOISE, "relative error, mean over the noise levels")}),
        Curve("Loss over the steps",
              {"loss": Mark(palette.DATA, "loss; only the explicit one can reach 0, the sliced one falls below")}),
    ],
)  # fmt: skip


def start_lab(data: Density, settings: Settings) -> Value:
    """Return a new lab, and some points of the data; the dial turns the noise level."""
    sigmas = levels(settings)
    dial = Dial("Noise level", [f"σ = {sigma:.3g}" for sigma in sigmas], len(sigmas) // 2)
    return {"still": [[[lab_sessions.encode_fixed_sample(data, FEW), palette.DATA]], [], []],
            **lab_sessions.start_session(Lab(data, settings), KIND, dial)}  # fmt: skip


def levels(settings: Settings) -> list[float]:
    """Return the noise levels of the dial, from low to high."""
    low, high = settings.sigma_min, settings.sigma_max
    return [low] if low == high else geometric_sigmas(low, high, LEVELS)[::-1]


@torch.no_grad()
def picture(lab: Lab, losses: Mapping[str, float], at: int) -> Value:
    """Return both scores on the density, and how far one is from the other, at the dial's noise level; raise
    DivergenceError if the score is not finite."""
    sigmas = levels(lab.settings)
    sigma = sigmas[min(at, len(sigmas) - 1)]
    error = relative_error(lab, sigma, N_TEST)
    errors = [relative_error(lab, level, FEW) for level in sigmas]
    grid, cells = arrow_grid(), lab_sessions.cell_centres()
    scores = [score(grid, sigma) for score in (lab.true_score, lab.learned_score)]
    density, distance = lab.data.add_noise(sigma).log_prob(cells).exp(), distance_map(lab, cells, sigma)
    if not (error.isfinite() and distance.isfinite().all()):
        raise DivergenceError("the score is no longer finite")
    heat, longest = lab_sessions.encode_density(density), scores[0].norm(dim=1).max()
    planes = [
        {"dots": [], "heat": heat, "arrows": [encode_points(grid), encode_points(scale_arrows(score, longest))]}
        for score in scores
    ]
    planes.append({"dots": [], "heat": lab_sessions.encode_field(distance), "arrows": ["", ""]})
    caption = [f"relative error at σ = {sigma:.3g}: {error:.1%}", *(f"loss {loss:.3f}" for loss in losses.values())]
    return {"planes": planes, "row": {"error": torch.stack(errors).mean().item(), **losses}, "caption": caption}


KIND = LabKind({}, picture)


def relative_error(lab: Lab, sigma: float, n: int) -> Tensor:
    """Return the relative error of a lab's learned score over n points with noise, always the same ones."""
    return score_matching.relative_error(lab.learned_score, lab.data, sigma, n, make_rng(lab.settings.seed, 2))


def distance_map(lab: Lab, x: Tensor, sigma: float) -> Tensor:
    """Return the distance of both scores at points (N, 2), from 0 to 1: (N,). 1 is half of the true one's length, and
    of what this is on average, since it is 0 on hilltops."""
    true = lab.true_score(lab.data.add_noise(sigma).sample(FEW, make_rng(lab.settings.seed, 2)), sigma)
    average = true.square().sum(1).mean().sqrt()
    truth = lab.true_score(x, sigma)
    distance = (lab.learned_score(x, sigma) - truth).norm(dim=1)
    return (2 * distance / (truth.norm(dim=1) + average)).clamp(0, 1)


def scale_arrows(arrows: Tensor, longest: Tensor) -> Tensor:
    """Return arrows (N, 2) as they are drawn: the longest `LONGEST` long, the others by the root of their lengths."""
    length = arrows.norm(dim=1, keepdim=True).clamp(min=1e-9)
    return LONGEST * arrows / length * (length / longest).clamp(max=1).sqrt()


def arrow_grid(side: int = SIDE) -> Tensor:
    """Return the points at which the arrows start, (side^2, 2)."""
    line = torch.linspace(-SPAN, SPAN, side + 2)[1:-1]
    return torch.cartesian_prod(line, line)
