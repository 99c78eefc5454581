"""Sessions and frames of a training in the plane, with the lab of GANs."""

import base64
import math
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from playground.datasets import densities
from playground.datasets.densities import Mixture
from playground.families.gan import losses
from playground.families.gan.lab import PRESETS, Lab, Settings
from playground.families.gan.losses import Objective
from playground.runtime import cache
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.gan import lab, lab_pictures
from playground.tabs.normalizing_flow import lab as flow_lab
from playground.tabs.score_matching import lab as score_lab
from playground.web import answers, lab_sessions, lab_view

SMALL = Settings(Objective("nonsaturating"), width=8, batch=16, steps=4)
train = answers.server_function("train", lab_sessions.train)


@pytest.fixture(autouse=True)
def alone(monkeypatch) -> None:
    """Begin without the labs of other tests, and train a step at a time."""
    monkeypatch.setattr(lab_sessions, "_sessions", type(lab_sessions._sessions)())
    monkeypatch.setitem(lab_sessions.ACTIONS, "play", 1e-6)


class Slope(nn.Module):
    """Discriminator whose logit is one of the coordinates."""

    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.axis]


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<i2").reshape(-1, 2) / lab_sessions.SCALE


def fakes_of(frame: dict) -> str:
    return frame["planes"][0]["dots"][0][0]


def heat_of(frame: dict) -> str:
    return frame["planes"][0]["heat"]


def test_a_training_goes_on_slice_by_slice_until_its_limit() -> None:
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    assert begun["frame"]["step"] == 0
    steps = [train({"lab": begun["lab"], "action": "play"})["step"] for _ in range(6)]
    assert steps == [1, 2, 3, 4, 4, 4]
    assert train({"lab": begun["lab"], "action": "play"})["over"]


def test_slow_motion_takes_one_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lab_sessions.ACTIONS, "play", 60.0)
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    assert [train({"lab": begun["lab"], "action": action})["step"] for action in ("slow", "slow", "play")] == [1, 2, 4]


def test_its_time_is_limited_too(monkeypatch) -> None:
    monkeypatch.setattr(lab_sessions, "MAX_SECONDS", 0.0)
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    assert train({"lab": begun["lab"], "action": "play"})["step"] == 0


def test_labs_are_kept_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "store", cache.Store(1))
    first, second = (lab_pictures.start_lab(densities.ring(), SMALL)["lab"] for _ in range(2))
    assert train({"lab": first, "action": "play"}) == {
        "error": "This lab was left alone for too long and is gone: press Reset."
    }
    assert train({"lab": second, "action": "play"})["step"] == 1


def test_a_picture_holds_the_points_of_the_lab() -> None:
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    trained = lab_sessions._sessions[begun["lab"]].lab
    expected = trained.sample(lab_pictures.N_TEST)[: lab_sessions.N_POINTS].numpy()
    np.testing.assert_allclose(numbers(fakes_of(begun["frame"])), expected, atol=1 / lab_sessions.SCALE)
    assert numbers(begun["still"][0][0][0]).shape == (lab_sessions.N_POINTS, 2)
    assert len(numbers(begun["frame"]["planes"][0]["arrows"][1])) == SMALL.batch


def test_a_picture_holds_the_net_of_noise_and_what_flows_through_the_diagram() -> None:
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    trained = lab_sessions._sessions[begun["lab"]].lab
    lines = [numbers(text) for text, _ in begun["frame"]["planes"][0]["lines"]]
    assert len(lines) == 2 * len(lab_pictures.NET)
    upright, across = lines[1], lines[len(lab_pictures.NET) + 1]
    ends = trained.warp(torch.tensor([[-1.5, -2.0], [-1.5, 2.0], [-2.0, -1.5], [2.0, -1.5]])).numpy()
    np.testing.assert_allclose([upright[0], upright[-1], across[0], across[-1]], ends, atol=1 / lab_sessions.SCALE)
    trained.d = Slope(0)
    z, g, fake, d, real = train({"lab": begun["lab"], "action": "show"})["numbers"]
    assert (z, g, d) == ("", "", ""), "before the first step there is no loss"
    mean = trained.sample(SMALL.batch)[:, 0].mean().item()
    assert float(fake.replace("−", "-")) == pytest.approx(mean, abs=6e-4)
    assert real != fake


