"""The reading of prompts: what people type, in the words that the model learned."""

import time

import pytest

from playground.datasets import captions, emoji, scenes
from playground.datasets.prompt_words import correct, edit_distance
from playground.datasets.prompts import GRAMMAR, PromptReading, exchange, read_prompt
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError

# What is typed, the prompt for the model, and a part of the sentence about it.
READINGS = [
    # two emoji
    ("a dog and a cat", "a dog to the left of a cat", "*and* is read as *to the left of*"),
    ("dog & cat", "dog to the left of cat", "*&* is read as *to the left of*"),
    ("a cat next to a dog", "a cat to the left of a dog", "*next to* is read as *to the left of*"),
    ("a cat beside the dog", "a cat to the left of the dog", "*beside* is read as"),
    ("dog, cat", "dog to the left of cat", "*,* is read as *to the left of*"),
    ("dog cat", "dog to the left of cat", "nothing between them"),
    ("an owl with a guitar on pink", "an owl to the left of a guitar on a pink background", "*with* is read as"),
    ("a dog in front of a house", "a dog to the left of a house", "*in front of* is read as *to the left of*"),
    ("a cat on top of a car", "a cat above a car", "*on top of* is read as *above*"),
    ("a cat on a car", "a cat above a car", "*on* is read as *above*"),
    ("a cat on the car on red", "a cat above the car on a red background", "*on* is read as *above*"),
    ("a giraffe beneath a parrot", "a giraffe below a parrot", "*beneath* is read as *below*"),
    ("a dog on the right of a cat", "a dog to the right of a cat", "*on the right of* is read as"),
    ("a dog on the left and a cat on the right", "a dog to the left of a cat", "a dog face to the left of a cat face"),
    ("a dog and a cat on the left", "a cat to the left of a dog", "a cat face to the left of a dog face"),
    ("a sun above, a house below", "a sun above a house", "a sun above a house"),
    ("under a tree, a dog", "a dog under a deciduous tree", "*tree* is read as *deciduous tree*"),
    ("a dog is under the umbrella", "a dog under the umbrella", "Read as a dog face under an umbrella"),
    # what the model cannot do
    ("a house left of a tree and a sun above", "a house left of a deciduous tree", "*sun* is left out: the model"),
    ("dog, cat and bird on teal", "dog to the left of cat on a turquoise background", "two emoji at most"),
    ("a dog and a dog", "a dog", "*dog* is left out: two emoji must be different"),
    ("a dog to the left of a dog face", "a dog", "*dog face* is left out: two emoji must be different"),
    ("two dogs", "a dog", "*two* is left out: the model draws one of each"),
    ("3 strawberries", "a strawberry", "*3* is left out"),
    ("a couple of cats and 2 cars", "a cat to the left of a car", "*a couple of*, *2* are left out"),
    ("a green dog", "a dog", "*green* is left out: the model cannot colour things"),
    ("blue cat on red background", "cat on a red background", "*blue* is left out"),
    ("the dog is green", "the dog", "*green* is left out"),
    ("a big blue and red fish", "a big fish", "*blue*, *red* are left out"),
    ("an orange cat", "a cat", "*orange* is left out"),
    ("a very big green car", "a big car", "*very* is left out: the model knows small and big"),
    ("a red and blue background with an owl", "an owl on a red background", "one background, of one colour"),
    ("a dog on the left", "a dog", "*on the left* is left out: the model cannot place a single emoji"),
    ("a small dog above a big cat", "a dog above a cat", "*small*, *big* are left out: two emoji have one size"),
    # other words
    ("cat on a gray background", "cat on a grey background", "*gray* is read as *grey*"),
    ("a cat on cyan", "a cat on a turquoise background", "*cyan* is read as *turquoise* (the nearest background)"),
    ("a cat on violet", "a cat on a purple background", "*violet* is read as *purple*"),
    ("a cat, navy background", "a cat on a blue background", "*navy* is read as *blue*"),
    ("a gold background with a cat", "a cat on a yellow background", "*gold* is read as *yellow*"),
    ("a cat on a light blue background", "a cat on a blue background", "*light blue* is read as *blue*"),
    ("a tiny owl", "a small owl", "*tiny* is read as *small*"),
    ("a huge owl on white", "a big owl on a white background", "*huge* is read as *big*"),
    ("a kitten", "a cat", "*kitten* is read as *cat*"),
    ("an apple tree", "an apple to the left of deciduous tree", "*tree* is read as *deciduous tree*"),
    ("a donut on brown", "a doughnut on a brown background", "*donut* is read as *doughnut*"),
    ("a glass", "a glass of milk", "*glass* is read as *glass of milk*"),
    ("an ice-cream", "an ice cream", "*ice-cream* is read as *ice cream*"),
    # plurals and singulars
    ("strawberries", "strawberry", "*strawberries* is read as *strawberry*"),
    ("the wolves", "the wolf", "*wolves* is read as *wolf*"),
    ("mice", "mouse", "*mice* is read as *mouse*"),
    ("buses on green", "bus on a green background", "*buses* is read as *bus*"),
    ("Christmas trees", "Christmas tree", "*Christmas trees* is read as"),
    ("a sock", "socks", "*sock* is read as *socks*"),
    ("a grape", "grapes", "*grape* is read as *grapes*"),
    # typing errors
    ("stawberry", "strawberry", "*stawberry* is read as *strawberry*"),
    ("a hosue", "a house", "*hosue* is read as *house*"),
    ("an ice craem", "an ice cream", "*ice craem* is read as *ice cream*"),
    ("an umbrela on a blue backround", "an umbrella on a blue background", "*backround* is read as *background*"),
    ("a crocadile", "a crocodile", "*crocadile* is read as *crocodile*"),
    # other languages
    ("un chien", "a dog", "*chien* is read as *dog* (French)"),
    ("ein Hund", "a dog", "*Hund* is read as *dog* (German)"),
    ("un gato y un perro", "a cat to the left of a dog", "*perro* is read as *dog* (Spanish)"),
    ("l'éléphant", "the elephant", "*éléphant* is read as *elephant*"),
    ("собака", "dog", "*собака* is read as *dog* (Russian)"),
    ("狗", "dog", "(Chinese)"),
    ("un chat sur un fond rouge", "a cat on a red background", "*rouge* is read as *red* (French)"),
    ("eine kleine Katze auf rotem Hintergrund", "a small cat on a red background", "*rotem* is read as *red* (German)"),
    ("un chien vert", "a dog", "*vert* is left out: the model cannot colour things"),
    ("un chien, rouge", "a dog on a red background", "*rouge* is read as *red*"),
    # emoji characters
    ("🍕 and 🐶", "pizza to the left of dog face", "Read as a pizza to the left of a dog face"),
    ("a big 🍕!", "a big pizza", "Read as a big pizza"),
    # unknown words
    ("a dog on a beach", "a dog", "*beach* is not among the words the model knows"),
    ("zeppelin on pink", "a pink background", "any emoji, on a pink background; *zeppelin* is not among"),
    ("please draw me an owl", "an owl", "*please*, *draw*, *me* are not among the words"),
    ("<b>owl</b>", "owl", "*b* is not among"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "prompt", "part"), READINGS)
