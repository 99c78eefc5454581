"""The recipe of adversarial networks: its steps, its history, and what it refuses."""

import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import PartialState
from test_gan import TINY, VARIANTS
from torch import Tensor
from torch.nn.utils.parametrize import is_parametrized

from playground.families import gan
from playground.families.gan import history
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UsageError, UserError
from train import gan as recipe
from train.evaluation import gan_history
from train.evaluation.sample_quality import Judge
from train.fit import fit
from train.run import Run


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
    tiny = replace(tiny, steps=6, config=replace(config, widths=(8, 8, 8), classes=10 if config.classes else 0))
    path = recipe.train(tiny, digits())
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model: gan.Model = checkpoint.load(path, family="gan")
    logits = gan.discriminator_logits(model, digits()[0][: gan.N_LOGITS]).sort().values
    torch.testing.assert_close(model.real_logits, logits, rtol=1e-3, atol=1e-3)
    assert (model.fake_logits.diff() >= 0).all()
    assert model.fake_logits.any()
    for layer in model.discriminator.modules() if variant == "spectral" else ():
        if is_parametrized(layer):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=2e-3)
    assert last_frame(gan.sample(model, gan.Settings(n=2))).x.shape == (2, 1, 32, 32)
    seen = history.load(path.with_suffix(".history.npz"))
    assert seen.steps.tolist() == list(range(1, 7))
    assert len(seen.pictures) == 6
    assert all(picture[8:12] == b"WEBP" for picture in seen.pictures)
    assert seen.real.shape == seen.fake.shape == seen.slopes.shape == (6, gan_history.N_PROBES)
    assert (seen.slopes > 0).all()
    assert seen.classes.sum(1).tolist() == [200] * 6
    assert (seen.frechet > 0).all()
    assert seen.curves.shape == (4, 6)


def test_a_judge_that_is_missing_is_found_before_the_training(tiny: recipe.Recipe, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the checkpoint nobody is missing"):
        recipe.train(replace(tiny, judge=tmp_path / "nobody.safetensors"), digits())
    assert not tiny.folder.exists()


def test_a_history_is_judged_by_the_judge_that_is_named(tiny: recipe.Recipe, tmp_path: Path, monkeypatch) -> None:
    asked, path = list[Path](), Path(shutil.copy(recipe.JUDGE, tmp_path / "mine.safetensors"))

    def load(path: Path, *_: object) -> None:
        asked.append(path)
        raise UserError("enough seen")

    monkeypatch.setattr(recipe, "Judge", load)
    with pytest.raises(UserError, match="enough seen"):
        recipe.train(replace(tiny, steps=1, judge=path), digits())
    assert asked == [path]


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
