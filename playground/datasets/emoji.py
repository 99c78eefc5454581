"""Noto Color Emoji (SIL OFL 1.1): glyphs of the font and their names.

The font comes from the Debian package fonts-noto-color-emoji, or from NotoColorEmoji.ttf in the data folder, which can
be downloaded; the names are those of Unicode's CLDR, from the package `emoji`.
"""

import hashlib
import io
import threading
from pathlib import Path
from typing import NamedTuple

import emoji
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from playground.datasets.download import DataError, hold, socket_timeout

GLYPH = 64  # height and width of a glyph, in pixels
SYSTEM_FONTS = [
    Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"),
    Path("/usr/share/fonts/noto/NotoColorEmoji.ttf"),
]
URL = "https://github.com/googlefonts/noto-emoji/raw/v2.047/fonts/NotoColorEmoji.ttf"
SHA256 = "39ee3c587e10e89669b9ff32703261d10d5f9c4dd5ad147b6b5a1c5200591817"
_FONT_SIZE, _CANVAS = 109, (136, 128)  # pixels; the font holds bitmaps of this size only
_CORE = """
dog face, cat face, mouse face, hamster, rabbit face, fox, bear, panda, koala, tiger face, lion, cow face, pig face,
frog, monkey face, chicken, penguin, bird, baby chick, duck, eagle, owl, bat, wolf, boar, horse face, unicorn,
honeybee, bug, butterfly, snail, lady beetle, ant, spider, scorpion, turtle, snake, lizard, octopus, squid, shrimp,
lobster, crab, blowfish, tropical fish, fish, dolphin, whale, shark, crocodile, zebra, gorilla, elephant,
rhinoceros, camel, giraffe, kangaroo, goat, deer, rooster, turkey, peacock, parrot, swan, flamingo, sloth, otter,
hedgehog, dragon face, cactus, Christmas tree, evergreen tree, deciduous tree, palm tree, four leaf clover, maple
leaf, mushroom, tulip, rose, hibiscus, sunflower, cherry blossom, full moon, sun, star, rainbow, cloud, fire,
snowflake, snowman without snow, droplet, red apple, green apple, pear, tangerine, lemon, banana, watermelon,
grapes, strawberry, blueberries, melon, cherries, peach, mango, pineapple, coconut, kiwi fruit, tomato, eggplant,
avocado, broccoli, cucumber, hot pepper, ear of corn, carrot, garlic, onion, potato, croissant, bread, baguette
bread, pretzel, cheese wedge, egg, cooking, pancakes, waffle, bacon, poultry leg, hot dog, hamburger, french fries,
pizza, sandwich, taco, burrito, spaghetti, sushi, rice ball, ice cream, shortcake, birthday cake, cupcake, pie,
lollipop, candy, chocolate bar, popcorn, doughnut, cookie, honey pot, glass of milk, hot beverage, teapot, wine
glass, cocktail glass, beer mug, cup with straw, soccer ball, basketball, american football, baseball, tennis, pool
8 ball, ping pong, boxing glove, bullseye, kite, video game, joystick, game die, puzzle piece, teddy bear, crown,
gem stone, ring, top hat, glasses, necktie, t-shirt, jeans, dress, high-heeled shoe, running shoe, backpack,
umbrella, scarf, gloves, socks, automobile, taxi, bus, fire engine, ambulance, tractor, bicycle, motorcycle,
locomotive, airplane, rocket, helicopter, sailboat, ship, anchor, flying saucer, house, castle, tent, balloon,
wrapped gift, jack-o-lantern, ghost, alien, robot, skull, clown face, grinning face, smiling face with sunglasses,
crying face, angry face, red heart, blue heart, green heart, kiss mark, eye, brain, bone, tooth, hammer, axe,
wrench, magnet, key, locked, light bulb, flashlight, candle, bomb, telescope, microscope, syringe, pill, bell,
guitar, violin, trumpet, drum, musical note, microphone, headphone, camera, television, telephone, laptop, books,
pencil, scissors, envelope, package, hourglass done, alarm clock, globe showing Americas, crystal ball, moai, Statue
of Liberty
"""
CORE = " ".join(_CORE.split()).split(", ")  # widely known emoji, no two of which look alike
_cache: dict[Path, "Glyphs"] = {}
_lock = threading.Lock()


