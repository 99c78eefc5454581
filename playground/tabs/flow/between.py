"""The way from one picture to another through z, on a line and on a great circle."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from playground import formulas, interpolation, pictures
from playground.models import flow
from playground.sampling import last
from playground.tabs.flow import likelihood
from playground.ui import palette
from playground.ui.scrubber import Curve, Series, Strip

FRAMES = 21
LINE, CIRCLE = "line", "great circle"
COLOURS = {LINE: palette.DATA, CIRCLE: palette.ESTIMATE}


class Way(NamedTuple):
    """z (F, D) on the way from one picture to another, what it is as pictures (F, C, H, W), and their bits (F,)."""

    z: Tensor
    x: Tensor
    bits: Tensor


@torch.no_grad()
def ways(model: flow.Model, x: Tensor, other: Tensor) -> dict[str, Way]:
    """From x to another picture, each (1, C, H, W), on a line and on a great circle."""
    ends = torch.cat([model.encode(likelihood.numbers(model, each).y)[0] for each in (x, other)])
    made = {}
    for name, between in ((LINE, interpolation.straight), (CIRCLE, interpolation.spherical)):
        z = between(ends[0].flatten(), ends[1].flatten(), FRAMES)
        drawn = last(model.back(z.view(-1, *x.shape[1:]))).x
        made[name] = Way(z, drawn, likelihood.bits(model, drawn))
    return made


def compared(both: dict[str, Way]) -> dict[str, Any]:
    """What is shown of the ways, as the arguments of `scrubber.pack`."""
    line, circle = both[LINE], both[CIRCLE]
    share = torch.linspace(0, 1, FRAMES)
    faded = torch.lerp(line.x[:1], line.x[-1:], share[:, None, None, None])
    shown = {"z on a line": line.x, "z on a great circle": circle.x, "pixels, cross-faded": faded}
    hints = ("shorter between its ends than samples are", "as long all the way as its ends", "for contrast: no model")
    lengths = {name: way.z.norm(dim=1).tolist() for name, way in both.items()}
    bits = {name: way.bits.tolist() for name, way in both.items()}
    weights = interpolation.spherical_weights(circle.z[0], circle.z[-1], FRAMES)
    return {
        "strips": [
            Strip(name, hint, pictures.to_uint8(x)[:, None])
            for (name, x), hint in zip(shown.items(), hints, strict=True)
        ],
        "captions": [
            f"{part:.0%} of the way · |z| = {lengths[LINE][k]:.1f} on the line, {lengths[CIRCLE][k]:.1f} on "
            f"the circle, √D = {line.z.shape[1] ** 0.5:.1f} of most noise"
            for k, part in enumerate(share.tolist())
        ],
        "ends": ("the picture", "the other"),
        "curves": [
            Curve(name, hint, [Series(k, colour, v[k]) for k, colour in COLOURS.items()])
            for name, hint, v in (("|z|", "Length of z.", lengths), ("bits per dimension", "Of the pictures.", bits))
        ],
        "formula": formulas.ways(LINE, CIRCLE, "what the two pictures become"),
        "numbers": formulas.ways_numbers(*(each.tolist() for each in weights)),
        "start": FRAMES // 2,
    }
