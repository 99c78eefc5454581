"""The adversarial losses and what holds D back, against closed forms, finite differences and known distances."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from playground.families.gan import losses
from playground.families.gan.losses import LOSSES, Objective
from playground.runtime.labs import LABELS
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError


def logits(n: int = 6) -> tuple[Tensor, Tensor]:
    both = 2 * torch.randn(2, n, generator=make_rng(0), dtype=torch.float64)
    return both[0].requires_grad_(), both[1].requires_grad_()


def critic(*, spectral: bool = False, features: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(features, 16), nn.Softplus(), nn.Linear(16, 16), nn.Softplus(), nn.Linear(16, 1),
                        nn.Flatten(0)).double()  # fmt: skip
    return losses.apply_spectral_norm(net) if spectral else net


def items(n: int = 8, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Real and fake items (n, 2), and the shares (n,) of the way between them."""
    g = make_rng(seed)
    real, fake = torch.randn(2, n, 2, generator=g, dtype=torch.float64)
    return real, fake + 1, torch.rand(n, generator=g, dtype=torch.float64)


# --- the losses -----------------------------------------------------------------------------------

# With s the sigmoid, r a real logit and f a fake one: the value of each loss, and its derivative by f for G.


def s(x: float) -> float:
    return 1 / (1 + math.exp(-x))


VALUES: dict[str, tuple[Callable[[float, float], float], Callable[[float, float], float]]] = {
    "minimax": (lambda r, f: -math.log(s(r)) - math.log(1 - s(f)), lambda r, f: math.log(1 - s(f))),
    "nonsaturating": (lambda r, f: -math.log(s(r)) - math.log(1 - s(f)), lambda r, f: -math.log(s(f))),
    "leastsquares": (lambda r, f: ((r - 1) ** 2 + f**2) / 2, lambda r, f: (f - 1) ** 2 / 2),
    "hinge": (lambda r, f: max(0, 1 - r) + max(0, 1 + f), lambda r, f: -f),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "relativistic": (lambda r, f: -math.log(s(r - f)), lambda r, f: -math.log(s(f - r))),
}
BY_FAKE: dict[str, tuple[Callable[[float, float], float], Callable[[float, float], float]]] = {
    "minimax": (lambda r, f: s(f), lambda r, f: -s(f)),
    "nonsaturating": (lambda r, f: s(f), lambda r, f: s(f) - 1),
    "leastsquares": (lambda r, f: f, lambda r, f: f - 1),
    "hinge": (lambda r, f: float(f > -1), lambda r, f: -1),
    "wasserstein": (lambda r, f: 1, lambda r, f: -1),
    "relativistic": (lambda r, f: s(f - r), lambda r, f: s(f - r) - 1),
}
BY_REAL: dict[str, tuple[Callable[[float, float], float], Callable[[float, float], float]]] = {
    "minimax": (lambda r, f: s(r) - 1, lambda r, f: 0),
    "nonsaturating": (lambda r, f: s(r) - 1, lambda r, f: 0),
    "leastsquares": (lambda r, f: r - 1, lambda r, f: 0),
    "hinge": (lambda r, f: -float(r < 1), lambda r, f: 0),
    "wasserstein": (lambda r, f: -1, lambda r, f: 0),
    "relativistic": (lambda r, f: -s(f - r), lambda r, f: 1 - s(f - r)),
}


def each(function: Callable[[float, float], float], real: Tensor, fake: Tensor) -> Tensor:
    pairs = zip(real.tolist(), fake.tolist(), strict=True)
    return torch.tensor([float(function(r, f)) for r, f in pairs], dtype=torch.float64)


