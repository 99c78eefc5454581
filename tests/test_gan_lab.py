"""What the browser is shown of a training in the plane."""

import base64
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from playground import adversarial
from playground.adversarial import Objective
from playground.data import densities
from playground.data.densities import Mixture
from playground.labs.gan import PRESETS, Lab, Settings
from playground.tabs import benches, labs
from playground.tabs.gan import bench, lab
from playground.tabs.gan.lab import Asked
from playground.ui import answers, links
from playground.validation import UserError

SMALL = Settings(Objective("nonsaturating"), width=8, batch=16, steps=4)
train = answers.answering("train", benches.train)


@pytest.fixture(autouse=True)
def alone(monkeypatch) -> None:
    """No labs of other tests, and slices of one step."""
    monkeypatch.setattr(benches, "_benches", type(benches._benches)())
    monkeypatch.setattr(benches, "SLICE", 1e-6)


class Slope(nn.Module):
    """A discriminator whose logit is one of the coordinates."""

    def __init__(self, axis: int):
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.axis]


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<i2").reshape(-1, 2) / benches.SCALE


def fakes(frame: dict) -> str:
    return frame["planes"][0]["dots"][0][0]


def verdict(frame: dict) -> str:
    return frame["planes"][0]["heat"]


def test_a_training_goes_on_slice_by_slice_until_its_limit() -> None:
    begun = bench.begin(densities.ring(), SMALL)
    assert begun["frame"]["step"] == 0
    steps = [train({"lab": begun["lab"], "turn": "play"})["step"] for _ in range(6)]
    assert steps == [1, 2, 3, 4, 4, 4]
    assert train({"lab": begun["lab"], "turn": "play"})["over"]


def test_its_time_is_limited_too(monkeypatch) -> None:
    monkeypatch.setattr(benches, "SECONDS", 0.0)
    begun = bench.begin(densities.ring(), SMALL)
    assert train({"lab": begun["lab"], "turn": "play"})["step"] == 0


def test_a_picture_holds_the_points_of_the_lab() -> None:
    begun = bench.begin(densities.ring(), SMALL)
    trained = benches._benches[begun["lab"]].lab
    expected = trained.sample(bench.JUDGED)[: benches.SHOWN].numpy()
    np.testing.assert_allclose(numbers(fakes(begun["frame"])), expected, atol=1 / benches.SCALE)
    assert numbers(begun["still"][0][0][0]).shape == (benches.SHOWN, 2)
    assert len(numbers(begun["frame"]["planes"][0]["arrows"][1])) == SMALL.batch


def test_steps_of_one_network_alone() -> None:
    begun = bench.begin(densities.ring(), SMALL)
    fake = fakes(begun["frame"])
    after_d = train({"lab": begun["lab"], "turn": "D"})
    assert fakes(after_d) == fake
    assert verdict(after_d) != verdict(begun["frame"])
    assert "G" not in after_d["row"]
    after_g = train({"lab": begun["lab"], "turn": "G"})
    assert verdict(after_g) == verdict(after_d)
    assert after_g["row"].keys() > {"D", "G"}


def test_the_verdict_is_drawn_where_it_is() -> None:
    trained = Lab(densities.ring(), SMALL)
    trained.d = Slope(0)
    rises = bench.heat(trained)
    line = torch.linspace(0, 1, benches.CELLS)
    torch.testing.assert_close(rises, line.expand(benches.CELLS, -1))
    trained.d = Slope(1)
    torch.testing.assert_close(
        bench.heat(trained), line.flip(0)[:, None].expand(-1, benches.CELLS)
    )  # the top row is high


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating", "leastsquares", "hinge", "wasserstein", "relativistic"])
def test_every_loss_pulls_fakes_to_where_d_sees_data(loss: str) -> None:
    trained = Lab(densities.ring(), replace(SMALL, objective=Objective(loss)))
    trained.d = Slope(0)
    arrows = bench.pull(trained, 0.1 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0)))
    assert (arrows[:, 0] > 0).all()
    assert (arrows[:, 1] == 0).all()
    assert arrows.norm(dim=1).max().item() == pytest.approx(0.5)


@pytest.mark.parametrize("name", PRESETS)
def test_arrows_point_against_the_gradient_of_the_whole_loss(name: str) -> None:
    """By finite differences of what G minimises: along its arrows all the points together go down fastest."""
    settings = replace(PRESETS[name].settings, width=16, batch=32)
    trained = Lab(densities.ring(), settings)
    for _ in range(5):
        trained.step()
    trained.d.eval().double()
    trained.data = Mixture(trained.data.centres.double(), 0.1)
    x = trained.sample(32).double()
    arrows = bench.pull(trained, x)
    random = torch.Generator().manual_seed(0)
    real, u = trained.data.sample(32, random).double(), torch.rand(32, generator=random)

    def loss(at: Tensor) -> float:
        objective = settings.objective
        return adversarial.generator_loss(trained.d, real, at.requires_grad_(), objective, u).item()

    scale, h = (arrows**2).sum().sqrt(), 1e-5
    along = (loss(x - h * arrows / scale) - loss(x + h * arrows / scale)) / (2 * h)
    for seed in range(5):
        other = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        other -= (other * arrows).sum() * arrows / scale**2
        other /= other.norm()
        across = (loss(x - h * other) - loss(x + h * other)) / (2 * h)
        assert abs(across) < 0.01 * along


