"""The recipe of the variational autoencoder: what it leaves in the checkpoint, refuses and measures."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from test_vae import TINY
from torch import Tensor

from playground.families import vae
from playground.families.vae.objectives import OBJECTIVES
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.validation import UsageError
from train import vae as recipe
from train.evaluation import disentanglement


@pytest.fixture
def tiny(tmp_path) -> recipe.Recipe:
    return recipe.Recipe(name="vae-tiny", steps=4, batch_size=8, warmup=1, precision="no", config=TINY,
                         out=tmp_path / "weights", runs=tmp_path / "runs")  # fmt: skip


def grey(n: int = 40) -> Tensor:
    """Other random numbers than those of `likelihood`, which would compare them with themselves."""
    return torch.rand(n, 1, 8, 8, generator=make_rng(9)) * 2 - 1


def test_a_run_fits_the_mixture_to_the_codes_and_keeps_some(tiny) -> None:
    path = recipe.train(replace(tiny, config=replace(TINY, components=3, n_test=20)), grey())
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model = checkpoint.load(path)
    mu, log_var = model.encode(grey()[:20])
    torch.testing.assert_close(model.test_mu, mu, rtol=0.01, atol=0.01)
    torch.testing.assert_close(model.kl, ((mu**2 + log_var.exp() - log_var - 1) / 2).mean(0), rtol=0.02, atol=0.01)
    terms = vae.compute_terms(model, grey()[:20], model(grey()[:20], torch.randn(1, 20, 2, generator=make_rng(0))))
    torch.testing.assert_close(model.test_elbo, terms.elbo, rtol=1e-3, atol=0)
    assert model.mixture_weights.sum().item() == pytest.approx(1, abs=1e-3)
    assert model.mixture_weights.std() > 0.01, "they are fitted"
    x = torch.cat([grey()] * 50)
    z = model(x, torch.randn(1, len(x), 2, generator=make_rng(1))).z[0].detach()
    drawn = vae.sample_prior(model, vae.Settings(n=2000, prior="mixture"))
    torch.testing.assert_close(drawn.mean(0), z.mean(0), rtol=0, atol=0.1)
    torch.testing.assert_close(drawn.T.cov(), z.T.cov(), rtol=0.1, atol=0.1)


def test_binary_images_have_the_grey_of_their_mean() -> None:
    x = grey(1)
    drawn = recipe.binarize(x.expand(20_000, 1, 8, 8), make_rng(0))
    assert set(drawn.unique().tolist()) == {-1, 1}
    torch.testing.assert_close(drawn.mean(0, keepdim=True), x, rtol=0, atol=0.04)


@pytest.mark.parametrize(
    ("dataset", "wrong", "sentence"),
    [("digits", {"size": 32}, "config.size must be 28"), ("shapes", {}, "config.channels must be 3"),
     ("emoji", {"channels": 3}, "config.size must be 64")],
)  # fmt: skip
def test_a_config_for_other_data_is_refused_before_the_training(tiny, dataset, wrong, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        recipe.train(replace(tiny, dataset=dataset, config=replace(TINY, **wrong)))
    assert not tiny.folder.exists()


def test_the_likelihood_of_a_checkpoint_lies_above_its_bound(tiny) -> None:
    path = recipe.train(replace(tiny, binarize=True, objective=vae.Objective("iwae", samples=3)), grey())
    figures = recipe.likelihood(path, grey(10), samples=200, batch=4)
    assert figures["elbo"] <= -figures["nll"] + 0.5
    assert 0 < figures["nll"] < 200
    assert not list(recipe.measurements(path, Path("nowhere"), 10, Path("nowhere"))), (
        "the caller's test images are not known"
    )
    about = checkpoint.read_header(path).provenance
    checkpoint.save(path, checkpoint.load(path), about | {"flags": about["flags"] | {"dataset": "digits"}})
    (entry,) = recipe.measurements(path, Path("nowhere"), 10, Path("nowhere"))
    assert entry.identity["table"] == "likelihood"


def test_the_likelihood_is_that_of_binary_images_and_counts_the_dimensions_in_use(tmp_path, monkeypatch) -> None:
    """The encoder gives every image N(0, 1) in the first dimension and N(2, 1), of KL 2, in the others."""
    model, seen, bound = vae.Model(replace(TINY, latent=3)), list[Tensor](), vae.importance_weighted_bound
    torch.nn.init.zeros_(model.encoder[-1].weight)
    model.encoder[-1].bias.data = torch.tensor([0.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    checkpoint.save(tmp_path / "vae.safetensors", model, {})
    monkeypatch.setattr(vae, "importance_weighted_bound", lambda *args: seen.append(args[1]) or bound(*args))
    figures = recipe.likelihood(tmp_path / "vae.safetensors", grey(10), samples=20)
    assert (figures["kl"], figures["used_dimensions"]) == (pytest.approx(4), 2)
    assert torch.cat(seen).unique().tolist() == [-1, 1]


def test_shapes_are_drawn_and_their_factors_measured(tiny, monkeypatch) -> None:
    monkeypatch.setattr(disentanglement, "dci", partial(disentanglement.dci, trees=2))
    config = vae.Config(size=64, channels=3, latent=3, width=8, multipliers=(1,), patch=16)
    path = recipe.train(replace(tiny, name="vae-shapes-tiny", dataset="shapes", config=config))
    figures = recipe.factors(path, n=1000, votes=100)
    assert set(figures) == {"factor_vae", "dci", "mig"}
    assert all(0 <= value <= 1 for value in figures.values())
    (entry,) = recipe.measurements(path, Path("nowhere"), 10, Path("nowhere"))
    assert entry.identity["table"] == "factors"


@pytest.mark.parametrize("made", recipe.RECIPES, ids=lambda made: made.name)
def test_every_recipe_can_be_built(made) -> None:
    with torch.device("meta"):
        model = vae.Model(made.config)
    assert sum(parameter.numel() for parameter in model.parameters()) < 2e6
    assert all(tensor.numel() for tensor in model.state_dict().values()), "empty ones are lost when a run is saved"
    assert made.dataset
    assert made.objective.kind in OBJECTIVES
