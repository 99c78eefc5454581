"""Parts of a prompt: its phrases, the emoji and the background that they name, and the scene of these that is drawn."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from playground.datasets.captions import with_article
from playground.datasets.prompt_words import (
    ABOVE,
    LANGUAGES,
    LEFT,
    Key,
    Kind,
    Meaning,
    common_words,
    correct,
    foreign_lexicon,
    lexicon,
    words_of,
)
from playground.datasets.scenes import BACKGROUNDS

MAX_LENGTH = 8  # words of a phrase
LIMITS = {
    "colour": "the model cannot colour things",
    "ground": "there is one background, of one colour",
    "number": "the model draws one of each",
    "degree": "the model knows small and big, and nothing between or beyond",
    "size": "two emoji have one size",
    "place": "the model cannot place a single emoji",
    "twin": "two emoji must be different",
    "third": "the model draws two emoji at most",
}
LEFT_OUT = {Kind.DEGREE: "degree", Kind.UNKNOWN: ""}
LINKS = (Kind.ON, Kind.WITH, Kind.FRONT, Kind.COMMA, Kind.AND)


@dataclass(frozen=True)
class Phrase:
    """Phrase of a prompt with its meaning, and its position in the text."""

    typed: str
    meaning: Meaning
    start: int
    end: int

    @property
    def kind(self) -> Kind:
        """Return the kind of its meaning."""
        return self.meaning.kind

    @property
    def is_exact(self) -> bool:
        """Return true if the grammar has the phrase as it was typed."""
        return self.typed.lower() == self.meaning.text.lower()

    @property
    def is_relation(self) -> bool:
        """Return true if the phrase alone says how two emoji lie to each other."""
        return self.kind in (Kind.RELATION, Kind.PLACE)


class NounStart(NamedTuple):
    """Words before the name of an emoji.

    Attributes:
        article: "a", "the" or nothing.
        size: Its adjective.
        link: Phrase between the emoji before and this one.
    """

    article: str = ""
    size: Phrase | None = None
    link: Phrase | None = None

    @property
    def has_relation(self) -> bool:
        """Return true if its link says how two emoji lie to each other."""
        return self.link is not None and self.link.is_relation


@dataclass(frozen=True)
class Noun:
    """Emoji of a prompt.

    Attributes:
        phrase: Its name.
        place: Phrase that places it beside the other emoji.
    """

    phrase: Phrase
    start: NounStart
    place: Phrase | None = None

    def write(self, with_size: bool, name: str = "", article: str = "") -> str:
        """Return the emoji as the grammar has it, by default by its name in the prompt and with the article there."""
        name = name or self.phrase.meaning.text
        choice = {"a": 0.0, "the": 0.5}.get(article or self.start.article, 1.0)
        size = self.start.size.meaning.text if self.start.size and with_size else ""
        return with_article(f"{size} {name}".strip(), choice, name)


@dataclass
class Draft:
    """All parts of a prompt.

    Attributes:
        ground: Colour of the background.
        left_out: Phrases that are left out, by their reason in `LIMITS`, or "" where they are unknown.
    """

    nouns: list[Noun] = field(default_factory=list)
    ground: Phrase | None = None
    left_out: dict[str, list[Phrase]] = field(default_factory=dict)

    def leave_out(self, reason: str, *phrases: Phrase) -> None:
        """Leave phrases out for a reason."""
        if phrases:
            self.left_out.setdefault(reason, []).extend(phrases)

    def place(self, phrase: Phrase) -> None:
        """Place the last emoji beside the other one."""
        if self.nouns:
            self.nouns[-1] = replace(self.nouns[-1], place=phrase)
        else:
            self.leave_out("place", phrase)

    def all_left_out(self) -> list[Phrase]:
        """Return the phrases that are left out for any reason."""
        return [phrase for group in self.left_out.values() for phrase in group]


@dataclass(frozen=True)
class Scene:
    """Scene to draw: at most two emoji, the phrase that relates the first to the second, and the background."""

    nouns: Sequence[Noun]
    link: Phrase | None
    ground: Phrase | None

    @property
    def relation(self) -> str:
        """Return the first emoji's relation to the second, in the words of the grammar."""
        if self.link and self.link.is_relation:
            return self.link.meaning.text
        return ABOVE if self.link and self.link.kind is Kind.ON else LEFT

    @property
    def background(self) -> str:
        """Return the background in the words of the grammar, "" for none."""
        return f"{with_article(self.ground.meaning.text, 0.0)} background" if self.ground else ""

    def write(self) -> str:
        """Return the scene in the words of the grammar."""
        nouns = [noun.write(with_size=len(self.nouns) == 1) for noun in self.nouns]
        return " on ".join(part for part in (f" {self.relation} ".join(nouns), self.background) if part)

    def describe(self, names: dict[str, str]) -> str:
        """Return the scene with the first names of the emoji, by their names in lower case."""
        nouns = [
            noun.write(len(self.nouns) == 1, names[noun.phrase.meaning.text.lower()], article="a")
            for noun in self.nouns
        ]
        return f"{f' {self.relation} '.join(nouns) or 'any emoji'}, on {self.background or 'any background'}"


