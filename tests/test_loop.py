"""The training loop: what it computes, that stopping changes nothing, and that it grows beyond one process."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file, save_file

from playground import checkpoint
from playground.models import ddpm
from playground.validation import UserError
from train import __main__ as command_line
from train import ddpm as recipe
from train import loop

ROOT = Path(__file__).resolve().parent.parent
TINY = ddpm.Config(size=8, classes=3, width=8, blocks=1, emb_dim=16)
IMAGES = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(40) % 3


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """Each test decides anew on what Accelerate runs."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def tiny(tmp_path) -> recipe.Recipe:
    return recipe.Recipe(name="ddpm-tiny", steps=12, cycles=1, batch_size=8, warmup=3, ema=0.5, precision="no",
                         log_every=1, save_every=5, config=TINY, out=tmp_path / "weights",
                         runs=tmp_path / "runs")  # fmt: skip


def train(options: recipe.Recipe) -> Path | None:
    return recipe.train(options, data=(IMAGES, LABELS))


class Kill(BaseException):
    """Nothing in the loop expects this."""


def train_until_killed(options: recipe.Recipe, step: int) -> None:
    """The recipe's run, but it ends without notice at a step."""

    def loss(model, now, generator):
        if now == step:
            raise Kill
        index = loop.shuffled(len(IMAGES), options.batch_size, now, options.seed)
        return ddpm.loss(model, IMAGES[index], LABELS[index], generator, options.class_dropout)

    run = loop.Run(options, lambda: ddpm.Model(options.config))
    with pytest.raises(Kill):
        loop.follow(run, run.train(loss=loss))


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
    rates = [loop.rate(step, options) for step in range(101)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:81] == [1.0] * 71
    assert rates[81:] == pytest.approx([(100 - step) / 20 for step in range(81, 101)])


def test_each_cycle_takes_the_rate_through_the_same_course(tiny):
    one = replace(tiny, steps=50, warmup=10, decay=0.2)
    two = replace(one, steps=100, cycles=2)
    course = [loop.rate(step, one) for step in range(50)]
    assert [loop.rate(step, two) for step in range(100)] == 2 * course


@pytest.mark.parametrize(("warmup", "decay"), [(0, 0.0), (1, 0.0), (0, 1.0)])
def test_no_warm_up_and_no_decay_are_fine(tiny, warmup, decay):
    options = replace(tiny, steps=10, warmup=warmup, decay=decay)
    assert [loop.rate(step, options) for step in range(10)] == pytest.approx(
        [1 - step / 10 if decay else 1 for step in range(10)]
    )


@pytest.mark.parametrize(("n", "batch_size"), [(40, 8), (43, 8), (8, 8), (10, 1)])
def test_an_epoch_is_a_permutation_and_the_next_another(n, batch_size):
    per_epoch = n // batch_size
    epochs = [
        torch.cat([loop.shuffled(n, batch_size, step, seed=3) for step in range(start, start + per_epoch)]).tolist()
        for start in (0, per_epoch, 2 * per_epoch)
    ]
    for epoch in epochs:
        assert len(set(epoch)) == len(epoch) == per_epoch * batch_size
        assert set(epoch) <= set(range(n))
    assert epochs[0] != epochs[1] != epochs[2]
    assert loop.shuffled(n, batch_size, 0, seed=4).tolist() != epochs[0][:batch_size] or batch_size == 1


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_out_the_batch(processes):
    whole = loop.shuffled(40, 8, step=7, seed=0).tolist()
    parts = [loop.shuffled(40, 8, 7, 0, process, processes).tolist() for process in range(processes)]
    assert sorted(itertools.chain(*parts)) == sorted(whole)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="a batch of 41 is more than the 40 items there are"):
        loop.shuffled(40, 41, 0, 0)


# --- a run ----------------------------------------------------------------------------------------


def test_a_run_leaves_a_checkpoint_that_tells_how_it_was_made(tiny):
    path = train(tiny)
    assert path == tiny.out / "ddpm-tiny.safetensors"
    family, config, provenance = checkpoint.header(path)
    assert (family, ddpm.Config(**config)) == ("ddpm", TINY)
    assert {key: provenance[key] for key in ("recipe", "seed", "steps", "date")} == {
        "recipe": "ddpm", "seed": 0, "steps": 12, "date": date.today().isoformat()}  # fmt: skip
    assert "MNIST" in provenance["data"]
    assert provenance["flags"]["batch_size"] == 8
    assert provenance["flags"]["class_dropout"] == 0.1
    assert provenance["flags"]["config"] == config
    assert str(tiny.out.parent) not in json.dumps(provenance)  # nothing of the machine's folders
    assert checkpoint.load(path).config == TINY


