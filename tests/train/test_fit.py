"""The training loop: what it computes, that stopping changes nothing, and that it grows beyond one process."""

import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from playground.datasets.registry import dataset_of
from playground.families import ddpm
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.validation import UsageError, UserError
from train import __main__ as command_line
from train import autoencoder, clip, gan, judge, latent_diffusion, normalizing_flow, score_matching, vae
from train import ddpm as recipe
from train.batches import batch_indices, epoch_order
from train.fit import fit, publish
from train.run import LOG, Run, Step
from train.schedule import lr_factor

FAMILIES = (autoencoder, clip, recipe, normalizing_flow, gan, judge, score_matching, latent_diffusion, vae)
RECIPES = [options for family in FAMILIES for options in family.RECIPES]
ROOT = Path(__file__).resolve().parents[2]
TINY = ddpm.Config(size=8, classes=3, width=8, blocks=1, emb_dim=16)
IMAGES = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(40) % 3


@pytest.fixture
def tiny(tmp_path) -> recipe.Recipe:
    return recipe.Recipe(name="ddpm-tiny", steps=12, cycles=1, batch_size=8, warmup=3, ema=0.3, precision="no",
                         log_every=1, save_every=5, config=TINY, out=tmp_path / "weights",
                         runs=tmp_path / "runs")  # fmt: skip


def train(options: recipe.Recipe) -> Path | None:
    return recipe.train(options, data=(IMAGES, LABELS))


def steps(options: recipe.Recipe) -> Iterator[Step]:
    return fit(Run(options, lambda: ddpm.Model(options.config)))


def take(step: Step, options: recipe.Recipe) -> None:
    """A step as the recipe takes it."""
    step.minimize(ddpm.loss(step.run.model, *step.batch(IMAGES, LABELS), step.rng, options.class_dropout))


class Kill(BaseException):
    """Nothing in the loop expects this."""


def train_until_killed(options: recipe.Recipe, step: int) -> None:
    """The recipe's run, but it ends without notice at a step."""

    def run() -> None:
        for now in steps(options):
            if now.index == step:
                raise Kill
            take(now, options)

    with pytest.raises(Kill):
        run()


def results(options: recipe.Recipe) -> dict[str, torch.Tensor]:
    """The weights at the end in full precision, and their average as it ships."""
    (state,) = options.folder.glob("step-*")
    weights = load_file(state / "model.safetensors")
    average = load_file(options.out / f"{options.name}.safetensors")
    return weights | {f"average of {name}": tensor for name, tensor in average.items()}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def logged(options: recipe.Recipe) -> list[dict]:
    return [json.loads(line) for line in (options.folder / "log.jsonl").read_text().splitlines()]


# --- the rate and the batches ---------------------------------------------------------------------


def test_the_rate_rises_stays_and_falls_to_zero(tiny):
    options = replace(tiny, steps=100, warmup=10, decay=0.2)
    rates = [lr_factor(step, options) for step in range(101)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:81] == [1.0] * 71
    assert rates[81:] == pytest.approx([(100 - step) / 20 for step in range(81, 101)])


def test_each_cycle_takes_the_rate_through_the_same_course(tiny):
    one = replace(tiny, steps=50, warmup=5, decay=0.2)
    two = replace(one, steps=100, cycles=2)
    course = [lr_factor(step, one) for step in range(50)]
    assert [lr_factor(step, two) for step in range(100)] == 2 * course


@pytest.mark.parametrize("cycles", [1, 2, 8])
def test_a_run_too_short_for_its_cycles_has_fewer_and_reaches_the_whole_rate(tiny, cycles):
    options = replace(tiny, steps=80, warmup=500, decay=0.5, cycles=cycles)
    rates = [lr_factor(step, options) for step in range(80)]
    assert rates[:11] == pytest.approx([*((step + 1) / 10 for step in range(10)), 1])
    assert rates[40:] == pytest.approx([(80 - step) / 40 for step in range(40, 80)])


@pytest.mark.parametrize("options", RECIPES, ids=lambda options: options.name)
def test_the_shipped_recipes_have_all_their_cycles_and_the_whole_warm_up(options):
    length = options.steps // options.cycles
    for cycle in range(options.cycles):
        start = cycle * length
        assert lr_factor(start, options) == pytest.approx(1 / max(options.warmup, 1))
        assert lr_factor(start + options.warmup, options) == 1 or options.decay > 1 - options.warmup / length
        assert lr_factor(start + length - 1, options) < 0.01


