"""The reading of a prompt: what a person typed, in the words that text to image learned.

The model knows the grammar of `playground.datasets.captions`. A prompt in that grammar is passed on as it is; any other
is put into it, and the reading says how, and what is left out because the model cannot draw it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import emoji

from playground.datasets.captions import with_article
from playground.datasets.emoji import CORE
from playground.datasets.prompt_parts import (
    LIMITS,
    Draft,
    Phrase,
    Scene,
    letters,
    parse,
    relate,
    replaced,
    select,
    split_phrases,
)
from playground.datasets.prompt_words import ABOVE, LEFT, Kind, lexicon
from playground.runtime.validation import UserError

EXAMPLE = "a small pizza on a blue background"
MAX_FIXES, MAX_WORDS = 6, 8  # fixes of a reading, and words that a remark lists
# Prompts in the grammar, a letter for each phrase, see `Kind`; a background alone also passes.
GRAMMAR = re.compile("(a?s?n|a?nra?n)(oa?cb|oc|,cb)?|a?s?n(wa?cb|fc)|a?cbwa?s?n|cb,a?s?n|a?cb?")


@dataclass(frozen=True)
class Fix:
    """Change of a prompt.

    Attributes:
        label: What changes, such as "gray → grey".
        prompt: The whole prompt after the change.
    """

    label: str
    prompt: str


@dataclass(frozen=True)
class PromptReading:
    """Reading of a prompt.

    Attributes:
        prompt: The prompt in the words of the grammar, for the model.
        sentence: How the prompt was read; words of the prompt are between asterisks.
        fixes: Changes of the prompt that a user may want.
        understood: False if it names neither an emoji nor a background; then the prompt is not for sampling.
        unchanged: True if it is in the grammar already.
    """

    prompt: str
    sentence: str
    fixes: tuple[Fix, ...] = ()
    understood: bool = True
    unchanged: bool = False

    def check(self) -> "PromptReading":
        """Return the reading itself.

        Raises:
            UserError: The prompt was not understood.
        """
        if not self.understood:
            raise UserError(self.sentence)
        return self


def read_prompt(text: str, names: Sequence[str] = CORE) -> PromptReading:
    """Read a prompt for a model that learned the emoji of these names."""
    return _read(text, tuple(names))


@lru_cache(maxsize=256)
def _read(text: str, names: tuple[str, ...]) -> PromptReading:
    if not text.strip():
        return PromptReading(text, "An empty prompt: the model draws whatever it likes.", unchanged=True)
    spoken = emoji.replace_emoji(text, lambda _, data: f" {data['en'].strip(':').replace('_', ' ')} ")
    phrases = split_phrases(spoken, names)
    draft = parse(phrases)
    if not draft.nouns and not draft.ground:
        typed = " ".join(spoken.split())[:60]
        sentence = f"No word of “{typed}” names an emoji or a background that the model knows: try “{EXAMPLE}”."
        return PromptReading("", sentence, understood=False)
    first_names = lexicon(names).names
    scene = select(draft, first_names)
    described = f"Read as {scene.describe(first_names)}"
    is_plain = GRAMMAR.fullmatch(letters(phrases)) and all(phrase.is_exact for phrase in phrases)
    if is_plain and not draft.left_out and not re.search(r"[^\w\s,-]", spoken):
        return PromptReading(text, f"{described}.", unchanged=True)
    *fixes, last = _fixes(spoken, phrases, draft, scene)
    by_prompt = {text: Fix("", text)}  # the first fix of each prompt, and none that changes nothing
    for fix in [*fixes[: MAX_FIXES - 1], last]:
        by_prompt.setdefault(fix.prompt, fix)
    sentence = "; ".join([described, *_remarks(phrases, draft, scene)])
    return PromptReading(scene.write(), f"{sentence}.", tuple(by_prompt.values())[1:])


def exchange(text: str, name: str = "", background: str = "", names: Sequence[str] = CORE) -> str:
    """Return a prompt like this one, but with another emoji, or on another background; an empty name changes none."""
    scene = select(parse(split_phrases(text, tuple(names))), lexicon(tuple(names)).names)
    subject = with_article(name, 0.0) if name else replace(scene, ground=None).write()
    ground = f"{with_article(background, 0.0)} background" if background else scene.background
    return " on ".join(part for part in (subject, ground) if part)


def _remarks(phrases: Sequence[Phrase], draft: Draft, scene: Scene) -> Iterator[str]:
    """Yield what there is to say about a prompt that is not in the grammar."""
    for typed, meaning in dict.fromkeys((phrase.typed, phrase.meaning) for phrase in replaced(phrases, draft)):
        yield f"*{typed}* is read as *{meaning.text}*" + (f" ({meaning.source})" if meaning.source else "")
    if scene.link and not scene.link.is_relation:
        yield f"*{scene.link.typed}* is read as *{scene.relation}*"
    elif len(scene.nouns) == 2 and not scene.link:
        yield f"two emoji with nothing between them are read with *{scene.relation}*"
    for reason, left_out in draft.left_out.items():
        words = [f"*{typed}*" for typed in dict.fromkeys(phrase.typed for phrase in left_out)]
        verb = "is" if len(words) == 1 else "are"
        text = f"left out: {LIMITS[reason]}" if reason else "not among the words the model knows"
        yield f"{', '.join(words[:MAX_WORDS])} {verb} {text}"


def _fixes(text: str, phrases: Sequence[Phrase], draft: Draft, scene: Scene) -> Iterator[Fix]:
    """Yield the changes of a text that a user may want, the last one to the scene that is drawn."""
    for phrase in replaced(phrases, draft):
        yield from _replacements(text, phrases, phrase, draft)
    if scene.link and not scene.link.is_relation:
        for relation in dict.fromkeys((scene.relation, LEFT, ABOVE)):
            yield _substitute(text, scene.link.start, scene.link.end, relation)
    for colour in draft.left_out.get("colour", []):
        yield Fix(f"{colour.typed} → {colour.meaning.text} background", replace(scene, ground=colour).write())
    for noun in draft.nouns[2:]:
        related = Scene(*relate(draft.nouns[0], noun), draft.ground).write()
        yield Fix(f"with {noun.phrase.typed}: {related}", related)
    left_out = dict.fromkeys(phrase.typed for phrase in draft.all_left_out())
    yield Fix(f"without {', '.join(left_out)}" if left_out else scene.write(), scene.write())


def _replacements(text: str, phrases: Sequence[Phrase], phrase: Phrase, draft: Draft) -> Iterator[Fix]:
    """Yield a fix for each text that a phrase may stand for; a name takes its number or foreign article with it."""
    i = phrases.index(phrase)
    while i and phrases[i - 1].kind in (Kind.NUMBER, Kind.ARTICLE, Kind.SIZE) and not phrases[i - 1].is_exact:
        i -= 1
    noun = next((noun for noun in draft.nouns if noun.phrase is phrase and phrases[i] is not phrase), None)
    for meaning in (phrase.meaning.text, *phrase.meaning.alternatives):
        if noun:
            yield _substitute(text, phrases[i].start, phrase.end, noun.write(with_size=True, name=meaning))
        else:
            yield _substitute(text, phrase.start, phrase.end, meaning)


def _substitute(text: str, start: int, end: int, new: str) -> Fix:
    """Return the fix that replaces a part of a text, and adapts an "a" or "an" before it."""
    before = text[:start].rstrip() + " "
    before = re.sub(r"\b(a|an) $", with_article(new, 0.0).removesuffix(new), before, flags=re.IGNORECASE)
    old = " ".join(text[start:end].split())
    return Fix(f"{old} → {new}", " ".join(f"{before}{new} {text[end:]}".replace(" ,", ",").split()))
