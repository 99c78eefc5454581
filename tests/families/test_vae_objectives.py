"""The objectives of the variational autoencoder, and the three parts of the KL divergence."""

import itertools
import math

import pytest
import torch
from test_vae import made, stirred, tiny_images

from playground.families import vae
from playground.families.vae import elbo
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError


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
    """Of the mean over the batch, in each dimension: Kingma 2016, eq. 15."""
    model = stirred()
    kl = vae.compute_terms(model, tiny_images(), model(tiny_images(), torch.zeros(1, 12, 2))).kl  # (12, 2)
    low, high = sorted(kl.mean(0).tolist())
    assert low < kl.amin(0).max() < 0.9 * high, "some images lie below a floor that their mean lies above"
    for floor in (low / 2, 0.9 * high, high + 1):
        floored = max(floor, low) + max(floor, high)
        assert value(free_bits=floor) == pytest.approx(value(beta=0) + floored, rel=1e-5)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ({"kind": "best"}, "objective"),
        ({"kind": "tc", "free_bits": 1.0}, "'tc' takes no free_bits"),
        ({"kind": "iwae", "beta": 2.0}, "'iwae' takes no beta"),
        ({"kind": "elbo", "n": 10}, "'elbo' takes no n"),
        ({"kind": "iwae", "n": 10}, "'iwae' takes no n"),
        ({"kind": "tc", "n": 1}, "n must be a whole number from 2"),
    ],
)
def test_an_objective_refuses_what_it_would_ignore(objective: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        vae.Objective(**objective)