def test_steps_of_one_network_alone() -> None:
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    fake = fakes_of(begun["frame"])
    after_d = train({"lab": begun["lab"], "action": "D"})
    assert fakes_of(after_d) == fake
    assert heat_of(after_d) != heat_of(begun["frame"])
    assert "G" not in after_d["row"]
    after_g = train({"lab": begun["lab"], "action": "G"})
    assert heat_of(after_g) == heat_of(after_d)
    assert after_g["row"].keys() > {"D", "G"}


def test_the_verdict_is_drawn_where_it_is() -> None:
    trained = Lab(densities.ring(), SMALL)
    trained.d = Slope(0)
    rises = lab_pictures.heat(trained)
    line = torch.linspace(0, 1, lab_sessions.N_CELLS)
    torch.testing.assert_close(rises, line.expand(lab_sessions.N_CELLS, -1))
    trained.d = Slope(1)
    torch.testing.assert_close(
        lab_pictures.heat(trained), line.flip(0)[:, None].expand(-1, lab_sessions.N_CELLS)
    )  # the top row is high


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating", "leastsquares", "hinge", "wasserstein", "relativistic"])
def test_every_loss_pulls_fakes_to_where_d_sees_data(loss: str) -> None:
    trained = Lab(densities.ring(), replace(SMALL, objective=Objective(loss)))
    trained.d = Slope(0)
    arrows = lab_pictures.pull(trained, 0.1 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0)))
    assert (arrows[:, 0] > 0).all()
    assert (arrows[:, 1] == 0).all()
    assert arrows.norm(dim=1).max().item() == pytest.approx(0.5)


@pytest.mark.parametrize("name", PRESETS)
def test_arrows_point_against_the_gradient_of_the_whole_loss(name: str) -> None:
    """By finite differences of what G minimizes: along its arrows all the points together go down fastest."""
    settings = replace(PRESETS[name].settings, width=16, batch=32)
    trained = Lab(densities.ring(), settings)
    for _ in range(5):
        trained.step()
    trained.d.eval().double()
    trained.data = Mixture(trained.data.centres.double(), 0.1)
    x = trained.sample(32).double()
    arrows = lab_pictures.pull(trained, x)
    random = torch.Generator().manual_seed(0)
    real, u = trained.data.sample(32, random).double(), torch.rand(32, generator=random)

    def loss(at: Tensor) -> float:
        objective = settings.objective
        return losses.generator_loss(trained.d, real, at.requires_grad_(), objective, u).item()

    scale, h = (arrows**2).sum().sqrt(), 1e-5
    along = (loss(x - h * arrows / scale) - loss(x + h * arrows / scale)) / (2 * h)
    for seed in range(5):
        other = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        other -= (other * arrows).sum() * arrows / scale**2
        other /= other.norm()
        across = (loss(x - h * other) - loss(x + h * other)) / (2 * h)
        assert abs(across) < 0.01 * along


def test_nothing_goes_on_after_the_last_step() -> None:
    begun = lab_pictures.start_lab(densities.ring(), replace(SMALL, steps=1))
    frames = [train({"lab": begun["lab"], "action": turn}) for turn in ("G", "G", "D")]
    assert [frame["step"] for frame in frames] == [1, 1, 1]
    assert frames[1] == frames[2]
    assert frames[2]["over"]


def test_looking_leaves_a_spectral_norm_as_it_is() -> None:
    begun = lab_pictures.start_lab(densities.ring(), replace(SMALL, spectral=True))
    session = lab_sessions._sessions[begun["lab"]]
    before = {name: value.clone() for name, value in session.lab.d.state_dict().items()}
    session.render()
    assert all(torch.equal(before[name], value) for name, value in session.lab.d.state_dict().items())


