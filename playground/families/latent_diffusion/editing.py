"""Image editing: SDEdit (Meng 2022) and Prompt-to-Prompt (Hertz 2022)."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import cast

import torch
from torch import Tensor

from playground.families.latent_diffusion.model import Model
from playground.families.latent_diffusion.sampling import Settings, _run, _shape, timesteps
from playground.runtime.rng import Noise
from playground.runtime.run import Frame


@torch.no_grad()
def sdedit(model: Model, settings: Settings, z0: Tensor, strength: float) -> Iterator[Frame]:
    """Sample variations of an image: noise is added to its latents, and the rest of a run removes it. Meng 2022.

    Args:
        z0: Latents of the image (1, c, h, w).
        strength: Fraction of the steps to run; 1 keeps nothing of the image.
    """
    steps = timesteps(model, settings, strength)
    noise = Noise(settings.seed, settings.n)
    zt = model.schedule.add_noise(
        z0.expand(settings.n, *z0.shape[1:]), torch.tensor(steps[:1]), noise(_shape(model), z0.device)
    )
    yield from _run(model, settings, model.encode_text([settings.prompt] * settings.n), zt, noise, steps)


@torch.no_grad()
def prompt_to_prompt(model: Model, settings: Settings, edited_prompt: str, shared_fraction: float) -> Iterator[Frame]:
    """Sample images of two prompts from the same noise, with the attention maps of the first prompt for the words that
    both share. Hertz 2022, "Prompt-to-Prompt", section 3.2.

    Args:
        edited_prompt: The second prompt.
        shared_fraction: Fraction of the run, from the noise on, in which the attention maps are shared.

    Yields:
        Frames of 2 n images: those of `settings.prompt`, then those of the edited prompt.
    """
    encoder = model.components().encoder
    tokens = encoder.tokenize([settings.prompt, edited_prompt])
    source = align_tokens(*tokens.tolist()).to(tokens.device)

    def edit(share: float, attention: Tensor) -> Tensor:
        if share <= 1 - shared_fraction:
            return attention
        first, second = attention.chunk(2)
        mixed = torch.where(source >= 0, first[..., source.clamp(min=0)], second)
        return torch.cat([first, mixed / mixed.sum(-1, keepdim=True).clamp(min=1e-6)])

    noise = Noise(settings.seed, settings.n)
    repeated_noise = cast(Noise, lambda *shape: noise(*shape).repeat(2, 1, 1, 1))
    context = model.encode_text([settings.prompt] * settings.n + [edited_prompt] * settings.n)
    z = repeated_noise(_shape(model))
    yield from _run(model, settings, context, z, repeated_noise, timesteps(model, settings), edit)


def align_tokens(first: Sequence[int], second: Sequence[int]) -> Tensor:
    """Return the index in the first text of each token of the second (L,), matched in order; -1 without a match."""
    index = torch.full((len(second),), -1)
    for block in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks():
        index[block.b : block.b + block.size] = torch.arange(block.a, block.a + block.size)
    return index
