"""Fidelity of drawn emoji in pixels: the difference of pictures from the renders that their prompts asked for.

The render that fits a picture best, of the emoji and the background that were asked for, is searched for over sizes and
positions: coarsely by `train.evaluation.recognition`, then ever more finely. The autoencoder's own reconstructions of
those renders give the unit, which no latent diffusion model can be expected to beat. Shapes: n pictures.
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.datasets import emoji, scenes
from playground.datasets.emoji import GLYPH, Glyphs
from playground.datasets.scenes import BACKGROUNDS, SIZE, Scenes
from train.evaluation.prompt_sets import select
from train.evaluation.recognition import Recognizer, difference_from_background

STEPS = (2.0, 1.0, 0.5, 0.5, 0.25)  # pixels by which size and position are varied, one after the other
CROP = 32  # side of the crops of emoji that are compared, in pixels


def fit_renders(x: Tensor, targets: Scenes, recognizer: Recognizer, glyphs: Glyphs) -> Scenes:
    """Find the size and position of the emoji that were asked for that fit pictures best.

    Args:
        x: Pictures (n, 3, 64, 64) in [-1, 1].
        targets: Emoji, one a picture, and backgrounds; their sizes and positions are ignored.

    Returns:
        The scenes with the sizes and positions found.
    """
    fitted = [_fit(x[i], select(targets, slice(i, i + 1)), recognizer, glyphs) for i in range(len(x))]
    return Scenes(*(torch.cat(factors) for factors in zip(*fitted, strict=True)))


def _fit(x: Tensor, target: Scenes, recognizer: Recognizer, glyphs: Glyphs) -> Scenes:
    """Fit the render to one picture (3, 64, 64): search coarsely everywhere, then ever more finely around the best."""
    placement = recognizer.place(x, int(target.glyph), int(target.background))  # side, x and y
    for step in STEPS:
        offsets = step * torch.tensor(list(product((-1, 0, 1), repeat=3)))
        placements = placement + offsets  # (27, 3)
        candidates = Scenes(target.glyph.expand(27, 1), target.background.expand(27), *placements[:, :, None].unbind(1))
        errors = (scenes.render(candidates, glyphs) - x).square().mean((1, 2, 3))
        placement = placements[errors.argmin()]
    return target._replace(**dict(zip(("side", "x", "y"), placement.view(3, 1, 1), strict=True)))


def crop_error(x: Tensor, y: Tensor, placed: Scenes) -> Tensor:
    """Return the root-mean-square difference (n,) of pictures x and y (n, 3, 64, 64) in the squares of their emoji."""
    centre = torch.arange(SIZE) + 0.5
    near = [(centre - place).abs() <= placed.side / 2 for place in (placed.x, placed.y)]  # columns, rows (n, 64)
    mask = near[1][:, None, :, None] & near[0][:, None, None, :]  # (n, 1, 64, 64)
    return (((x - y).square() * mask).sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))).sqrt()


def nearest_glyph(x: Tensor, placed: Scenes, glyphs: Glyphs) -> Tensor:
    """Return the emoji (n,) whose render is nearest to the crop of each picture, over small shifts and scales.

    Args:
        placed: Where the emoji are in the pictures, and on which backgrounds.
        glyphs: All emoji to compare with.
    """
    colour, minus_opacity = difference_from_background(
        F.avg_pool2d(emoji.premultiply(glyphs.colours), GLYPH // CROP)
    ).split((3, 1), 1)
    nearest = []
    for i, background in enumerate(placed.background.tolist()):
        ground = (2 * torch.tensor(list(BACKGROUNDS.values())[background]) / 255 - 1)[:, None, None]
        renders = colour + (1 + minus_opacity) * ground  # (N, 3, CROP, CROP)
        crops = _crops(x[i : i + 1], *(float(factor[i]) for factor in placed[2:]))
        nearest.append(torch.cdist(crops.flatten(1), renders.flatten(1)).min(0).values.argmin())
    return torch.stack(nearest)


def _crops(x: Tensor, side: float, across: float, down: float) -> Tensor:
    """Cut the square around an emoji out of a picture (1, 3, 64, 64), varied a little: (27, 3, CROP, CROP)."""
    scale, shift_x, shift_y = torch.tensor(list(product((-1, 0, 1), repeat=3))).T
    scale = (side + scale) / SIZE
    shift_x, shift_y = 2 * (across + shift_x) / SIZE - 1, 2 * (down + shift_y) / SIZE - 1
    grid = scenes.sampling_grid(scale, shift_x, shift_y, GLYPH)
    crops = F.grid_sample(x.expand(len(scale), -1, -1, -1), grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(crops, GLYPH // CROP)
