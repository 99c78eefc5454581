"""Noto Color Emoji (SIL OFL 1.1) on coloured grounds, drawn from known choices: which emoji, ground, size and place.

The font is the Debian package fonts-noto-color-emoji, or a NotoColorEmoji.ttf in the data folder; names are those of
Unicode's CLDR, from the package `emoji`. Some pairs of emoji and ground are held out, to test with.
"""

import hashlib
import io
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import emoji
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from playground.data.digits import DataError

SIZE = 64
GROUNDS = {
    "white": (255, 255, 255), "grey": (140, 140, 140), "black": (0, 0, 0), "red": (200, 30, 40),
    "orange": (245, 130, 30), "yellow": (250, 215, 60), "green": (40, 150, 70), "turquoise": (50, 190, 185),
    "blue": (45, 90, 200), "purple": (120, 60, 160), "pink": (245, 150, 190), "brown": (115, 75, 45),
}  # fmt: skip
SIDES = (34.0, 58.0)  # pixels that an emoji is wide
GLYPH = 64  # pixels a side that glyphs are kept at
SYSTEM = [Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"), Path("/usr/share/fonts/noto/NotoColorEmoji.ttf")]
ABOUT = "Noto Color Emoji (SIL OFL 1.1), one on a coloured ground"
HELD_OUT = 20  # one pair in so many is for tests
_FONT_SIZE, _CANVAS = 109, (136, 128)  # pixels: the font holds bitmaps of this one size
_kept: dict[Path, "Glyphs"] = {}
_lock = threading.Lock()


class Glyphs(NamedTuple):
    """The emoji of a font.

    Attributes:
        names: in words, (N,).
        colours: (N, 4, GLYPH, GLYPH) in [0, 1], red, green and blue times opacity, and opacity.
        sha256: of the font's file.
    """

    names: list[str]
    colours: Tensor
    sha256: str


class Scenes(NamedTuple):
    """What n pictures show: emoji and ground as indices (n,), width and place of the centre in pixels (n,)."""

    glyph: Tensor
    ground: Tensor
    side: Tensor
    x: Tensor
    y: Tensor


def load(root: str | Path) -> Glyphs:
    """The glyphs of the font in a data folder, or of the system; kept in memory once drawn.

    Raises:
        DataError: there is no such font, or it is damaged.
    """
    found = [path for path in [Path(root) / "NotoColorEmoji.ttf", *SYSTEM] if path.exists()]
    if not found:
        raise DataError(
            "the font Noto Color Emoji is missing: install fonts-noto-color-emoji, or put NotoColorEmoji.ttf into "
            f"{root}"
        )
    with _lock:
        if found[0] not in _kept:
            _kept[found[0]] = _draw(found[0])
        return _kept[found[0]]


def names() -> dict[str, str]:
    """Every emoji without a skin tone, and no flags: characters -> name in words, in the order of Unicode."""
    chosen = {}
    for characters, about in sorted(emoji.EMOJI_DATA.items()):
        name = about["en"].strip(":").replace("_", " ")
        toned = any(0x1F3FB <= ord(c) <= 0x1F3FF for c in characters)
        flag = any(0x1F1E6 <= ord(c) <= 0x1F1FF or 0xE0020 <= ord(c) <= 0xE007F for c in characters)
        if about["status"] == emoji.STATUS["fully_qualified"] and not toned and not flag:
            chosen[characters] = name
    return chosen


def _draw(path: Path) -> Glyphs:
    content = path.read_bytes()
    try:
        font = ImageFont.truetype(io.BytesIO(content), _FONT_SIZE)  # of a path, Pillow would try others of that name
        drawn = {name: _glyph(font, characters) for characters, name in names().items()}
    except OSError as error:
        raise DataError(f"the font {path} is damaged ({error}): install it again") from error
    shown = {name: glyph for name, glyph in drawn.items() if glyph[..., 3].any()}  # some are newer than the font
    colours = torch.from_numpy(np.stack(list(shown.values()))).permute(0, 3, 1, 2).float() / 255
    colours[:, :3] *= colours[:, 3:]
    return Glyphs(list(shown), colours, hashlib.sha256(content).hexdigest())


def _glyph(font: ImageFont.FreeTypeFont, characters: str) -> np.ndarray:
    """uint8 (GLYPH, GLYPH, 4)."""
    canvas = Image.new("RGBA", _CANVAS)
    ImageDraw.Draw(canvas).text((0, 0), characters, font=font, embedded_color=True)
    square = Image.new("RGBA", (max(_CANVAS), max(_CANVAS)))
    square.paste(canvas, (0, (max(_CANVAS) - min(_CANVAS)) // 2))
    return np.asarray(square.resize((GLYPH, GLYPH), Image.Resampling.BOX))


def held_out(names: list[str]) -> Tensor:
    """Which pairs of emoji and ground are for tests, chosen by a hash of their names: bool (N, grounds)."""
    return _held_out(tuple(names))


@lru_cache(maxsize=4)
def _held_out(names: tuple[str, ...]) -> Tensor:
    def chosen(name: str, ground: str) -> bool:
        return int(hashlib.sha256(f"{name} on {ground}".encode()).hexdigest(), 16) % HELD_OUT == 0

    return torch.tensor([[chosen(name, ground) for ground in GROUNDS] for name in names])


def sample(n: int, generator: torch.Generator, pairs: Tensor) -> Scenes:
    """Scenes of n pictures: pairs of emoji and ground uniform among those that are true in `pairs` (N, grounds)."""
    allowed = pairs.nonzero()
    glyph, ground = allowed[torch.randint(len(allowed), (n,), generator=generator)].T
    side, x, y = torch.rand(3, n, generator=generator)
    side = SIDES[0] + (SIDES[1] - SIDES[0]) * side
    room = (SIZE - side) / 2  # to each side of the middle, so that the emoji stays whole
    return Scenes(glyph, ground, side, SIZE / 2 + room * (2 * x - 1), SIZE / 2 + room * (2 * y - 1))


def tests(glyphs: Glyphs, part: slice) -> Scenes:
    """Some of the 10,000 test scenes, of held-out pairs, which are always the same."""
    scenes = sample(10_000, torch.Generator().manual_seed(1), held_out(glyphs.names))
    return Scenes(*(choice[part] for choice in scenes))


def draw(scenes: Scenes, glyphs: Glyphs) -> Tensor:
    """The pictures (n, 3, 64, 64) in [-1, 1]."""
    device = glyphs.colours.device
    glyph, ground, side, x, y = (part.to(device) for part in scenes)
    zero = torch.zeros_like(side)
    scale = SIZE / side
    shift = [-scale * (2 * place / SIZE - 1) for place in (x, y)]
    theta = torch.stack([torch.stack([scale, zero, shift[0]], 1), torch.stack([zero, scale, shift[1]], 1)], 1)
    grid = F.affine_grid(theta, [len(glyph), 4, SIZE, SIZE], align_corners=False)
    placed = F.grid_sample(glyphs.colours[glyph], grid, align_corners=False)
    colour = torch.tensor(list(GROUNDS.values()), device=device)[ground] / 255
    return 2 * (placed[:, :3] + (1 - placed[:, 3:]) * colour[:, :, None, None]) - 1
