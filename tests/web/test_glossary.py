"""Terms are marked where they are first used, and the documentation lists them all."""

from html import unescape
from pathlib import Path

import pytest

from playground.web import glossary

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_use_of_a_term_is_marked_with_its_explanation() -> None:
    marked = glossary.mark("The ELBO is a bound; the ELBO is what a VAE maximizes.")
    about = glossary.TERMS["ELBO",]
    assert (
        unescape(marked)
        == f'The <dfn tabindex="0" title="{about}">ELBO</dfn> is a bound; the ELBO is what a VAE maximizes.'
    )


@pytest.mark.parametrize(
    "text",
    ["[the score](https://a.org/score)", "https://a.org/prior", "`prior`", "<b title='prior'>x</b>", "**prior**",
     "decode", "score-based", "a prioritised list"],
)  # fmt: skip
def test_links_code_tags_and_other_words_stay(text: str) -> None:
    assert glossary.mark(text) == text


def test_the_longer_term_wins() -> None:
    assert ">KL divergence</dfn>" in glossary.mark("the KL divergence")


def test_the_documentation_is_that_of_the_page() -> None:
    assert (ROOT / "docs" / "GLOSSARY.md").read_text(encoding="utf-8") == glossary.as_markdown()
