"""The moving average of weights, and the warm-up of its decay."""

import math

import pytest
import torch

from playground.runtime.averaging import ema, ema_decay, update_average


def test_the_average_of_a_short_run_is_that_of_its_end():
    """The weights of step k of n have the share 9 (k + 8)! n! / (k! (n + 9)!), and those of the first 10/9 of that."""
    n = 500
    weights = torch.eye(n, dtype=torch.double)
    average = weights[0].clone()
    for step in range(1, n):
        update_average(0.999, [average], [weights[step]], torch.tensor(step))
    k = torch.arange(1.0, n + 1, dtype=torch.double)
    shares = 9 * ((k + 9).lgamma() - (k + 1).lgamma() + math.lgamma(n + 1) - math.lgamma(n + 10)).exp()
    shares[0] *= 10 / 9
    torch.testing.assert_close(average, shares, rtol=1e-6, atol=0)
    assert average.sum() == pytest.approx(1)
    assert average[-n // 5 :].sum() > 0.85


def test_the_average_of_a_long_run_has_the_decay_that_was_asked_for():
    assert [ema_decay(n, 0.999) for n in (1, 90, 8_990, 20_000)] == pytest.approx([2 / 11, 0.91, 0.999, 0.999])


def test_the_average_begins_as_a_copy_and_its_first_decay_is_2_of_11() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    averaged, values = ema(network, 0.999), list[float]()
    for weight in (4.0, 15.0):
        torch.nn.init.constant_(network.weight, weight)
        averaged.update_parameters(network)
        values.append(averaged.module.weight.item())
    assert values == pytest.approx([4, 2 / 11 * 4 + 9 / 11 * 15])
