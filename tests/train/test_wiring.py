"""Each option of a recipe reaches what it is for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from playground.families import ddpm, gan
from playground.families.gan.losses import Objective
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from train import ddpm as ddpm_recipe
from train import gan as gan_recipe
from train.run import Run

DATA = torch.rand(12, 1, 8, 8, generator=make_rng(0)) * 2 - 1, torch.arange(12) % 3
CONFIG = ddpm.Config(size=8, classes=3, width=8, multipliers=(1,), blocks=1, emb_dim=8)


@pytest.fixture
def tiny(tmp_path: Path) -> ddpm_recipe.Recipe:
    return ddpm_recipe.Recipe(name="tiny", steps=64, cycles=1, batch_size=4, warmup=0, decay=0.0,
                              ema=0.0, precision="no", config=CONFIG, runs=tmp_path / "runs", out=tmp_path)  # fmt: skip


def step(run: Run) -> None:
    for now in run.batches():
        now.minimize(ddpm.loss(run.model, *now.batch(*DATA), now.rng, run.options.class_dropout))  # type: ignore[attr-defined]
    run.finish_step()


def weights_after(options: ddpm_recipe.Recipe, n: int = 2) -> torch.Tensor:
    """Return the averaged weights after n steps, in one vector."""
    run = Run(options, lambda: ddpm.Model(options.config))
    for _ in range(n):
        step(run)
    return torch.nn.utils.parameters_to_vector(run.ema.module.parameters()).detach()


def test_the_recipe_drops_as_many_classes_as_asked(tiny: ddpm_recipe.Recipe, tmp_path: Path) -> None:
    learned = []
    for share in (0.0, 1.0):
        path = ddpm_recipe.train(replace(tiny, steps=2, class_dropout=share, runs=tmp_path / f"{share}"), DATA)
        assert path is not None
        learned.append(torch.cat([weight.detach().flatten() for weight in checkpoint.load(path).parameters()]))
    assert not torch.equal(*learned)


@pytest.mark.parametrize(("name", "value"), [
    ("batch_size", 8), ("accumulate", 2), ("lr", 1e-2), ("warmup", 4), ("decay", 1.0), ("optimizer", "muon"),
    ("betas", (0.1, 0.999)), ("betas", (0.9, 0.5)), ("weight_decay", 10.0), ("clip_norm", 1e-5), ("ema", 0.9),
    ("seed", 1),
])  # fmt: skip
def test_an_option_changes_the_weights(tiny: ddpm_recipe.Recipe, tmp_path: Path, name: str, value: object) -> None:
    other: ddpm_recipe.Recipe = replace(tiny, **{name: value}, runs=tmp_path / "other")  # type: ignore[arg-type]
    assert not torch.equal(weights_after(tiny), weights_after(other))


def test_the_same_options_give_the_same_weights(tiny: ddpm_recipe.Recipe, tmp_path: Path) -> None:
    assert torch.equal(weights_after(tiny), weights_after(replace(tiny, runs=tmp_path / "again")))


def test_the_weights_decay_by_the_rate_times_the_decay(tiny: ddpm_recipe.Recipe, tmp_path: Path) -> None:
    """Loshchilov 2019, algorithm 2: the step with the decay differs from that without by lr * decay * weights."""
    torch.manual_seed(tiny.seed)
    start = weights_after(replace(tiny, runs=tmp_path / "0"), 0)
    without, with_decay = (
        weights_after(replace(tiny, lr=1e-2, weight_decay=decay, runs=tmp_path / f"{decay}"), 1) for decay in (0.0, 5.0)
    )
    torch.testing.assert_close(without - with_decay, 1e-2 * 5.0 * start, rtol=1e-3, atol=1e-6)


def test_the_gradient_has_at_most_the_norm_of_the_option(tiny: ddpm_recipe.Recipe) -> None:
    run, norms = Run(replace(tiny, clip_norm=1e-3), lambda: ddpm.Model(CONFIG)), list[float]()
    parameters = [*run.model.parameters()]

    def record(*_: object) -> None:
        norms.append(torch.stack([p.grad.norm() for p in parameters if p.grad is not None]).norm().item())

    run.optimizers["loss"].optimizer.register_step_pre_hook(record)  # type: ignore[attr-defined]
    step(run)
    assert norms == [pytest.approx(1e-3, rel=1e-2)]


@pytest.mark.parametrize(("precision", "dtype"), [("no", torch.float32), ("bf16", torch.bfloat16)])
def test_a_network_computes_in_the_precision_of_the_option(
    tiny: ddpm_recipe.Recipe, precision: Any, dtype: torch.dtype
) -> None:
    run, dtypes = Run(replace(tiny, precision=precision), lambda: ddpm.Model(CONFIG)), set[torch.dtype]()
    for module in run.model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *args: dtypes.add(args[-1].dtype))
    step(run)
    assert dtypes == {dtype}


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_network_is_compiled_if_that_is_asked_for(
    tiny: ddpm_recipe.Recipe, is_asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = list[nn.Module]()
    monkeypatch.setattr(ddpm.Model, "compile", lambda model: compiled.append(model))
    run = Run(replace(tiny, compile=is_asked), lambda: ddpm.Model(CONFIG))
    assert compiled == [run.model] * is_asked


def test_every_process_has_noise_and_dropout_of_its_own(
    tiny: ddpm_recipe.Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, numbers = Run(tiny, lambda: ddpm.Model(CONFIG)), list[float]()
    for process in range(3):
        monkeypatch.setattr(Accelerator, "process_index", property(lambda _, process=process: process))
        now = next(run.batches())
        numbers += [torch.rand(1, generator=now.rng).item(), torch.rand(1).item()]
    assert len({*numbers}) == 6


def test_the_losses_of_a_gan_get_objective_and_growth_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objective, config = Objective("wasserstein", gp=10.0), gan.Config(latent=4, widths=(8, 8, 8), progressive=True)
    options = gan_recipe.Recipe(name="tiny", steps=8, batch_size=4, precision="no", config=config, objective=objective,
                                out=tmp_path / "weights", runs=tmp_path / "runs")  # fmt: skip
    run, calls = Run(options, lambda: gan.Model(config), players=gan_recipe.PLAYERS), list[Any]()
    for name, loss in gan_recipe.PLAYER_LOSSES.items():
        monkeypatch.setitem(
            gan_recipe.PLAYER_LOSSES, name, lambda *args, loss=loss: calls.append(args[3:]) or loss(*args)
        )
    images = torch.rand(12, 1, config.size, config.size) * 2 - 1
    expected = []
    for k in range(3):
        expected += [gan.growth_stage(config, k / 8)] * 2
        for now in run.batches():
            gan_recipe.take_turns(run, now, images, DATA[1])
        run.finish_step()
    assert [(call[0], call[2]) for call in calls] == [(objective, stage) for stage in expected]
    assert len({*expected}) == 3
