"""What CLIP sees in a picture: how near it is to the prompt, and to which captions it is nearest."""

from functools import lru_cache

import torch
from torch import Tensor

from playground.data import captions, emoji
from playground.data.scenes import GROUNDS, Scenes
from playground.models import clip
from playground.models.text_to_image import Model
from playground.tabs.text_to_image.runs import Run
from playground.ui import plots
from playground.validation import UserError

NEAREST, WIDTH = 3, 96


@lru_cache(maxsize=1)
@torch.no_grad()
def known(encoder: clip.Model) -> tuple[list[str], Tensor]:
    """The plainest caption of every emoji on every background, and where they are in the common space (N, E)."""
    glyph, ground = torch.cartesian_prod(torch.arange(len(emoji.CORE)), torch.arange(len(GROUNDS))).T
    middle = torch.full((len(glyph), 1), 46.0)  # neither small nor big
    shown = Scenes(glyph[:, None], ground, middle, middle, middle)
    said = captions.plain(shown, captions.words(emoji.CORE))
    return said, torch.cat([encoder.text(encoder.tokenize(said[i : i + 500])) for i in range(0, len(said), 500)])


@torch.no_grad()
def table(model: Model, run: Run | None) -> str:
    """HTML: the pictures of a run, the similarity of each to its prompt, and the captions nearest to it.

    Raises:
        UserError: there is no run, or an encoder of texts alone.
    """
    if run is None:
        raise UserError("there are no pictures yet (a run is kept for an hour): press Sample first")
    encoder = model.attached().encoder
    if not isinstance(encoder, clip.Model):
        raise UserError("the text encoder of this model came without an encoder of pictures")
    said, places = known(encoder)
    images = run.x0_hat[-1]
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    found, prompt = encoder.image(x), encoder.text(encoder.tokenize([run.settings.prompt]))
    rows = "".join(
        f"<tr><td>{plots.picture(image, f'picture {i + 1}', WIDTH)}</td><td>{_likeness(found[i] @ prompt[0])}</td>"
        f"<td>{_nearest(found[i], said, places)}</td></tr>"
        for i, image in enumerate(images)
    )
    return (
        '<div class="xy"><table><tr><th scope=col>picture</th><th scope=col>likeness to the prompt</th>'
        f"<th scope=col>nearest of {len(said):,} captions</th></tr>{rows}</table></div>"
        "<p><small>Likeness: the cosine between a picture and a text where CLIP puts them, at most 1.</small></p>"
    )


def _nearest(image: Tensor, said: list[str], places: Tensor) -> str:
    values, index = (places @ image).topk(NEAREST)
    return "<br>".join(f"{_likeness(v)} {said[i]}" for v, i in zip(values, index.tolist(), strict=True))


def _likeness(cosine: Tensor) -> str:
    return f"{float(cosine):.2f}".replace("-", "−")
