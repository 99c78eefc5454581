"""The adversarial networks: whose turn it is, classes, growing, codes, and a training from start to history."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from playground.families import gan
from playground.families.gan import Config, GrowthStage, losses
from playground.families.gan.losses import Objective
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError

# The smallest model and its loss on one batch, for tests/families/test_contract.py.
TINY = Config(latent=4, widths=(8, 8))
CHANGES = {"truncation": 0.5}
UNUSED = {"label"}


def tiny_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    """Of D: bright pictures against those of G, which stays as it is."""
    return gan.discriminator_loss(model, torch.ones(8, 1, 16, 16), None, Objective(), generator)


def stirred(config: Config = TINY) -> gan.Model:
    torch.manual_seed(0)
    return gan.Model(config).eval()


def codes(config: Config, n: int = 4) -> tuple[Tensor, Tensor | None]:
    y = torch.arange(n) % config.classes if config.classes else None
    return torch.randn(n, config.latent, generator=make_rng(0)), y


VARIANTS = {
    "plain": TINY,
    "classes": replace(TINY, classes=3),
    "progressive": replace(TINY, progressive=True),
    "spectral": replace(TINY, spectral=True),
    "kernels": replace(TINY, kernels=5),
}


# --- the networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_a_picture_is_made_and_judged(config: Config) -> None:
    model, (z, y) = stirred(config), codes(config)
    x = model.generator(z, y)
    assert x.shape == (4, 1, config.size, config.size) == (4, 1, 16, 16)
    assert x.abs().max() <= 1
    assert model.discriminator(x, y).shape == (4,)


def test_the_shipped_networks_make_digits_and_fit_their_size() -> None:
    model = gan.Model(Config())
    assert model.generator(codes(Config())[0]).shape == (4, 1, 32, 32)
    for config in (Config(classes=10), Config(progressive=True)):
        weights = sum(weight.numel() for weight in gan.Model(config).parameters())
        assert 2 * weights <= 0.8 * 2**20  # bytes, in half precision


def test_a_class_is_judged_by_projection() -> None:
    """The logits of two classes differ by the projections of the features on the classes' rows."""
    config = VARIANTS["classes"]
    model, x = stirred(config), torch.randn(2, 1, 16, 16, generator=make_rng(0))
    d = model.discriminator
    first, second = (d(x, torch.full((2,), y)) for y in (0, 1))
    rows = d.embed.weight.T
    torch.testing.assert_close(second - first, d.features(x) @ (rows[1] - rows[0]), rtol=1e-4, atol=1e-5)


def test_a_conditional_model_asks_for_classes() -> None:
    with pytest.raises(UserError, match="class"):
        stirred(VARIANTS["classes"]).generator(codes(TINY)[0])


@pytest.mark.parametrize("level", [1, 2])
def test_a_new_resolution_begins_as_the_one_before(level: int) -> None:
    """Faded in by nothing, G is the smaller G enlarged, and D judges half the picture as the smaller D did."""
    config = VARIANTS["progressive"]
    model, (z, _) = stirred(config), codes(config)
    small, new = GrowthStage(level - 1), GrowthStage(level, 0.0)
    doubled = nn.functional.interpolate(model.generator.outputs[level - 1](_map(model, z, level - 1)), scale_factor=2)
    torch.testing.assert_close(model.generator(z, None, new), doubled.tanh())
    x = torch.randn(3, 1, 4 * 2**level, 4 * 2**level, generator=make_rng(1))
    half = nn.functional.avg_pool2d(x, 2)
    torch.testing.assert_close(model.discriminator(x, None, new), model.discriminator(half, None, small))


def _map(model: gan.Model, z: Tensor, level: int) -> Tensor:
    h = model.generator.start(z)
    for block in model.generator.blocks[:level]:
        h = block(h)
    return h


def test_a_fully_grown_model_is_the_model() -> None:
    config = VARIANTS["progressive"]
    model, (z, _) = stirred(config), codes(config)
    x = model.generator(z)
    torch.testing.assert_close(model.generator(z, None, GrowthStage(2)), x, rtol=0, atol=0)
    torch.testing.assert_close(model.discriminator(x, None, GrowthStage(2)), model.discriminator(x), rtol=0, atol=0)


