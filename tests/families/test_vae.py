"""The variational autoencoder: its terms against closed forms, its bounds on a model whose likelihood is known."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from playground.families import vae
from playground.families.vae import elbo
from playground.families.vae.model import LIKELIHOODS, SpatialBroadcast
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError

# The smallest model and its loss on one batch, for tests/families/test_contract.py.
TINY = vae.Config(size=8, latent=2, width=8, multipliers=(1,))
CHANGES = {"temperature": 0.5}
UNUSED = {"prior"}


def tiny_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    return vae.loss(model, tiny_images(), generator)


def tiny_images() -> Tensor:
    return torch.tensor([-1.0, 1.0]).repeat(6).view(-1, 1, 1, 1).expand(12, 1, 8, 8)


def stirred(config: vae.Config = TINY) -> vae.Model:
    """A model whose parameters are all off zero."""
    torch.manual_seed(0)
    model = vae.Model(config).requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def made(b: int = 4, k: int = 1, latent: int = 3, seed: int = 0) -> elbo.VAEOutput:
    """A pass with posteriors of all widths; what was decoded does not matter."""
    g = make_rng(seed)
    mu, log_var = torch.randn(b, latent, generator=g), torch.randn(b, latent, generator=g)
    z = mu + (log_var / 2).exp() * torch.randn(k, b, latent, generator=g)
    return elbo.VAEOutput(mu, log_var, z, torch.zeros(k, b, 1, 2, 2))


# --- the terms ------------------------------------------------------------------------------------


def test_the_analytic_kl_is_that_of_torch_and_of_monte_carlo() -> None:
    sample = made(k=200_000)
    parts = vae.compute_terms(stirred(), torch.zeros(4, 1, 2, 2), sample)
    q = torch.distributions.Normal(sample.mu, (sample.log_var / 2).exp())
    torch.testing.assert_close(parts.kl, torch.distributions.kl_divergence(q, torch.distributions.Normal(0, 1)))
    torch.testing.assert_close(-parts.log_ratio.mean(0), parts.kl.sum(1), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_likelihood_is_that_of_torch(likelihood: str) -> None:
    model = stirred(replace(TINY, likelihood=likelihood, sigma=0.3))
    x = torch.rand(2, 1, 8, 8, generator=make_rng(0)).round() * 2 - 1
    out = torch.randn(3, 2, 1, 8, 8, generator=make_rng(1))
    if likelihood == "bernoulli":
        expected = torch.distributions.Bernoulli(logits=out).log_prob(((x + 1) / 2).expand_as(out))
    else:
        expected = torch.distributions.Normal(out, model.log_sigma.exp()).log_prob(x)
    torch.testing.assert_close(model.log_likelihood(x, out), expected.flatten(2).sum(2))


def test_the_likelihood_of_grey_is_the_mean_over_its_binary_images() -> None:
    model, g = stirred(), make_rng(0)
    x, out = torch.rand(1, 1, 8, 8, generator=g) * 2 - 1, torch.randn(1, 1, 1, 8, 8, generator=g)
    binary = torch.bernoulli(((x + 1) / 2).expand(100_000, 1, 8, 8), generator=g) * 2 - 1
    mean = model.log_likelihood(binary, out.expand(1, 100_000, 1, 8, 8)).mean()
    assert mean.item() == pytest.approx(model.log_likelihood(x, out).item(), rel=1e-3)


def test_only_the_learned_standard_deviation_is_learned() -> None:
    for likelihood in LIKELIHOODS:
        model = vae.Model(replace(TINY, likelihood=likelihood))
        assert model.log_sigma.requires_grad == (likelihood == "learned gaussian")


def test_a_broadcast_decoder_has_the_code_and_the_place_at_every_place() -> None:
    z = torch.randn(5, 2, generator=make_rng(0))
    h = SpatialBroadcast(3)(z)  # (5, 4, 3, 3)
    assert all(torch.equal(h[:, :2, row, column], z) for row in range(3) for column in range(3))
    line = torch.tensor([-1.0, 0.0, 1.0])
    assert torch.equal(h[:, 2], line.expand(5, 3, 3))
    assert torch.equal(h[:, 3], line[:, None].expand(5, 3, 3))
    model = vae.Model(replace(TINY, broadcast=True))
    assert model.decode(z).shape == (5, 1, 8, 8)


def test_gradients_flow_through_the_sample() -> None:
    """The derivative of E[f(z)] with respect to mu and sigma, by the code drawn: eq. 10."""
    model, x = vae.Model(TINY), tiny_images()
    eps = torch.randn(1, 12, 2, generator=make_rng(0))
    mu, log_var, z, _ = model(x, eps)
    mu.retain_grad(), log_var.retain_grad()
    z.square().sum().backward()
    torch.testing.assert_close(mu.grad, 2 * z[0])
    torch.testing.assert_close(log_var.grad, z[0] * (log_var / 2).exp() * eps[0])
    assert all(parameter.grad is not None for parameter in model.encoder.parameters())


# --- samples --------------------------------------------------------------------------------------


def test_codes_of_a_mixture_have_its_weights_means_and_covariances() -> None:
    model = vae.Model(replace(TINY, components=2))
    root = torch.tensor([[0.3, 0.0], [0.2, 0.1]])
    model.mixture_weights[:] = torch.tensor([0.25, 0.75])
    model.mixture_means[:] = torch.tensor([[-5.0, 0.0], [5.0, 1.0]])
    model.mixture_scale_tril[:] = torch.stack([root, 2 * root])
    z = vae.sample_prior(model, vae.Settings(n=4000, prior="mixture"))
    right = z[:, 0] > 0
    assert right.float().mean().item() == pytest.approx(0.75, abs=0.02)
    for part, mean, factor in ((z[~right], [-5.0, 0.0], 1), (z[right], [5.0, 1.0], 4)):
        torch.testing.assert_close(part.mean(0), torch.tensor(mean), rtol=0, atol=0.04)
        torch.testing.assert_close(part.T.cov(), factor * root @ root.T, rtol=0.15, atol=0.005)


def test_the_temperature_scales_the_codes_of_the_prior() -> None:
    cold, cool, warm = (
        last_frame(vae.sample(stirred(), vae.Settings(n=2, temperature=temperature))).extras["z"]
        for temperature in (0, 0.25, 1)
    )
    assert cold.abs().max() == 0
    torch.testing.assert_close(cool, warm / 4)


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field in ("n", "temperature", "seed") for value in (math.nan, math.inf, "7", None, True, -1)]
    + [("n", 0), ("n", 2.5), ("temperature", 4), ("prior", "vamp"), ("prior", None)],
)
def test_settings_refuse_what_makes_no_sense(field: str, value: object) -> None:
    with pytest.raises(UserError):
        vae.Settings(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [("size", 30), ("width", 12), ("latent", 0), ("multipliers", []), ("likelihood", "beta"), ("sigma", 0.0)],
)
def test_a_config_refuses_what_cannot_be_built(field: str, value: object) -> None:
    with pytest.raises(UserError):
        vae.Config(**{field: value})  # type: ignore[arg-type]


def test_a_prior_that_was_not_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="no mixture"):
        last_frame(vae.sample(stirred(), vae.Settings(prior="mixture")))
