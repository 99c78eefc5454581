"""The lab of flows: an exact likelihood that training raises to the truth."""

import math

import pytest
import torch

from playground.datasets import densities
from playground.datasets.densities import Mixture
from playground.families.normalizing_flow.lab import Flow, Lab, Settings
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from playground.tabs.normalizing_flow import lab, lab_pictures
from playground.web import lab_sessions, links

SMALL = Settings(couplings=2, width=16, batch=256, steps=200, ema_decay=0.9)


@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_a_flow_reaches_the_entropy_of_a_gaussian_and_comes_to_rest(coupling: str) -> None:
    sigma = 0.5
    data = Mixture(torch.tensor([[1.0, -1.0]]), sigma)
    training = Lab(data, Settings(coupling, couplings=2, width=16, batch=256, steps=200, ema_decay=0.9))
    for _ in range(training.limit):
        training.step()
    nats = -training.learned_density.log_prob(data.sample(20_000, make_rng(5))).mean().item()
    assert nats == pytest.approx(1 + math.log(2 * math.pi * sigma**2), abs=0.03)
    assert training.learned_density is not training.flow, "the weights that are shown are averaged"
    weights = [weight.clone() for weight in training.flow.parameters()]
    training.step()
    assert all(torch.equal(a, b) for a, b in zip(weights, training.flow.parameters(), strict=True))


@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_the_density_of_a_flow_in_the_plane_integrates_to_one(coupling: str) -> None:
    training = Lab(densities.moons(), Settings(coupling, couplings=3, width=16, batch=256, steps=200))
    for _ in range(30):
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
        encoded = list(flow.encode_steps(x))
        decoded = list(flow.decode_steps(encoded[-1].x))
        for before, after in zip(encoded, reversed(decoded), strict=True):
            torch.testing.assert_close(before.x, after.x, rtol=1e-4, atol=1e-5)
        log_det = last_frame(flow.decode_steps(encoded[-1].x)).extras["log_det"]
        torch.testing.assert_close(log_det, -encoded[-1].extras["log_det"], rtol=1e-4, atol=1e-4)


def test_a_new_flow_is_normalized_on_its_data() -> None:
    data = densities.moons()
    training = Lab(data, SMALL)
    after = lab_pictures.frame_at(training.flow.encode_steps(data.sample(2_000, make_rng(0, 1))), 1).x
    torch.testing.assert_close(after.mean(0), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(after.std(0), torch.ones(2), rtol=1e-4, atol=0)


def test_what_is_shown_is_of_the_layers_gone_through() -> None:
    begun = lab_pictures.start_lab(densities.moons(), SMALL)
    start, end = (lab_sessions.train({"lab": begun["lab"], "action": "show", "position": at}) for at in (0, 6))
    assert "log |det| so far 0.000" in " ".join(start["caption"])
    assert start["planes"][1] != end["planes"][1]
    assert start["planes"][0] == end["planes"][0]
    assert start["row"] == end["row"]


def test_a_link_restores_the_lab_and_a_bad_one_is_refused() -> None:
    asked = lab.ViewParams(data="ring", coupling="affine", seed=5)
    assert links.restore(lab.ViewParams, lab.TAB, links.query(lab.TAB, asked)) == asked
    for name, value in (("couplings", "99"), ("coupling", "cubic"), ("data", "zzz")):
        with pytest.raises(UserError):
            links.restore(lab.ViewParams, lab.TAB, {"view": "lab", name: value})
