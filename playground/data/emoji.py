"""Noto Color Emoji (SIL OFL 1.1): the pictures of a font, and their names.

The font is the Debian package fonts-noto-color-emoji, or a NotoColorEmoji.ttf in the data folder, fetched on request;
names are those of Unicode's CLDR, from the package `emoji`.
"""

import hashlib
import io
import socket
import threading
from pathlib import Path
from typing import NamedTuple

import emoji
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from playground.data.digits import PATIENCE, DataError

GLYPH = 64  # pixels a side that glyphs are kept at
SYSTEM = [Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"), Path("/usr/share/fonts/noto/NotoColorEmoji.ttf")]
ADDRESS = "https://github.com/googlefonts/noto-emoji/raw/v2.047/fonts/NotoColorEmoji.ttf"
SHA256 = "39ee3c587e10e89669b9ff32703261d10d5f9c4dd5ad147b6b5a1c5200591817"
_FONT_SIZE, _CANVAS = 109, (136, 128)  # pixels: the font holds bitmaps of this one size
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
CORE = " ".join(_CORE.split()).split(", ")  # those that anyone knows and no two of which look alike
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


def load(root: str | Path, download: bool = False) -> Glyphs:
    """The glyphs of the font in a data folder, or of the system; kept in memory once drawn.

    Args:
        root: the folder that holds (or will hold) NotoColorEmoji.ttf.
        download: fetch the font if there is none (11 MB).

    Raises:
        DataError: there is no such font, or it is damaged, or could not be fetched.
    """
    own = Path(root) / "NotoColorEmoji.ttf"
    with _lock:
        found = [path for path in [own, *SYSTEM] if path.exists()]
        if not found and download:
            _fetch(own)
            found = [own]
        if not found:
            raise DataError(f"the font Noto Color Emoji is missing: {_ADVICE} {root}")
        if found[0] not in _kept:
            _kept[found[0]] = _draw(found[0])
        return _kept[found[0]]


_ADVICE = "install fonts-noto-color-emoji, or put NotoColorEmoji.ttf into"


def _fetch(path: Path) -> None:
    """Download the font; nothing is left of a download that breaks off or is not what was expected."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)  # torch.hub sets none
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(ADDRESS, str(path), hash_prefix=SHA256)
    except (OSError, RuntimeError) as error:  # RuntimeError: another hash
        raise DataError(f"the font Noto Color Emoji could not be fetched ({error}): {_ADVICE} {path.parent}") from error
    finally:
        socket.setdefaulttimeout(before)


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


def learned(root: str | Path, core: bool) -> Glyphs:
    """Those of the font in `CORE`, or all of them; the font is fetched if there is none."""
    glyphs = load(root, download=True)
    if not core:
        return glyphs
    names = [name for name in CORE if name in glyphs.names]
    return glyphs._replace(names=names, colours=glyphs.colours[[glyphs.names.index(name) for name in names]])


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
