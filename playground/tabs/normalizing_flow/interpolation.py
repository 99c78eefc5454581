"""The paths from one picture to another through z, on a line and on a great circle."""

from typing import NamedTuple

import torch
from torch import Tensor

from playground.families import normalizing_flow
from playground.nn import interpolation
from playground.runtime import pictures
from playground.runtime.run import last_frame
from playground.web import formula, palette
from playground.web.scrubber import Curve, Film, Series, Strip

FRAMES = 21
LINE, CIRCLE = "line", "great circle"
COLOURS = {LINE: palette.DATA, CIRCLE: palette.ESTIMATE}


class CodePath(NamedTuple):
    """z (F, D) on the path from one picture to another, what it is as pictures (F, C, H, W), and their bits (F,)."""

    z: Tensor
    x: Tensor
    bits: Tensor


@torch.no_grad()
def interpolate(model: normalizing_flow.Model, x: Tensor, x_end: Tensor) -> dict[str, CodePath]:
    """Return the paths from x to another picture, each (1, C, H, W), on a line and on a great circle."""
    start, end = (model.encode(normalizing_flow.dequantize(model, image).y)[0].flatten() for image in (x, x_end))
    paths = {}
    for name, path in ((LINE, interpolation.lerp), (CIRCLE, interpolation.slerp)):
        z = path(start, end, FRAMES)
        images = normalizing_flow.logits_to_images(last_frame(model.decode_steps(z.view(-1, *x.shape[1:]))).x)
        paths[name] = CodePath(z, images, normalizing_flow.bits_per_dimension(model, images))
    return paths


def film(paths: dict[str, CodePath]) -> Film:
    """Return the film of both paths."""
    line, circle = paths[LINE], paths[CIRCLE]
    share = torch.linspace(0, 1, FRAMES)
    faded = torch.lerp(line.x[:1], line.x[-1:], share[:, None, None, None])
    rows = (
        ("z on a line", "shorter in the middle than samples are", line.x),
        ("z on a great circle", "about as long as its ends, all the way", circle.x),
        ("pixels, cross-faded", "for contrast: no model", faded),
    )
    lengths = {name: path.z.norm(dim=1).tolist() for name, path in paths.items()}
    bits = {name: path.bits.tolist() for name, path in paths.items()}
    return Film(
        [Strip(name, hint, pictures.to_uint8(x)[:, None]) for name, hint, x in rows],
        [
            f"{part:.0%} of the way · |z| = {on_line:.1f} on the line, {on_circle:.1f} on the circle, "
            f"about √D = {line.z.shape[1] ** 0.5:.1f} for noise"
            for part, on_line, on_circle in zip(share.tolist(), lengths[LINE], lengths[CIRCLE], strict=True)
        ],
        ("the picture", "the other"),
        [
            Curve(name, hint, [Series(path, colour, values[path]) for path, colour in COLOURS.items()])
            for name, hint, values in (
                ("|z|", "Length of z.", lengths),
                ("bits per dimension", "Of the pictures on the path.", bits),
            )
        ],
        formula.render(interpolation.path_formulas(LINE, CIRCLE, "what the two pictures become")),
        interpolation.path_numbers(circle.z[[0, -1]], FRAMES),
        start=FRAMES // 2,
        keep=True,
    )
