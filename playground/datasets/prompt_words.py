"""Words of prompts: those of the grammar of captions, and what else people type for them.

A lexicon has the names of the emoji with their plurals and everyday names, other names of colours, sizes and positions;
then the names of emoji in other languages, and the nearest word to one that is misspelled.
"""

import gzip
import importlib.util
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import emoji

from playground.datasets.captions import PLURALS, list_synonyms
from playground.datasets.scenes import BACKGROUNDS

Key = tuple[str, ...]  # words of a phrase, in lower case and without accents


class Kind(str, Enum):
    """Kind of a phrase; the values are letters, so that a regular expression can match a prompt."""

    ARTICLE, NUMBER, DEGREE, SIZE, NAME = "a", "#", "d", "s", "n"
    COLOUR, BACKGROUND = "c", "b"
    ON, WITH, FRONT, COMMA, AND = "o", "w", "f", ",", "&"
    RELATION, PLACE, VERB, UNKNOWN = "r", "p", "v", "?"


class Meaning(NamedTuple):
    """Meaning of a phrase.

    Attributes:
        text: The grammar's own words for it; of a place, the relation to the other emoji.
        source: Remark on the phrase, such as its language.
        alternatives: Other texts that it may stand for.
    """

    kind: Kind
    text: str
    source: str = ""
    alternatives: tuple[str, ...] = ()


class Lexicon(NamedTuple):
    """Phrases with their meanings.

    Attributes:
        words: All words of the phrases.
        names: First name of the emoji of each name in lower case.
    """

    meanings: dict[Key, Meaning]
    words: frozenset[str]
    names: dict[str, str]


