"""A run that is stopped, killed, interrupted or out of disk space goes on as if nothing had happened."""

import resource
import shutil
import signal
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import IMAGES, LABELS, TINY, assert_same, logged, results, steps, take, train, train_until_killed

from playground.families import ddpm
from playground.runtime import checkpoint
from playground.runtime.validation import UserError
from train import ddpm as recipe
from train.fit import fit, publish
from train.run import LOG, Run
from train.schedule import lr_factor


@pytest.mark.parametrize(("dropout", "accumulate"), [(0.0, 1), (0.5, 1), (0.5, 2)])
def test_a_killed_run_resumes_to_the_very_same_weights(tiny, tmp_path, dropout, accumulate):
    options = replace(tiny, config=replace(TINY, dropout=dropout), accumulate=accumulate)
    train(options)
    killed = replace(options, out=tmp_path / "other", runs=tmp_path / "runs-of-other")
    train_until_killed(killed, 7)
    assert [path.name for path in killed.folder.glob("step-*")] == ["step-0000005"]
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
    for n_steps in (4, 8):
        assert train(slow) is None
        assert [path.name for path in slow.folder.glob("step-*")] == [f"step-{n_steps:07d}"]
        assert checkpoint.read_header(slow.folder / "ddpm-tiny.safetensors").provenance["steps"] == n_steps
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
    assert run.ema.n_averaged == 6, "the decay of the average has warmed up as far"
    for of in (run.model, run.ema.module):
        assert_same({k: v.to(average[k].dtype) for k, v in of.state_dict().items()}, average)
    about = checkpoint.read_header(train(replace(half, pause_after=None, start=checkpoint_path))).provenance
    assert (about["steps"], about["flags"]["start"]) == (12, checkpoint_path.name)
    assert [row["step"] for row in logged(half)] == [12]


def test_a_run_does_not_go_on_from_another_model(tiny):
    other = replace(tiny, start=train(tiny), name="other", config=replace(TINY, width=16))
    with pytest.raises(UserError, match="made with another config"):
        train(other)


def test_a_log_whose_last_row_was_cut_off_does_not_keep_a_run_from_going_on(tiny):
    train_until_killed(tiny, 7)
    with (tiny.folder / LOG).open("a") as file:
        file.write('{"step": 8, "lo')
    assert train(tiny)
    assert [row["step"] for row in logged(tiny)] == list(range(1, 13))


def test_a_finished_run_does_not_go_on(tiny):
    with pytest.raises(UserError, match="already taken 12 steps: ask for more --steps"):
        train(replace(tiny, start=train(tiny), name="other"))


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
        # The progress bar writes to memory: pytest's own file would be full too.
        with redirect_stderr(StringIO()), pytest.raises(UserError, match=r"^[^\n]+ cannot be written[^\n]+$"):
            train(full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (state,) = full.folder.glob("step-*")
    assert all(path.read_bytes() == before for path, before in contents.items() if path.is_relative_to(state))
    assert not list(full.folder.glob("*partial*"))
    assert train(full)
    assert_same(results(tiny), results(full))
