"""The budget of time: a run ends on time, and its learning rate follows the clock."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from playground.families import ddpm
from playground.runtime import checkpoint
from playground.runtime.validation import UserError
from train import ddpm as recipe
from train.fit import fit, publish
from train.run import Run
from train.schedule import timed_lr_factor

IMAGES = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(8) % 3


class FakeTime:
    """A clock that goes on only with the steps."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now(monkeypatch) -> FakeTime:
    now = FakeTime()
    monkeypatch.setattr("train.schedule.time.monotonic", now)
    return now


@pytest.fixture
def timed(tmp_path) -> recipe.Recipe:
    config = ddpm.Config(size=8, classes=3, width=8, blocks=1, emb_dim=16)
    return recipe.Recipe(name="ddpm-tiny", minutes=2, steps=9, cycles=2, batch_size=8, warmup=4, decay=0.5, ema=0.5,
                         precision="no", log_every=1, save_every=5, config=config, out=tmp_path / "weights",
                         runs=tmp_path / "runs")  # fmt: skip


def train(options: recipe.Recipe, now: FakeTime, seconds: float, stop: int = -1) -> Run:
    """A run whose every step takes so many seconds; it breaks off before a step."""
    run = Run(options, lambda: ddpm.Model(options.config))
    for step in fit(run):
        if step.index == stop:
            break
        step.minimize(ddpm.loss(run.model, IMAGES, LABELS, step.rng))
        now.seconds += seconds
    publish(run)
    return run


def rows(options: recipe.Recipe) -> list[dict]:
    return [json.loads(line) for line in (options.folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("seconds", [6.0, 7.0, 50.0])
def test_a_run_ends_on_time_whatever_the_speed_and_says_its_steps(timed, now, seconds) -> None:
    run, n = train(timed, now, seconds), -(-120 // int(seconds))
    assert run.step == n
    provenance = checkpoint.read_header(timed.out / "ddpm-tiny.safetensors").provenance
    assert provenance["steps"] == n
    assert provenance["flags"]["minutes"] == 2
    expected = [timed.lr * timed_lr_factor(step, step * seconds / 120, timed) for step in range(n)]
    assert [row["lr"] for row in rows(timed)] == pytest.approx(expected)
    assert run.optimizers["loss"].param_groups[0]["lr"] == 0, "the rate has fallen to zero"


def test_the_rate_warms_up_stays_and_falls_to_zero_with_the_time(timed) -> None:
    rates = [timed_lr_factor(step, step / 100, timed) for step in range(101)]
    assert rates[:51] == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 48)
    assert rates[50:] == pytest.approx([(100 - step) / 50 for step in range(50, 101)])
    slow = [timed_lr_factor(step, step / 6, replace(timed, warmup=500)) for step in range(7)]
    assert slow == pytest.approx([0.002, 1, 1, 1, 2 / 3, 1 / 3, 0]), "the warm-up takes at most an eighth of the time"
    assert timed_lr_factor(3, 0.99, replace(timed, decay=0.0)) == 1


def test_a_killed_run_goes_on_with_the_time_that_was_left(timed, now, tmp_path) -> None:
    train(timed, now, 6.0)
    killed = replace(timed, out=tmp_path / "other", runs=tmp_path / "other-runs")
    train(killed, now, 6.0, stop=8)  # the state on the disk is that of step 5
    now.seconds += 10_000
    assert train(killed, now, 6.0).step == 20
    assert rows(killed)[-1]["lr"] == rows(timed)[-1]["lr"]
    one, other = (load_file(options.out / "ddpm-tiny.safetensors") for options in (timed, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_of_minutes_can_pause(timed, now, capsys) -> None:
    paused = replace(timed, pause_after=0.5, log_every=2)
    assert train(paused, now, 6.0).step == 6
    assert "stopped at step 6, after 30% of 2 minutes; the same command continues it" in capsys.readouterr().out
    assert train(timed, now, 6.0).step == 20


def test_a_run_is_not_continued_with_other_minutes(timed, now) -> None:
    train(timed, now, 6.0, stop=8)
    with pytest.raises(UserError, match=r"was started with minutes 2"):
        train(replace(timed, minutes=3), now, 6.0)


def test_a_run_of_minutes_starts_from_a_checkpoint_of_any_step(timed, now) -> None:
    train(timed, now, 6.0)
    longer = replace(timed, name="longer", start=timed.out / "ddpm-tiny.safetensors")
    assert train(longer, now, 6.0).step == 40
