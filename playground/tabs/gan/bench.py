"""What there is to see of a GAN in the plane: points, what D says of every place, and where G is pulled."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from playground import adversarial
from playground.data import densities
from playground.data.densities import Density, Mixture
from playground.labs import Diverged
from playground.labs.gan import Lab, Settings
from playground.tabs import benches
from playground.tabs.benches import CELLS, SHOWN, Kind, points
from playground.ui import palette
from playground.ui.lab import Curve, Mark, Plane, Turn, View

ARROWS, JUDGED = 60, 2_000  # arrows, points that are counted
REAL, FAKE = palette.DATA, palette.NOISE
VIEW = View(
    [
        Plane(
            "Real and fake points in the plane, on the discriminator's verdict",
            [Mark(REAL, "real"), Mark(FAKE, "fake"), Mark("", "bright: D says real"),
             Mark("", "arrows: where G is pulled")],
        )
    ],
    [
        Curve("Modes covered and share of good points over the steps",
              {"modes": Mark("#009E73", "modes covered"),
               "quality": Mark("#CC79A7", "good points: within 3σ of a mode")}),
        Curve("Losses of both networks over the steps",
              {"D": Mark("#0077BB", "loss of D"), "G": Mark("#EE7733", "loss of G")}),
    ],
    [Turn("D", "Step D", "One step of the discriminator"), Turn("G", "Step G", "One step of the generator")],
)  # fmt: skip


def begin(data: Density, settings: Settings) -> dict[str, Any]:
    """A new lab, and some real points."""
    return {"still": [[[benches.still(data), REAL]]], **benches.begin(Lab(data, settings), KIND)}


def picture(trained: Lab, losses: Mapping[str, float], _: int) -> dict[str, Any]:
    """Fake points, D's verdict everywhere, where it pulls the fakes, and what is covered.

    Raises:
        Diverged: something is no longer a number.
    """
    fake = trained.sample(JUDGED)
    trained.d.eval()  # what spectral normalisation keeps stays as it is
    verdict, arrows = heat(trained), pull(trained, fake)
    trained.d.train()
    if not all(part.isfinite().all() for part in (fake, verdict, arrows)):
        raise Diverged("a point is no longer finite")
    row, caption = dict(losses), []
    data = trained.data
    if isinstance(data, Mixture) and data.apart:
        covered, modes = densities.coverage(fake, data), len(data.modes()[1])
        row |= {"modes": covered.modes / modes, "quality": covered.quality}
        caption = [f"modes covered {covered.modes} of {modes}", f"good points {covered.quality:.1%}"]
    if losses:
        caption.append("loss " + ", ".join(f"of {name} {loss:.3f}" for name, loss in losses.items()))
    plane = {"dots": [[points(fake[:SHOWN]), FAKE]], "heat": benches.field(verdict),
             "arrows": [points(fake[: len(arrows)]), points(arrows)]}  # fmt: skip
    return {"planes": [plane], "row": row, "caption": caption}


KIND = Kind({"D": lambda lab: {"D": lab.step_d()}, "G": lambda lab: {"G": lab.step_g()}}, picture)


@torch.no_grad()
def heat(trained: Lab) -> Tensor:
    """D's verdict at the centres of the cells, from 0 at its lowest to 1 at its highest: (CELLS, CELLS), top first."""
    order = torch.randperm(CELLS**2, generator=torch.Generator().manual_seed(0))
    # In scattered batches of the size that it knows, since D may compare the points of one.
    logits = torch.cat([trained.d(part) for part in benches.lattice()[order].split(trained.settings.batch)])
    low, high = logits.aminmax()
    return ((logits - low) / (high - low).clamp(min=1e-9))[order.argsort()].reshape(CELLS, CELLS)


def pull(trained: Lab, fake: Tensor) -> Tensor:
    """Minus the gradient of G's loss at the first of its points (M, 2), the longest 0.5 long: (N, 2)."""
    settings, random = trained.settings, torch.Generator().manual_seed(0)
    x_fake = fake[: settings.batch].detach().requires_grad_()  # a batch of the size that D knows
    x, u = trained.data.sample(len(x_fake), random), torch.rand(len(x_fake), generator=random)
    with adversarial.frozen(trained.d):
        loss = adversarial.generator_loss(trained.d, x, x_fake, settings.objective, u)
        gradient = torch.autograd.grad(loss, x_fake)[0][:ARROWS]
    return -0.5 * gradient / gradient.norm(dim=1).max().clamp(min=1e-12)