LEFT, RIGHT, ABOVE, BELOW = "to the left of", "to the right of", "above", "below"
# What the grammar says itself, by its meaning; each phrase is its own text.
GRAMMAR = {
    Kind.ARTICLE: ("a", "an", "the"), Kind.SIZE: ("small", "big", "large"), Kind.BACKGROUND: ("background",),
    Kind.ON: ("on",), Kind.WITH: ("with",), Kind.FRONT: ("in front of",), Kind.COMMA: (",",),
    Kind.RELATION: (LEFT, "left of", RIGHT, "right of", ABOVE, "over", BELOW, "under"),
}  # fmt: skip
# Other phrases, separated by commas, by the text that they stand for.
PHRASES = {
    (Kind.ARTICLE, "a"): "one, 1, un, une, ein, eine, einen, einem, una, uno, um, uma",
    (Kind.ARTICLE, "the"): "le, la, les, l, el, los, las, il, lo, gli, der, die, das, den, dem, this, that, my",
    (Kind.SIZE, "small"): "tiny, little, mini, miniature, petit, petite, klein, kleine, kleiner, kleines",
    (Kind.SIZE, "big"): "huge, giant, enormous, gigantic, great, grand, grande, gross, grosse, grosser, grosses",
    (Kind.COLOUR, "grey"): "gray",
    (Kind.DEGREE, ""): "very, really, quite, super, extremely, so, too, rather",
    (Kind.NUMBER, ""): "two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, many, several, "
    "some, few, a few, a couple of, a pair of, pair of, a dozen, lots of, a lot of, deux, trois, zwei, drei, dos, tres",
    (Kind.BACKGROUND, "background"): "backdrop, fond, fondo, sfondo, fundo, hintergrund",
    (Kind.ON, "on"): "upon, against, onto, sur, auf, sobre, su, en",
    (Kind.AND, LEFT): "and, &, +, plus, et, und, y, e, next to, beside, besides, near, by, close to, alongside, "
    "side by side with, together with, in, inside, at, behind, between",
    (Kind.RELATION, LEFT): "on the left of, at the left of, on the left side of, to the left side of",
    (Kind.RELATION, RIGHT): "on the right of, at the right of, on the right side of, to the right side of",
    (Kind.RELATION, ABOVE): "on top of, atop",
    (Kind.RELATION, BELOW): "beneath, underneath",
    (Kind.PLACE, LEFT): "on the left, left, to the left, at the left, on the left side",
    (Kind.PLACE, RIGHT): "on the right, right, to the right, at the right, on the right side",
    (Kind.PLACE, ABOVE): "on top, at the top, on the top, top",
    (Kind.PLACE, BELOW): "at the bottom, on the bottom, bottom, underneath it, below it, under it",
    (Kind.VERB, ""): "is, are, s, it, there, this is, here is, which, that is",
}  # fmt: skip
COLOURS = {
    "white": "ivory, cream, beige", "grey": "gray, silver, ash, slate, charcoal", "black": "dark, jet black, ebony",
    "red": "scarlet, crimson, ruby, maroon, burgundy", "orange": "amber, apricot, coral, copper",
    "yellow": "gold, golden, mustard", "green": "lime, olive, emerald, mint, jade, khaki",
    "turquoise": "cyan, aqua, teal, aquamarine", "blue": "navy, navy blue, sky blue, azure, cobalt, sapphire",
    "purple": "violet, lilac, lavender, mauve, indigo, plum", "pink": "magenta, fuchsia, rosy, salmon",
    "brown": "tan, bronze, chestnut, mocha",
}  # fmt: skip
SHADES = ("light", "dark", "pale", "bright", "deep", "neon", "pastel")
# Everyday names that the package `emoji` has not.
EVERYDAY = {
    "cat": "kitten, kitty", "dog": "puppy, doggy", "rabbit": "bunny", "cow": "bull, ox", "pig": "piglet, swine",
    "lady beetle": "ladybug, ladybird", "honeybee": "bumblebee", "rhinoceros": "rhino", "crocodile": "alligator",
    "horse": "pony, foal", "turtle": "tortoise", "whale": "orca", "blowfish": "pufferfish", "mouse": "rat",
    "deciduous tree": "tree, oak", "evergreen tree": "pine, fir, conifer", "full moon": "moon", "fire": "flame",
    "droplet": "drop, raindrop, drop of water", "eggplant": "aubergine", "hot pepper": "chili, chilli, pepper",
    "corn": "maize", "french fries": "chips", "hamburger": "burger, cheeseburger", "spaghetti": "pasta, noodles",
    "doughnut": "donut", "cookie": "biscuit", "candy": "sweet, bonbon", "glass of milk": "milk", "wine glass": "wine",
    "coffee": "cup of coffee, tea, cup of tea, cup", "cocktail": "drink", "soccer ball": "ball", "dart": "target",
    "game die": "dice", "jigsaw": "puzzle", "gem": "diamond, jewel", "top hat": "hat", "glasses": "spectacles",
    "necktie": "tie", "t-shirt": "tee shirt, tee", "jeans": "trousers, pants", "dress": "gown", "backpack": "rucksack",
    "running shoe": "shoe, sneaker, trainer", "car": "auto", "taxi": "cab", "motorcycle": "motorbike",
    "fire engine": "fire truck, firetruck", "locomotive": "train", "airplane": "plane, aeroplane, jet, aircraft",
    "rocket": "spaceship", "sailboat": "yacht", "flying saucer": "ufo", "house": "home, cottage", "gift": "present",
    "jack-o-lantern": "pumpkin", "grinning face": "smiley", "axe": "ax, hatchet", "wrench": "spanner",
    "flashlight": "torch", "violin": "fiddle", "microphone": "mic", "musical note": "music", "television": "telly",
    "laptop": "notebook", "envelope": "letter", "package": "parcel, box", "globe showing Americas": "globe, earth",
    "snowman": "snow man", "light bulb": "lightbulb, lamp", "alarm clock": "clock", "ice cream": "icecream, gelato",
    "kiwi fruit": "kiwi", "four leaf clover": "shamrock", "blueberries": "blueberry", "cherries": "cherry",
}  # fmt: skip
LANGUAGES = {
    "fr": "French", "de": "German", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "ru": "Russian",
    "tr": "Turkish", "id": "Indonesian", "ja": "Japanese", "ko": "Korean", "zh": "Chinese", "fa": "Persian",
    "ar": "Arabic",
}  # fmt: skip
CIRCLES = {"⚪": "white", "⚫": "black", "🔴": "red", "🟠": "orange", "🟡": "yellow", "🟢": "green", "🔵": "blue",
           "🟣": "purple", "🟤": "brown"}  # fmt: skip
IRREGULAR = {"mouse": "mice", "tooth": "teeth", "wolf": "wolves", "leaf": "leaves", "scarf": "scarves"}
DECLENSION = ("e", "em", "en", "er", "es")  # of German adjectives
N_MERGES = 48_894  # of CLIP's tokenizer, the first ones of the file
MIN_TYPO = 4  # letters of a word that may be misspelled