def test_a_model_grows_by_equal_parts_of_half_its_training_and_fades_each_in_over_half_of_one() -> None:
    config = VARIANTS["progressive"]
    shares = [0.0, 0.3, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 1.0]
    stages = [gan.growth_stage(config, share / 2) for share in shares]
    assert [stage.level for stage in stages] == [0, 0, 1, 1, 1, 1, 2, 2]
    assert [stage.alpha for stage in stages] == pytest.approx([1, 1, 0, 0.4, 1, 1, 0, 1], abs=1e-9)
    assert gan.growth_stage(config, 1.0) == GrowthStage(2)
    assert gan.growth_stage(TINY, 0.5) is None


def test_data_grows_with_the_networks() -> None:
    x = torch.randn(2, 1, 16, 16, generator=make_rng(0))
    half = nn.functional.avg_pool2d(x, 2)
    torch.testing.assert_close(gan.resize_to_stage(x, GrowthStage(1)), half)
    smaller = nn.functional.interpolate(half, scale_factor=2)
    torch.testing.assert_close(gan.resize_to_stage(x, GrowthStage(2, 0.0)), smaller)
    assert gan.resize_to_stage(x, None) is x


@pytest.mark.parametrize("wrong", [{"widths": []}, {"widths": (7,)}, {"widths": "88"}, {"latent": 0}, {"classes": -1},
                                   {"spectral": 1}, {"kernels": 1e9}, {"channels": None}])  # fmt: skip
def test_an_absurd_config_is_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Config(**wrong)


# --- the losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [Objective(), Objective("relativistic", r1=1, r2=1), Objective(gp=10)])
@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_each_network_learns_in_its_own_turn_alone(config: Config, objective: Objective) -> None:
    model, x = gan.Model(config), torch.randn(4, 1, 16, 16, generator=make_rng(0))
    _, y = codes(config)
    stage = GrowthStage(2, 0.5) if config.progressive else None
    for loss, learns, waits in (
        (gan.discriminator_loss, model.discriminator, model.generator),
        (gan.generator_loss, model.generator, model.discriminator),
    ):
        model.zero_grad()
        loss(model, x, y, objective, make_rng(1), stage).backward()
        assert all(weight.grad is None for weight in waits.parameters())
        assert sum(float(w.grad.abs().sum()) for w in learns.parameters() if w.grad is not None) > 0


def test_the_gradient_penalty_is_taken_at_random_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[Tensor]()
    monkeypatch.setattr(losses, "discriminator_loss", lambda *arguments: seen.append(arguments[-1]))
    gan.discriminator_loss(stirred(), torch.zeros(200, 1, 16, 16), None, Objective(gp=10), make_rng(0))
    (u,) = seen
    assert torch.histc(u, 4, 0, 1).tolist() == pytest.approx([50] * 4, abs=25), "four standard errors"


# --- samples --------------------------------------------------------------------------------------


def test_codes_without_tails_are_the_quantiles_of_codes_with_them() -> None:
    whole = gan.sample_prior(50, gan.Settings(n=100, truncation=4.0))
    cut = gan.sample_prior(50, gan.Settings(n=100, truncation=1.0))
    assert cut.abs().max() <= 1
    assert (cut.flatten()[whole.flatten().argsort()].diff() >= 0).all()
    # The variance of a normal law without what is beyond 1: 1 - 2 phi(1) / (2 Phi(1) - 1).
    assert cut.var() == pytest.approx(1 - 2 * 0.2419707 / 0.6826895, rel=0.05)
    plain = torch.stack([torch.randn(50, generator=make_rng(0, i)) for i in range(100)])
    inner = plain.abs() < 3  # where cutting at 4 moves a code by no more than P(x < -4) / phi(3) = 0.007
    torch.testing.assert_close(whole[inner], plain[inner], rtol=0, atol=0.01)


def test_classes_come_in_turn_or_as_asked() -> None:
    model = stirred(VARIANTS["classes"])
    assert gan.labels(model, gan.Settings(n=5), first=1).tolist() == [1, 2, 0, 1, 2]
    assert gan.labels(model, gan.Settings(n=2, label=2)).tolist() == [2, 2]
    assert gan.labels(stirred(), gan.Settings(n=2, label=2)) is None
    with pytest.raises(UserError, match="label must be a whole number from 0 to 2"):
        last_frame(gan.sample(model, gan.Settings(label=3)))


@pytest.mark.parametrize("wrong", [{"n": 0}, {"label": 1.5}, {"truncation": 0}, {"seed": -1}, {"label": "seven"}])
def test_absurd_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        gan.Settings(**wrong)
