"""What adversarial networks get besides their losses: matched features, minibatches, unrolled steps."""

import math

import pytest
import torch
from test_gan_losses import critic, items
from torch import Tensor, nn

from playground.families.gan import losses
from playground.families.gan.losses import Objective
from playground.runtime.averaging import ema


class WithFeatures(nn.Module):
    """A critic of two layers, whose first layer's output are its features."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(2, 4).double(), nn.Linear(4, 1).double()

    def features(self, x: Tensor) -> Tensor:
        return self.first(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.features(x).tanh())[:, 0]


def test_feature_matching_is_the_distance_of_the_mean_features() -> None:
    d, (real, fake, u) = WithFeatures(), items()
    plain, matched = (losses.generator_loss(d, real, fake, Objective(matching=m), u) for m in (0, 2))
    w = d.first.weight
    torch.testing.assert_close(matched - plain, 2 * (w @ (real.mean(0) - fake.mean(0))).square().sum())


def test_minibatch_discrimination_counts_the_neighbours() -> None:
    layer = losses.MinibatchDiscrimination(1, kernels=1, dim=1).double()
    nn.init.ones_(layer.project.weight)
    x = torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.float64)
    near = math.exp(-1)
    expected = torch.tensor([[1 + near], [1 + near], [2 * near]], dtype=torch.float64)
    torch.testing.assert_close(layer(x), torch.cat([x, expected], dim=1))


def test_an_unrolled_discriminator_is_one_that_went_on() -> None:
    d, (real, fake, u) = critic(), items()
    objective = Objective(unroll=3, unroll_lr=0.05)
    weights = losses.unroll_discriminator(d, real, fake, objective, u)
    went_on = critic()
    optimizer = torch.optim.SGD(went_on.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        losses.discriminator_loss(went_on, real, fake, objective, u).backward()
        optimizer.step()
    for name, weight in went_on.named_parameters():
        torch.testing.assert_close(weights[name], weight)


@pytest.mark.parametrize("parts", [{}, {"r1": 2.0, "r2": 1.0}, {"gp": 10.0}], ids=["plain", "r1 and r2", "gp"])
def test_the_generator_sees_how_the_discriminator_would_answer(parts: dict) -> None:
    """The gradient through the unrolled steps, by central differences of the whole."""
    d, (real, fake, u) = critic(), items(4)
    objective = Objective(unroll=2, unroll_lr=0.01 if parts else 0.3, **parts)

    def value(x: Tensor) -> Tensor:
        return losses.generator_loss(d, real, x, objective, u)

    moved = fake.clone().requires_grad_()
    analytic = torch.autograd.grad(value(moved), moved)[0][2, 1].item()
    step = torch.zeros_like(fake)
    step[2, 1] = 1e-5
    numeric = (value((fake + step).requires_grad_()) - value((fake - step).requires_grad_())).item() / 2e-5
    assert analytic == pytest.approx(numeric, rel=1e-5)


def test_penalties_of_a_flat_discriminator_can_be_unrolled() -> None:
    """Where every unit is dead the gradient of D is 0, at which a norm has none."""
    d, (real, fake, u) = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1), nn.Flatten(0)).double(), items()
    nn.init.constant_(d[0].bias, -100)
    x = fake.requires_grad_()
    loss = losses.generator_loss(d, real, x, Objective(r1=1.0, r2=1.0, gp=1.0, unroll=2), u)
    assert torch.autograd.grad(loss, x)[0].isfinite().all()


def test_a_frozen_module_passes_gradients_and_keeps_none() -> None:
    d, (_, fake, _) = critic(), items()
    x = fake.requires_grad_()
    with losses.freeze(d):
        d(x).sum().backward()
    assert x.grad is not None
    assert all(weight.grad is None and weight.requires_grad for weight in d.parameters())


def test_a_moving_average_is_divided_by_its_own_norms() -> None:
    torch.manual_seed(0)
    d = losses.apply_spectral_norm(nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 1)))
    average = ema(d, 0.9)
    for _ in range(30):
        with torch.no_grad():
            for weight in d.parameters():
                weight.copy_(torch.randn_like(weight))  # the directions of the norm change at every step
        d(torch.zeros(1, 8))
        average.update_parameters(d)
    averaged = average.module.eval()
    assert torch.linalg.matrix_norm(averaged[0].weight, 2) > 1.5
    losses.converge_spectral_norm(averaged)
    for layer in averaged:
        torch.testing.assert_close(torch.linalg.matrix_norm(layer.weight, 2), torch.tensor(1.0), atol=1e-3, rtol=0)
    assert not any(module.training for module in averaged.modules())