def test_a_prompt_is_read_and_the_sentence_says_how(typed: str, prompt: str, part: str) -> None:
    reading = read_prompt(typed)
    assert (reading.prompt, reading.understood, reading.unchanged) == (prompt, True, False)
    assert part in reading.sentence
    assert read_prompt(prompt).unchanged, "the model gets a prompt of its grammar"


@pytest.mark.parametrize(("typed", "label", "prompt"), [
    ("cat on a gray background", "gray → grey", "cat on a grey background"),
    ("dogs on pink", "dogs → dog", "dog on pink"),
    ("two dogs and a cat", "two dogs → a dog", "a dog and a cat"),
    ("a dog and a cat", "and → to the left of", "a dog to the left of a cat"),
    ("a dog and a cat", "and → above", "a dog above a cat"),
    ("dog, cat", ", → to the left of", "dog to the left of cat"),
    ("a green dog", "green → green background", "a dog on a green background"),
    ("blue cat on red background", "blue → blue background", "cat on a blue background"),
    ("blue cat on red background", "without blue", "cat on a red background"),
    ("a house left of a tree and a sun above", "with sun: a sun above a house", "a sun above a house"),
    ("a tree", "tree → palm tree", "a palm tree"),
    ("an elefant", "elefant → elephant", "an elephant"),
    ("a house on an amber background", "amber → orange", "a house on an orange background"),
    ("an ivory background", "ivory → white", "a white background"),
    ("un chien", "un chien → a dog", "a dog"),
])  # fmt: skip
def test_a_fix_is_the_whole_prompt_after_a_change(typed: str, label: str, prompt: str) -> None:
    assert {fix.label: fix.prompt for fix in read_prompt(typed).fixes}[label] == prompt