def test_the_log_has_a_row_a_step(tiny):
    train(tiny)
    rows = logged(tiny)
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert [row["lr"] for row in rows] == pytest.approx([tiny.lr * loop.rate(step, tiny) for step in range(12)])
    assert all(row["loss"] > 0 and row["loss_gradient"] > 0 and row["samples_per_second"] > 0 for row in rows)


def test_the_average_is_that_of_the_weights(tiny):
    """ema_t = d ema_{t-1} + (1 - d) weights_t, from the weights after the first step on."""
    run = loop.Run(tiny, lambda: ddpm.Model(TINY))
    expected: dict[str, torch.Tensor] = {}
    for _ in run.train(loss=lambda model, step, generator: ddpm.loss(model, IMAGES[:8], LABELS[:8], generator)):
        for name, tensor in run.model.state_dict().items():
            expected[name] = torch.lerp(tensor, expected[name], tiny.ema) if name in expected else tensor.clone()
    for name, tensor in run.ema.module.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


def test_pictures_are_drawn_now_and_then(tiny):
    train(replace(tiny, picture_every=6))
    assert sorted(path.name for path in tiny.folder.glob("*.png")) == ["picture-0000006.png", "picture-0000012.png"]


def test_buffers_are_kept_as_they_are_beside_the_average_of_the_weights(tiny):
    model = torch.nn.Linear(3, 1)
    model.register_buffer("tokens", torch.arange(500))
    run = loop.Run(replace(tiny, steps=50, ema=0.9995), lambda: model)
    for _ in run.train(loss=lambda model, step, generator: model(torch.ones(8, 3)).square().mean()):
        pass
    assert torch.equal(run.ema.module.tokens, torch.arange(500))
    assert not torch.equal(run.ema.module.weight, run.model.weight)


@pytest.mark.parametrize("log_every", [1, 1000])
def test_a_loss_that_is_not_a_number_stops_the_run_with_advice_before_its_state_is_kept(tiny, log_every):
    tiny = replace(tiny, log_every=log_every)
    run = loop.Run(tiny, lambda: ddpm.Model(TINY))
    records = run.train(
        loss=lambda model, step, generator: ddpm.loss(model, IMAGES[:8] * torch.nan, LABELS[:8], generator)
    )
    with pytest.raises(UserError, match=r"not a number at step \d+: lower --lr"):
        loop.follow(run, records)
    assert not list(tiny.folder.glob("step-*"))


# --- stopped and resumed --------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_killed_run_resumes_to_the_very_same_weights(tiny, tmp_path, dropout):
    options = replace(tiny, config=replace(TINY, dropout=dropout))
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


