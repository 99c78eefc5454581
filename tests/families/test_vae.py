"""The variational autoencoder: its terms against closed forms, its bounds on a model whose likelihood is known."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from playground.families import vae
from playground.families.vae import elbo
from playground.families.vae.model import LIKELIHOODS, SpatialBroadcast
from playground.families.vae.objectives import OBJECTIVES
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UsageError, UserError
from train import vae as recipe

# The smallest model and its loss on one batch, for tests/families/test_contract.py.
TINY = vae.Config(size=8, latent=2, width=8, multipliers=(1,))


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


# --- the bounds, on a linear Gaussian model -------------------------------------------------------


class Linear(NamedTuple):
    """x = A z + s n with z ~ N(0, I) and n ~ N(0, I): everything about it is known."""

    a: Tensor  # (D, Z)
    s: float

    @property
    def model(self) -> vae.Model:
        return vae.Model(replace(TINY, likelihood="gaussian", sigma=self.s))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, Z) and covariance (Z, Z) of p(z|x)."""
        covariance = torch.linalg.inv(torch.eye(self.a.shape[1]) + self.a.T @ self.a / self.s**2)
        return x.flatten(1) @ self.a @ covariance / self.s**2, covariance

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) (B,)."""
        covariance = self.a @ self.a.T + self.s**2 * torch.eye(len(self.a))
        return torch.distributions.MultivariateNormal(torch.zeros(len(self.a)), covariance).log_prob(x.flatten(1))

    def terms(self, x: Tensor, mu: Tensor, log_var: Tensor, k: int, seed: int = 0) -> elbo.Terms:
        z = mu + (log_var / 2).exp() * torch.randn(k, *mu.shape, generator=make_rng(seed))
        out = (z @ self.a.T).reshape(k, *x.shape)
        return vae.compute_terms(self.model, x, elbo.VAEOutput(mu, log_var, z, out))


@pytest.fixture
def linear() -> Linear:
    return Linear(
        torch.tensor([[1.0, 1.0], [0.5, -0.5], [-1.0, 1.0], [2.0, 0.25]]) @ torch.diag(torch.tensor([1, 0.8])), 0.7
    )


@pytest.fixture
def orthogonal() -> Linear:
    """Orthogonal columns, so that the true posterior is diagonal, as q(z|x) is."""
    return Linear(torch.tensor([[1.0, 1.0], [1.0, -1.0], [2.0, 0.0], [0.0, 0.5]]), 0.7)


def images_of(linear: Linear, b: int = 5) -> Tensor:
    z, n = torch.randn(b, 2, generator=make_rng(1)), torch.randn(b, 4, generator=make_rng(2))
    return (z @ linear.a.T + linear.s * n).reshape(b, 1, 2, 2)


def test_at_the_true_posterior_every_bound_is_the_evidence(orthogonal: Linear) -> None:
    x = images_of(orthogonal)
    mean, covariance = orthogonal.posterior(x)
    assert covariance[0, 1].abs() < 1e-6
    log_var = covariance.diagonal().log().expand_as(mean)
    evidence = orthogonal.log_evidence(x)
    one = orthogonal.terms(x, mean, log_var, 1)
    torch.testing.assert_close(one.iwae, evidence, rtol=1e-4, atol=1e-4)  # with a single sample: the ratio is constant
    many = orthogonal.terms(x, mean, log_var, 100_000)
    torch.testing.assert_close(many.elbo, evidence, rtol=0, atol=0.02)


def test_the_bound_rises_to_the_evidence_with_the_samples(linear: Linear) -> None:
    """Away from the true posterior the ELBO lies below by the KL to it; samples close the gap (Burda 2016)."""
    x = images_of(linear)
    mean, covariance = linear.posterior(x)
    mu, log_var = mean + 0.2, torch.full_like(mean, -1.0)
    q = torch.distributions.MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    gap = torch.distributions.kl_divergence(q, torch.distributions.MultivariateNormal(mean, covariance.expand(5, 2, 2)))
    evidence = linear.log_evidence(x)
    torch.testing.assert_close(linear.terms(x, mu, log_var, 400_000).elbo, evidence - gap, rtol=0, atol=0.02)
    bounds = []
    for k in (1, 4, 16, 256):
        repeats = 200_000 // k
        parts = linear.terms(x.repeat(repeats, 1, 1, 1), mu.repeat(repeats, 1), log_var.repeat(repeats, 1), k)
        bounds.append(parts.iwae.mean().item())
    assert bounds == sorted(bounds)
    assert bounds[0] == pytest.approx((evidence - gap).mean().item(), abs=0.02)
    assert bounds[-1] == pytest.approx(evidence.mean().item(), abs=0.02)


def test_the_bound_of_many_samples_does_not_depend_on_how_many_at_once() -> None:
    model, x = stirred(), tiny_images()
    (whole,) = vae.sample_terms(model, x, 30, make_rng(0), chunk_size=30)
    parts = vae.importance_weighted_bound(model, x, 30, make_rng(0))  # 20 at once
    torch.testing.assert_close(whole.iwae, parts)  # 20 x 12 x 2 numbers are whole blocks of the generator: same noise
    one = vae.importance_weighted_bound(model, x, 1, make_rng(0))
    made_of = vae.compute_terms(model, x, model(x, torch.randn(1, 12, 2, generator=make_rng(0))))
    torch.testing.assert_close(one, made_of.iwae)


# --- the split of the KL --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [16, 1000])
def test_the_three_parts_sum_to_the_kl(n: int) -> None:
    sample = made(b=16)
    parts = elbo.decompose_kl(sample, n)
    monte_carlo = -vae.compute_terms(stirred(), torch.zeros(16, 1, 2, 2), sample).log_ratio.mean()
    torch.testing.assert_close(sum(parts), monte_carlo)


def test_the_weights_of_a_batch_are_those_of_the_whole_data_set() -> None:
    weights = elbo.stratified_log_weights(8, 1000).exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(8))
    torch.testing.assert_close(weights.diagonal(), torch.full((8,), 1 / 1000))


def test_over_all_batches_with_an_image_every_image_weighs_the_same_in_its_q_of_z() -> None:
    n, b = 6, 3
    total, batches = torch.zeros(n), [(0, *others) for others in itertools.combinations(range(1, n), b - 1)]
    for batch in batches:
        total[list(batch)] += elbo.stratified_log_weights(b, n)[0].exp()
    torch.testing.assert_close(total / len(batches), torch.full((n,), 1 / n))


def test_on_the_whole_data_set_the_parts_are_exact() -> None:
    """Codes of two independent dimensions, but for narrow posteriors at the corners of a square: no total correlation.
    On the diagonal alone each dimension tells the other: its entropy, log 2."""
    corners = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]).repeat(500, 1)
    for mu, correlation, information in (
        (corners, 0.0, math.log(4)),
        (corners[[0, 3] * 1000], math.log(2), math.log(2)),
    ):
        log_var = torch.full_like(mu, -6.0)
        z = mu + math.exp(-3) * torch.randn(mu.shape, generator=make_rng(0))
        parts = elbo.decompose_kl(elbo.VAEOutput(mu, log_var, z[None], torch.zeros(1)), len(mu))
        assert parts.total_correlation.item() == pytest.approx(correlation, abs=0.02)
        assert parts.index_code.item() == pytest.approx(information, abs=0.02)


# --- the objectives -------------------------------------------------------------------------------


def value(seed: int = 0, step: int = 0, **objective: object) -> float:
    return float(vae.loss(stirred(), tiny_images(), make_rng(seed), vae.Objective(**objective), step))  # type: ignore[arg-type]


def test_every_objective_with_its_neutral_settings_is_the_bound() -> None:
    eps = torch.randn(1, 12, 2, generator=make_rng(0))
    model = stirred()
    parts = vae.compute_terms(model, tiny_images(), model(tiny_images(), eps))
    assert value() == pytest.approx(-parts.elbo.mean().item(), rel=1e-5)
    assert value(kind="iwae") == pytest.approx(-parts.iwae.mean().item(), rel=1e-5)
    assert value(kind="tc") == pytest.approx(value(kind="iwae"), rel=1e-5)  # both with the sampled KL


def test_beta_weighs_the_total_correlation_alone() -> None:
    """Chen 2018, eq. 4."""
    model = stirred()
    output = elbo.VAEOutput(*model(tiny_images(), torch.randn(1, 12, 2, generator=make_rng(0))))
    correlation = elbo.decompose_kl(output, 60_000).total_correlation.item()
    assert abs(correlation) > 1e-3
    assert value(kind="tc", beta=6) - value(kind="tc") == pytest.approx(5 * correlation, rel=0.01)


def test_beta_weighs_the_kl_and_warms_up() -> None:
    reconstruction, kl = 2 * value(beta=1) - value(beta=2), value(beta=2) - value(beta=1)
    assert value(beta=5) == pytest.approx(reconstruction + 5 * kl, rel=1e-5)
    assert value(beta=4, warmup=100, step=24) == pytest.approx(value(beta=1), rel=1e-6)
    assert value(beta=4, warmup=100, step=1000) == pytest.approx(value(beta=4), rel=1e-6)


def test_free_bits_are_a_floor_of_the_kl() -> None:
    model = stirred()
    kl = vae.compute_terms(model, tiny_images(), model(tiny_images(), torch.zeros(1, 12, 2))).kl.mean(0)
    above = float(kl.max()) + 1
    assert value(free_bits=above) == pytest.approx(value(beta=0) + 2 * above, rel=1e-5)
    assert value(free_bits=float(kl.min()) / 2) == pytest.approx(value(), rel=1e-6)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ({"kind": "best"}, "objective"),
        ({"kind": "tc", "free_bits": 1.0}, "'tc' takes no free_bits"),
        ({"kind": "iwae", "beta": 2.0}, "'iwae' takes no beta"),
    ],
)
def test_an_objective_refuses_what_it_would_ignore(objective: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        vae.Objective(**objective)


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


def test_temperature_0_is_the_middle_of_the_prior() -> None:
    frame = last_frame(vae.sample(stirred(), vae.Settings(n=2, temperature=0)))
    assert frame.extras["z"].abs().max() == 0
    assert frame.x.abs().max() <= 1


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


def test_a_mixture_survives_the_checkpoint(tmp_path) -> None:
    model = stirred(replace(TINY, components=3))
    model.mixture_means += 1
    checkpoint.save(tmp_path / "vae.safetensors", model, {})
    torch.testing.assert_close(checkpoint.load(tmp_path / "vae.safetensors").mixture_means, model.mixture_means)


# --- the recipes ----------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path) -> recipe.Recipe:
    return recipe.Recipe(name="vae-tiny", steps=4, batch_size=8, warmup=1, precision="no", config=TINY,
                         out=tmp_path / "weights", runs=tmp_path / "runs")  # fmt: skip


def grey(n: int = 40) -> Tensor:
    return torch.rand(n, 1, 8, 8, generator=make_rng(0)) * 2 - 1


def test_a_run_fits_the_mixture_to_the_codes_and_keeps_some(tiny) -> None:
    path = recipe.train(replace(tiny, config=replace(TINY, components=3, n_test=20)), grey())
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model = checkpoint.load(path)
    mu, log_var = model.encode(grey()[:20])
    torch.testing.assert_close(model.test_mu, mu, rtol=0.01, atol=0.01)
    torch.testing.assert_close(model.kl, ((mu**2 + log_var.exp() - log_var - 1) / 2).mean(0), rtol=0.02, atol=0.01)
    assert (model.test_elbo < 0).all()
    assert model.mixture_weights.sum().item() == pytest.approx(1, abs=1e-3)
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
    assert not list(recipe.measurements(path, Path("nowhere"), 10)), "the caller's test images are not known"
    about = checkpoint.read_header(path).provenance
    checkpoint.save(path, checkpoint.load(path), about | {"flags": about["flags"] | {"dataset": "digits"}})
    (entry,) = recipe.measurements(path, Path("nowhere"), 10)
    assert entry.identity["table"] == "likelihood"


def test_shapes_are_drawn_and_their_factors_measured(tiny) -> None:
    config = vae.Config(size=64, channels=3, latent=3, width=8, multipliers=(1,), patch=16)
    path = recipe.train(replace(tiny, name="vae-shapes-tiny", dataset="shapes", config=config))
    figures = recipe.factors(path, n=1000, votes=100)
    assert set(figures) == {"factor_vae", "dci", "mig"}
    assert all(0 <= value <= 1 for value in figures.values())
    (entry,) = recipe.measurements(path, Path("nowhere"), 10)
    assert entry.identity["table"] == "factors"


@pytest.mark.parametrize("made", recipe.RECIPES, ids=lambda made: made.name)
def test_every_recipe_can_be_built(made) -> None:
    with torch.device("meta"):
        model = vae.Model(made.config)
    assert sum(parameter.numel() for parameter in model.parameters()) < 2e6
    assert all(tensor.numel() for tensor in model.state_dict().values()), "empty ones are lost when a run is saved"
    assert made.dataset
    assert made.objective.kind in OBJECTIVES
