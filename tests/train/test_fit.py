"""The training loop: what it computes, that stopping changes nothing, and that it grows beyond one process."""

import json
from dataclasses import replace
from datetime import date

import pytest
import torch
from tiny_run import IMAGES, LABELS, TINY, logged, steps, take, train

from playground.datasets.registry import dataset_of
from playground.families import ddpm
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.validation import UsageError, UserError
from train import ddpm as recipe
from train.fit import fit
from train.run import Run
from train.schedule import lr_factor

# --- a run ----------------------------------------------------------------------------------------


def test_a_run_leaves_a_checkpoint_that_tells_how_it_was_made(tiny):
    begun = date.today()
    path = train(tiny)
    assert path == tiny.out / "ddpm-tiny.safetensors"
    family, config, provenance = checkpoint.read_header(path)
    assert (family, ddpm.Config(**config)) == ("ddpm", TINY)
    assert {key: provenance[key] for key in ("recipe", "seed", "steps")} == {"recipe": "ddpm", "seed": 0, "steps": 12}
    assert begun <= date.fromisoformat(provenance["date"]) <= date.today()
    assert provenance["data"] == "images given by the caller"
    assert dataset_of(provenance) is None, "MNIST is none of it"
    assert provenance["flags"]["batch_size"] == 8
    assert provenance["flags"]["class_dropout"] == 0.1
    assert provenance["flags"]["config"] == config
    assert str(tiny.out.parent) not in json.dumps(provenance)  # nothing of the machine's folders
    assert checkpoint.load(path).config == TINY


def test_the_log_has_a_row_a_step(tiny):
    train(tiny)
    rows = logged(tiny)
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert [row["lr"] for row in rows] == pytest.approx([tiny.lr * lr_factor(step, tiny) for step in range(12)])
    assert all(row["loss"] > 0 and row["loss_gradient"] > 0 and row["samples_per_second"] > 0 for row in rows)


def test_the_average_is_that_of_the_weights(tiny):
    """ema_t = d ema_{t-1} + (1 - d) weights_t, from the weights after the first step, t = 1, on.

    d is (1 + n) / (10 + n) after n = t - 1 updates, at most `ema`.
    """
    run = Run(tiny, lambda: ddpm.Model(TINY))
    expected: dict[str, torch.Tensor] = {}
    for step in fit(run):
        step.minimize(ddpm.loss(run.model, IMAGES[:8], LABELS[:8], step.rng))
        decay = min(tiny.ema, (step.index + 1) / (step.index + 10))
        for name, tensor in run.model.state_dict().items():
            expected[name] = torch.lerp(tensor, expected[name], decay) if name in expected else tensor.clone()
    for name, tensor in run.ema.module.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


def test_pictures_are_drawn_now_and_then(tiny):
    train(replace(tiny, picture_every=6))
    assert sorted(path.name for path in tiny.folder.glob("*.png")) == ["picture-0000006.png", "picture-0000012.png"]


def test_buffers_are_kept_as_they_are_beside_the_average_of_the_weights(tiny):
    model = ddpm.Model(TINY)
    model.register_buffer("tokens", torch.arange(500))
    run = Run(replace(tiny, ema=0.9995), lambda: model)
    for step in fit(run):
        take(step, tiny)
    assert torch.equal(run.ema.module.tokens, torch.arange(500))
    one, other = (next(module.parameters()) for module in (run.ema.module, run.model))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("log_every", [1, 1000])
def test_a_loss_that_is_not_a_number_stops_the_run_with_advice_before_its_state_is_kept(tiny, log_every):
    tiny = replace(tiny, log_every=log_every)

    def diverge() -> None:
        for step in steps(tiny):
            step.minimize(ddpm.loss(step.run.model, IMAGES[:8] * torch.nan, LABELS[:8], step.rng))

    with pytest.raises(UserError, match=r"not a number at step \d+: lower --lr"):
        diverge()
    assert not list(tiny.folder.glob("step-*"))


def test_the_loss_on_held_out_data_is_that_of_the_average_with_the_same_noise(tiny):
    test = torch.ones(300, 1, 8, 8), torch.zeros(300, dtype=torch.long)
    recipe.train(replace(tiny, picture_every=5, log_every=4), (IMAGES, LABELS), test)
    losses = {row["step"]: row["validation_loss"] for row in logged(tiny) if "validation_loss" in row}
    assert list(losses) == [5, 10, 12]
    assert [row["step"] for row in logged(tiny)] == [4, 5, 8, 10, 12]
    average = ddpm.Model(TINY)
    average.load_state_dict(Run(tiny, lambda: ddpm.Model(TINY)).ema.module.state_dict())
    expected = ddpm.loss(average.eval(), *(part[:256] for part in test), make_rng(tiny.seed), tiny.class_dropout)
    assert losses[12] == pytest.approx(expected.item(), rel=1e-5)


def test_half_precision_without_a_gpu_is_refused(tiny):
    with pytest.raises(UsageError, match="precision fp16 needs a GPU, and there is none: choose bf16 or no"):
        train(replace(tiny, precision="fp16"))
    assert not tiny.folder.exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"steps": 0}, "steps must be a whole number"), ({"cycles": 0}, "cycles must be"), ({"log_every": 0}, "log_every"),
     ({"accumulate": 0}, "accumulate must be"), ({"batch_size": 0}, "batch_size must be"),
     ({"ema": 1.5}, "ema must be a number from 0 to 1"),
     ({"lr": float("nan")}, "lr must be a number"), ({"warmup": -5}, "warmup must be a whole number from 0"),
     ({"clip_norm": -1.0}, "clip_norm must be a number from 1e-06"), ({"clip_norm": 0.0}, "clip_norm must be"),
     ({"class_dropout": 7.0}, "class_dropout must be a number from 0 to 1"), ({"minutes": 0.0}, "minutes must be"),
     ({"pause_after": -3.0}, "pause_after must be"),
     ({"seed": -1}, "seed must be a whole number from 0 to 4294967295"), ({"betas": (0.9, 2.0)}, "betas must be"),
     ({"betas": (1.0, 0.9)}, "betas must be"), ({"weight_decay": -1.0}, "weight_decay must be"),
     ({"tracker": "tensorbord"}, "tracker must be one of .*aim.*did you mean tensorboard?")],
)  # fmt: skip
def test_absurd_options_are_refused(tiny, wrong, sentence):
    with pytest.raises(UserError, match=sentence):
        replace(tiny, **wrong)


@pytest.mark.parametrize("name", ["../../escape", "..", "", "/tmp/a", "a/b", "a\\b", ".hidden", "a b"])
def test_a_name_that_leaves_the_folder_of_runs_is_refused(tiny, name):
    with pytest.raises(UserError, match="name must be letters, digits"):
        replace(tiny, name=name)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"size": 16}, "config.size must be 8, as in the data, not 16"), ({"channels": 3}, "config.channels must be 1"),
     ({"classes": 2}, "config.classes must be 3 or more")],
)  # fmt: skip
def test_a_config_for_other_data_is_refused_before_anything_is_written(tiny, wrong, sentence):
    with pytest.raises(UsageError, match=sentence):
        train(replace(tiny, config=replace(TINY, **wrong)))
    assert not tiny.folder.exists()


@pytest.mark.filterwarnings("ignore:.log_with")
def test_a_tracker_that_is_not_installed_is_named(tiny):
    with pytest.raises(UserError, match="pip install aim"):
        train(replace(tiny, tracker="aim"))


def test_the_last_step_is_logged(tiny):
    train(replace(tiny, log_every=5))
    assert [row["step"] for row in logged(tiny)] == [5, 10, 12]
