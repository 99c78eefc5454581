"""A picture edited by another prompt, or varied."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from test_latent_diffusion import PROMPTS, TINY_SETTINGS, make_random_model
from torch import Tensor

from playground.families import latent_diffusion
from playground.families.latent_diffusion import Model, Settings
from playground.families.latent_diffusion.editing import align_tokens
from playground.runtime.rng import make_rng
from playground.runtime.run import Frame, last_frame


@pytest.fixture
def model() -> Model:
    return make_random_model()


def final(frames: Iterator[Frame]) -> Tensor:
    return last_frame(frames).x


def test_two_prompts_from_the_same_noise(model: Model) -> None:
    """With nothing kept, each half is the run of its own prompt; the same prompt twice is the same picture twice."""
    settings = Settings(n=1, prompt=PROMPTS[0], **TINY_SETTINGS)
    first, second = final(latent_diffusion.prompt_to_prompt(model, settings, PROMPTS[1], shared_fraction=0.0)).chunk(2)
    torch.testing.assert_close(first, final(latent_diffusion.sample(model, settings)))
    torch.testing.assert_close(second, final(latent_diffusion.sample(model, replace(settings, prompt=PROMPTS[1]))))
    first, second = final(latent_diffusion.prompt_to_prompt(model, settings, PROMPTS[0], shared_fraction=1.0)).chunk(2)
    torch.testing.assert_close(first, second)


def test_the_other_prompt_looks_as_the_first_at_the_words_they_share(model: Model) -> None:
    settings = Settings(n=1, prompt="a small pizza on a blue background", **TINY_SETTINGS)
    run = latent_diffusion.prompt_to_prompt(model, settings, "a small owl on a blue background", shared_fraction=1.0)
    frame = next(run)
    for layer in frame.attention:
        first, second = layer.float().chunk(2)
        torch.testing.assert_close(second.sum(-1), torch.ones_like(second.sum(-1)), atol=2e-3, rtol=0)
        share = second[..., [1, 2, 4, 5, 6]] / first[..., [1, 2, 4, 5, 6]]  # the owl stands in the pizza's place
        torch.testing.assert_close(share, share[..., :1].expand_as(share), atol=0, rtol=2e-2)


def test_shared_words_are_found_in_order() -> None:
    assert align_tokens([9, 1, 2, 3, 8], [9, 1, 5, 6, 3, 8]).tolist() == [0, 1, -1, -1, 3, 4]
    assert align_tokens([9, 8], [9, 8]).tolist() == [0, 1]


def test_a_weak_variation_stays_near_its_picture(model: Model) -> None:
    settings = Settings(n=2, prompt=PROMPTS[0], steps=20)
    z0 = torch.randn(1, 4, 4, 4, generator=make_rng(5))
    weak, strong = (final(latent_diffusion.sdedit(model, settings, z0, strength)) for strength in (0.05, 1.0))
    assert (weak - z0).square().mean() < 0.1 * (strong - z0).square().mean()
    assert len(list(latent_diffusion.sdedit(model, settings, z0, 0.5))) == 11