def test_nothing_goes_on_after_the_last_step() -> None:
    begun = bench.begin(densities.ring(), replace(SMALL, steps=1))
    frames = [train({"lab": begun["lab"], "turn": turn}) for turn in ("G", "G", "D")]
    assert [frame["step"] for frame in frames] == [1, 1, 1]
    assert frames[1] == frames[2]
    assert frames[2]["over"]


def test_looking_leaves_a_spectral_norm_as_it_is() -> None:
    begun = bench.begin(densities.ring(), replace(SMALL, spectral=True))
    begun_on = benches._benches[begun["lab"]]
    before = {name: value.clone() for name, value in begun_on.lab.d.state_dict().items()}
    benches.frame(begun_on)
    assert all(torch.equal(before[name], value) for name, value in begun_on.lab.d.state_dict().items())


def test_labs_never_mix() -> None:
    one, other = (bench.begin(densities.ring(), SMALL) for _ in range(2))
    for _ in range(3):
        trained = train({"lab": one["lab"], "turn": "play"})
    assert fakes(trained) != fakes(one["frame"])
    assert benches.frame(benches._benches[other["lab"]]) == other["frame"]


def test_the_lab_left_alone_for_the_longest_goes(monkeypatch) -> None:
    monkeypatch.setattr(benches, "KEPT", 2)
    first, second = (bench.begin(densities.ring(), SMALL)["lab"] for _ in range(2))
    train({"lab": first, "turn": "D"})
    third = bench.begin(densities.ring(), SMALL)["lab"]
    assert list(benches._benches) == [first, third]
    assert "press Reset" in train({"lab": second, "turn": "D"})["error"]


def test_a_training_that_diverges_says_so_and_the_next_starts_clean() -> None:
    begun = bench.begin(densities.ring(), SMALL)
    with torch.no_grad():
        benches._benches[begun["lab"]].lab.g[0].weight.fill_(math.nan)
    assert "lower the learning rate" in train({"lab": begun["lab"], "turn": "play"})["error"]
    again = bench.begin(densities.ring(), SMALL)
    assert again["frame"] == begun["frame"]
    assert train({"lab": again["lab"], "turn": "play"})["step"] == 1


@pytest.mark.parametrize("request_", [None, 3, {}, {"lab": None}, {"lab": ["x"]}, {"lab": "x", "turn": "play"}])
def test_a_bad_question_is_answered_with_a_sentence(request_) -> None:
    assert len(train(request_)["error"]) < 200


def test_a_turn_that_does_not_exist_is_refused() -> None:
    begun = bench.begin(densities.ring(), SMALL)
    assert "Turn must be one of play, look, D, G" in train({"lab": begun["lab"], "turn": "X"})["error"]


@pytest.mark.parametrize("name", PRESETS)
def test_the_controls_hold_a_whole_preset(name: str) -> None:
    asked = lab.of_preset(name, "grid", 7)
    assert asked.settings() == replace(PRESETS[name].settings, seed=7)
    assert links.restore(Asked, "gan.lab", links.query("gan.lab", asked)) == asked


def test_the_controls_begin_as_the_first_preset() -> None:
    assert Asked() == lab.of_preset(lab.FIRST)


@pytest.mark.parametrize("data", [*densities.DENSITIES, labs.DRAWN])
@pytest.mark.filterwarnings("error")
def test_every_kind_of_data_can_be_learned(data: str) -> None:
    ink = np.zeros((28, 28), np.uint8)
    ink[10:15, 5:20] = 255
    value = lab.begin(replace(Asked(), data=data), base64.b64encode(ink.tobytes()).decode())
    modes = {"ring": 8, "grid": 25, "uneven": 2}.get(data)
    told = " ".join(value["frame"]["caption"])
    assert (f"of {modes}" in told) == bool(modes)
    assert ("modes" in value["frame"]["row"]) == bool(modes)


BAD = [("data", "photographs"), ("data", labs.DRAWN), ("lr_d", 0), ("lr_g", math.nan), ("lr_g", "fast"),
       ("width", 10**6), ("k", None), ("loss", "love"), ("gp", -1), ("unroll", 99),
       ("spectral", 1), ("steps", 1e12)]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_bad_control_is_one_sentence(field: str, value: object) -> None:
    with pytest.raises(UserError) as refused:
        lab.begin(replace(Asked(), **{field: value}), "")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({"batch": 1024, "kernels": 64}, "time or memory"), ({"batch": 256, "kernels": 16, "unroll": 10}, "memory"),
     ({"batch": 1024, "k": 20, "unroll": 1}, "time"), ({"spectral": True, "clip": 0.1}, "choose one")],
)  # fmt: skip
def test_what_would_starve_other_visitors_or_does_nothing_is_refused(given: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        replace(Asked(), **given)


def test_a_visitor_keeps_the_last_two_labs_and_nobody_elses_go() -> None:
    other = bench.begin(densities.ring(), SMALL)["lab"]
    benches.belongs(other, ("other", "gan.lab"))
    mine = [bench.begin(densities.ring(), SMALL)["lab"] for _ in range(4)]
    for name in mine:
        benches.belongs(name, ("me", "gan.lab"))
    assert list(benches._benches) == [other, *mine[-2:]]


def test_a_lab_that_begins_with_infinities_is_explained(monkeypatch) -> None:
    monkeypatch.setattr(bench, "pull", lambda *_: torch.full((1, 2), math.inf))
    with pytest.raises(UserError, match="ran off to infinity"):
        bench.begin(densities.ring(), SMALL)


def test_a_link_with_a_bad_number_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="k"):
        links.restore(Asked, "gan.lab", {"tab": "gan.lab", "k": "many"})
