"""Recognition of scenes: the background of a picture, and the emoji, sizes and positions whose renders fit it best.

Template matching in half resolution: every emoji is tried at sizes two pixels apart and at all positions, and the one
that explains most of the difference between picture and background is taken. Shapes: N emoji, K sizes, S half the side.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.datasets import scenes
from playground.datasets.emoji import Glyphs
from playground.datasets.scenes import BACKGROUNDS, PAIR_SIDE_RANGE, SIDE_RANGE, SIZE, Scenes

STEP = 2.0  # pixels between two sizes
S = SIZE // 2


class Renders(NamedTuple):
    """Renders of all emoji at some sizes in the middle of a picture.

    On a background g, a render differs from it by colour - opacity g, with colours in [-1, 1] times opacity.
    """

    sides: Tensor  # Sizes in pixels (K,)
    parts: Tensor  # Colour and minus opacity (N, K, 4, S, S)
    spectra: Tensor  # Complex conjugates of the Fourier transforms of `parts`
    squares: Tensor  # Inner products of any two of the four parts (N, K, 4, 4)


class Recognizer:
    """Recognizer of scenes that can show some glyphs."""

    def __init__(self, glyphs: Glyphs):
        self.grounds = 2 * torch.tensor(list(BACKGROUNDS.values()), device=glyphs.colours.device) / 255 - 1
        self.renders = [render_sizes(glyphs, *ends) for ends in (SIDE_RANGE, PAIR_SIDE_RANGE)]

    def __call__(self, x: Tensor, count: int) -> Scenes:
        """Recognize the scenes in pictures (n, 3, 64, 64) in [-1, 1] of `count` emoji each, 1 or 2."""
        ground = self.ground(x)
        small = F.avg_pool2d(x, SIZE // S)
        placements = [self._scene(*index, count) for index in zip(small, self.grounds[ground], strict=True)]
        glyph, side, across, down = torch.stack(placements, 1)
        return Scenes(glyph.long(), ground, side, across, down)

    def place(self, x: Tensor, glyph: int, ground: int) -> Tensor:
        """Return side, x and y (3,) of the render of an emoji that fits a picture (3, 64, 64) best."""
        renders, small = self.renders[0], F.avg_pool2d(x, SIZE // S)
        colour = self.grounds[ground]
        glyph_renders = Renders(renders.sides, *(part[glyph : glyph + 1] for part in renders[1:]))
        _, k, down, across = best_render(small - colour[:, None, None], colour, glyph_renders)
        return torch.tensor([float(renders.sides[k]), across * SIZE / S, down * SIZE / S])

    def ground(self, x: Tensor) -> Tensor:
        """Return the background (n,) nearest to the median of the border, two pixels wide, of pictures."""
        interior = torch.zeros(SIZE, SIZE, dtype=torch.bool, device=x.device)
        interior[2:-2, 2:-2] = True
        return torch.cdist(x[:, :, ~interior].median(2).values, self.grounds).argmin(1)

    def _scene(self, x: Tensor, ground: Tensor, count: int) -> Tensor:
        """Return glyph, side, x and y of each emoji, (4, count), in a small picture (3, S, S) on a ground (3,)."""
        renders, placements, canvas = self.renders[count - 1], [[0.0] * 4] * count, torch.zeros(count, *x.shape).to(x)
        for index in [
            *range(count)
        ] * count:  # the search for each of two emoji is repeated once the other is subtracted
            canvas[index] = 0
            n, k, down, across = best_render(x - ground[:, None, None] - canvas.sum(0), ground, renders)
            part, scale = renders.parts[n, k], SIZE / S
            render = part[:3] + ground[:, None, None] * part[3]
            canvas[index] = torch.roll(render, (down - S // 2, across - S // 2), (1, 2))
            placements[index] = [n, float(renders.sides[k]), across * scale, down * scale]
        return sort_scene(torch.tensor(placements, device=x.device).T)


def render_sizes(glyphs: Glyphs, min_side: float, max_side: float) -> Renders:
    """Render all emoji at sizes between two bounds, in pixels."""
    sides = torch.arange(min_side, max_side + STEP / 2, STEP, device=glyphs.colours.device)
    middle = torch.full((len(glyphs.names),), SIZE / 2, device=glyphs.colours.device)
    glyph_renders = torch.stack(
        [scenes.place_glyphs(glyphs.colours, side.expand_as(middle), middle, middle) for side in sides], 1
    )
    small = F.avg_pool2d(glyph_renders.flatten(0, 1), SIZE // S)
    parts = difference_from_background(small).unflatten(0, glyph_renders.shape[:2])
    return Renders(sides, parts, torch.fft.rfft2(parts).conj(), torch.einsum("nkaij,nkbij->nkab", parts, parts))


def difference_from_background(glyphs: Tensor) -> Tensor:
    """Return colour and minus opacity (n, 4, h, w) of glyphs, premultiplied RGBA (n, 4, h, w), as in `Renders`."""
    opacity = glyphs[:, 3:]
    return torch.cat([2 * glyphs[:, :3] - opacity, -opacity], 1)


def best_render(residual: Tensor, ground: Tensor, renders: Renders) -> list[int]:
    """Return the indices of emoji, size, row and column of the render that explains most of a residual."""
    gain = explained_energy(residual, ground, renders)
    return [int(i) for i in torch.unravel_index(gain.argmax(), gain.shape)]


def explained_energy(residual: Tensor, ground: Tensor, renders: Renders) -> Tensor:
    """Return by how much each render at each position lowers the sum of squares of a residual.

    Args:
        residual: Difference of a picture from its background (3, S, S).
        ground: Colour of the background (3,).

    Returns:
        (N, K, S, S); minus infinity where a render would be cut off.
    """
    mix = torch.cat([torch.eye(3, device=residual.device), ground[:, None]], 1)  # of the parts (3, 4)
    spectrum = torch.fft.rfft2(torch.einsum("ca,cij->aij", mix, residual))  # (4, S, S / 2 + 1)
    product = torch.fft.irfft2(torch.einsum("nkaij,aij->nkij", renders.spectra, spectrum), s=(S, S))
    square = torch.einsum("ca,cb,nkab->nk", mix, mix, renders.squares)
    place = (torch.arange(S, device=residual.device) - S / 2).abs()
    fits = place <= (S - renders.sides[:, None] * S / SIZE) / 2 + 0.5  # (K, S)
    gain = 2 * torch.roll(product, (S // 2, S // 2), (2, 3)) - square[:, :, None, None]
    return gain.masked_fill(~(fits[:, :, None] & fits[:, None, :]), -torch.inf)


def sort_scene(placements: Tensor) -> Tensor:
    """Sort the columns glyph, side, x and y of emoji (4, K), the left or the upper of two first, as in `Scenes`."""
    distance = (placements[2:, -1] - placements[2:, 0]).abs()
    return placements[:, placements[2 + int(distance.argmax())].argsort()]
