"""Scenes of emoji on coloured grounds, drawn from known choices: which emoji, ground, size and place.

A scene shows one emoji, or two beside or above each other. Some pairs of emoji and ground, and some ordered pairs of
emoji, are held out, to test with.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.data.emoji import Glyphs

SIZE = 64
GROUNDS = {
    "white": (255, 255, 255), "grey": (140, 140, 140), "black": (0, 0, 0), "red": (200, 30, 40),
    "orange": (245, 130, 30), "yellow": (250, 215, 60), "green": (40, 150, 70), "turquoise": (50, 190, 185),
    "blue": (45, 90, 200), "purple": (120, 60, 160), "pink": (245, 150, 190), "brown": (115, 75, 45),
}  # fmt: skip
SIDES = (34.0, 58.0)  # pixels that an emoji is wide
SIDES_OF_TWO = (24.0, 30.0)  # that each of two is
NONE = -1  # instead of a second emoji
ABOUT = "Noto Color Emoji (SIL OFL 1.1) on a coloured ground"
HELD_OUT = 20  # one pair in so many is for tests


class Scenes(NamedTuple):
    """What n pictures show of up to K emoji each; of two, the first is the left or the upper one.

    Attributes:
        glyph: which emoji, or NONE (n, K).
        ground: which colour (n,).
        side: width in pixels (n, K).
        x, y: place of the centre in pixels, from the upper left corner (n, K).
    """

    glyph: Tensor
    ground: Tensor
    side: Tensor
    x: Tensor
    y: Tensor


class Allowed(NamedTuple):
    """What may be shown together: emoji on a ground (N, grounds), and one emoji before another (N, N); bool."""

    pairs: Tensor
    orders: Tensor


def held_out(names: list[str]) -> Tensor:
    """Which pairs of emoji and ground are for tests, chosen by a hash of their names: bool (N, grounds)."""
    return _held_out(tuple(names))


@lru_cache(maxsize=4)
def _held_out(names: tuple[str, ...]) -> Tensor:
    return torch.tensor([[_chosen(f"{name} on {ground}") for ground in GROUNDS] for name in names])


def held_out_orders(names: list[str]) -> Tensor:
    """Which emoji stand before (left of, or above) which others in tests alone, chosen by a hash: bool (N, N)."""
    return _held_out_orders(tuple(names))


@lru_cache(maxsize=4)
def _held_out_orders(names: tuple[str, ...]) -> Tensor:
    return torch.tensor([[_chosen(f"{first} before {second}") for second in names] for first in names])


def _chosen(combination: str) -> bool:
    return int(hashlib.sha256(combination.encode()).hexdigest(), 16) % HELD_OUT == 0


def for_training(names: list[str]) -> Allowed:
    """All that is not held out."""
    return Allowed(~held_out(names), ~held_out_orders(names))


def sample(n: int, generator: torch.Generator, pairs: Tensor) -> Scenes:
    """Scenes of one emoji: pairs of emoji and ground uniform among those that are true in `pairs` (N, grounds)."""
    allowed = pairs.nonzero()
    glyph, ground = allowed[torch.randint(len(allowed), (n,), generator=generator)].T
    side, x, y = torch.rand(3, n, 1, generator=generator)
    side = SIDES[0] + (SIDES[1] - SIDES[0]) * side
    room = (SIZE - side) / 2  # to each side of the middle, so that the emoji stays whole
    return Scenes(glyph[:, None], ground, side, SIZE / 2 + room * (2 * x - 1), SIZE / 2 + room * (2 * y - 1))


def sample_two(n: int, generator: torch.Generator, allowed: Allowed) -> Scenes:
    """Scenes of two different emoji, uniform among those allowed, half of them one above the other.

    Raises:
        ValueError: none is allowed.
    """
    count, grounds = allowed.pairs.shape
    both = allowed.pairs.float() @ allowed.pairs.float().T > 0  # on some ground
    if not (allowed.orders & both).fill_diagonal_(False).any():
        raise ValueError("no two of these emoji may stand beside each other")
    found = torch.empty(0, 3, dtype=torch.long)
    while len(found) < n:
        drawn = (torch.randint(k, (2 * n,), generator=generator) for k in (count, count, grounds))
        first, second, ground = rows = torch.stack(list(drawn))
        fits = allowed.orders[first, second] & allowed.pairs[first, ground] & allowed.pairs[second, ground]
        found = torch.cat([found, rows.T[fits & (first != second)]])
    side, along, across = torch.rand(3, n, 2, generator=generator)
    side = SIDES_OF_TWO[0] + (SIDES_OF_TWO[1] - SIDES_OF_TWO[0]) * side
    half = SIZE / 2
    along = side / 2 + along * (half - side) + torch.tensor([0, half])  # each within its half
    across = half + 16 * across - 8
    upright = torch.rand(n, 1, generator=generator) < 0.5
    return Scenes(
        found[:n, :2], found[:n, 2], side, torch.where(upright, across, along), torch.where(upright, along, across)
    )


def sample_both(n: int, generator: torch.Generator, allowed: Allowed, of_two: float = 1 / 3) -> Scenes:
    """Scenes of one emoji, followed by scenes of two, which are the given share of all."""
    pairs = round(of_two * n)
    two = sample_two(pairs, generator, allowed)
    one = sample(n - pairs, generator, allowed.pairs)
    alone = Scenes(*(_beside(part, NONE if name == "glyph" else 0) for name, part in one._asdict().items()))
    return Scenes(*(torch.cat(parts) for parts in zip(alone, two, strict=True)))


def _beside(part: Tensor, value: int) -> Tensor:
    """A second column for the emoji that is not there."""
    return part if part.dim() == 1 else torch.cat([part, torch.full_like(part, value)], dim=1)


def tests(glyphs: Glyphs, part: slice) -> Scenes:
    """Some of the 10,000 test scenes, of held-out pairs, which are always the same."""
    scenes = sample(10_000, torch.Generator().manual_seed(1), held_out(glyphs.names))
    return Scenes(*(choice[part] for choice in scenes))


def draw(scenes: Scenes, glyphs: Glyphs) -> Tensor:
    """The pictures (n, 3, 64, 64) in [-1, 1]."""
    device = glyphs.colours.device
    glyph, ground, side, x, y = (part.to(device) for part in scenes)
    picture = (torch.tensor(list(GROUNDS.values()), device=device)[ground] / 255)[:, :, None, None]
    for k in range(glyph.shape[1]):
        shown = placed(glyphs.colours[glyph[:, k]], side[:, k], x[:, k], y[:, k])
        shown = shown * (glyph[:, k] != NONE)[:, None, None, None]
        picture = shown[:, :3] + (1 - shown[:, 3:]) * picture
    return 2 * picture - 1


def placed(colours: Tensor, side: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Glyphs (n, 4, GLYPH, GLYPH) on empty pictures (n, 4, SIZE, SIZE), of widths and at places in pixels (n,)."""
    scale = SIZE / side.clamp(min=1)
    zero = torch.zeros_like(scale)
    shift = [-scale * (2 * place / SIZE - 1) for place in (x, y)]
    theta = torch.stack([torch.stack([scale, zero, shift[0]], 1), torch.stack([zero, scale, shift[1]], 1)], 1)
    grid = F.affine_grid(theta, [len(scale), 4, SIZE, SIZE], align_corners=False)
    return F.grid_sample(colours, grid, align_corners=False)
