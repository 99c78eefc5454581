"""The first tab: what each of the others shows, and how the families differ."""

from functools import lru_cache, partial
from html import escape
from typing import NamedTuple

import gradio as gr

from playground import tabs
from playground.runtime import checkpoint, files
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs import Tab
from playground.tabs.start import films, questions
from playground.web import controls
from playground.web.controls import EventSettings

SUMMARY = (
    "Six ways for a machine to learn to make images. Every model here runs while you watch. **Choose a family** to try "
    "it, or begin with one of these:"
)
# Ways in, for different readers: a title, a link as HTML, and the tab that it needs.
DOORS = (
    (
        "Where do I begin?",
        '<a id="take-tour" href="./?tour=1">Take the tour</a>: twelve stops, two sentences each',
        "start",
    ),
    ("I know the papers", '<a href="compare">Compare the families</a>, and see how good each is', "compare"),
    ("I have a picture", '<a href="compare?view=drawing">Draw or upload it</a>: what does each make of it?', "compare"),
    ("I have a question", '<a href="#questions">Guess, then see</a>: an experiment answers it', "start"),
)
# Films wait for each other, and for the turns of runs, but no other event waits for them.
FILM: EventSettings = {**controls.HIDDEN, "concurrency_id": "film", "concurrency_limit": 2}
ASPECTS = ("What is trained", "How it samples", "Its likelihood")


class Answer(NamedTuple):
    """Answer to a question about a family, and the address of the view that shows it."""

    text: str
    address: str


class About(NamedTuple):
    """Entry of a family on the start page: a film, what that shows, and the answers to `ASPECTS`."""

    film: films.Film
    alt: str
    answers: tuple[Answer, Answer, Answer]


ABOUT = {
    "vae": About(films.vae_film, "Digits change as their codes move.", (
        Answer("An encoder and a decoder, together, to maximize a bound on the likelihood", "vae?view=elbo"),
        Answer("One pass: a random code through the decoder", "vae"),
        Answer("A lower bound, the ELBO", "vae?view=elbo"),
    )),
    "gan": About(films.gan_film, "Digits change as their codes move.", (
        Answer("A generator and a discriminator, against each other", "gan?view=lab"),
        Answer("One pass: a random code through the generator", "gan?view=samples"),
        Answer("None", "gan?view=ask"),
    )),
    "score_matching": About(films.score_film, "Particles flow out of noise into the modes of a density.", (
        Answer("A network that predicts the gradient of the log density of noisy data", "score_matching?view=lab"),
        Answer("Many small steps along the score, with noise", "score_matching?view=langevin"),
        Answer("Estimated along its probability flow, many steps for a picture", "score_matching?view=restoration"),
    )),
    "ddpm": About(films.ddpm_film, "Digits appear out of noise.", (
        Answer("A network that takes noise out of a picture", "ddpm?view=forward"),
        Answer("Ten to a thousand steps from noise to a picture", "ddpm"),
        Answer("A lower bound, or estimated along its probability flow", "score_matching?view=restoration"),
    )),
    "latent_diffusion": About(films.text_film, "Pictures of a prompt appear out of noise.", (
        Answer("An autoencoder, a text encoder, then a denoiser of latents", "latent_diffusion?view=latent_space"),
        Answer("About twenty steps in the latent space, then one decoding", "latent_diffusion"),
        Answer("None for pictures; for latents a bound, not computed here", "latent_diffusion?view=latent_vs_pixel"),
    )),
    "normalizing_flow": About(films.flow_film, "Noise becomes digits, layer by layer.", (
        Answer("One invertible network, to maximize the likelihood itself", "normalizing_flow?view=lab"),
        Answer("One pass backwards through the network", "normalizing_flow?view=digits"),
        Answer("Exact; on pixels a bound, since noise is added to them", "normalizing_flow?view=digits"),
    )),
}  # fmt: skip


def build(page: gr.Blocks, paths: Paths) -> None:
    """Build the ways in, a card for each family, whose film comes when it is computed, their table, the questions."""
    all_tabs = tabs.discover()
    families = {name: tab for name, tab in all_tabs.items() if name in ABOUT}
    gr.HTML(make_doors(set(all_tabs)), padding=False, apply_default_css=False)
    with gr.Row(elem_classes="families"):
        for name, tab in families.items():
            card = gr.HTML(make_card(name, tab), padding=False, apply_default_css=False)
            page.load(partial(show_film, paths, name, tab), None, card, **FILM)
    gr.HTML(make_table(families), padding=False, apply_default_css=False)
    gr.HTML(questions.to_html(set(all_tabs)), padding=False, apply_default_css=False)


def make_doors(names: set[str]) -> str:
    """Return the ways in as HTML; those to tabs that are not among `names` are left out."""
    doors = "".join(f"<p><b>{title}</b>{link}</p>" for title, link, tab in DOORS if tab in names)
    return f'<div class="doors">{doors}</div>'


def make_card(name: str, tab: Tab, film: str = "") -> str:
    """Return the card of a family as HTML, with its film if that is there."""
    return f'<a href="{name}"><span class="film">{film}</span><b>{escape(tab.title)}</b>{escape(tab.summary)}</a>'


def show_film(paths: Paths, name: str, tab: Tab) -> str:
    """Return the card of a family with its film, or with what is wrong with its model."""
    versions = tuple(files.version(path) for path in checkpoint.find(paths.weights))
    try:
        return make_card(name, tab, _make_film(paths, name, versions))
    except UserError as error:
        return make_card(name, tab, escape(controls.error_sentence(error)))


@lru_cache(maxsize=2 * len(ABOUT))
def _make_film(paths: Paths, name: str, versions: tuple[object, ...]) -> str:
    return films.to_html(ABOUT[name].film(paths), ABOUT[name].alt)


def make_table(families: dict[str, Tab]) -> str:
    """Return the answers of the families as HTML, each a link to the view that shows it."""
    head = "".join(f'<th scope="col">{question}</th>' for question in ("", *ASPECTS))
    rows = "".join(
        f'<tr><th scope="row">{escape(tab.title)}</th>'
        + "".join(f'<td><a href="{answer.address}">{answer.text}</a></td>' for answer in ABOUT[name].answers)
        + "</tr>"
        for name, tab in families.items()
    )
    return f'<div class="answers"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


TAB = Tab("Start", 0, SUMMARY, build)
