"""What CLIP sees in a picture: how near it is to the prompt, and to which captions it is nearest."""

import html
import re
from functools import lru_cache

import torch
from torch import Tensor

from playground.datasets import captions, emoji
from playground.datasets.scenes import BACKGROUNDS, Scenes
from playground.families import clip
from playground.families.latent_diffusion import Model
from playground.runtime import pictures
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion.recorder import Run
from playground.web import plots

NEAREST, WIDTH = 3, 96


def single_captions() -> list[str]:
    """Return the plainest caption of every emoji on every background."""
    glyph, ground = torch.cartesian_prod(torch.arange(len(emoji.CORE)), torch.arange(len(BACKGROUNDS))).T
    middle = torch.full((len(glyph), 1), 46.0)  # neither small nor big
    scene_batch = Scenes(glyph[:, None], ground, middle, middle, middle)
    return captions.make_plain_captions(scene_batch, captions.list_synonyms(emoji.CORE))


def pair_captions(prompt: str) -> list[str]:
    """Return the plainest captions of the first two emoji that a prompt names, each with every other emoji on either
    side of it, above and below, on the prompt's background; none if it does not name two."""
    synonyms = captions.list_synonyms(emoji.CORE)
    named = list(dict.fromkeys(captions.find_names(prompt, synonyms)))[:2]
    if len(named) < 2:
        return []
    pairs = [(i, j) for i in named for j in range(len(synonyms)) if i != j]
    glyph = torch.tensor(list(dict.fromkeys([*pairs, *(pair[::-1] for pair in pairs)])))
    colour = re.search(rf"\b({'|'.join(BACKGROUNDS)})(?: background)?\W*$", prompt.lower())
    ground = torch.full((len(glyph),), list(BACKGROUNDS).index(colour[1]) if colour else 0)
    middle, ends = torch.tensor([32.0, 32.0]).expand(len(glyph), 2), torch.tensor([16.0, 48.0]).expand(len(glyph), 2)
    return [
        text
        for x, y in ((ends, middle), (middle, ends))
        for text in captions.make_plain_captions(
            Scenes(glyph, ground, middle, x, y), synonyms, background=0.0 if colour else 0.99
        )
    ]


def encode_candidates(encoder: clip.Model, prompt: str) -> tuple[list[str], Tensor]:
    """Return a prompt, captions of its kind and those of single emoji, and their places in the common space (N, E)."""
    own, singles = tuple(dict.fromkeys([prompt, *pair_captions(prompt)])), tuple(single_captions())
    indices = [i for i, text in enumerate(singles) if text != prompt]
    embeddings = torch.cat([_encode(encoder, own), _encode(encoder, singles)[indices]])
    return [*own, *(singles[i] for i in indices)], embeddings


@lru_cache(maxsize=4)
@torch.no_grad()
def _encode(encoder: clip.Model, texts: tuple[str, ...]) -> Tensor:
    return torch.cat([encoder.encode_text(encoder.tokenize(texts[i : i + 500])) for i in range(0, len(texts), 500)])


@torch.no_grad()
def table(model: Model, run: Run) -> str:
    """Return HTML: the pictures of a run, the similarity of each to its prompt, and the captions nearest to it; raise
    UserError if the model has an encoder of texts alone."""
    encoder = model.components().encoder
    if not isinstance(encoder, clip.Model):
        raise UserError("the text encoder of this model came without an encoder for pictures")
    texts, embeddings = encode_candidates(encoder, run.settings.prompt)
    images = run.x0_hat[-1]
    x = pictures.from_uint8(images)
    rows = "".join(
        f"<tr><td>{plots.image_tag(image, f'picture {i}', WIDTH)}</td><td>{_similarity(code @ embeddings[0])}</td>"
        f"<td>{nearest(code, texts, embeddings)}</td></tr>"
        for i, (image, code) in enumerate(zip(images, encoder.encode_image(x), strict=True), 1)
    )
    return (
        '<div class="xy"><table><tr><th scope=col>picture</th><th scope=col>similarity to the prompt</th>'
        f"<th scope=col>nearest of {len(texts):,} captions</th></tr>{rows}</table></div>"
        "<p><small>Similarity: the cosine between CLIP's vectors of a picture and of a text, at most 1.</small></p>"
    )


def nearest(image: Tensor, texts: list[str], embeddings: Tensor) -> str:
    """Return HTML: the texts nearest to an image (E,), of which the first is the prompt."""
    values, index = (embeddings @ image).topk(NEAREST)
    names = ["<b>the prompt</b>", *(html.escape(text) for text in texts[1:])]
    return "<br>".join(f"{_similarity(v)} {names[i]}" for v, i in zip(values, index.tolist(), strict=True))


def _similarity(cosine: Tensor) -> str:
    return f"{float(cosine):.2f}".replace("-", "−")