@pytest.mark.parametrize("typed", [typed for typed, *_ in READINGS])
def test_fixes_change_the_prompt_and_lead_to_one_that_needs_none(typed: str) -> None:
    fixes = read_prompt(typed).fixes
    assert fixes
    assert typed not in (prompts := [fix.prompt for fix in fixes])
    assert len(set(prompts)) == len(prompts)
    assert read_prompt(prompts[-1]).unchanged


def test_captions_of_the_grammar_are_passed_on_letter_for_letter() -> None:
    synonyms = captions.list_synonyms(emoji.CORE)
    allowed = scenes.training_combinations(emoji.CORE)
    texts = captions.write_captions(scenes.sample_mixed(3000, make_rng(0), allowed), synonyms, make_rng(1))
    for text in [*texts, *(name for names in synonyms for name in names), "A  BIG Owl, red background", "🍕 on blue"]:
        assert read_prompt(text) == PromptReading(text, read_prompt(text).sentence, unchanged=True), text
    assert read_prompt("a dog on orange").sentence == "Read as a dog face, on an orange background."


@pytest.mark.parametrize("background", ["blue", "blue background", "a blue background"])
def test_a_background_alone_is_passed_on(background: str) -> None:
    assert read_prompt(background).prompt == background
    assert "any emoji, on a blue background" in read_prompt(background).sentence


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_prompt_stays_empty(text: str) -> None:
    reading = read_prompt(text).check()
    assert (reading.prompt, reading.unchanged) == (text, True)
    assert "draws whatever it likes" in reading.sentence


@pytest.mark.parametrize(("text", "change", "expected"), [
    ("a small pizza on a blue background", {"name": "owl"}, "an owl on a blue background"),
    ("the penguin, pink background", {"name": "dog face"}, "a dog face on a pink background"),
    ("a dog and a cat", {"background": "orange"}, "a dog to the left of a cat on an orange background"),
    ("zeppelin", {"name": "glasses"}, "glasses"),
    ("", {"background": "red"}, "a red background"),
])  # fmt: skip
def test_an_emoji_or_a_background_is_exchanged(text: str, change: dict[str, str], expected: str) -> None:
    assert exchange(text, **change) == expected
    assert read_prompt(expected).prompt == expected


@pytest.mark.parametrize("text", ["zeppelin qwertz", "the very big one", "!!!", "beach", "left of"])
def test_a_prompt_without_a_known_word_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="names an emoji or a background that the model knows"):
        read_prompt(text).check()


def test_words_of_other_models_are_their_own() -> None:
    assert read_prompt("a worm", ["worm", "owl"]).unchanged
    assert not read_prompt("a worm").understood
    assert not read_prompt("a pizza", ["worm", "owl"]).understood


def test_a_grammar_of_letters_refuses_what_the_captions_do_not_say() -> None:
    for letters in ("sasn", "nn", "nrn,", "asnrn", "nrnwacb", "ocb"):
        assert not GRAMMAR.fullmatch(letters)


@pytest.mark.parametrize(("a", "b", "distance"), [
    ("owl", "owl", 0), ("stawberry", "strawberry", 1), ("hosue", "house", 1), ("pizze", "pizza", 1),
    ("owll", "owl", 1), ("kitten", "sitting", 3), ("ca", "abc", 3), ("", "abc", 3),
])  # fmt: skip
def test_edit_distance(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == distance


def test_short_words_are_not_corrected() -> None:
    assert correct("dgo", ["dog"]) == []
    assert correct("hose", ["nose", "house", "mouse"]) == ["house", "nose"], "the same first letter first"


def test_common_words_are_not_taken_for_misspelled_ones() -> None:
    for word in ("beach", "tall", "grass", "king", "wall", "table"):
        assert f"*{word}* is not among" in read_prompt(f"an owl {word}").sentence


def test_a_reading_is_quick_once_the_words_are_loaded() -> None:
    read_prompt("a stawberry and un chien")
    start = time.process_time()
    for i in range(10):
        letters = "".join(chr(ord("a") + (7 * i + k * k) % 26) for k in range(300))
        read_prompt(" ".join(letters[k : k + 6] for k in range(0, 300, 6)))
    assert time.process_time() - start < 4