def split_phrases(text: str, names: tuple[str, ...]) -> list[Phrase]:
    """Return the phrases of a text, each the longest that has a meaning for a model of these emoji."""
    words, tokens, phrases = lexicon(names), list(re.finditer(r"[^\W_]+|[,&+]", text)), list[Phrase]()
    keys = [_correct("".join(words_of(token[0])), names) for token in tokens]
    i = 0
    while i < len(tokens):
        length, meaning = _longest(tuple(key for key, *_ in keys[i : i + MAX_LENGTH]), names)
        if length == 1:  # other corrections of a misspelled word
            alternatives = [words.meanings[(key,)].text for key in keys[i][1:] if (key,) in words.meanings]
            meaning = meaning._replace(alternatives=(*meaning.alternatives, *alternatives))
        start, end = tokens[i].start(), tokens[i + length - 1].end()
        typed = " ".join(text[start:end].split())
        if meaning.kind is Kind.NAME and typed.lower() in words.names:  # which may have a hyphen or none
            meaning = meaning._replace(text=typed.lower())
        phrases.append(Phrase(typed, meaning, start, end))
        i += length
    return _split_colours(phrases)


@lru_cache(maxsize=4096)
def _correct(word: str, names: tuple[str, ...]) -> list[str]:
    """Return a word, or the words that it may be instead if it is misspelled."""
    words = lexicon(names).words
    if word in words or word in common_words() or word in foreign_lexicon(names).words:
        return [word]
    return correct(word, words) or [word]


def _longest(key: Key, names: tuple[str, ...]) -> tuple[int, Meaning]:
    """Return the number of words at the beginning that have a meaning together, and the meaning."""
    for find_lexicon in (lexicon, foreign_lexicon):  # the second is loaded only for a word that the first has not
        meanings = find_lexicon(names).meanings
        for length in range(len(key), 0, -1):
            if meaning := meanings.get(key[:length]):
                return length, meaning
    return 1, Meaning(Kind.NUMBER if key[0].isdecimal() else Kind.UNKNOWN, "")


def letters(phrases: Sequence[Phrase]) -> str:
    """Return the kinds of phrases, a letter each."""
    return "".join(phrase.kind.value for phrase in phrases)


def _split_colours(phrases: list[Phrase]) -> list[Phrase]:
    """Return phrases where a word that is an emoji and a colour, "orange", is the one that its neighbours make it."""
    kinds = letters(phrases)
    for i, phrase in enumerate(phrases):
        is_colour = re.match("b|[sd]*n", kinds[i + 1 :]) or re.search("[of]a?$", kinds[:i])
        if phrase.kind is Kind.NAME and phrase.typed.lower() in BACKGROUNDS and is_colour:
            phrases[i] = replace(phrase, meaning=Meaning(Kind.COLOUR, phrase.meaning.text))
    return phrases


