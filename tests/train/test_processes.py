"""The command line of a recipe, and a run in several processes."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tiny_run import IMAGES, LABELS, TINY, assert_same

from playground.families import ddpm
from playground.runtime import checkpoint
from train import __main__ as command_line
from train import ddpm as recipe
from train.batches import batch_indices
from train.fit import fit, publish
from train.run import Run

ROOT = Path(__file__).resolve().parents[2]


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
