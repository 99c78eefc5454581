"""The vectors that the text encoder makes of a prompt, as pictures."""

import html
from typing import Any, cast

import torch
from torch import Tensor

from playground.families.latent_diffusion import Model
from playground.runtime import pictures
from playground.web import plots

WIDTH = 256  # CSS pixels of a vector
ROWS = 4  # in which its numbers stand


@torch.no_grad()
def table(model: Model, prompt: str) -> str:
    """Return HTML: the tokens of a prompt; the vector that the encoder looks up for each, whatever stands around it;
    and its state at the end, in the light of the tokens before it, which is what cross-attention reads."""
    encoder = model.components().encoder
    words, tokens = encoder.words(prompt), encoder.tokenize([prompt])
    embeddings = cast(Any, encoder).clip.token_embedding(tokens)[0, : len(words)]  # (L, D)
    states = encoder.context(tokens).states[0, : len(words)]  # (L, D)
    rows = "".join(
        f"<tr><th scope=row>{html.escape(word.text)}</th>"
        f"<td>{_picture(vector, f'vector of {word.text}')}</td><td>{_picture(state, f'state of {word.text}')}</td></tr>"
        for word, vector, state in zip(words, embeddings / embeddings.std(), states / states.std(), strict=True)
    )
    return (
        '<div class="answers"><table><tr><th scope=col>token</th><th scope=col>its vector, from a table</th>'
        f"<th scope=col>its state, after the tokens before it</th></tr>{rows}</table></div>"
        f"<p><small>{embeddings.shape[1]} numbers each; grey is 0, bright above it. The same token has the same vector "
        "everywhere, but another state at each place of a prompt: the U-Net reads the states.</small></p>"
    )


def _picture(vector: Tensor, alt: str) -> str:
    """Return a vector (D,), in standard deviations, as an <img>."""
    image = pictures.noise_to_uint8(vector.reshape(1, 1, ROWS, -1))[0]
    return plots.image_tag(image, alt, WIDTH)