def test_labs_never_mix() -> None:
    one, other = (lab_pictures.start_lab(densities.ring(), SMALL) for _ in range(2))
    for _ in range(3):
        trained = train({"lab": one["lab"], "action": "play"})
    assert fakes_of(trained) != fakes_of(one["frame"])
    assert lab_sessions._sessions[other["lab"]].render() == other["frame"]


def test_the_lab_left_alone_for_the_longest_goes(monkeypatch) -> None:
    monkeypatch.setattr(lab_sessions, "MAX_SESSIONS", 2)
    first, second = (lab_pictures.start_lab(densities.ring(), SMALL)["lab"] for _ in range(2))
    train({"lab": first, "action": "D"})
    third = lab_pictures.start_lab(densities.ring(), SMALL)["lab"]
    assert list(lab_sessions._sessions) == [first, third]
    assert "press Reset" in train({"lab": second, "action": "D"})["error"]


def test_a_lab_that_was_not_used_for_half_an_hour_goes(monkeypatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(lab_sessions.time, "monotonic", lambda: clock[0])
    idle, used = (lab_pictures.start_lab(densities.ring(), SMALL)["lab"] for _ in range(2))
    clock[0] = 1000.0
    train({"lab": used, "action": "show"})
    clock[0] = lab_sessions.MAX_IDLE + 1
    assert "error" not in train({"lab": used, "action": "show"})
    assert list(lab_sessions._sessions) == [used]
    assert "press Reset" in train({"lab": idle, "action": "show"})["error"]


def test_a_training_that_diverges_says_so_and_the_next_starts_clean() -> None:
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    with torch.no_grad():
        lab_sessions._sessions[begun["lab"]].lab.g[0].weight.fill_(math.nan)
    assert "lower the learning rate" in train({"lab": begun["lab"], "action": "play"})["error"]
    again = lab_pictures.start_lab(densities.ring(), SMALL)
    assert again["frame"] == begun["frame"]
    assert train({"lab": again["lab"], "action": "play"})["step"] == 1


@pytest.mark.parametrize("request_", [None, 3, {}, {"lab": None}, {"lab": ["x"]}, {"lab": "x", "action": "play"}])
def test_a_bad_question_is_answered_with_a_sentence(request_) -> None:
    assert len(train(request_)["error"]) < 200


def test_an_unknown_action_is_refused() -> None:
    begun = lab_pictures.start_lab(densities.ring(), SMALL)
    assert "Action must be one of play, slow, show, D, G" in train({"lab": begun["lab"], "action": "X"})["error"]


@pytest.mark.parametrize("view", [lab.GANLabView, flow_lab.FlowLabView, score_lab.ScoreLabView])
def test_every_control_of_a_lab_starts_it_anew(view: type[lab_view.LabView], tmp_path: Path) -> None:
    with gr.Blocks() as page:
        view.build(page, Paths(tmp_path, tmp_path))
    numbers = {id_ for id_, block in page.blocks.items() if isinstance(block, gr.Number | gr.Slider | gr.Radio)}
    numbers = {id_ for id_ in numbers if page.blocks[id_].label != "Preset"}
    restart = next(fn for fn in page.fns.values() if fn.api_name == view.tab.replace(".", "_"))
    assert {target for target, event in restart.targets if event == "input"} >= numbers


def test_a_visitor_keeps_the_last_two_labs_and_nobody_elses_go() -> None:
    other = lab_pictures.start_lab(densities.ring(), SMALL)["lab"]
    lab_sessions.assign_owner(other, ("other", "gan.lab"))
    mine = [lab_pictures.start_lab(densities.ring(), SMALL)["lab"] for _ in range(4)]
    for name in mine:
        lab_sessions.assign_owner(name, ("me", "gan.lab"))
    assert list(lab_sessions._sessions) == [other, *mine[-2:]]


def test_a_lab_that_begins_with_infinities_is_explained(monkeypatch) -> None:
    monkeypatch.setattr(lab_pictures, "pull", lambda *_: torch.full((1, 2), math.inf))
    with pytest.raises(UserError, match="ran off to infinity"):
        lab_pictures.start_lab(densities.ring(), SMALL)
