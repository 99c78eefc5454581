"""Frames of the lab of flows: its density, and on their way through the layers data and noise."""

from collections.abc import Iterable, Mapping
from itertools import islice

import torch
from torch import Tensor

from playground.datasets.densities import Density
from playground.families.normalizing_flow.lab import Lab, Settings
from playground.runtime.labs import DivergenceError
from playground.runtime.rng import make_rng
from playground.runtime.run import Frame, last_frame
from playground.web import lab_sessions, palette
from playground.web.component import Value
from playground.web.lab import Curve, Dial, Mark, Plane, View
from playground.web.lab_sessions import N_POINTS, LabKind, encode_density, encode_points

N_TEST = 2_000  # points that the likelihood is measured on
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
              [Mark(palette.NOISE, "a net that begins as rings and spokes"), Mark("", "bright: dense")]),
    ],
    [Curve("Nats a point over the steps", {"loss": Mark(palette.DATA, "−log p of new points, nats"),
                                           "truth": Mark(palette.ESTIMATE, "that of the true density")})],
)  # fmt: skip


def start_lab(data: Density, settings: Settings) -> Value:
    """Return a new lab, and some points of the data; the dial goes through the layers."""
    layers = 3 * settings.couplings
    marks = ["none", *(f"{i + 1} of {layers}: {NAMES[i % 3]}" for i in range(layers))]
    lab = Lab(data, settings)
    rings = torch.cat([circle(r, 40 * r) for r in (1, 2, 3)])
    points = lab_sessions.encode_fixed_sample(data, FEW)
    return {"still": [[[points, palette.DATA]], [[encode_points(rings), RING]], []],
            **lab_sessions.start_session(lab, KIND, Dial("Layers passed", marks, len(marks) - 1))}  # fmt: skip


NAMES = ("normalize", "mix", "couple")


@torch.no_grad()
def picture(lab: Lab, losses: Mapping[str, float], at: int) -> Value:
    """Return the density of the flow; data after as many of its layers, and noise after as many the other way; raise
    DivergenceError if a point is not finite."""
    flow, x = lab.learned_density, lab.data.sample(N_TEST, make_rng(lab.settings.seed, 2))
    cells, start = lab_sessions.cell_centres(), max(len(flow) - at, 0)
    density = flow.log_prob(cells).exp()
    warped = flow.log_prob(cells, start).exp() if start else density
    nats, truth = -flow.log_prob(x).mean(), -lab.data.log_prob(x).mean()
    encoded = frame_at(flow.encode_steps(x[:N_POINTS]), at)
    z, log_det = encoded.x, encoded.extras["log_det"]
    web = frame_at(flow.decode_steps(net()), at).x
    if not all(part.isfinite().all() for part in (density, warped, nats, z, web)):
        raise DivergenceError("a point is no longer finite")
    quarter = (x[:N_POINTS, 0] > 0).long() + 2 * (x[:N_POINTS, 1] > 0).long()
    coloured = [[encode_points(z[quarter == i]), palette.CLASSES[i]] for i in range(4)]
    planes: list[Value] = [
        {"dots": [], "heat": encode_density(density)},
        {"dots": coloured, "heat": ""},
        {"dots": [[encode_points(web), palette.NOISE]], "heat": encode_density(warped)},
    ]
    caption = [f"−log p {nats:.3f} nats, the true density's {truth:.3f}", f"mean log |det| so far {log_det.mean():.3f}"]
    return {"planes": [plane | {"arrows": ["", ""]} for plane in planes],
            "row": {"loss": nats.item(), "truth": truth.item()}, "caption": caption}  # fmt: skip


KIND = LabKind({}, picture)


def frame_at(steps: Iterable[Frame], at: int) -> Frame:
    """Return the frame after a number of layers, or after all of them."""
    return last_frame(islice(steps, at + 1))


def circle(radius: float, n: int) -> Tensor:
    """Return points (n, 2) around the middle."""
    turn = torch.linspace(0, 2 * torch.pi, n + 1)[:-1]
    return radius * torch.stack([turn.cos(), turn.sin()], dim=1)


def net() -> Tensor:
    """Return points on circles and on lines from the middle: (N, 2)."""
    radii = torch.linspace(0.5, RINGS / 2, RINGS).tolist()
    out = torch.linspace(0, RINGS / 2, RINGS * FINE)[:, None]
    spokes = [out * end for end in circle(1, SPOKES)]
    return torch.cat([*(circle(r, SPOKES * FINE) for r in radii), *spokes])