def test_minutes_stop_a_run_and_the_same_command_continues_it(tiny, tmp_path):
    train(tiny)
    slow = replace(tiny, minutes=0.0, log_every=4, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    for steps in (4, 8):
        assert train(slow) is None
        assert [path.name for path in slow.folder.glob("step-*")] == [f"step-{steps:07d}"]
        assert checkpoint.header(slow.folder / "ddpm-tiny.safetensors").provenance["steps"] == steps
        assert not slow.out.exists()
    assert train(slow) == slow.out / "ddpm-tiny.safetensors"
    assert_same(results(tiny), results(slow))


def test_a_finished_run_writes_the_very_same_checkpoint_again(tiny, monkeypatch):
    path = train(tiny)
    before = path.read_bytes()
    path.unlink()
    monkeypatch.setattr(loop, "date", None)  # even on another day
    assert train(tiny) == path
    assert path.read_bytes() == before


def test_what_completes_a_checkpoint_is_done_before_it_is_published(tiny):
    def complete(path: Path) -> None:
        assert not tiny.out.exists()
        checkpoint.save(path, checkpoint.load(path), {"completed": True})

    run = loop.Run(tiny, lambda: ddpm.Model(TINY))
    records = run.train(loss=lambda model, step, generator: ddpm.loss(model, IMAGES[:8], LABELS[:8], generator))
    path = loop.follow(run, records, complete=complete)
    assert path
    assert checkpoint.header(path).provenance == {"completed": True}


@pytest.mark.parametrize(
    ("change", "was"), [({"lr": 1.0}, "lr 0.0006"), ({"seed": 1}, "seed 0"), ({"steps": 20}, "steps 12")]
)
def test_a_run_is_not_continued_with_other_flags(tiny, change, was):
    train_until_killed(tiny, 7)
    with pytest.raises(UserError, match=f"was started with {was}: delete it, or choose another --name"):
        train(replace(tiny, **change))
    assert train(replace(tiny, save_every=1, log_every=2))  # these change nothing in the result


def test_a_run_whose_state_is_lost_goes_on_from_its_checkpoint(tiny, tmp_path):
    half = replace(tiny, minutes=0.0, log_every=6, save_every=6, cycles=2)
    assert train(half) is None, "out of time after the first cycle"
    kept = half.folder.with_suffix(".safetensors")
    (half.folder / f"{half.name}.safetensors").rename(kept)
    average = load_file(kept)
    shutil.rmtree(half.folder)
    run = loop.Run(replace(half, start=kept), lambda: ddpm.Model(half.config))
    assert run.step == 6
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(half.lr * loop.rate(6, half))
    for of in (run.model, run.ema.module):
        assert_same({k: v.to(average[k].dtype) for k, v in of.state_dict().items()}, average)
    about = checkpoint.header(train(replace(half, minutes=None, start=kept))).provenance
    assert (about["steps"], about["flags"]["start"]) == (12, kept.name)
    assert [row["step"] for row in logged(half)] == [12]


def test_a_run_does_not_go_on_from_another_model(tiny):
    other = replace(tiny, start=train(tiny), name="other", config=replace(TINY, width=16))
    with pytest.raises(UserError, match="made with another config"):
        train(other)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"steps": 0}, "steps must be a whole number"), ({"cycles": 0}, "cycles must be"), ({"log_every": 0}, "log_every"),
     ({"batch_size": 0}, "batch_size must be"), ({"ema": 1.5}, "ema must be a number from 0 to 1"),
     ({"lr": float("nan")}, "lr must be a number")],
)  # fmt: skip
def test_absurd_options_are_refused(tiny, wrong, sentence):
    with pytest.raises(UserError, match=sentence):
        replace(tiny, **wrong)


@pytest.mark.filterwarnings("ignore:.log_with")
def test_a_tracker_that_is_not_installed_is_named(tiny):
    with pytest.raises(UserError, match="pip install aim"):
        train(replace(tiny, tracker="aim"))


def test_a_log_whose_last_row_was_cut_off_does_not_keep_a_run_from_going_on(tiny):
    train_until_killed(tiny, 7)
    with (tiny.folder / loop.LOG).open("a") as file:
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


# --- the command line and several processes -------------------------------------------------------


def test_the_command_without_flags_is_the_recipe(monkeypatch):
    made = []
    monkeypatch.setattr(recipe, "train", made.append)
    for flags in ([], ["--steps", "7", "--config.prediction", "eps"]):
        monkeypatch.setattr(sys, "argv", ["train", "ddpm", *flags])
        command_line.main()
    assert made == [recipe.Recipe(), recipe.Recipe(steps=7, config=replace(recipe.Recipe().config, prediction="eps"))]


def train_without_noise(folder: Path, processes: int) -> None:
    """A run whose loss is without chance, so that the shares of the processes make the batch of one."""
    options = recipe.Recipe(name="ddpm-tiny", steps=6, cycles=1, batch_size=8, warmup=1, ema=0.5, precision="no",
                            save_every=4, log_every=2, config=replace(TINY, width=16), out=folder,
                            runs=folder / "runs")  # fmt: skip
    run = loop.Run(options, lambda: ddpm.Model(options.config))
    rank, ranks = run.accelerator.process_index, run.accelerator.num_processes
    assert ranks == processes

    def loss(model, step, generator):
        index = loop.shuffled(len(IMAGES), options.batch_size, step, options.seed, rank, ranks)
        return (model(IMAGES[index], 100 + index, LABELS[index]) - IMAGES[index]).square().mean()

    loop.follow(run, run.train(loss=loss))
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
