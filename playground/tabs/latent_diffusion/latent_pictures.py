"""Latents as pictures: decoded, channel by channel, or by their principal components; and pictures to encode."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from playground.datasets import emoji, scenes
from playground.datasets.scenes import BACKGROUNDS, NONE, Scenes
from playground.families.latent_diffusion import Model
from playground.runtime import inference, pictures
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.web.scrubber import Strip

# From latents to pictures.


@torch.no_grad()
def decoded(model: Model, z: Tensor) -> np.ndarray:
    """Decode latents (F, N, c, h, w) into pictures, uint8 (F, N, H, W, C)."""
    parts = []
    for part in z.flatten(0, 1).float().split(32):
        with inference.fast_mode(part):
            parts.append(pictures.to_uint8(model.decode(part).float()))
    return np.concatenate(parts).reshape(*z.shape[:2], *parts[0].shape[1:])


def channels(z: Tensor, side: int) -> np.ndarray:
    """Return latents (F, N, c, h, w), shown from -3 to 3, as pictures of their channels, uint8 (F, N, side, side,
    3)."""
    f, n, c = z.shape[:3]
    grey = pictures.noise_to_uint8(z.float().flatten(0, 2)[:, None])  # (F N c, h, w, 1)
    sheets = np.stack([pictures.make_grid(layer_maps) for layer_maps in grey.reshape(f * n, c, *grey.shape[1:])])
    return _magnified(sheets.repeat(3, -1).reshape(f, n, *sheets.shape[1:3], 3), side)


def principal(z: Tensor, side: int, like: Tensor | None = None) -> np.ndarray:
    """Return latents (F, N, c, h, w) as colours: their first three principal components, from -3 to 3 standard
    deviations of the first; uint8 (F, N, side, side, 3).

    Args:
        like: The latents (N, c, h, w) whose components these are; the last frame's by default.
    """
    places = (z[-1] if like is None else like).float().movedim(1, -1).flatten(0, -2)  # (N h w, c)
    mean = places.mean(0)
    _, spread, axes = torch.linalg.svd(places - mean, full_matrices=False)
    deviation = (spread[0] / len(places) ** 0.5).clamp(min=1e-6)
    colours = (z.float().movedim(2, -1) - mean) @ axes[:3].T / deviation  # (F, N, h, w, 3)
    images = pictures.noise_to_uint8(colours.movedim(-1, 2).flatten(0, 1))
    return _magnified(images.reshape(*z.shape[:2], *images.shape[1:]), side)


def _magnified(images: np.ndarray, side: int) -> np.ndarray:
    factor = side // images.shape[2]
    return images.repeat(factor, 2).repeat(factor, 3)


ESTIMATE = ("x̂0, the predicted picture", "what the model expects in the end")


def of_latents(x0_hat: np.ndarray, z: Tensor, eps_hat: Tensor, by_channel: bool = False) -> list[Strip]:
    """Return the strips of pictures uint8 (F, N, H, W, C) and latents (F, N, c, h, w).

    Latents are shown `by_channel`, or as colours that mean the same in both."""
    side = x0_hat.shape[2]
    project = channels if by_channel else partial(principal, like=z[-1])
    how = "its four channels, grey is 0" if by_channel else "three principal components as colours"
    return [
        Strip(*ESTIMATE, x0_hat),
        Strip("z at time t", f"the noisy latent: {how}", project(z, side), small=True),
        Strip("ε̂, the predicted noise", f"what the step takes away: {how}", project(eps_hat, side), small=True),
    ]


def render_emoji(paths: Paths, name: str, ground: str) -> Tensor:
    """Return an emoji in the middle of a background, (1, 3, 64, 64)."""
    glyphs = emoji.load(paths.data, download=True)
    if name not in glyphs.names:
        raise UserError(f"the emoji font here has no {name}: choose another emoji, or install a newer font")
    glyph = torch.tensor([[glyphs.names.index(name), NONE]])
    side, middle = torch.tensor([[48.0, 0]]), torch.full((1, 2), scenes.SIZE / 2)
    return scenes.render(Scenes(glyph, torch.tensor([list(BACKGROUNDS).index(ground)]), side, middle, middle), glyphs)
