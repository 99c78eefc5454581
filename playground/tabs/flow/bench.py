"""What there is to see of a flow in the plane: its density, and on their way through the layers data and noise."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from playground.data.densities import Density
from playground.labs import Diverged
from playground.labs.flow import Lab, Settings
from playground.sampling import generator, last
from playground.tabs import benches
from playground.tabs.benches import SHOWN, Kind, heat, points
from playground.ui import palette
from playground.ui.lab import Curve, Dial, Mark, Plane, View

JUDGED = 2_000  # points that the likelihood is measured on
FEW = 150  # points of the data, which should not hide its density
RINGS, SPOKES = 4, 8  # of a net of noise, a standard deviation from ring to ring by a half
FINE = 24  # points of the net between two of its knots
RING = "#777777"
VIEW = View(
    [
        Plane("The density that the flow has learned", [Mark(palette.DATA, "data"), Mark("", "bright: dense")]),
        Plane("The data on their way to noise", [Mark(colour, "") for colour in palette.CLASSES[:4]]
              + [Mark("", "colours: the quarter of the plane where the data lie"),
                 Mark(RING, "1, 2 and 3 standard deviations of N(0, I)")]),
        Plane("The other way: noise on its way to the data",
              [Mark(palette.NOISE, "a net, of rings and spokes at first"), Mark("", "bright: dense")]),
    ],
    [Curve("Nats a point over the steps", {"loss": Mark(palette.DATA, "−log p of new points, nats"),
                                           "truth": Mark(palette.ESTIMATE, "that of the true density")})],
)  # fmt: skip


def begin(data: Density, settings: Settings) -> dict[str, Any]:
    """A new lab, and some points of the data; the dial goes through the layers."""
    layers = 3 * settings.couplings
    marks = ["none", *(f"{i + 1} of {layers}: {NAMES[i % 3]}" for i in range(layers))]
    lab = Lab(data, settings)
    rings = torch.cat([circle(r, 40 * r) for r in (1, 2, 3)])
    return {"still": [[[benches.still(data, FEW), palette.DATA]], [[points(rings), RING]], []],
            **benches.begin(lab, KIND, Dial("Layers gone through", marks, len(marks) - 1))}  # fmt: skip


NAMES = ("normalise", "mix", "couple")


@torch.no_grad()
def picture(lab: Lab, losses: Mapping[str, float], at: int) -> dict[str, Any]:
    """The density of the flow; data after as many of its layers, and noise after as many the other way.

    Raises:
        Diverged: something is no longer a number.
    """
    flow, x = lab.learned, lab.data.sample(JUDGED, generator(lab.settings.seed, 2))
    cells, start = benches.lattice(), max(len(flow) - at, 0)
    density = flow.log_prob(cells).exp()
    warped = flow.log_prob(cells, start).exp() if start else density
    nats, truth = -flow.log_prob(x).mean(), -lab.data.log_prob(x).mean()
    z, log_det = nth(flow.forth(x[:SHOWN]), at)
    web, _ = nth(flow.back(net()), at)
    if not all(part.isfinite().all() for part in (density, warped, nats, z, web)):
        raise Diverged("a point is no longer finite")
    quarter = (x[:SHOWN, 0] > 0).long() + 2 * (x[:SHOWN, 1] > 0).long()
    coloured = [[points(z[quarter == i]), palette.CLASSES[i]] for i in range(4)]
    planes: list[dict[str, Any]] = [
        {"dots": [], "heat": heat(density)},
        {"dots": coloured, "heat": ""},
        {"dots": [[points(web), palette.NOISE]], "heat": heat(warped)},
    ]
    caption = [f"−log p {nats:.3f} nats, the true density's {truth:.3f}", f"mean log |det| so far {log_det.mean():.3f}"]
    return {"planes": [plane | {"arrows": ["", ""]} for plane in planes],
            "row": {"loss": nats.item(), "truth": truth.item()}, "caption": caption}  # fmt: skip


KIND = Kind({}, picture)


def nth(steps: Iterable[tuple[Tensor, Tensor]], at: int) -> tuple[Tensor, Tensor]:
    """What there is after so many layers, or after all."""
    return last(islice(steps, at + 1))


def circle(radius: float, n: int) -> Tensor:
    """Points (n, 2) around the middle."""
    turn = torch.linspace(0, 2 * torch.pi, n + 1)[:-1]
    return radius * torch.stack([turn.cos(), turn.sin()], dim=1)


def net() -> Tensor:
    """Points on circles and on lines from the middle: (N, 2)."""
    radii = torch.linspace(0.5, RINGS / 2, RINGS).tolist()
    out = torch.linspace(0, RINGS / 2, RINGS * FINE)[:, None]
    spokes = [out * end for end in circle(1, SPOKES)]
    return torch.cat([*(circle(r, SPOKES * FINE) for r in radii), *spokes])