@pytest.mark.parametrize(("warmup", "decay"), [(0, 0.0), (1, 0.0), (0, 1.0)])
def test_no_warm_up_and_no_decay_are_fine(tiny, warmup, decay):
    options = replace(tiny, steps=10, warmup=warmup, decay=decay)
    assert [lr_factor(step, options) for step in range(10)] == pytest.approx(
        [1 - step / 10 if decay else 1 for step in range(10)]
    )


@pytest.mark.parametrize(("n", "batch_size"), [(40, 8), (43, 8), (8, 8), (10, 1)])
def test_an_epoch_is_a_permutation_and_the_next_another(n, batch_size):
    per_epoch = n // batch_size
    epochs = [
        torch.cat([batch_indices(n, batch_size, step, seed=3) for step in range(start, start + per_epoch)]).tolist()
        for start in (0, per_epoch, 2 * per_epoch)
    ]
    for epoch in epochs:
        assert len(set(epoch)) == len(epoch) == per_epoch * batch_size
        assert set(epoch) <= set(range(n))
    assert epochs[0] != epochs[1] != epochs[2]
    assert batch_indices(n, batch_size, 0, seed=4).tolist() != epochs[0][:batch_size] or batch_size == 1


def test_the_permutation_is_made_once_an_epoch_and_is_that_of_its_seed(monkeypatch):
    epochs = [torch.randperm(40, generator=make_rng(3, epoch)) for epoch in (0, 1)]
    counted, randperm = [], torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *args, **kwargs: counted.append(args) or randperm(*args, **kwargs))
    epoch_order.cache_clear()
    batches = [batch_indices(40, 8, step, seed=3) for step in range(10)]
    assert len(counted) == 2
    assert torch.equal(torch.cat(batches), torch.cat(epochs))
    batch_indices(40, 8, 0, seed=4)
    assert torch.equal(batch_indices(40, 8, 0, seed=3), batches[0])


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_out_the_batch(processes):
    batch = batch_indices(40, 8, 7, seed=0).tolist()
    parts = [batch_indices(40, 8, 7, 0, process, processes).tolist() for process in range(processes)]
    assert sorted(itertools.chain(*parts)) == sorted(batch)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="a batch of 41 is more than the 40 items there are"):
        batch_indices(40, 41, 0, 0)


# --- a run ----------------------------------------------------------------------------------------


def test_a_run_leaves_a_checkpoint_that_tells_how_it_was_made(tiny):
    path = train(tiny)
    assert path == tiny.out / "ddpm-tiny.safetensors"
    family, config, provenance = checkpoint.read_header(path)
    assert (family, ddpm.Config(**config)) == ("ddpm", TINY)
    assert {key: provenance[key] for key in ("recipe", "seed", "steps", "date")} == {
        "recipe": "ddpm", "seed": 0, "steps": 12, "date": date.today().isoformat()}  # fmt: skip
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


# --- batches that accumulate, and held-out data ----------------------------------------------------


def gradients_without_noise(options: recipe.Recipe) -> list[torch.Tensor]:
    """The gradient of each step of a run whose loss is without chance, with all weights in a row."""
    torch.manual_seed(0)
    run, gradients = Run(options, lambda: ddpm.Model(options.config)), []
    weights = list(run.model.parameters())
    run.optimizers["loss"].optimizer.register_step_pre_hook(
        lambda *_: gradients.append(torch.cat([weight.grad.flatten() for weight in weights]))
    )
    for step in fit(run):
        x, index = *step.batch(IMAGES), step.indices(len(IMAGES))
        step.minimize((run.model(x, 100 + index, LABELS[index]) - x).square().mean())
    return gradients