def parse(phrases: Sequence[Phrase]) -> Draft:
    """Return the parts of a prompt."""
    draft, kinds, start = Draft(), letters(phrases), NounStart()
    for i, phrase in enumerate(phrases):
        after, kind = kinds[i + 1 :], phrase.kind
        if kind is Kind.NAME:
            draft.nouns.append(Noun(phrase, start))
            start = NounStart()
        elif kind is Kind.ARTICLE:
            start = start._replace(article="the" if phrase.meaning.text == "the" else "a")
        elif kind is Kind.SIZE:
            start = start._replace(size=phrase)
        elif kind is Kind.NUMBER:
            start = start._replace(article="a")
            draft.leave_out("number", phrase)
        elif kind is Kind.COLOUR and (re.match("[sdc&]*n", after) or re.search(_after_noun(phrase), kinds[:i])):
            draft.leave_out("colour", phrase)
        elif kind is Kind.COLOUR and draft.ground:
            draft.leave_out("ground", phrase)
        elif kind is Kind.COLOUR:
            draft.ground, start = phrase, NounStart()
        elif kind is Kind.PLACE or (kind is Kind.RELATION and not re.match("[^rp&,]*n", after)):
            draft.place(phrase)
        elif kind is Kind.RELATION or (kind in LINKS and not start.has_relation):
            start = start._replace(link=phrase)
        elif kind in LEFT_OUT:
            draft.leave_out(LEFT_OUT[kind], phrase)
    return draft


def _after_noun(colour: Phrase) -> str:
    """Return the pattern of what stands before a colour that a noun before it has: in some languages the noun alone."""
    return "nv?d*$" if colour.meaning.source in LANGUAGES.values() else "nvd*$"


def select(draft: Draft, names: dict[str, str]) -> Scene:
    """Return what is drawn of a prompt, and leave out the rest.

    Args:
        names: First name of the emoji of each name in lower case.
    """
    if not draft.nouns:
        return Scene([], None, draft.ground)
    first, *following = draft.nouns
    first_names = [names[noun.phrase.meaning.text.lower()] for noun in draft.nouns]
    twins = [noun for noun, name in zip(following, first_names[1:], strict=True) if name == first_names[0]]
    following = [noun for noun in following if noun not in twins]
    draft.leave_out("twin", *(noun.phrase for noun in twins))
    draft.leave_out("third", *(noun.phrase for noun in following[1:]))
    if following:
        draft.leave_out("size", *(noun.start.size for noun in (first, following[0]) if noun.start.size))
        return Scene(*relate(first, following[0]), draft.ground)
    draft.leave_out("place", *(phrase for phrase in [first.place] if phrase))
    return Scene([first], None, draft.ground)


def relate(first: Noun, second: Noun) -> tuple[list[Noun], Phrase | None]:
    """Return two emoji in the order in which the grammar names them, and the phrase that relates them, if any does."""
    if second.start.has_relation:
        return [first, second], second.start.link
    if first.place:
        return [first, second], first.place
    if second.place:
        return [second, first], second.place
    if first.start.has_relation:  # such as "under a tree, a dog"
        return [second, first], first.start.link
    return [first, second], second.start.link


def replaced(phrases: Sequence[Phrase], draft: Draft) -> Iterator[Phrase]:
    """Yield the phrases that are used under another text."""
    kinds, left_out = (Kind.NAME, Kind.COLOUR, Kind.SIZE, Kind.RELATION, Kind.BACKGROUND), draft.all_left_out()
    for phrase in phrases:
        if phrase.kind in kinds and not phrase.is_exact and phrase not in left_out:
            yield phrase
