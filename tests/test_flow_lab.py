"""The lab of flows: an exact likelihood that training raises to the truth."""

import math

import pytest
import torch

from playground.data import densities
from playground.data.densities import Mixture
from playground.labs.flow import Flow, Lab, Settings
from playground.sampling import generator, last
from playground.tabs import benches
from playground.tabs.flow import bench, lab
from playground.ui import links
from playground.validation import UserError

SMALL = Settings(couplings=2, width=16, batch=256, steps=200, average=0.9)


@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_a_flow_reaches_the_entropy_of_a_gaussian_and_comes_to_rest(coupling: str) -> None:
    sigma = 0.5
    data = Mixture(torch.tensor([[1.0, -1.0]]), sigma)
    training = Lab(data, Settings(coupling, couplings=2, width=16, batch=256, steps=200, average=0.9))
    for _ in range(training.limit):
        training.step()
    nats = -training.learned.log_prob(data.sample(20_000, generator(5))).mean().item()
    assert nats == pytest.approx(1 + math.log(2 * math.pi * sigma**2), abs=0.03)
    weights = [weight.clone() for weight in training.flow.parameters()]
    training.step()
    assert all(torch.equal(a, b) for a, b in zip(weights, training.flow.parameters(), strict=True))


@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_the_density_of_a_flow_in_the_plane_integrates_to_one(coupling: str) -> None:
    training = Lab(densities.moons(), Settings(coupling, couplings=3, width=16, batch=256, steps=200))
    for _ in range(100):
        training.step()
    line = torch.arange(-8, 8, 0.05)
    with torch.no_grad():
        density = training.flow.log_prob(torch.cartesian_prod(line, line)).exp()
    assert density.sum().item() * 0.05**2 == pytest.approx(1, abs=0.01)


def test_layers_lead_back_through_the_same_places() -> None:
    torch.manual_seed(0)
    flow, x = Flow(SMALL), torch.randn(50, 2)
    with torch.no_grad():
        for weight in flow.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
        forth = list(flow.forth(x))
        back = list(flow.back(forth[-1][0]))
        for (there, _), (here, _) in zip(forth, reversed(back), strict=True):
            torch.testing.assert_close(there, here, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(last(flow.back(forth[-1][0]))[1], -forth[-1][1], rtol=1e-4, atol=1e-4)


def test_a_new_flow_is_normalised_on_its_data() -> None:
    data = densities.moons()
    training = Lab(data, SMALL)
    after, _ = bench.nth(training.flow.forth(data.sample(2_000, generator(0, 1))), 1)
    torch.testing.assert_close(after.mean(0), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(after.std(0), torch.ones(2), rtol=1e-4, atol=0)


def test_what_is_shown_is_of_the_layers_gone_through() -> None:
    begun = bench.begin(densities.moons(), SMALL)
    start, end = (benches.train({"lab": begun["lab"], "turn": "look", "at": at}) for at in (0, 6))
    assert "log |det| so far 0.000" in " ".join(start["caption"])
    assert start["planes"][1] != end["planes"][1]
    assert start["planes"][0] == end["planes"][0]
    assert start["row"] == end["row"]


def test_a_link_restores_the_lab_and_a_bad_one_is_refused() -> None:
    asked = lab.Asked(data="ring", coupling="affine", seed=5)
    assert links.restore(lab.Asked, lab.TAB, links.query(lab.TAB, asked)) == asked
    for name, value in (("couplings", "99"), ("coupling", "cubic"), ("data", "zzz")):
        with pytest.raises(UserError):
            links.restore(lab.Asked, lab.TAB, {"tab": lab.TAB, name: value})
