"""The autoencoder of latent diffusion: its objective, its latents, its recipe."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from playground.datasets import scenes
from playground.datasets.emoji import Glyphs
from playground.families import autoencoder
from playground.families.autoencoder import Config
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from train import autoencoder as recipe

TINY = Config(size=16, width=8, blocks=1)


def tiny_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    """The loss on one batch, for tests/families/test_contract.py."""
    ramp = torch.linspace(-1, 1, 16)
    return autoencoder.loss(model, torch.stack([ramp.expand(3, 16, 16), ramp[:, None].expand(3, 16, 16)]), generator)


def pictures(n: int, size: int = 16) -> Tensor:
    return torch.rand(n, 3, size, size, generator=make_rng(0)) * 2 - 1


@pytest.fixture
def model() -> autoencoder.Model:
    torch.manual_seed(0)
    return autoencoder.Model(TINY).eval()


def test_the_shipped_shape_is_that_of_the_paper() -> None:
    config = Config()
    assert config.latent_shape == (4, 16, 16)
    with torch.device("meta"):
        made = autoencoder.Model(config)
    assert sum(weight.numel() for weight in made.parameters()) <= 2_000_000


def test_a_latent_has_the_shape_that_the_config_says(model: autoencoder.Model) -> None:
    z = model.encode(pictures(2))
    assert z.shape == (2, *TINY.latent_shape) == (2, 4, 4, 4)
    assert model.decode(z).shape == (2, 3, 16, 16)


def test_scaling_changes_latents_and_not_what_comes_back(model: autoencoder.Model) -> None:
    x = pictures(3)
    before, mu = model.decode(model.encode(x)), model.encode(x)
    model.shift.copy_(torch.tensor([1.0, -2, 0, 3]))
    model.scale.copy_(torch.tensor([0.5, 2, 1, 4]))
    torch.testing.assert_close(model.encode(x)[:, 1], (mu[:, 1] + 2) / 2)
    torch.testing.assert_close(model.decode(model.encode(x)), before, rtol=1e-4, atol=1e-5)


def test_the_loss_is_errors_and_the_divergence_of_gaussians(model: autoencoder.Model) -> None:
    """By torch's own KL divergence, and with the noise that the generator gives."""
    x, weight = pictures(4), 0.3
    mu, log_var = model.posterior(x)
    eps = torch.randn(4, *TINY.latent_shape, generator=make_rng(5))
    made = model.decode(mu + (log_var / 2).exp() * eps)
    q, p = torch.distributions.Normal(mu, (log_var / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    expected = (
        (made - x).abs().mean() + (made - x).square().mean() + weight * torch.distributions.kl_divergence(q, p).mean()
    )
    torch.testing.assert_close(autoencoder.loss(model, x, make_rng(5), weight), expected)


@pytest.mark.parametrize("wrong", [{"size": 18}, {"latent": 0}, {"width": 12}, {"multipliers": ()}, {"patch": 2.5}])
def test_a_config_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        Config(**wrong)


def test_similarity_of_a_constant_error_is_the_closed_form() -> None:
    x = torch.full((2, 3, 32, 32), -0.5)
    found = recipe.similarity(x, x + torch.tensor([0.02, 0.2])[:, None, None, None])
    torch.testing.assert_close(found["psnr"], torch.tensor([-20 * math.log10(0.01), -20 * math.log10(0.1)]))
    assert recipe.similarity(x, x)["ssim"].tolist() == pytest.approx([1, 1])


def test_a_training_leaves_latents_of_variance_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "N_LATENT_SCENES", 200)
    colours = torch.randint(256, (6, 4, 64, 64), generator=make_rng(0), dtype=torch.uint8)
    glyphs = Glyphs([f"emoji {i}" for i in range(6)], colours, "")
    tiny = recipe.Recipe(name="autoencoder-tiny", steps=4, batch_size=6, precision="no", log_every=1, save_every=2,
                         picture_every=3, config=replace(TINY, size=64), out=tmp_path / "weights",
                         runs=tmp_path / "runs")  # fmt: skip
    path = recipe.train(tiny, glyphs)
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model = checkpoint.load(path, family="autoencoder")
    drawn = [
        scenes.render(scenes.sample_mixed(100, make_rng(1, i), scenes.training_combinations(glyphs.names)), glyphs)
        for i in (0, 1)
    ]
    with torch.no_grad():
        z = torch.cat([model.encode(x) for x in drawn])
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=2e-2)
    torch.testing.assert_close(z.std((0, 2, 3)), torch.ones(4), rtol=2e-2, atol=0)
    found = recipe.measure(path, glyphs, n=20)
    assert 0 < found["psnr"] < 60
    assert -1 < found["ssim"] < 1
