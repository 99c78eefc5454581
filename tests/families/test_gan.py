"""The adversarial networks: whose turn it is, classes, growing, codes, and a training from start to history."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import PartialState
from torch import Tensor, nn

from playground.families import gan
from playground.families.gan import Config, GrowthStage, history
from playground.families.gan.losses import Objective
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UsageError, UserError
from train import gan as recipe
from train.evaluation import gan_history
from train.evaluation.sample_quality import Judge
from train.fit import fit
from train.run import Run

# The smallest model and its loss on one batch, for tests/families/test_contract.py.
TINY = Config(latent=4, widths=(8, 8))


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


# --- the training ---------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> recipe.Recipe:
    monkeypatch.setattr(gan_history, "N_JUDGED", 200)
    return recipe.Recipe(name="gan-tiny", steps=12, batch_size=8, precision="no", log_every=1, save_every=5, ema=0.5,
                         config=replace(TINY, widths=(8, 8, 8)), out=tmp_path / "weights",
                         runs=tmp_path / "runs")  # fmt: skip


def digits(n: int = 400) -> tuple[Tensor, Tensor]:
    """Bars that stand, each at a place of its own, with some noise."""
    images, labels = torch.full((n, 1, 32, 32), -1.0), torch.arange(n) % 10
    for image, label in zip(images, labels, strict=True):
        image[:, 6:26, 4 + 2 * label : 8 + 2 * label] = 1
    images += 0.1 * torch.rand(images.shape, generator=make_rng(0))
    return images, labels


@pytest.mark.parametrize("variant", ["plain", "classes", "progressive", "spectral"])
def test_a_training_leaves_a_checkpoint_and_its_history(tiny: recipe.Recipe, variant: str) -> None:
    config = VARIANTS[variant]
    tiny = replace(tiny, config=replace(config, widths=(8, 8, 8), classes=10 if config.classes else 0))
    path = recipe.train(tiny, digits())
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model: gan.Model = checkpoint.load(path, family="gan")
    logits = gan.discriminator_logits(model, digits()[0][: gan.N_LOGITS]).sort().values
    torch.testing.assert_close(model.real_logits, logits, rtol=1e-3, atol=1e-3)
    assert (model.fake_logits.diff() >= 0).all()
    assert model.fake_logits.any()
    assert last_frame(gan.sample(model, gan.Settings(n=2))).x.shape == (2, 1, 32, 32)
    seen = history.load(path.with_suffix(".history.npz"))
    assert seen.steps.tolist() == list(range(1, 13))
    assert len(seen.pictures) == 12
    assert all(picture[8:12] == b"WEBP" for picture in seen.pictures)
    assert seen.real.shape == seen.fake.shape == seen.slopes.shape == (12, gan_history.N_PROBES)
    assert (seen.slopes > 0).all()
    assert seen.classes.sum(1).tolist() == [200] * 12
    assert (seen.frechet > 0).all()
    assert seen.curves.shape == (4, 12)


def test_a_judge_that_is_missing_is_found_before_the_training(tiny: recipe.Recipe, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the checkpoint nobody is missing"):
        recipe.train(replace(tiny, judge=tmp_path / "nobody.safetensors"), digits())
    assert not tiny.folder.exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"channels": 3}, "config.channels must be 1"), ({"widths": (8, 8)}, "config.size must be 32")],
)
def test_networks_for_other_data_are_refused(tiny: recipe.Recipe, wrong: dict, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        recipe.train(replace(tiny, config=replace(tiny.config, **wrong)), digits())
    assert not tiny.folder.exists()


@pytest.mark.parametrize("option", ["start", "accumulate"])
def test_options_that_adversarial_networks_lack_are_refused_before_the_run(tiny: recipe.Recipe, option: str) -> None:
    finished = tiny.out / "finished.safetensors"
    checkpoint.save(finished, gan.Model(tiny.config), {"steps": tiny.steps})
    wrong = {"start": finished, "accumulate": 2}[option]
    with pytest.raises(UserError, match=f"leave out --{option}"):
        recipe.train(replace(tiny, **{option: wrong}), digits())
    assert not tiny.folder.exists()


def test_several_processes_are_refused_before_the_run(tiny: recipe.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartialState(), "num_processes", 2)
    with pytest.raises(UserError, match="in one process here"):
        recipe.train(tiny, digits())
    assert not tiny.folder.exists()


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(tiny: recipe.Recipe, tmp_path: Path) -> None:
    whole, parts = (replace(tiny, runs=tmp_path / name) for name in ("whole", "parts"))
    paused = replace(parts, pause_after=0.0, log_every=5)
    before_pause = _losses(paused)
    assert len(before_pause) == 5
    for one, other in zip(_losses(whole), before_pause + _losses(parts), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def _losses(options: recipe.Recipe) -> list[dict[str, torch.Tensor]]:
    """The losses of each step of a run, until it pauses or ends."""
    run, (images, labels) = Run(options, lambda: gan.Model(options.config), players=recipe.PLAYERS), digits()
    losses = []
    for step in fit(run):
        recipe.take_turns(run, step, images, labels)
        losses.append(step.losses)
    return losses


def test_an_optimizer_for_each_player_takes_the_steps_of_one_for_both(tiny: recipe.Recipe) -> None:
    options = replace(tiny, steps=3, precision="no")
    run, (images, labels) = Run(options, lambda: gan.Model(options.config), players=recipe.PLAYERS), digits()
    model = deepcopy(run.model)
    assert set(run.optimizers) == {"discriminator", "generator"}
    kwargs = {"lr": options.lr, "betas": options.betas, "weight_decay": options.weight_decay}
    both = torch.optim.AdamW(model.parameters(), **kwargs)
    for step in fit(run):
        rng, index = deepcopy(step.rng), step.indices(len(images))
        for group in both.param_groups:
            group["lr"] = step.lr
        for loss in (gan.discriminator_loss, gan.generator_loss):
            loss(model, images[index], labels[index], options.objective, rng).backward()
            both.step()
            both.zero_grad()
        recipe.take_turns(run, step, images, labels)
        for one, other in zip(run.model.parameters(), model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_weights_stay_clipped_after_every_step(tiny: recipe.Recipe) -> None:
    options = replace(tiny, objective=Objective("wasserstein", clip=0.02), ema=0.0)
    path = recipe.train(replace(options, steps=3), digits())
    assert path is not None
    largest = max(float(weight.abs().max()) for weight in checkpoint.load(path).discriminator.parameters())
    assert largest == pytest.approx(0.02, rel=1e-3)


def test_stacked_digits_are_three_of_the_set() -> None:
    images = torch.arange(50.0).view(50, 1, 1, 1).expand(50, 1, 2, 2)
    x, again = (recipe.stack(images[[7, 7, 30, 2]], images, make_rng(1)) for _ in range(2))
    assert x.shape == (4, 3, 2, 2)
    assert x[:, 0, 0, 0].tolist() == [7, 7, 30, 2]
    assert torch.equal(x, again)
    assert len(set(x[:, 1:, 0, 0].flatten().tolist())) > 4


def test_counted_modes_and_their_divergence_from_the_uniform_distribution() -> None:
    assert recipe.count_modes(torch.full((1000,), 26)) == {"modes": 1000, "reverse_kl": pytest.approx(0, abs=1e-12)}
    collapsed = torch.zeros(1000, dtype=torch.long)
    collapsed[:10] = 5
    assert recipe.count_modes(collapsed) == {"modes": 10, "reverse_kl": pytest.approx(np.log(100))}


def test_stacked_digits_are_learned_without_a_history_and_their_modes_counted(tiny: recipe.Recipe) -> None:
    path = recipe.train(replace(tiny, stacked=True, steps=3, config=replace(tiny.config, channels=3)), digits())
    assert path is not None
    assert list(path.parent.iterdir()) == [path]
    found = recipe.measure_modes(path, Judge(recipe.JUDGE, recipe.mnist.DATASET, digits()[0]), n=60)
    assert 1 <= found["modes"] <= 60
    assert np.log(1000 / 60) <= found["reverse_kl"] <= np.log(1000)


def test_moments_lie_at_equal_ratios() -> None:
    steps = gan_history.moments(9_360)
    assert len(steps) >= gan_history.N_MOMENTS
    assert (steps[0], steps[-1]) == (1, 9_360)
    late = np.diff(np.log(steps[-15:]))
    assert late.max() / late.min() < 1.05
    assert gan_history.moments(7) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_history_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "gan-digits-hinge.history.npz"
    if damage == "cut":
        path.write_bytes(b"PK\x03\x04nothing")
    if damage == "other":
        np.savez(path, steps=np.arange(3))
    with pytest.raises(UserError, match=r"python -m train gan-digits-hinge`"):
        history.load(path)