@pytest.mark.parametrize("clip_norm", [0.1, 1e6])
def test_accumulated_batches_have_the_gradient_of_one_as_large_as_all(tiny, tmp_path, clip_norm):
    whole = replace(tiny, steps=4, batch_size=20, clip_norm=clip_norm)
    parts = replace(whole, batch_size=5, accumulate=4, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    expected, gradients = gradients_without_noise(whole), gradients_without_noise(parts)
    assert len(gradients) == len(expected) == 4, "a step after four batches"
    for gradient, whole_gradient in zip(gradients, expected, strict=True):
        assert (gradient - whole_gradient).norm() < 1e-3 * whole_gradient.norm()
    assert [row["step"] for row in logged(parts)] == [1, 2, 3, 4]
    for name in ("lr", "loss_gradient"):
        assert [row[name] for row in logged(parts)] == pytest.approx([row[name] for row in logged(whole)], rel=1e-3)


def test_the_batches_of_a_step_follow_each_other_through_the_data(tiny):
    batches = []
    for step in steps(replace(tiny, accumulate=2, batch_size=4)):
        batches.append((step.index, step.batch_index, step.indices(len(IMAGES)).tolist()))
        take(step, tiny)
    assert [batch[:2] for batch in batches] == [(i // 2, i) for i in range(24)]
    assert sorted(itertools.chain(*(items for *_, items in batches[:10]))) == list(range(40))


def test_only_a_batch_of_the_data_moves_to_the_device(tiny):
    """Data need not fit into its memory, nor be a tensor: they have a length and give items by their indices."""

    class Data:
        def __init__(self, items: torch.Tensor):
            self.items, self.sizes = items, list[int]()

        def __len__(self) -> int:
            return len(self.items)

        def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
            self.sizes.append(len(index))
            return self.items[index]

    images, labels = Data(IMAGES), Data(LABELS)
    for step in steps(tiny):
        x, y = step.batch(images, labels)
        index = step.indices(len(IMAGES))
        assert torch.equal(x, IMAGES[index])
        assert torch.equal(y, LABELS[index])
        step.minimize(ddpm.loss(step.run.model, x, y, step.rng))
    assert images.sizes == labels.sizes == [tiny.batch_size] * tiny.steps


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


# --- stopped and resumed --------------------------------------------------------------------------


@pytest.mark.parametrize(("dropout", "accumulate"), [(0.0, 1), (0.5, 1), (0.5, 2)])
def test_a_killed_run_resumes_to_the_very_same_weights(tiny, tmp_path, dropout, accumulate):
    options = replace(tiny, config=replace(TINY, dropout=dropout), accumulate=accumulate)
    train(options)
    killed = replace(options, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    train_until_killed(killed, 7)  # the state on the disk is that of step 5
    (killed.folder / "partial").mkdir()  # as if it was killed again, while it saved
    (killed.folder / "partial" / "model.safetensors").write_bytes(b"half")
    torch.rand(3)
    train_until_killed(killed, 11)  # resumed at 5, killed after 10 was saved
    assert train(killed)
    assert_same(results(options), results(killed))
    assert logged(options)[-1]["loss"] == logged(killed)[-1]["loss"]
    assert [row["step"] for row in logged(killed)] == list(range(1, 13))


def test_pause_after_stops_a_run_and_the_same_command_continues_it(tiny, tmp_path):
    train(tiny)
    slow = replace(tiny, pause_after=0.0, log_every=4, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    for steps in (4, 8):
        assert train(slow) is None
        assert [path.name for path in slow.folder.glob("step-*")] == [f"step-{steps:07d}"]
        assert checkpoint.read_header(slow.folder / "ddpm-tiny.safetensors").provenance["steps"] == steps
        assert not list(slow.out.iterdir())
    assert train(slow) == slow.out / "ddpm-tiny.safetensors"
    assert_same(results(tiny), results(slow))


def test_a_finished_run_writes_the_very_same_checkpoint_again(tiny, monkeypatch):
    path = train(tiny)
    before = path.read_bytes()
    path.unlink()
    monkeypatch.setattr("train.options.date", None)  # even on another day
    assert train(tiny) == path
    assert path.read_bytes() == before


def test_what_completes_a_checkpoint_is_done_before_it_is_published(tiny):
    def complete(path: Path) -> None:
        assert not list(tiny.out.iterdir())
        checkpoint.save(path, checkpoint.load(path), {"completed": True})

    run = Run(tiny, lambda: ddpm.Model(TINY))
    for step in fit(run):
        step.minimize(ddpm.loss(run.model, IMAGES[:8], LABELS[:8], step.rng))
    path = publish(run, complete)
    assert path
    assert checkpoint.read_header(path).provenance == {"completed": True}


@pytest.mark.parametrize(
    ("change", "was"), [({"lr": 1.0}, "lr 0.0006"), ({"seed": 1}, "seed 0"), ({"steps": 20}, "steps 12")]
)
def test_a_run_is_not_continued_with_other_flags(tiny, change, was):
    train_until_killed(tiny, 7)
    with pytest.raises(UserError, match=f"was started with {was}: delete it, or choose another --name"):
        train(replace(tiny, **change))
    assert train(replace(tiny, save_every=1, log_every=2))  # these change nothing in the result


def test_a_run_whose_state_is_lost_goes_on_from_its_checkpoint(tiny, tmp_path):
    half = replace(tiny, pause_after=0.0, log_every=6, save_every=6, cycles=2, warmup=2)
    assert train(half) is None, "out of time after the first cycle"
    checkpoint_path = half.folder.with_suffix(".safetensors")
    (half.folder / f"{half.name}.safetensors").rename(checkpoint_path)
    average = load_file(checkpoint_path)
    shutil.rmtree(half.folder)
    run = Run(replace(half, start=checkpoint_path), lambda: ddpm.Model(half.config))
    assert run.step == 6
    assert run.optimizers["loss"].param_groups[0]["lr"] == pytest.approx(half.lr * lr_factor(6, half))
    for of in (run.model, run.ema.module):
        assert_same({k: v.to(average[k].dtype) for k, v in of.state_dict().items()}, average)
    about = checkpoint.read_header(train(replace(half, pause_after=None, start=checkpoint_path))).provenance
    assert (about["steps"], about["flags"]["start"]) == (12, checkpoint_path.name)
    assert [row["step"] for row in logged(half)] == [12]


def test_a_run_does_not_go_on_from_another_model(tiny):
    other = replace(tiny, start=train(tiny), name="other", config=replace(TINY, width=16))
    with pytest.raises(UserError, match="made with another config"):
        train(other)


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


def test_a_log_whose_last_row_was_cut_off_does_not_keep_a_run_from_going_on(tiny):
    train_until_killed(tiny, 7)
    with (tiny.folder / LOG).open("a") as file:
        file.write('{"step": 8, "lo')
    assert train(tiny)
    assert [row["step"] for row in logged(tiny)] == list(range(1, 13))


def test_the_last_step_is_logged(tiny):
    train(replace(tiny, log_every=5))
    assert [row["step"] for row in logged(tiny)] == [5, 10, 12]


def test_a_finished_run_does_not_go_on(tiny):
    with pytest.raises(UserError, match="already taken 12 steps: ask for more --steps"):
        train(replace(tiny, start=train(tiny), name="other"))


def test_another_seed_makes_another_model(tiny, tmp_path):
    train(tiny)
    other = replace(tiny, seed=1, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    train(other)
    assert any(
        not torch.equal(one, two) for one, two in zip(results(tiny).values(), results(other).values(), strict=True)
    )


# --- interrupted, and on a full disk --------------------------------------------------------------


def interrupted(options: recipe.Recipe, step: int, times: int) -> None:
    """The recipe's run, with Ctrl-C pressed while it takes a step."""

    for now in steps(options):
        for _ in range(times if now.index == step else 0):
            signal.raise_signal(signal.SIGINT)
        take(now, options)


def test_an_interrupted_run_keeps_its_state_and_goes_on_to_the_very_same_weights(tiny, tmp_path):
    train(tiny)
    interrupted_options = replace(tiny, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 8 of 12; the same command continues it"):
        interrupted(interrupted_options, step=7, times=1)
    assert signal.getsignal(signal.SIGINT) is before
    assert [path.name for path in interrupted_options.folder.glob("step-*")] == ["step-0000008"]
    assert train(interrupted_options)
    assert_same(results(tiny), results(interrupted_options))


def test_a_run_interrupted_twice_ends_at_once(tiny):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tiny, step=7, times=2)
    assert [path.name for path in tiny.folder.glob("step-*")] == ["step-0000005"]
    assert train(tiny)


@pytest.mark.parametrize("place", ["out", "runs"])
def test_a_folder_that_takes_no_files_is_found_before_the_first_step(tiny, tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    options = replace(tiny, **{place: tmp_path / "file" / "folder"})
    with pytest.raises(UserError, match=r"file/folder.* cannot be written: "):
        train_until_killed(options, 0)


@pytest.mark.parametrize("room", [0, 1_000, 30_000, 100_000])
def test_a_full_disk_is_one_sentence_and_the_state_before_it_stays(tiny, tmp_path, room):
    """Room in bytes for a file; at some of these it is torch that fails, at others safetensors or the log."""
    train(tiny)
    full = replace(tiny, log_every=5, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    train_until_killed(full, 6)
    contents = {path: path.read_bytes() for path in full.folder.rglob("*") if path.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(UserError, match=r"^[^\n]+ cannot be written[^\n]+$"):
            train(full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (state,) = full.folder.glob("step-*")
    assert all(path.read_bytes() == before for path, before in contents.items() if path.is_relative_to(state))
    assert not list(full.folder.glob("*partial*"))
    assert train(full)
    assert_same(results(tiny), results(full))


# --- the command line and several processes -------------------------------------------------------


def test_the_command_without_flags_is_the_recipe(monkeypatch):
    trained = []
    monkeypatch.setattr(recipe, "train", trained.append)
    for flags in ([], ["--steps", "7", "--config.prediction", "eps"]):
        monkeypatch.setattr(sys, "argv", ["train", "ddpm", *flags])
        command_line.main()
    assert trained == [
        recipe.Recipe(),
        recipe.Recipe(steps=7, config=replace(recipe.Recipe().config, prediction="eps")),
    ]


def train_without_noise(folder: Path, processes: int) -> None:
    """A run whose loss is without chance, so that the shares of the processes make the batch of one."""
    options = recipe.Recipe(name="ddpm-tiny", steps=6, cycles=1, batch_size=8, warmup=1, ema=0.5, precision="no",
                            save_every=4, log_every=2, config=replace(TINY, width=16), out=folder,
                            runs=folder / "runs")  # fmt: skip
    run = Run(options, lambda: ddpm.Model(options.config))
    rank, ranks = run.accelerator.process_index, run.accelerator.num_processes
    assert ranks == processes

    for step in fit(run):
        index = batch_indices(len(IMAGES), options.batch_size, step.index, options.seed, rank, ranks)
        step.minimize((run.model(IMAGES[index], 100 + index, LABELS[index]) - IMAGES[index]).square().mean())
    publish(run)
    weights = run.accelerator.unwrap_model(run.model).state_dict()
    save_file(weights, folder / f"weights-of-{rank}.safetensors")
    save_file(run.ema.module.state_dict(), folder / f"average-of-{rank}.safetensors")


if __name__ == "__main__":  # what the launcher runs
    train_without_noise(Path(sys.argv[1]), int(sys.argv[2]))


def test_two_processes_agree_and_make_the_model_that_one_makes(tmp_path):
    """The launcher's --multi_gpu is what starts several processes, on a CPU too: --cpu alone starts one."""
    one, two = tmp_path / "1", tmp_path / "2"
    train_without_noise(one, processes=1)
    flags = (
        "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port 0"
    )
    command = [sys.executable, "-m", "accelerate.commands.launch", *flags.split(), __file__, str(two), "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for kind in ("weights", "average"):
        assert_same(load_file(two / f"{kind}-of-0.safetensors"), load_file(two / f"{kind}-of-1.safetensors"))
    assert [path.name for path in (two / "runs" / "ddpm-tiny").glob("step-*")] == ["step-0000006"]
    assert len(list((two / "runs" / "ddpm-tiny").glob("step-*/random_states_*"))) == 2
    assert len((two / "runs" / "ddpm-tiny" / "log.jsonl").read_text().splitlines()) == 3

    x, t, y = torch.rand(4, 1, 8, 8), torch.tensor([100, 300, 500, 900]), torch.tensor([0, 1, 2, 3])
    outputs = [checkpoint.load(folder / "ddpm-tiny.safetensors")(x, t, y) for folder in (one, two)]
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-3)
    assert outputs[0].abs().max() > 0.01