@pytest.mark.parametrize("side", ["discriminator", "generator"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradients_are_the_closed_forms(name: str, side: str) -> None:
    real, fake = logits()
    loss = getattr(LOSSES[name], side)(real, fake)
    index = ["discriminator", "generator"].index(side)
    torch.testing.assert_close(loss, each(VALUES[name][index], real, fake).mean())
    by_real, by_fake = torch.autograd.grad(loss, [real, fake], allow_unused=True, materialize_grads=True)
    torch.testing.assert_close(by_real, each(BY_REAL[name][index], real, fake) / len(real))
    torch.testing.assert_close(by_fake, each(BY_FAKE[name][index], real, fake) / len(fake))


@pytest.mark.parametrize("name", LOSSES)
def test_paired_says_whether_the_generator_looks_at_data(name: str) -> None:
    real, fake = logits()
    by_real = torch.autograd.grad(LOSSES[name].generator(real, fake), real, allow_unused=True)[0]
    assert LOSSES[name].uses_real == (by_real is not None)


def test_the_best_discriminator_gives_the_jensen_shannon_divergence() -> None:
    """Goodfellow 2014, theorem 1: its loss is log 4 - 2 JS(p, q)."""
    p, q = Normal(0.0, 1.0), Normal(1.5, 0.7)
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    middle = torch.log((p.log_prob(x).exp() + q.log_prob(x).exp()) / 2)
    kl = [torch.trapezoid(d.log_prob(x).exp() * (d.log_prob(x) - middle), x) for d in (p, q)]
    torch.manual_seed(0)
    d_p, d_q = (p.log_prob(y) - q.log_prob(y) for y in (p.sample((400_000,)), q.sample((400_000,))))
    loss = losses.cross_entropy(d_p, d_q)
    assert float(loss) == pytest.approx(math.log(4) - float(sum(kl)), abs=0.005)


def penalized_distance(weight: float) -> float:
    """The estimate by the best critic under a gradient penalty, of a Gaussian p and itself moved by 2.

    Along the move D has the slope s that is best at each x: with the distribution functions P and Q, and the density r
    of the points between, s (Q - P) - w r (s - 1)^2 is largest at s = 1 + (Q - P) / (2 w r).
    """
    p, q, x = Normal(2.0, 1.0), Normal(0.0, 1.0), torch.linspace(-8, 10, 10_001, dtype=torch.float64)
    u = ((torch.arange(200, dtype=torch.float64) + 0.5) / 200)[:, None]
    r = Normal(2 * u, (u**2 + (1 - u) ** 2).sqrt()).log_prob(x).exp().mean(0)
    ahead = q.cdf(x) - p.cdf(x)
    return torch.trapezoid(ahead * (1 + ahead / (2 * weight * r)), x).item()


def test_a_critic_under_the_gradient_penalty_finds_the_wasserstein_distance() -> None:
    """Which is 2, and a little more for what the penalty lets through."""
    objective, g, moved = Objective("wasserstein", gp=50), make_rng(0), torch.tensor([1.2, 1.6])
    d, steps = critic().float(), 300
    optimizer = torch.optim.Adam(d.parameters(), lr=1e-2, betas=(0.5, 0.9))
    settles = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    for _ in range(steps):
        real, fake = torch.randn(2, 256, 2, generator=g)
        optimizer.zero_grad()
        losses.discriminator_loss(d, real + moved, fake, objective, torch.rand(256, generator=g)).backward()
        optimizer.step()
        settles.step()
    x = torch.randn(20_000, 2, generator=g)
    with torch.no_grad():
        distance = (d(x + moved) - d(x)).mean().item()
    assert distance == pytest.approx(penalized_distance(objective.gp), abs=0.01)  # from seed to seed it varies by 0.001


# --- what holds D back ----------------------------------------------------------------------------


def slopes(d: Callable[[Tensor], Tensor], x: Tensor, h: float = 1e-5) -> Tensor:
    """The norm of the gradient of each item by central differences (B,)."""
    steps = h * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.stack([(d(x + step) - d(x - step)) / (2 * h) for step in steps]).norm(dim=0)


@pytest.mark.parametrize("name", ["r1", "r2", "gp"])
def test_penalties_agree_with_finite_differences(name: str) -> None:
    d, (real, fake, u) = critic(), items()
    weight = 3.0
    plain = losses.discriminator_loss(d, real, fake, Objective(), u)
    penalized = losses.discriminator_loss(d, real, fake, Objective(**{name: weight}), u)
    expected = {
        "r1": weight / 2 * slopes(d, real).square().mean(),
        "r2": weight / 2 * slopes(d, fake).square().mean(),
        "gp": weight * (slopes(d, fake + u[:, None] * (real - fake)) - 1).square().mean(),
    }[name]
    torch.testing.assert_close(penalized - plain, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("objective", [Objective(r1=2.0, r2=1.0), Objective("wasserstein", gp=10)])
def test_the_gradient_of_a_penalty_agrees_with_finite_differences(objective: Objective) -> None:
    d, (real, fake, u) = critic(), items()
    weight = d[2].weight
    losses.discriminator_loss(d, real, fake, objective, u).backward()
    analytic, h = weight.grad[1, 2].item(), 1e-5
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[1, 2] += sign * h
        values.append(losses.discriminator_loss(d, real, fake, objective, u).item())
        with torch.no_grad():
            weight[1, 2] -= sign * h
    assert analytic == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-5)


def test_spectral_normalization_bounds_the_measured_slope() -> None:
    """Softplus is 1-Lipschitz, so the whole critic is; without it, with weights ten times as large, it is not."""
    x = 3 * torch.randn(500, 2, generator=make_rng(0), dtype=torch.float64)
    d = critic(spectral=True)
    for layer in (d[0], d[2], d[4]):
        layer.parametrizations.weight.original.data.mul_(10)
    for _ in range(50):
        d(x)  # in training mode each pass is a step of power iteration
    assert slopes(d.eval(), x).max() <= 1 + 1e-6
    plain = critic()
    for layer in (plain[0], plain[2], plain[4]):
        layer.weight.data.mul_(10)
    assert slopes(plain, x).max() > 10


def test_clipping_bounds_every_weight() -> None:
    d = critic()
    losses.clip_weights(d, 0.01)
    largest = [weight.abs().max().item() for weight in d.parameters()]
    assert max(largest) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "wrong", [{"loss": "best"}, {"gp": -1}, {"r1": math.nan}, {"clip": math.inf}, {"unroll": 2.5}, {"matching": True}]
)
def test_an_absurd_objective_is_refused(wrong: dict) -> None:
    (name,) = wrong
    with pytest.raises(UserError, match=LABELS.get(name, name)):
        Objective(**wrong)


def test_a_whole_number_may_be_written_as_a_decimal() -> None:
    assert Objective(unroll=2.0) == Objective(unroll=2)  # type: ignore[arg-type]
    assert isinstance(Objective(unroll=2.0).unroll, int)  # type: ignore[arg-type]
