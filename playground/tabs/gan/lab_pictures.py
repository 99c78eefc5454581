"""Frames of the lab of GANs: points, D's logit at every place, and where G is pulled."""

from collections.abc import Mapping

import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import Density, Mixture
from playground.families.gan import losses as adversarial
from playground.families.gan.lab import Lab, Settings
from playground.runtime.labs import DivergenceError
from playground.web import lab_sessions, palette
from playground.web.component import Value
from playground.web.formula import use_minus_signs
from playground.web.lab import Action, Box, Curve, Mark, Plane, View
from playground.web.lab_sessions import N_CELLS, N_POINTS, LabKind, encode_points

N_ARROWS, N_TEST = 60, 2_000  # arrows, points that are counted
NET = torch.linspace(-2, 2, 9)  # where the lines of a net of noise stand, in standard deviations
FINE = 33  # points of a line of the net
DIAGRAM = (
    Box("noise z", "Random numbers from N(0, I), new ones for every fake."),
    Box("generator G: loss", "It never sees the data: all it learns comes back through D."),
    Box(
        "fakes: logit",
        "Points that G makes, and D's mean logit of them, which G wants to be high.",
        has_gradient=True,
    ),
    Box(
        "discriminator D: loss",
        "It gives every point a logit, high for real ones. While G learns, D stands still and passes the gradient on.",
        has_gradient=True,
    ),
    Box(
        "real: logit",
        "Points of the data, and D's mean logit of them, which D wants to be above that of the fakes.",
        comes_from_right=True,
    ),
)
VIEW = View(
    [
        Plane(
            "Real and fake points in the plane, over the discriminator's logit",
            [Mark(palette.REAL, "real"), Mark(palette.FAKE, "fake"), Mark("", "bright: D says real"),
             Mark("", "net: a square net of noise z, as G bends it"),
             Mark("", "arrows: where G is to move its points")],
        )
    ],
    [
        Curve("Modes covered and share of good points over the steps",
              {"modes": Mark(palette.ESTIMATE, "modes covered"),
               "quality": Mark(palette.COMPARISON, "good points: within 3σ of a mode")}),
        Curve("Losses of both networks over the steps",
              {"D": Mark(palette.REAL, "loss of D"), "G": Mark(palette.FAKE, "loss of G")}),
    ],
    [Action("D", "Step D", "One step of the discriminator"), Action("G", "Step G", "One step of the generator")],
    DIAGRAM,
)  # fmt: skip


def start_lab(data: Density, settings: Settings) -> Value:
    """Return a new lab, and some real points."""
    return {
        "still": [[[lab_sessions.encode_fixed_sample(data), palette.REAL]]],
        **lab_sessions.start_session(Lab(data, settings), KIND),
    }


def picture(lab: Lab, losses: Mapping[str, float], _: int) -> Value:
    """Return fake points and the net of noise, D's logit everywhere, where it pulls the fakes, and what is covered;
    raise DivergenceError if a point is not finite."""
    fake, net = lab.sample(N_TEST), lab.warp(noise_net())
    lab.d.eval()  # what spectral normalization keeps stays as it is
    logits, arrows, means = heat(lab), pull(lab, fake), mean_logits(lab, fake)
    lab.d.train()
    if not all(part.isfinite().all() for part in (fake, net, logits, arrows)):
        raise DivergenceError("a point is no longer finite")
    row, caption = dict(losses), []
    data = lab.data
    if isinstance(data, Mixture) and data.multimodal:
        covered, modes = densities.measure_coverage(fake, data), len(data.modes()[1])
        row |= {"modes": covered.modes / modes, "quality": covered.quality}
        caption = [f"modes covered {covered.modes} of {modes}", f"good points {covered.quality:.1%}"]
    if losses:
        texts = [f"of {name} {_in_words(loss)}" for name, loss in losses.items()]
        caption.append(f"loss {', '.join(texts)}")
    plane = {"dots": [[encode_points(fake[:N_POINTS]), palette.FAKE]], "heat": lab_sessions.encode_field(logits),
             "arrows": [encode_points(fake[: len(arrows)]), encode_points(arrows)],
             "lines": [[encode_points(line), palette.FAKE] for line in net]}  # fmt: skip
    numbers = None, losses.get("G"), means[0], losses.get("D"), means[1]  # of the boxes of the diagram
    return {"planes": [plane], "row": row, "caption": caption,
            "numbers": ["" if number is None else _in_words(number) for number in numbers]}  # fmt: skip


def _in_words(number: float) -> str:
    return use_minus_signs(f"{round(number, 3) + 0:.3f}")  # -0.0 + 0 is 0.0


KIND = LabKind({"D": lambda lab: {"D": lab.step_d()}, "G": lambda lab: {"G": lab.step_g()}}, picture)


def noise_net() -> Tensor:
    """Return the lines of a square net of noise, upright and across: (2 len(NET), FINE, 2)."""
    along = torch.linspace(float(NET[0]), float(NET[-1]), FINE).expand(len(NET), FINE)
    across = NET[:, None].expand(len(NET), FINE)
    return torch.cat([torch.stack([across, along], dim=-1), torch.stack([along, across], dim=-1)])


@torch.no_grad()
def mean_logits(lab: Lab, fake: Tensor) -> tuple[float, float]:
    """Return D's mean logits of a batch of fakes and of one of real points, always the same ones."""
    real = lab.data.sample(lab.settings.batch, torch.Generator().manual_seed(0))
    return lab.d(fake[: len(real)]).mean().item(), lab.d(real).mean().item()


@torch.no_grad()
def heat(lab: Lab) -> Tensor:
    """Return D's logit at the centres of the cells, from 0 at its lowest to 1 at its highest: (CELLS, CELLS), top
    first."""
    order = torch.randperm(N_CELLS**2, generator=torch.Generator().manual_seed(0))
    # In scattered batches of the size that it knows, since D may compare the points of one.
    logits = torch.cat([lab.d(part) for part in lab_sessions.cell_centres()[order].split(lab.settings.batch)])
    low, high = logits.aminmax()
    return ((logits - low) / (high - low).clamp(min=1e-9))[order.argsort()].reshape(N_CELLS, N_CELLS)


def pull(lab: Lab, fake: Tensor) -> Tensor:
    """Return minus the gradient of G's loss at the first of its points (M, 2), the longest 0.5 long: (N, 2)."""
    settings, rng = lab.settings, torch.Generator().manual_seed(0)
    x_fake = fake[: settings.batch].detach().requires_grad_()  # a batch of the size that D knows
    x, u = lab.data.sample(len(x_fake), rng), torch.rand(len(x_fake), generator=rng)
    with adversarial.freeze(lab.d):
        loss = adversarial.generator_loss(lab.d, x, x_fake, settings.objective, u)
        gradient = torch.autograd.grad(loss, x_fake)[0][:N_ARROWS]
    return -0.5 * gradient / gradient.norm(dim=1).max().clamp(min=1e-12)
