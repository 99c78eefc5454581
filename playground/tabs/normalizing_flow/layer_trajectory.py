"""Layer by layer: samples on their way out of noise, and a picture on its way to z and back."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from playground.families import normalizing_flow
from playground.families.normalizing_flow import Dequantized
from playground.nn.normal import log_normal
from playground.runtime import pictures
from playground.runtime.formula import Formula
from playground.runtime.run import Frame
from playground.web import formula, palette
from playground.web.formula import use_minus_signs
from playground.web.scrubber import Box, Curve, Film, Strip

LAYERS = {"ActNorm": "normalize", "InvertibleConv1x1": "mix", "Coupling": "couple"}
OF_SAMPLES = (
    Formula("z = temperature · ε", "= {temperature} ε", "Kingma 2018, section 6"),
    Formula(
        "log p(y) = log N(z; 0, I) − log |det dy/dz|",
        "= {normal} − ({log_det}) = {log_p} nats",
        "Dinh 2017, eq. 3",
        "ε: unit noise · y: the numbers after this layer; their logistic sigmoids are pixels · the three numbers are "
        "means over the pictures",
    ),
)
OF_PICTURE = (
    Formula("log p(v) = log N(z; 0, I) + log |det dz/dv|", "= {normal} + {log_det} = {log_p} nats", "Dinh 2017, eq. 3"),
    Formula(
        "bits per dimension = (log q(u | x) − log p(v) + D ln 256) / (D ln 2)",
        "= ({log_q} − ({log_p}) + {levels}) / {scale} = {bits}",
        "Theis 2016, eq. 3; Ho 2019",
        "z: the numbers after this layer, as if it were the last · v = (x + u) / 256: pixels x, from 0 to 255, with "
        "noise u between 0 and 1 · q: the flow that draws u · D: pixels",
    ),
)
DIAGRAM = (
    Box("y before", "The numbers before the layer, as a picture.", strip=0, ahead=-1),
    Box("layer", "Normalize: shift and scale. Mix: a 1x1 convolution. Couple: half of the numbers bend the others.",
        number="layer"),
    Box("y", "The numbers after it.", strip=0),
    Box("log |det|", "How much space is stretched up to the frame on show, in nats.", number="log_det"),
)  # fmt: skip


@torch.no_grad()
def sample_film(model: normalizing_flow.Model, settings: normalizing_flow.Settings) -> Film:
    """Return the film of a run from noise to pictures."""
    run = list(normalizing_flow.sample(model, settings))
    layers, log_det = describe_layers(run), [frame.extras["log_det"].mean().item() for frame in run]
    normal = [log_normal(run[0].x).mean().item()] * len(run)
    size = [frame.x.square().mean().sqrt().item() for frame in run]
    temperature = [f"{settings.temperature:g}"] * len(run)
    return Film(
        strips(run),
        [f"{layer} · log |det| {nats(d)} nats" for layer, d in zip(layers, log_det, strict=True)],
        ("z, noise", "x, pictures"),
        [
            Curve.of("log |det dy/dz|", "How much the layers so far stretch space, in nats.", palette.DATA, log_det),
            Curve.of("RMS of y", "Root mean square of the numbers; that of unit noise is 1.", palette.NOISE, size),
        ],
        formula.render(OF_SAMPLES),
        diagram_numbers(run, normal=normal, log_det=log_det, log_p=[normal[0] - d for d in log_det])
        | {"temperature": temperature},
        DIAGRAM,
        keep=True,
    )  # fmt: skip


class Trip(NamedTuple):
    """A picture's way to z and back."""

    dequantized: Dequantized  # what the layers got
    # A frame after each layer, `turn` of them to z, then as many back to the picture; the log-determinants are those of
    # the whole way so far.
    run: list[Frame]
    turn: int  # where z is

    @property
    def images(self) -> Tensor:
        """Return the numbers at each frame as pictures (F, C, H, W) in [-1, 1]."""
        return torch.cat([normalizing_flow.logits_to_images(frame.x) for frame in self.run])

    @property
    def bits(self) -> list[float]:
        """Return bits per dimension at each frame, if the flow ended there."""
        return [self.dequantized.bits(frame).item() for frame in self.run]

    @property
    def terms(self) -> dict[str, list[float]]:
        """Return the terms of the bits at each frame, in nats, and the nats of one bit in each dimension."""
        d, dequantized = self.dequantized.y.numel(), self.dequantized
        constants = {"log_q": dequantized.log_q.item(), "levels": d * math.log(normalizing_flow.LEVELS),
                     "scale": d * math.log(2)}  # fmt: skip
        return {
            "normal": [log_normal(frame.x).item() for frame in self.run],
            "log_det": [(frame.extras["log_det"] + dequantized.logit_log_det).item() for frame in self.run],
            "log_p": [dequantized.log_p(frame).item() for frame in self.run],
        } | {name: [value] * len(self.run) for name, value in constants.items()}

    @property
    def layers(self) -> list[str]:
        """Return in words where each frame is."""
        forward = [f"to z, {text}" for text in describe_layers(self.run[: self.turn + 1])[1:-1]]
        inverse = [f"back to x, {text}" for text in describe_layers(self.run[self.turn :])[1:-1]]
        return ["x", *forward, "z", *inverse, "x again"]

    @property
    def error(self) -> float:
        """Return the largest difference of a pixel from what it was, black being -1 and white 1."""
        before, after = (normalizing_flow.logits_to_images(self.run[k].x) for k in (0, -1))
        return (after - before).abs().max().item()


