"""Captions of scenes from a small English grammar over Unicode's names of emoji.

    single   NOUN on a COLOUR background · NOUN on COLOUR · a COLOUR background with NOUN · ... · NOUN
    pair     NOUN RELATION NOUN, followed by the background or not
    NOUN     [a | the] [small | big | large] NAME, or a synonym of the name

Each choice is made by a number in [0, 1), usually a random one; zeros give the plain caption:
"a small pizza on a blue background", "a pizza to the left of a dog on a blue background".
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import emoji
import torch
from torch import Tensor

from playground.datasets.scenes import BACKGROUNDS, NONE, Scenes

SINGLE_TEMPLATES = (
    "{noun} on {a_colour} background",
    "{noun} on {colour}",
    "{noun} with {a_colour} background",
    "{a_colour} background with {noun}",
    "{noun}, {colour} background",
    "{colour} background, {noun}",
    "{noun} in front of {colour}",
    "{noun}",
)
HORIZONTAL_TEMPLATES = (
    "{first} to the left of {second}",
    "{first} left of {second}",
    "{second} to the right of {first}",
    "{second} right of {first}",
)
VERTICAL_TEMPLATES = (
    "{first} above {second}",
    "{first} over {second}",
    "{second} below {first}",
    "{second} under {first}",
)
BACKGROUND_SUFFIXES = (" on {a_colour} background", " on {colour}", ", {colour} background", "")
SMALL_BELOW, BIG_ABOVE = 42, 50  # widths in pixels, for a single emoji
PLURALS = {"blueberries", "books", "cherries", "eyeglasses", "french fries", "fries", "glasses", "gloves", "grapes",
          "headphones", "jeans", "pancakes", "scissors", "socks", "sunglasses"}  # fmt: skip
CHOICES = ("template", "background", "article", "size", "word", "first", "second")  # columns of the random numbers


def list_synonyms(names: Sequence[str]) -> list[list[str]]:
    """Return the synonyms of each emoji: its name first, then its aliases that are unique among these emoji."""
    aliases = _aliases()
    synonyms = [[name, *(alias for alias in aliases.get(name, []) if alias not in names)] for name in names]
    count = Counter(word.lower() for words in synonyms for word in set(words))
    return [[name, *(alias for alias in words if count[alias.lower()] == 1)] for name, *words in synonyms]


def _aliases() -> dict[str, list[str]]:
    """Return the aliases of each name in the package `emoji`, without numbered ones such as "whale2"."""
    spaces = str.maketrans({":": "", "_": " "})
    return {
        entry["en"].translate(spaces): [
            alias.translate(spaces) for alias in entry.get("alias", []) if not re.search(r"\d", alias)
        ]
        for entry in emoji.EMOJI_DATA.values()
    }


def find_names(text: str, synonyms: list[list[str]]) -> list[int]:
    """Return the index of each emoji that a text names, in its order; a name within a longer one does not count."""
    indices = {name.lower(): i for i, names in enumerate(synonyms) for name in names}
    longest_first = "|".join(re.escape(name) for name in sorted(indices, key=len, reverse=True))
    return [indices[name] for name in re.findall(rf"(?<!\w)(?:{longest_first})(?!\w)", text.lower())]


def write_captions(scenes: Scenes, synonyms: list[list[str]], rng: torch.Generator) -> list[str]:
    """Write a random caption for each scene."""
    return captions_from_choices(scenes, synonyms, torch.rand(len(scenes.glyph), len(CHOICES), generator=rng))


def make_plain_captions(scenes: Scenes, synonyms: list[list[str]], **choices: float) -> list[str]:
    """Write the plain caption of each scene, or a variant by numbers for some of `CHOICES`."""
    row = torch.tensor([choices.get(name, 0.0) for name in CHOICES])
    return captions_from_choices(scenes, synonyms, row.expand(len(scenes.glyph), -1))


def captions_from_choices(scenes: Scenes, synonyms: list[list[str]], choices: Tensor) -> list[str]:
    """Write a caption for each of n scenes, by the names of each emoji of `list_synonyms`, and numbers in [0, 1) for
    each of `CHOICES` (n, 7)."""
    rows = zip(*(factor.tolist() for factor in scenes), choices.tolist(), strict=True)
    return [_caption(synonyms, *row) for row in rows]


def _caption(
    synonyms: list[list[str]],
    glyph: list[int],
    background: int,
    side: list[float],
    x: list[float],
    y: list[float],
    u: list[float],
) -> str:
    """Write the caption of one scene by its factors and the numbers u for `CHOICES`."""
    colour = list(BACKGROUNDS)[background]
    colours = {"colour": colour, "a_colour": with_article(colour, 0)}
    names = [_pick(synonyms[i], u[5 + k]) for k, i in enumerate(glyph) if i != NONE]
    if len(names) == 1:
        size = _pick(_sizes(side[0]), u[4]) if u[3] < 0.5 else ""
        return _pick(SINGLE_TEMPLATES, u[0]).format(
            noun=with_article(f"{size} {names[0]}".strip(), u[2], names[0]), **colours
        )
    first, second = (with_article(name, u[2]) for name in names)
    # The square makes captions more frequent that name the left or upper emoji first: an order that is mostly right is
    # learned sooner.
    relation = _pick(VERTICAL_TEMPLATES if abs(x[1] - x[0]) < abs(y[1] - y[0]) else HORIZONTAL_TEMPLATES, u[0] ** 2)
    return (relation + _pick(BACKGROUND_SUFFIXES, u[1])).format(first=first, second=second, **colours)


def _pick(options: Sequence[str], u: float) -> str:
    """Choose an option by a number in [0, 1]."""
    return options[min(int(u * len(options)), len(options) - 1)]


def _sizes(side: float) -> tuple[str, ...]:
    """Return the adjectives for the width of an emoji in pixels."""
    if side < SMALL_BELOW:
        return ("small",)
    return ("big", "large") if side > BIG_ABOVE else ("",)


def with_article(phrase: str, u: float, name: str | None = None) -> str:
    """Put "a" or "an" (two times in five), "the" or nothing before a phrase; plurals take no "a"."""
    if u < 0.4 and (name or phrase) not in PLURALS:
        return f"{'an' if re.match('(?!uni)[aeiou]', phrase, re.IGNORECASE) else 'a'} {phrase}"
    return f"the {phrase}" if 0.4 <= u < 0.6 else phrase


def vocabulary_texts(synonyms: list[list[str]]) -> Iterator[str]:
    """Yield texts that contain every word a caption can contain, to build a tokenizer from."""
    yield from (name for names in synonyms for name in names)
    yield from BACKGROUNDS
    blanks = dict.fromkeys(("noun", "first", "second", "colour", "a_colour"), "")
    for template in (*SINGLE_TEMPLATES, *HORIZONTAL_TEMPLATES, *VERTICAL_TEMPLATES, *BACKGROUND_SUFFIXES):
        yield template.format(**blanks)
    yield "a an the small big large"
