"""Denoising diffusion: its loss, its denoiser, and what it refuses."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from playground.diffusion.parameterization import PREDICTIONS
from playground.diffusion.samplers import SAMPLERS
from playground.diffusion.schedule import SCHEDULES, cosine
from playground.families import ddpm
from playground.runtime.run import last_frame

# The smallest model and its loss on one batch, for tests/families/test_contract.py.
TINY = ddpm.Config(size=8, classes=3, width=8, blocks=1, emb_dim=16)
TINY_SETTINGS = {"steps": 4}
CHANGES = {"label": 2, "sampler": "dpm-solver++", "steps": 5, "eta": 1.0, "w": 3.0, "clip": False}


def tiny_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    labels = torch.arange(12) % 3
    images = (labels - 1.0).view(-1, 1, 1, 1).expand(12, 1, 8, 8)  # black, grey, white
    return ddpm.loss(model, images, labels, generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(config: ddpm.Config = TINY) -> ddpm.Model:
    """A model whose parameters are all off zero, so that time and class matter."""
    torch.manual_seed(0)
    model = ddpm.Model(config).requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return model


class Spy(nn.Module):
    """Stands where a model stands, answers with a function, and keeps the times and classes it was asked about."""

    def __init__(self, answer=lambda xt, t: torch.zeros_like(xt), prediction: str = "eps", schedule: str = "cosine"):
        super().__init__()
        self.config, self.answer = TINY, answer
        self.schedule, self.prediction = SCHEDULES[schedule](1000), PREDICTIONS[prediction]

    def forward(self, xt: Tensor, t: Tensor, y: Tensor) -> Tensor:
        self.t, self.y = t, y
        return self.answer(xt, t)


# --- loss -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_loss_is_the_mean_squared_error_at_random_times(prediction):
    """Ho 2020, algorithm 1, one image at a time and with plain floats."""
    model, b = stirred(replace(TINY, prediction=prediction)), 4
    x0, y = torch.rand(b, 1, 8, 8) * 2 - 1, torch.tensor([0, 1, 2, 0])
    value = ddpm.loss(model, x0, y, seeded(7), class_dropout=0.5)

    generator, alpha_bar = seeded(7), cosine().alpha_bar.tolist()
    u = float(torch.rand((), generator=generator))
    eps = torch.randn(x0.shape, generator=generator)
    hidden = (torch.rand(b, generator=generator) < 0.5).tolist()
    total = 0.0
    for i in range(b):
        t = 1 + math.floor((u + i / b) % 1 * 1000)
        a, s = math.sqrt(alpha_bar[t]), math.sqrt(1 - alpha_bar[t])
        target = {"eps": eps[i], "x0": x0[i], "v": a * eps[i] - s * x0[i]}[prediction]
        label = torch.tensor([3 if hidden[i] else int(y[i])])
        out = model((a * x0[i] + s * eps[i])[None], torch.tensor([t]), label)[0]
        total += float((out - target).square().mean())
    assert float(value) == pytest.approx(total / b, rel=1e-4)
    assert True in hidden
    assert False in hidden


@pytest.mark.parametrize("b", [1, 8, 125])
def test_times_are_one_from_each_of_b_equal_parts(b):
    spy, seen = Spy(), []
    for seed in range(200):
        ddpm.loss(spy, torch.zeros(b, 1, 2, 2), torch.zeros(b, dtype=torch.long), seeded(seed))
        if 1000 % b == 0:
            assert sorted(((spy.t - 1) * b // 1000).tolist()) == list(range(b))
        seen += spy.t.tolist()
    assert 1 <= min(seen) <= max(seen) <= 1000
    assert sum(seen) / len(seen) == pytest.approx(500.5, abs=5 * 1000 / math.sqrt(12 * 200) / b)


VARIANCE = 0.4
# The variance of the target given x_t, when x0 ~ N(0, VARIANCE): what no network can explain.
UNEXPLAINED = {
    "x0": lambda a2, s2: VARIANCE * s2 / (a2 * VARIANCE + s2),
    "eps": lambda a2, s2: VARIANCE * a2 / (a2 * VARIANCE + s2),
    "v": lambda a2, s2: VARIANCE / (a2 * VARIANCE + s2),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_perfect_network_has_the_loss_of_what_cannot_be_known(prediction, schedule):
    """A batch of T images has every time once."""

    def exact(xt: Tensor, t: Tensor) -> Tensor:
        a, s = spy.schedule.coefficients(t, xt)
        x0_hat = a * VARIANCE / (a**2 * VARIANCE + s**2) * xt
        return spy.prediction.target(x0_hat, (xt - a * x0_hat) / s, a, s)

    spy = Spy(exact, prediction, schedule)
    x0 = math.sqrt(VARIANCE) * torch.randn(1000, 1, 8, 8, generator=seeded(1))
    value = ddpm.loss(spy, x0, torch.zeros(1000, dtype=torch.long), seeded(2))
    a2 = spy.schedule.alpha_bar[1:]
    assert float(value) == pytest.approx(float(UNEXPLAINED[prediction](a2, 1 - a2).mean()), rel=0.03)


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_a_share_of_the_classes_is_hidden(share):
    spy, y = Spy(), torch.arange(3000) % 3
    ddpm.loss(spy, torch.zeros(3000, 1, 1, 1), y, seeded(), class_dropout=share)
    hidden = spy.y == TINY.classes
    assert float(hidden.float().mean()) == pytest.approx(share, abs=0.025 if 0 < share < 1 else 0)
    assert (spy.y[~hidden] == y[~hidden]).all()


def test_the_loss_depends_on_the_generator_alone():
    model = stirred()
    first = tiny_loss(model, seeded(5))
    torch.rand(7)
    assert tiny_loss(model, seeded(5)) == first != tiny_loss(model, seeded(6))


# --- denoiser -------------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(("w", "evaluated"), [(1, 2), (0, 2), (2, 4), (0.5, 4)])
def test_guidance_extrapolates_from_the_unconditional_estimate(prediction, w, evaluated):
    """w = 1 is the conditional model and w = 0 the unconditional one, at the cost of one evaluation each."""
    model, sizes = stirred(replace(TINY, prediction=prediction)), []
    xt, t, y = torch.randn(2, 1, 8, 8, generator=seeded()), 400, torch.tensor([0, 2])

    def x0_hat(labels: Tensor) -> Tensor:
        times = torch.full((2,), t)
        return model.prediction.x0_hat(model(xt, times, labels), xt, *model.schedule.coefficients(times, xt))

    uncond, cond = x0_hat(torch.full((2,), 3)), x0_hat(y)
    assert (uncond - cond).abs().max() > 1e-3
    model.register_forward_hook(lambda _, inputs, output: sizes.append(len(output)))
    torch.testing.assert_close(
        model.denoiser(y, w, clip=False)(xt, t).x0_hat, uncond + w * (cond - uncond), rtol=1e-4, atol=1e-4
    )
    assert sizes == [evaluated]
    clipped = model.denoiser(y, w, clip=True)(xt, t).x0_hat
    torch.testing.assert_close(clipped, (uncond + w * (cond - uncond)).clamp(-1, 1), rtol=1e-4, atol=1e-4)


# --- sampling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_makes_clean_pictures_with_every_prediction(sampler, prediction):
    config = replace(TINY, prediction=prediction)
    frames = list(ddpm.sample(stirred(config), ddpm.Settings(n=2, sampler=sampler, steps=5, eta=1.0, w=2.0)))
    assert len(frames) == 6
    assert frames[-1].x.shape == (2, 1, 8, 8)
    assert frames[-1].x.abs().max() <= 1


def test_a_model_without_classes_samples():
    settings = ddpm.Settings(n=2, steps=2)
    assert last_frame(ddpm.sample(stirred(replace(TINY, classes=0)), settings)).x.isfinite().all()


@pytest.mark.parametrize("classes", [0, 3])
def test_a_class_that_the_model_lacks_is_refused(classes):
    model = stirred(replace(TINY, classes=classes))
    with pytest.raises(ValueError, match="no class 7"):
        last_frame(ddpm.sample(model, ddpm.Settings(label=7)))


def test_classes_come_in_turn_or_all_alike():
    model = stirred()
    assert ddpm.labels(model, ddpm.Settings(n=5)).tolist() == [0, 1, 2, 0, 1]
    assert ddpm.labels(model, ddpm.Settings(n=3), first=4).tolist() == [1, 2, 0]
    assert ddpm.labels(model, ddpm.Settings(n=3, label=2), first=4).tolist() == [2, 2, 2]


# --- settings and config --------------------------------------------------------------------------

NO_NUMBER = [math.nan, math.inf, -math.inf, "7", None, True, [1], {}]
BAD = [
    *(("n", value) for value in [*NO_NUMBER, 3.7, 0, -1, 10**7]),
    *(("label", value) for value in [math.nan, math.inf, "7", True, [1, 2], 3.7, -1, 10_000]),
    *(("sampler", value) for value in ["euler", "DDIM", "", None, 3, ["ddim"]]),
    *(("steps", value) for value in [*NO_NUMBER, 3.7, 0, 1001]),
    *(("eta", value) for value in [*NO_NUMBER, -0.1, 1.1]),
    *(("w", value) for value in [*NO_NUMBER, -1, 21]),
    *(("clip", value) for value in [math.nan, "yes", "", None, 0, 1, [True]]),
    *(("seed", value) for value in [*NO_NUMBER, 3.7, -1, 2**32]),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_settings_are_refused_in_one_sentence(name, value):
    with pytest.raises(ValueError, match="must be") as caught:
        ddpm.Settings(**{name: value})
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 200
    assert name in message or name == "n"


def test_numbers_of_a_page_are_fine_settings():
    """JSON has one kind of number: 50.0 is 50."""
    made = ddpm.Settings(n=3.0, label=7.0, steps=50.0, eta=1, w=0, seed=4294967295.0)
    assert made == ddpm.Settings(n=3, label=7, steps=50, eta=1.0, w=0.0, seed=2**32 - 1)
    assert [type(made.n), type(made.label), type(made.steps), type(made.eta), type(made.seed)] == [
        int,
        int,
        int,
        float,
        int,
    ]


BAD_CONFIGS = [
    *(("width", value) for value in [10**9, 0, 12, "64", None]),
    *(("size", value) for value in [math.nan, 33, 10**6]),
    *(("multipliers", value) for value in [[], [1, 10**9], [1] * 1000, 3, "12", [1.5], None]),
    *(("dropout", value) for value in [2, "0", math.nan]),
    *(("T", value) for value in [0, 10**12]),
    ("blocks", 10**9),
    ("patch", 3),
    ("prediction", "noise"),
    ("schedule", None),
]


@pytest.mark.parametrize(("name", "value"), BAD_CONFIGS)
def test_bad_configs_are_refused_in_one_sentence(name, value):
    """A config comes from a checkpoint's header: a file of unknown origin."""
    with pytest.raises(ValueError, match="must be") as caught:
        ddpm.Config(**{name: value})
    assert "\n" not in str(caught.value)
