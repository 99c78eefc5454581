"""What a picture of a scene shows: its ground, and the emoji whose renders fit it best, at which size and place.

Every emoji is tried at sizes two pixels apart and at all places, in half resolution: of the differences between the
picture and its ground, the render that explains most is the nearest one. Shapes: N emoji, K sizes, S half the side.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.data import scenes
from playground.data.emoji import Glyphs
from playground.data.scenes import GROUNDS, SIDES, SIDES_OF_TWO, SIZE, Scenes

STEP = 2.0  # pixels between two sizes
S = SIZE // 2


class Renders(NamedTuple):
    """All emoji at some sizes in the middle of a picture.

    On a ground g, a render differs from that ground by colour - opacity g, with colours in [-1, 1] times opacity.

    Attributes:
        sides: in pixels (K,).
        parts: colour and minus opacity (N, K, 4, S, S); spectra: their Fourier transforms, conjugated.
        squares: sums over the pictures of the products of any two of the four parts (N, K, 4, 4).
    """

    sides: Tensor
    parts: Tensor
    spectra: Tensor
    squares: Tensor


class Recogniser:
    """Finds the emoji of scenes.

    Args:
        glyphs: those there can be.
    """

    def __init__(self, glyphs: Glyphs):
        self.grounds = 2 * torch.tensor(list(GROUNDS.values()), device=glyphs.colours.device) / 255 - 1
        self.renders = [rendered(glyphs, *ends) for ends in (SIDES, SIDES_OF_TWO)]

    def __call__(self, x: Tensor, count: int) -> Scenes:
        """Pictures (n, 3, 64, 64) in [-1, 1] of `count` emoji each, 1 or 2 -> what they show."""
        ground = self.ground(x)
        small = F.avg_pool2d(x, SIZE // S)
        found = [self._scene(*each, count) for each in zip(small, self.grounds[ground], strict=True)]
        glyph, side, across, down = torch.stack(found, 1)
        return Scenes(glyph.long(), ground, side, across, down)

    def ground(self, x: Tensor) -> Tensor:
        """The nearest ground to the median of the border, two pixels wide, of pictures (n, 3, 64, 64): (n,)."""
        inside = torch.zeros(SIZE, SIZE, dtype=torch.bool, device=x.device)
        inside[2:-2, 2:-2] = True
        return torch.cdist(x[:, :, ~inside].median(2).values, self.grounds).argmin(1)

    def _scene(self, x: Tensor, ground: Tensor, count: int) -> Tensor:
        """A small picture (3, S, S) on a ground (3,) -> glyph, side, x and y of each emoji, (4, count)."""
        renders, found, taken = self.renders[count - 1], [[0.0] * 4] * count, torch.zeros(count, *x.shape).to(x)
        for each in [*range(count)] * count:  # of two, each is looked for again once the other is known
            taken[each] = 0
            gain = explained(x - ground[:, None, None] - taken.sum(0), ground, renders)  # (N, K, S, S)
            n, k, down, across = (int(i) for i in torch.unravel_index(gain.argmax(), gain.shape))
            part, scale = renders.parts[n, k], SIZE / S
            render = part[:3] + ground[:, None, None] * part[3]
            taken[each] = torch.roll(render, (down - S // 2, across - S // 2), (1, 2))
            found[each] = [n, float(renders.sides[k]), across * scale, down * scale]
        return in_order(torch.tensor(found, device=x.device).T)


def rendered(glyphs: Glyphs, least: float, most: float) -> Renders:
    """All emoji at sizes from the least to the most, in pixels."""
    sides = torch.arange(least, most + STEP / 2, STEP, device=glyphs.colours.device)
    middle = torch.full((len(glyphs.names),), SIZE / 2, device=glyphs.colours.device)
    shown = torch.stack([scenes.placed(glyphs.colours, side.expand_as(middle), middle, middle) for side in sides], 1)
    shown = F.avg_pool2d(shown.flatten(0, 1), SIZE // S).unflatten(0, shown.shape[:2])
    opacity = shown[:, :, 3:]
    parts = torch.cat([2 * shown[:, :, :3] - opacity, -opacity], 2)
    return Renders(sides, parts, torch.fft.rfft2(parts).conj(), torch.einsum("nkaij,nkbij->nkab", parts, parts))


def explained(left: Tensor, ground: Tensor, renders: Renders) -> Tensor:
    """By how much each render, with its middle at each place, brings the sum of squares of a difference from the ground
    (3, S, S) down: (N, K, S, S); minus infinity where it would not be whole."""
    mix = torch.cat([torch.eye(3, device=left.device), ground[:, None]], 1)  # of the parts (3, 4)
    spectrum = torch.fft.rfft2(torch.einsum("ca,cij->aij", mix, left))  # (4, S, S / 2 + 1)
    product = torch.fft.irfft2(torch.einsum("nkaij,aij->nkij", renders.spectra, spectrum), s=(S, S))
    square = torch.einsum("ca,cb,nkab->nk", mix, mix, renders.squares)
    place = (torch.arange(S, device=left.device) - S / 2).abs()
    whole = place <= (S - renders.sides[:, None] * S / SIZE) / 2 + 0.5  # (K, S)
    gain = 2 * torch.roll(product, (S // 2, S // 2), (2, 3)) - square[:, :, None, None]
    return gain.masked_fill(~(whole[:, :, None] & whole[:, None, :]), -torch.inf)


def in_order(found: Tensor) -> Tensor:
    """Glyph, side, x and y of each emoji (4, K), the left or the upper one of two first, as in `Scenes`."""
    apart = (found[2:, -1] - found[2:, 0]).abs()
    return found[:, found[2 + int(apart.argmax())].argsort()]