class Glyphs(NamedTuple):
    """Glyphs of a font's emoji."""

    names: list[str]  # English names of the N emoji
    colours: Tensor  # RGBA uint8 (N, 4, GLYPH, GLYPH), a quarter of the memory of `premultiply`'s result
    sha256: str  # SHA-256 of the font file


def load(root: str | Path, download: bool = False) -> Glyphs:
    """Load the glyphs of the font in the data folder, or else of the system, or else download it (11 MB); they are
    cached in memory. Raise DataError if it is missing or damaged, the download failed, or another's takes too long."""
    font = Path(root) / "NotoColorEmoji.ttf"
    with hold(_lock, "the font Noto Color Emoji"):
        path = next((path for path in [font, *SYSTEM_FONTS] if path.exists()), None)
        if path is None and download:
            _download(font)
            path = font
        if path is None:
            raise DataError(f"the font Noto Color Emoji is missing: {_ADVICE} {root}")
        if path not in _cache:
            _cache[path] = _render_font(path)
        return _cache[path]


_ADVICE = "install fonts-noto-color-emoji, or put NotoColorEmoji.ttf into"


def _download(path: Path) -> None:
    """Download the font; an interrupted download or an unexpected file leaves nothing behind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with socket_timeout():  # torch.hub sets none
            torch.hub.download_url_to_file(URL, str(path), hash_prefix=SHA256)
    except (OSError, RuntimeError) as error:  # RuntimeError: another hash
        raise DataError(f"the font Noto Color Emoji could not be fetched ({error}): {_ADVICE} {path.parent}") from error


def emoji_names() -> dict[str, str]:
    """Return the English names of all emoji by their characters, without flags and skin tones, in Unicode's order."""
    names = {}
    for characters, entry in sorted(emoji.EMOJI_DATA.items()):
        name = entry["en"].strip(":").replace("_", " ")
        skin_tone = any(0x1F3FB <= ord(c) <= 0x1F3FF for c in characters)
        flag = any(0x1F1E6 <= ord(c) <= 0x1F1FF or 0xE0020 <= ord(c) <= 0xE007F for c in characters)
        if entry["status"] == emoji.STATUS["fully_qualified"] and not skin_tone and not flag:
            names[characters] = name
    return names


def premultiply(colours: Tensor) -> Tensor:
    """Multiply colours RGBA uint8 (N, 4, H, W) by their opacity: RGBA in [0, 1]."""
    rgba = colours.float() / 255
    rgba[:, :3] *= rgba[:, 3:]
    return rgba


def load_training_glyphs(root: str | Path, core: bool) -> Glyphs:
    """Load the glyphs of the emoji in `CORE`, or of all emoji, and download the font if it is missing."""
    glyphs = load(root, download=True)
    if not core:
        return glyphs
    names = [name for name in CORE if name in glyphs.names]
    return glyphs._replace(names=names, colours=glyphs.colours[[glyphs.names.index(name) for name in names]])


def _render_font(path: Path) -> Glyphs:
    """Render all emoji of a font file, or raise DataError if it is damaged."""
    try:
        content = path.read_bytes()
        font = ImageFont.truetype(io.BytesIO(content), _FONT_SIZE)  # given a path, Pillow would search system folders
        glyphs = {name: _render_glyph(font, characters) for characters, name in emoji_names().items()}
    except OSError as error:
        raise DataError(f"the font {path} is damaged ({error}): install it again") from error
    glyphs = {name: glyph for name, glyph in glyphs.items() if glyph[..., 3].any()}  # the font lacks newer emoji
    colours = torch.from_numpy(np.stack(list(glyphs.values()))).permute(0, 3, 1, 2)
    return Glyphs(list(glyphs), colours, hashlib.sha256(content).hexdigest())


def _render_glyph(font: ImageFont.FreeTypeFont, characters: str) -> np.ndarray:
    """Render an emoji as RGBA uint8 (GLYPH, GLYPH, 4)."""
    canvas = Image.new("RGBA", _CANVAS)
    ImageDraw.Draw(canvas).text((0, 0), characters, font=font, embedded_color=True)
    square = Image.new("RGBA", (max(_CANVAS), max(_CANVAS)))
    square.paste(canvas, (0, (max(_CANVAS) - min(_CANVAS)) // 2))
    return np.asarray(square.resize((GLYPH, GLYPH), Image.Resampling.BOX))