@torch.no_grad()
def round_trip(model: normalizing_flow.Model, x: Tensor) -> Trip:
    """Take a picture x (1, C, H, W) to z, and from there to the picture again, in double precision."""
    model, x = normalizing_flow.to_double(model), x.double()
    dequantized = normalizing_flow.dequantize(model, x)
    forward_frames = list(model.encode_steps(dequantized.y))
    end = forward_frames[-1]
    back = [
        replace(frame, extras={"log_det": end.extras["log_det"] + frame.extras["log_det"]})
        for frame in model.decode_steps(end.x)
    ]
    return Trip(dequantized, [*forward_frames, *back[1:]], len(forward_frames) - 1)


def above(error: float) -> str:
    """Return a number that is above a positive error, of one digit."""
    exponent = math.floor(math.log10(max(error, 1e-15)))
    digit = math.floor(error / 10**exponent) + 1
    return use_minus_signs(f"1e{exponent + 1}" if digit == 10 else f"{digit}e{exponent}")


def trip_film(trip: Trip) -> Film:
    """Return the film of a trip."""
    run, bits, terms = trip.run, trip.bits, trip.terms
    stills = _image(run[0]), pictures.noise_to_uint8(run[trip.turn].x), _image(run[-1])
    x, z, x_again = (np.stack([still] * len(run)) for still in stills)
    off = f"x → z → x in double precision: no pixel is off by {above(trip.error)} or more (black to white is 2)"
    bits_text = [f"{value:.3f}" for value in bits]
    return Film(
        [Strip("x", "the picture", x), *strips(run), Strip("z", "the noise it ends as; grey is 0", z),
         Strip("x again", "what comes back from z", x_again, [use_minus_signs(off)] * len(run))],
        [
            f"{layer} · {value} bits per dimension" + ("" if k == trip.turn else ", if the flow ended here")
            for k, (layer, value) in enumerate(zip(trip.layers, bits_text, strict=True))
        ],
        ("x", "x again; z is in the middle"),
        [
            Curve.of("log |det dz/dv|", "How much the layers so far stretch space, in nats; the way back undoes it.",
                     palette.DATA, terms["log_det"]),
            Curve.of("bits per dimension", "If the flow ended here; in the middle, those of the picture.",
                     palette.ESTIMATE, bits, log=True),
        ],
        formula.render(OF_PICTURE),
        diagram_numbers(run, **terms) | {"bits": bits_text},
        [replace(box, strip=1) if box.strip == 0 else box for box in DIAGRAM],
        start=trip.turn,
        keep=True,
    )  # fmt: skip


def strips(run: Sequence[Frame]) -> list[Strip]:
    """Return the numbers after each layer as pictures, and what it did to them."""
    changes = [torch.zeros_like(run[0].x), *(after.x - before.x for before, after in pairwise(run))]
    y, change = np.stack([*map(_image, run)]), np.stack([*map(pictures.noise_to_uint8, changes)])
    return [
        Strip("y", "the numbers after this layer, as pixels", y),
        Strip("change", "what the layer did to them; grey is 0", change),
    ]


def _image(frame: Frame) -> np.ndarray:
    return pictures.to_uint8(normalizing_flow.logits_to_images(frame.x))


def describe_layers(run: Sequence[Frame]) -> list[str]:
    """Return in words where each frame of a run in one direction is."""
    return [
        run[0].layer,
        *(f"layer {k} of {len(run) - 1}: {LAYERS[frame.layer]}" for k, frame in enumerate(run[1:], 1)),
    ]


def diagram_numbers(run: Sequence[Frame], **numbers: Sequence[float]) -> dict[str, list[str]]:
    """Return numbers of each frame, in nats, and the layer that led to it."""
    layers = ["none yet", *(LAYERS[frame.layer] for frame in run[1:])]
    return {"layer": layers} | {name: list(map(nats, values)) for name, values in numbers.items()}


def nats(value: float) -> str:
    """Return a number of them as text."""
    return use_minus_signs(f"{value:.1f}")