def words_of(text: str) -> Key:
    """Return the words of a text as keys have them; a hyphen separates words."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return tuple(re.findall(r"[^\W_]+|[,&+]", plain))


@lru_cache(maxsize=4)
def lexicon(names: tuple[str, ...]) -> Lexicon:
    """Return the lexicon for the names of emoji; an earlier meaning of a phrase wins."""
    synonyms, meanings = list_synonyms(names), dict[Key, Meaning]()
    canonical = {word.lower(): words[0] for words in synonyms for word in words}

    def add(phrases: Iterable[str], meaning: Meaning) -> None:
        for phrase in phrases:
            meanings.setdefault(words_of(phrase), meaning)

    grammar = [Meaning(kind, text) for kind, texts in GRAMMAR.items() for text in texts]
    own_names = [Meaning(Kind.NAME, word) for words in synonyms for word in words]
    own_colours = [Meaning(Kind.COLOUR, colour) for colour in BACKGROUNDS]
    for meaning in (*grammar, *own_names, *own_colours):  # an emoji has the alias "a", and another is "orange"
        add([meaning.text], meaning)
    for (kind, text), phrases in PHRASES.items():
        add(phrases.split(", "), Meaning(kind, text))
    short_names = _short_names(names)
    for text, phrases in EVERYDAY.items():
        for phrase in phrases.split(", ") if text.lower() in canonical else ():
            alternatives = tuple(name for name in short_names.get(phrase, []) if name != text)
            add([phrase], Meaning(Kind.NAME, text, alternatives=alternatives))
    for text, phrases in COLOURS.items():
        colours = [text, *phrases.split(", ")]
        add([*colours, *(f"{shade} {colour}" for shade in SHADES for colour in colours)],
            Meaning(Kind.COLOUR, text, "the nearest background"))  # fmt: skip
    for noun, (first, *longer) in short_names.items():
        add([noun], Meaning(Kind.NAME, first, alternatives=tuple(longer)))
    for key, meaning in [*meanings.items()]:
        if meaning.kind is Kind.NAME:
            add(_other_number(" ".join(key)), meaning)
    return Lexicon(meanings, frozenset(word for key in meanings for word in key), canonical)


def _short_names(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the names that each noun may stand for: the last of a name, or of what stands before "of" or "with"."""
    short = dict[str, list[str]]()
    for name in names:
        noun = re.split(r" (?:of|with|without|showing) | face$", name)[0].split()[-1]
        if noun != name and noun not in ("face", "done", "ear"):
            short.setdefault(noun.lower(), []).append(name)
    return short


def _other_number(name: str) -> Iterator[str]:
    """Yield the plurals of a name, or the singulars of one that is a plural."""
    if name in PLURALS or name.endswith("ies"):
        yield from (name[:-1], name.removesuffix("es"), re.sub("ies$", "y", name))
        return
    first, _, last = name.rpartition(" ")
    plural = IRREGULAR.get(last) or (re.sub("y$", "ie", last) if re.search("[^aeiou]y$", last) else last) + "s"
    yield from (f"{first} {word}".strip() for word in (plural, f"{last}es"))


@lru_cache(maxsize=4)
def foreign_lexicon(names: tuple[str, ...]) -> Lexicon:
    """Return the names of these emoji, and of colours, in other languages; the first call takes a fifth of a second."""
    emoji.config.load_language()
    canonical, meanings = lexicon(names).names, dict[Key, Meaning]()
    for entry in emoji.EMOJI_DATA.values():
        texts = [text.strip(":").replace("_", " ") for text in (entry["en"], *entry.get("alias", []))]
        text = next((text for text in texts if text.lower() in canonical), None)
        for code, language in LANGUAGES.items() if text else ():
            key = words_of(entry.get(code, "").replace("_", " "))
            for form in (key, (*key[:-1], f"{key[-1]}s")) if key else ():
                meanings.setdefault(form, Meaning(Kind.NAME, str(text), language))
    for code, language in LANGUAGES.items():
        circles = {colour: words_of(emoji.EMOJI_DATA[c][code].replace("_", " ")) for c, colour in CIRCLES.items()}
        count = Counter(word for words in circles.values() for word in words)  # "circle" is in all of them
        for colour, words in circles.items():
            for word in (word for word in words if count[word] == 1):
                stem, ends = (word.removesuffix("er"), ("", *DECLENSION)) if code == "de" else (word, ("", "s"))
                for end in ends:
                    meanings.setdefault((stem + end,), Meaning(Kind.COLOUR, colour, language))
    return Lexicon(meanings, frozenset(word for key in meanings for word in key), canonical)


@cache
def common_words() -> frozenset[str]:
    """Return the words that are frequent enough to be one token of CLIP, and so are not misspelled."""
    spec = importlib.util.find_spec("open_clip")  # its import would take seconds
    (folder,) = (spec and spec.submodule_search_locations) or [""]
    with gzip.open(Path(folder) / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        tokens = ["".join(line.split()) for line in islice(file, 1, N_MERGES + 1)]
    return frozenset(token.removesuffix("</w>") for token in tokens if token.endswith("</w>"))


def correct(word: str, candidates: Iterable[str]) -> list[str]:
    """Return the nearest of some words to a misspelled one, at most three; none if none is near.

    Near is one letter inserted, left out, replaced or exchanged with the next one, or two in a long word.
    """
    limit = 0 if len(word) < MIN_TYPO else 1 if len(word) < 8 else 2
    distances = [(edit_distance(word, candidate), candidate[0] != word[0], candidate) for candidate in candidates
                 if abs(len(candidate) - len(word)) <= limit and len(candidate) >= MIN_TYPO - 1
                 and len({*word} ^ {*candidate}) <= 2 * limit]  # fmt: skip
    nearest = sorted(item for item in distances if item[0] <= limit)
    return [candidate for distance, _, candidate in nearest if distance == nearest[0][0]][:3]


def edit_distance(a: str, b: str) -> int:
    """Return the Damerau-Levenshtein distance of two words, in its form that edits no part twice."""
    before, row = list[int](), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]
