"""Captions of scenes, by a small grammar of English over Unicode's names of emoji.

    one    NOUN on a GROUND background · NOUN on GROUND · a GROUND background with NOUN · ... · NOUN
    two    NOUN RELATION NOUN, and the ground likewise or not at all
    NOUN   [a | the] [small | big | large] NAME, or one of its aliases

What is not said is left to chance. A number from 0 to 1 makes each choice; those at 0 make the plainest caption:
"a small pizza on a blue background", "a pizza to the left of a dog on a blue background".
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import emoji
import torch
from torch import Tensor

from playground.data.scenes import GROUNDS, NONE, Scenes

ONE = (
    "{noun} on {a_ground} background",
    "{noun} on {ground}",
    "{noun} with {a_ground} background",
    "{a_ground} background with {noun}",
    "{noun}, {ground} background",
    "{ground} background, {noun}",
    "{noun} in front of {ground}",
    "{noun}",
)
BESIDE = (
    "{first} to the left of {second}",
    "{first} left of {second}",
    "{second} to the right of {first}",
    "{second} right of {first}",
)
ABOVE = ("{first} above {second}", "{first} over {second}", "{second} below {first}", "{second} under {first}")
BEHIND = (" on {a_ground} background", " on {ground}", ", {ground} background", "")
SMALL, BIG = 42, 50  # pixels: a single emoji is called small below, big above
PLURAL = {"blueberries", "books", "cherries", "eyeglasses", "french fries", "fries", "glasses", "gloves", "grapes",
          "headphones", "jeans", "pancakes", "scissors", "socks", "sunglasses"}  # fmt: skip
CHOICES = ("template", "ground", "article", "size", "word", "first", "second")  # what numbers a caption takes


def words(names: Sequence[str]) -> list[list[str]]:
    """What each of some emoji may be called: its name first, then the aliases that stand for none of the others."""
    aliases = _aliases()
    called = [[name, *(alias for alias in aliases.get(name, []) if alias not in names)] for name in names]
    count = Counter(word.lower() for each in called for word in set(each))
    return [[each[0], *(word for word in each[1:] if count[word.lower()] == 1)] for each in called]


def _aliases() -> dict[str, list[str]]:
    """Names in words -> other names, as the package `emoji` has them, without such as "whale2"."""
    plain = str.maketrans({":": "", "_": " "})

    def others(about: dict[str, Any]) -> list[str]:
        return [alias.translate(plain) for alias in about.get("alias", []) if not re.search(r"\d", alias)]

    return {about["en"].translate(plain): others(about) for about in emoji.EMOJI_DATA.values()}


def captions(shown: Scenes, called: list[list[str]], generator: torch.Generator) -> list[str]:
    """A caption of each scene, phrased by chance."""
    return phrased(shown, called, torch.rand(len(shown.glyph), len(CHOICES), generator=generator))


def plain(shown: Scenes, called: list[list[str]], **choices: float) -> list[str]:
    """The plainest caption of each scene, but for the given numbers among `CHOICES`."""
    row = torch.tensor([choices.get(name, 0.0) for name in CHOICES])
    return phrased(shown, called, row.expand(len(shown.glyph), -1))


def phrased(shown: Scenes, called: list[list[str]], choices: Tensor) -> list[str]:
    """A caption of each scene by the numbers from 0 to 1 that choose it: `CHOICES`, in columns."""
    rows = zip(*(part.tolist() for part in shown), choices.tolist(), strict=True)
    return [_caption(called, *row) for row in rows]


def _caption(
    called: list[list[str]],
    glyph: list[int],
    ground: int,
    side: list[float],
    x: list[float],
    y: list[float],
    u: list[float],
) -> str:
    colour = list(GROUNDS)[ground]
    said = {"ground": colour, "a_ground": _with_article(colour, 0)}
    names = [_pick(called[each], u[5 + k]) for k, each in enumerate(glyph) if each != NONE]
    if len(names) == 1:
        size = _pick(_sizes(side[0]), u[4]) if u[3] < 0.5 else ""
        return _pick(ONE, u[0]).format(noun=_with_article(f"{size} {names[0]}".strip(), u[2], names[0]), **said)
    first, second = (_with_article(name, u[2]) for name in names)
    # More often than not the first name is on the left or above: what is mostly true is learned before its exceptions.
    relation = _pick(ABOVE if abs(x[1] - x[0]) < abs(y[1] - y[0]) else BESIDE, u[0] ** 2)
    return (relation + _pick(BEHIND, u[1])).format(first=first, second=second, **said)


def _pick(options: Sequence[str], u: float) -> str:
    return options[min(int(u * len(options)), len(options) - 1)]


def _sizes(side: float) -> tuple[str, ...]:
    if side < SMALL:
        return ("small",)
    return ("big", "large") if side > BIG else ("",)


def _with_article(phrase: str, u: float, name: str | None = None) -> str:
    """With a or an (two times in five), the, or nothing; plurals take no a."""
    if u < 0.4 and (name or phrase) not in PLURAL:
        return f"{'an' if re.match('(?!uni)[aeiou]', phrase, re.IGNORECASE) else 'a'} {phrase}"
    return f"the {phrase}" if 0.4 <= u < 0.6 else phrase


def corpus(called: list[list[str]]) -> Iterator[str]:
    """Text with every word that a caption can have."""
    yield from (word for each in called for word in each)
    yield from GROUNDS
    nothing = {"noun": "", "first": "", "second": "", "ground": "", "a_ground": ""}
    yield from (template.format(**nothing) for template in (*ONE, *BESIDE, *ABOVE, *BEHIND))
    yield "a an the small big large"
