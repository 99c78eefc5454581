"""The optimizers that a recipe can choose."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from train.optimizers import OPTIMIZERS


@dataclass
class Options:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0


def steps(name: str, model: nn.Module, **options) -> dict[str, torch.Tensor]:
    """By how much one step moves each parameter, for gradients by chance."""
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    OPTIMIZERS[name](model, Options(**options)).step()
    return {key: value.detach() - before[key] for key, value in model.named_parameters()}


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(16, 32, 3), nn.Linear(64, 48), nn.Linear(48, 4))


def test_muon_moves_a_hidden_matrix_in_all_directions_alike(model):
    updates = steps("muon", model)
    for name in ("0.weight", "1.weight"):
        matrix = updates[name].flatten(1)
        gains = torch.linalg.svdvals(matrix)
        rank = min(matrix.shape)
        assert len(gains) == rank
        # Five Newton-Schulz steps leave singular values of 0.7 to 1.2 (Jordan 2024).
        assert gains.max() / gains.min() < 2
        # Liu 2025, section 2.2: as large as a step of AdamW, whose root mean square is some 0.2 of the rate.
        assert matrix.square().mean().sqrt().item() == pytest.approx(0.2 * 0.1, rel=0.3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_weight_decays_by_the_rate_times_the_decay(name, model):
    """Loshchilov 2019, algorithm 2: decoupled from the gradient, which is 0 here."""
    before = [weight.detach().clone() for weight in model.parameters()]
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    OPTIMIZERS[name](model, Options(weight_decay=0.5)).step()
    for weight, start in zip(model.parameters(), before, strict=True):
        torch.testing.assert_close(weight.detach(), start * (1 - 0.1 * 0.5))


def test_muon_leaves_last_layers_and_vectors_to_adamw(model):
    updates = steps("muon", model)
    for name in ("0.bias", "1.bias", "2.weight", "2.bias"):
        assert updates[name].abs().mean().item() == pytest.approx(0.1, rel=1e-3), "the first step of Adam is its rate"
    assert steps("adamw", model)["0.weight"].abs().mean().item() == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.5)])
def test_the_betas_are_those_of_adam(name, betas, model):
    """Kingma 2015, algorithm 1, by hand for two steps with gradients of 1 and -3."""
    optimizer, bias = OPTIMIZERS[name](model, Options(betas=betas)), model[2].bias
    for gradient in (1.0, -3.0):
        before = bias.detach().clone()
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
    (beta1, beta2), (g1, g2) = betas, (1.0, -3.0)
    m = (1 - beta1) * (beta1 * g1 + g2) / (1 - beta1**2)
    v = (1 - beta2) * (beta2 * g1**2 + g2**2) / (1 - beta2**2)
    torch.testing.assert_close(bias.detach() - before, torch.full_like(bias, -0.1 * m / v**0.5), rtol=1e-4, atol=1e-6)
