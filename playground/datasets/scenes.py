"""Scenes of emoji on coloured backgrounds, rendered from known factors: emoji, background, size and position.

A scene shows one emoji, or two side by side or one above the other. Some combinations of emoji and background, and
some ordered pairs of emoji, are held out for tests.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.datasets import emoji
from playground.datasets.dataset import ALL, N_TEST, Dataset, Sample
from playground.datasets.emoji import Glyphs
from playground.runtime.rng import make_rng

SIZE = 64
BACKGROUNDS = {
    "white": (255, 255, 255), "grey": (140, 140, 140), "black": (0, 0, 0), "red": (200, 30, 40),
    "orange": (245, 130, 30), "yellow": (250, 215, 60), "green": (40, 150, 70), "turquoise": (50, 190, 185),
    "blue": (45, 90, 200), "purple": (120, 60, 160), "pink": (245, 150, 190), "brown": (115, 75, 45),
}  # fmt: skip
SIDE_RANGE = (34.0, 58.0)  # smallest and largest width of a single emoji, in pixels
PAIR_SIDE_RANGE = (24.0, 30.0)  # and of each emoji in a pair
NONE = -1  # in place of a second emoji
DESCRIPTION = "Noto Color Emoji (SIL OFL 1.1) on a coloured background"
HOLDOUT_PERIOD = 20  # one combination in this many is held out


class Scenes(NamedTuple):
    """Factors of n images of up to K emoji; in a pair, the first one is on the left or above."""

    glyph: Tensor  # index of each emoji, or NONE (n, K)
    background: Tensor  # index of the background colour (n,)
    side: Tensor  # width of each emoji in pixels (n, K)
    # Coordinates of each centre in pixels from the upper left corner (n, K).
    x: Tensor
    y: Tensor


class Combinations(NamedTuple):
    """Combinations that may be rendered."""

    backgrounds: Tensor  # emoji i on background j, bool (N, number of backgrounds)
    orders: Tensor  # emoji i on the left of or above emoji j, bool (N, N)


def holdout_backgrounds(names: list[str]) -> Tensor:
    """Return the held-out combinations of emoji and background, selected by a hash: bool (N, backgrounds)."""
    return _holdout_backgrounds(tuple(names))


@lru_cache(maxsize=4)
def _holdout_backgrounds(names: tuple[str, ...]) -> Tensor:
    return torch.tensor([[_in_holdout(f"{name} on {background}") for background in BACKGROUNDS] for name in names])


def holdout_orders(names: list[str]) -> Tensor:
    """Return the held-out ordered pairs of emoji, selected by a hash: bool (N, N), first emoji by second."""
    return _holdout_orders(tuple(names))


@lru_cache(maxsize=4)
def _holdout_orders(names: tuple[str, ...]) -> Tensor:
    return torch.tensor([[_in_holdout(f"{first} before {second}") for second in names] for first in names])


def _in_holdout(combination: str) -> bool:
    """Return True for one in `HOLDOUT_PERIOD` texts, selected by a hash."""
    return int(hashlib.sha256(combination.encode()).hexdigest(), 16) % HOLDOUT_PERIOD == 0


def training_combinations(names: list[str]) -> Combinations:
    """Return all combinations but the held-out ones."""
    return Combinations(~holdout_backgrounds(names), ~holdout_orders(names))


def sample(n: int, rng: torch.Generator, backgrounds: Tensor) -> Scenes:
    """Sample scenes of one emoji, uniform over the combinations allowed by `backgrounds`, bool (N, backgrounds)."""
    combinations = backgrounds.nonzero()
    glyph, background = combinations[torch.randint(len(combinations), (n,), generator=rng)].T
    side, x, y = torch.rand(3, n, 1, generator=rng)
    side = SIDE_RANGE[0] + (SIDE_RANGE[1] - SIDE_RANGE[0]) * side
    margin = (SIZE - side) / 2  # largest offset from the middle at which the emoji is not cropped
    return Scenes(glyph[:, None], background, side, SIZE / 2 + margin * (2 * x - 1), SIZE / 2 + margin * (2 * y - 1))


def sample_pairs(n: int, rng: torch.Generator, allowed: Combinations) -> Scenes:
    """Sample scenes of two different emoji, uniform over the allowed ones, half of them one above the other; raise
    ValueError if none is allowed."""
    n_glyphs, n_backgrounds = allowed.backgrounds.shape
    share_background = allowed.backgrounds.float() @ allowed.backgrounds.float().T > 0
    if not (allowed.orders & share_background).fill_diagonal_(False).any():
        raise ValueError("no pair of these emoji is allowed")
    rows = torch.empty(0, 3, dtype=torch.long)
    while len(rows) < n:  # rejection sampling
        columns = [torch.randint(k, (2 * n,), generator=rng) for k in (n_glyphs, n_glyphs, n_backgrounds)]
        first, second, background = columns
        accept = allowed.orders[first, second] & (first != second)
        accept &= allowed.backgrounds[first, background] & allowed.backgrounds[second, background]
        rows = torch.cat([rows, torch.stack(columns, dim=1)[accept]])
    side, along, across = torch.rand(3, n, 2, generator=rng)
    side = PAIR_SIDE_RANGE[0] + (PAIR_SIDE_RANGE[1] - PAIR_SIDE_RANGE[0]) * side
    half = SIZE / 2
    along = side / 2 + along * (half - side) + torch.tensor([0, half])  # each emoji stays within its half
    across = half + 16 * across - 8
    vertical = torch.rand(n, 1, generator=rng) < 0.5
    x, y = torch.where(vertical, across, along), torch.where(vertical, along, across)
    return Scenes(rows[:n, :2], rows[:n, 2], side, x, y)


def sample_mixed(n: int, rng: torch.Generator, allowed: Combinations, pair_share: float = 1 / 3) -> Scenes:
    """Sample scenes of one emoji, followed by a share of scenes of two."""
    n_pairs = round(pair_share * n)
    pairs = sample_pairs(n_pairs, rng, allowed)
    singles = sample(n - n_pairs, rng, allowed.backgrounds)
    singles = Scenes(*(_pad_column(x, NONE if name == "glyph" else 0) for name, x in singles._asdict().items()))
    return Scenes(*(torch.cat(columns) for columns in zip(singles, pairs, strict=True)))


def _pad_column(x: Tensor, value: int) -> Tensor:
    """Append a second column of one value to a factor (n, 1); leave a factor (n,) of the scene as it is."""
    return x if x.dim() == 1 else torch.cat([x, torch.full_like(x, value)], dim=1)


def test_scenes(glyphs: Glyphs, subset: slice) -> Scenes:
    """Return a subset of the `N_TEST` test scenes, which are always the same, of held-out combinations."""
    scenes = sample(N_TEST, torch.Generator().manual_seed(1), holdout_backgrounds(glyphs.names))
    return Scenes(*(factor[subset] for factor in scenes))


def render(scenes: Scenes, glyphs: Glyphs) -> Tensor:
    """Render images (n, 3, 64, 64) in [-1, 1]."""
    device = glyphs.colours.device
    glyph, background, side, x, y = (factor.to(device) for factor in scenes)
    images = (torch.tensor(list(BACKGROUNDS.values()), device=device)[background] / 255)[:, :, None, None]
    for k in range(glyph.shape[1]):
        layer = place_glyphs(glyphs.colours[glyph[:, k]], side[:, k], x[:, k], y[:, k])
        layer = layer * (glyph[:, k] != NONE)[:, None, None, None]
        images = layer[:, :3] + (1 - layer[:, 3:]) * images
    return 2 * images - 1


def place_glyphs(colours: Tensor, side: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Scale glyphs, RGBA uint8 (n, 4, GLYPH, GLYPH), to a side and move them to a centre (x, y), each (n,) in
    pixels: premultiplied RGBA (n, 4, SIZE, SIZE), transparent around the glyphs."""
    scale = SIZE / side.clamp(min=1)
    shift_x, shift_y = (-scale * (2 * centre / SIZE - 1) for centre in (x, y))
    grid = sampling_grid(scale, shift_x, shift_y, SIZE)
    return F.grid_sample(emoji.premultiply(colours), grid, align_corners=False)


