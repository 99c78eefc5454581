"""Layer by layer: samples on their way out of noise, and a picture on its way to z and back."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from playground import pictures
from playground.formulas import minus
from playground.models import flow
from playground.models.flow import Numbers, Pass
from playground.tabs.flow import likelihood
from playground.ui import palette
from playground.ui.scrubber import Box, Curve, Series, Strip

LAYERS = {"ActNorm": "normalise", "Mix": "mix", "Coupling": "couple"}
OF_SAMPLES = (
    'z = temperature · ε = <b data-number="temperature"></b> ε <i>Kingma 2018, section 6</i><br>'
    'log p(y) = log N(z; 0, I) − log |det dy/dz| = <b data-number="normal"></b> − (<b data-number="log_det"></b>) = '
    '<b data-number="log_p"></b> nats <i>Dinh 2017, eq. 3</i><br><i class=where>ε: unit noise · y: the numbers after '
    "this layer; their logistic sigmoids are the pixels · the three numbers are means over the pictures</i>"
)
OF_PICTURE = (
    'log p(v) = log N(z; 0, I) + log |det dz/dv| = <b data-number="normal"></b> + <b data-number="log_det"></b> = '
    '<b data-number="log_p"></b> nats <i>Dinh 2017, eq. 3</i><br>bits per dimension = (log q(u | x) − log p(v) + '
    'D ln 256) / (D ln 2) = (<b data-number="log_q"></b> − (<b data-number="log_p"></b>) + <b data-number="levels">'
    '</b>) / <b data-number="scale"></b> = <b data-number="bits"></b> <i>Theis 2016, eq. 3; Ho 2019</i><br>'
    "<i class=where>z: the numbers after this layer, as if it were the last · v = (x + u) / 256: the pixels x, from 0 "
    "to 255, with noise u between 0 and 1 · q: the flow that draws u · D: pixels</i>"
)


@torch.no_grad()
def samples(model: flow.Model, settings: flow.Settings) -> dict[str, Any]:
    """From noise to pictures, as the arguments of `scrubber.pack`."""
    run = list(flow.sample(model, settings))
    log_det = [each.log_det.mean().item() for each in run]
    normal = [flow.log_normal(run[0].y).mean().item()] * len(run)
    size = [each.y.square().mean().sqrt().item() for each in run]
    temperature = [f"{settings.temperature:g}"] * len(run)
    return {
        "strips": strips(run),
        "captions": [f"{where} · log |det| {nats(each)} nats" for where, each in zip(told(run), log_det, strict=True)],
        "ends": ("z, noise", "x, pictures"),
        "curves": [
            Curve("log |det dy/dz|", "How much the layers so far stretch space, in nats.",
                  [Series("", palette.DATA, log_det)]),
            Curve("RMS of y", "Root mean square of the numbers; that of unit noise is 1.",
                  [Series("", palette.NOISE, size)]),
        ],
        "formula": OF_SAMPLES,
        "numbers": following(run, normal=normal, log_det=log_det, log_p=[normal[0] - each for each in log_det])
        | {"temperature": temperature},
        "diagram": DIAGRAM,
    }  # fmt: skip


class Trip(NamedTuple):
    """A picture's way to z and back.

    Attributes:
        given: what the layers got.
        run: a pass after each layer, `turn` of them to z, then as many back to the picture; the log-determinants are
            those of the whole way so far.
        turn: where z is.
    """

    given: Numbers
    run: list[Pass]
    turn: int

    @property
    def bits(self) -> list[float]:
        """Bits per dimension, if the flow ended there."""
        return [self.given.bits(each).item() for each in self.run]

    @property
    def terms(self) -> dict[str, list[float]]:
        """What those are made of, in nats, and the nats of a bit in each dimension."""
        d = self.given.y.numel()
        stay = {"log_q": self.given.log_q.item(), "levels": d * math.log(flow.LEVELS), "scale": d * math.log(2)}
        return {
            "normal": [flow.log_normal(each.y).item() for each in self.run],
            "log_det": [(each.log_det + self.given.log_slope).item() for each in self.run],
            "log_p": [self.given.log_p(each).item() for each in self.run],
        } | {name: [value] * len(self.run) for name, value in stay.items()}

    @property
    def told(self) -> list[str]:
        """Where each pass is, in words."""
        there = [f"to z, {each}" for each in told(self.run[: self.turn + 1])[1:-1]]
        back = [f"back to x, {each}" for each in told(self.run[self.turn :])[1:-1]]
        return ["x", *there, "z", *back, "x again"]

    @property
    def error(self) -> float:
        """The largest difference of a pixel from what it was, black being -1 and white 1."""
        return (self.run[-1].x - self.run[0].x).abs().max().item()


@torch.no_grad()
def there_and_back(model: flow.Model, x: Tensor) -> Trip:
    """A picture x (1, C, H, W) to z, and from there to the picture again, in double precision."""
    model, x = flow.precise(model), x.double()
    given = likelihood.numbers(model, x)
    forth = list(model.forth(given.y))
    back = [each._replace(log_det=forth[-1].log_det + each.log_det) for each in model.back(forth[-1].y)]
    return Trip(given, [*forth, *back[1:]], len(forth) - 1)


def _above(error: float) -> str:
    """A number that is above a positive error, of one digit."""
    exponent = math.floor(math.log10(max(error, 1e-15)))
    return f"{math.floor(error / 10**exponent) + 1}e{exponent}"


def described(trip: Trip) -> dict[str, Any]:
    """What is shown of it, as the arguments of `scrubber.pack`."""
    run, bits, terms = trip.run, trip.bits, trip.terms
    ends = pictures.to_uint8(run[0].x), pictures.noise_to_uint8(run[trip.turn].y), pictures.to_uint8(run[-1].x)
    x, z, again = (np.stack([each] * len(run)) for each in ends)
    off = f"x → z → x in double precision: no pixel is off by {_above(trip.error)} or more, of 2 from black to white"
    shown = [f"{each:.3f}" for each in bits]
    return {
        "strips": [Strip("x", "the picture", x), *strips(run), Strip("z", "where it ends; grey is 0", z),
                   Strip("x again", "what comes back from there", again, [minus(off)] * len(run))],
        "captions": [
            f"{where} · {each} bits per dimension" + ("" if k == trip.turn else ", if the flow ended here")
            for k, (where, each) in enumerate(zip(trip.told, shown, strict=True))
        ],
        "ends": ("x", "x again; z is in the middle"),
        "curves": [
            Curve("log |det dz/dv|", "How much the layers so far stretch space, in nats; the way back undoes it.",
                  [Series("", palette.DATA, terms["log_det"])]),
            Curve("bits per dimension", "If the flow ended here; in the middle those of the picture.",
                  [Series("", palette.ESTIMATE, bits)], log=True),
        ],
        "formula": OF_PICTURE,
        "numbers": following(run, **terms) | {"bits": shown},
        "diagram": [replace(box, strip=1) if box.strip == 0 else box for box in DIAGRAM],
        "start": trip.turn,
    }  # fmt: skip


# From layer to layer.

DIAGRAM = (
    Box("y before", "The numbers before the layer, as a picture.", strip=0, ahead=-1),
    Box("layer", "Normalise: shift and scale. Mix: a 1x1 convolution. Couple: half of the numbers bend the others.",
        number="layer"),
    Box("y", "The numbers after it.", strip=0),
    Box("log |det|", "How much space is stretched up to the frame on show, in nats.", number="log_det"),
)  # fmt: skip


def strips(run: Sequence[Pass]) -> list[Strip]:
    """The numbers after each layer as pictures, and what it did to them."""
    moved = [torch.zeros_like(run[0].y), *(after.y - before.y for before, after in pairwise(run))]
    return [
        Strip("y", "the numbers after this layer, as pixels", np.stack([pictures.to_uint8(each.x) for each in run])),
        Strip("change", "what it did to them; grey is 0", np.stack([pictures.noise_to_uint8(each) for each in moved])),
    ]


def told(run: Sequence[Pass]) -> list[str]:
    """Where each pass of a run in one direction is, in words."""
    return [run[0].name, *(f"layer {k} of {len(run) - 1}: {LAYERS[each.name]}" for k, each in enumerate(run[1:], 1))]


def following(run: Sequence[Pass], **numbers: Sequence[float]) -> dict[str, list[str]]:
    """Numbers of each frame, in nats, and the layer that led to it."""
    layers = ["none yet", *(LAYERS[each.name] for each in run[1:])]
    return {"layer": layers} | {name: list(map(nats, values)) for name, values in numbers.items()}


def nats(value: float) -> str:
    """A number of them as text."""
    return minus(f"{value:.1f}")
