"""The parameterizations eps, x0 and v: each gives back x0, and weighs errors as the paper says."""

import pytest
import torch

from playground.diffusion.parameterization import PREDICTIONS
from playground.diffusion.schedule import cosine

TIMES = torch.tensor([1, 250, 500, 900])


@pytest.fixture
def noisy():
    """Return x0, eps, the coefficients a and s, and x_t, in double precision."""
    rng = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 4, 3, generator=rng, dtype=torch.float64)
    a, s = cosine().coefficients(TIMES, x0)
    return x0, eps, a, s, a * x0 + s * eps


@pytest.mark.parametrize("name", PREDICTIONS)
def test_x0_hat_of_the_target_is_x0(name, noisy):
    x0, eps, a, s, xt = noisy
    prediction = PREDICTIONS[name]
    torch.testing.assert_close(prediction.x0_hat(prediction.target(x0, eps, a, s), xt, a, s), x0)


def test_v_is_the_derivative_of_xt_on_the_circle(noisy):
    """With a = cos(phi) and s = sin(phi), v = d x_t / d phi: Salimans and Ho 2022, appendix D."""
    x0, eps, a, s, _ = noisy
    phi = torch.atan2(s, a).requires_grad_()
    xt = phi.cos() * x0 + phi.sin() * eps
    for i in range(xt.shape[1]):
        (slope,) = torch.autograd.grad(xt[:, i].sum(), phi, retain_graph=True)
        torch.testing.assert_close(PREDICTIONS["v"].target(x0, eps, a, s)[:, i], slope[:, 0])


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("x0", lambda snr: torch.ones_like(snr)),
        ("eps", lambda snr: snr),
        ("v", lambda snr: snr + 1),
    ],
)
def test_squared_errors_weigh_that_of_x0_by_the_snr(name, weight, noisy):
    """Salimans and Ho 2022, section 4: |eps error|^2 = SNR |x0 error|^2 and |v error|^2 = (SNR + 1) |x0 error|^2."""
    x0, eps, a, s, xt = noisy
    prediction = PREDICTIONS[name]
    truth = prediction.target(x0, eps, a, s)
    error = torch.randn_like(truth)
    in_x0 = prediction.x0_hat(truth + error, xt, a, s) - x0
    torch.testing.assert_close(error**2, weight((a / s) ** 2) * in_x0**2)