def sampling_grid(scale: Tensor, shift_x: Tensor, shift_y: Tensor, size: int) -> Tensor:
    """Return the grid (n, size, size, 2) of positions `scale` p + `shift`, each (n,), for p in [-1, 1]²."""
    zero = torch.zeros_like(scale)
    theta = torch.stack([torch.stack([scale, zero, shift_x], 1), torch.stack([zero, scale, shift_y], 1)], 1)
    return F.affine_grid(theta, [len(scale), 1, size, size], align_corners=False)


def load(root: str | Path, split: str = "train", download: bool = False, subset: slice = ALL) -> tuple[Tensor, Tensor]:
    """Render a split of `N_TEST` scenes of one emoji, with the backgrounds as labels, see `Loader`."""
    glyphs = emoji.load(root, download)
    if split == "test":
        scenes = test_scenes(glyphs, subset)
    else:
        scenes = sample(N_TEST, make_rng(0), training_combinations(glyphs.names).backgrounds)
        scenes = Scenes(*(factor[subset] for factor in scenes))
    return render(scenes, glyphs), scenes.background


def make_sample(root: str | Path, device: torch.device) -> Sample:
    """Return a function that renders random training scenes of one emoji on a device."""
    glyphs = emoji.load(root, download=True)
    backgrounds = training_combinations(glyphs.names).backgrounds
    glyphs = glyphs._replace(colours=glyphs.colours.to(device))
    return lambda n, rng: render(sample(n, rng, backgrounds), glyphs)


DATASET = Dataset(
    "emoji", "Emoji", DESCRIPTION, (3, SIZE, SIZE), tuple(BACKGROUNDS), load, make_sample=make_sample,
    class_colours=tuple("#{:02x}{:02x}{:02x}".format(*rgb) for rgb in BACKGROUNDS.values()),
)  # fmt: skip
