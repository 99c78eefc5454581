"""Processes that share an evaluation."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from playground.datasets import registry
from playground.families import ddpm, judge
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.run import Frame, last_frame
from train import processes
from train.evaluation import evaluate, sample_quality

ROOT = Path(__file__).resolve().parents[3]
N = 10  # of a set; a batch for each class among them


def load(root: object, split: str = "train", download: bool = False, subset: slice = slice(None)) -> tuple[Tensor, ...]:
    """Return a tiny data set."""
    n = {"train": 70, "test": 20}[split]
    return (torch.rand(n, 1, 32, 32, generator=make_rng(n)) * 2 - 1)[subset], (torch.arange(n) % 10)[subset]


def measure(weights: Path, out: Path) -> None:
    """Measure a sampler of a tiny model as `python -m train evaluate` does; write how many pictures this process
    drew."""
    registry.DATASETS["digits"] = replace(registry.DATASETS["digits"], load=load)
    drawn = []

    def count(frames: Iterable[Frame]) -> Frame:
        drawn.append(len((frame := last_frame(frames)).x))
        return frame

    sample_quality.last_frame = count  # type: ignore[attr-defined]
    options = evaluate.Options(("ddpm-digits",), ("dpm-1*",), N, 1, weights=weights, judges=weights,
                               out=out / "results.json")  # fmt: skip
    evaluate.evaluate(options)
    (out / f"drawn-{sum(drawn)}-{os.environ.get('LOCAL_RANK', '0')}").touch()


if __name__ == "__main__":  # what the launcher runs
    measure(Path(sys.argv[1]), Path(sys.argv[2]))


def test_one_process_does_all() -> None:
    assert processes.share(lambda item: 2 * item, [3, 1, 2], "items") == [6, 2, 4]
    assert processes.agree("so") == "so"
    assert processes.total([1.0, 2.5]) == 3.5
    assert processes.is_main_process()


@pytest.mark.slow
def test_two_processes_share_the_samples_and_find_what_one_finds(tmp_path: Path) -> None:
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "judge-digits.safetensors", judge.Model(judge.Config(width=8)), {})
    model = ddpm.Model(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=16))
    checkpoint.save(tmp_path / "ddpm-digits.safetensors", model, {"flags": {"dataset": "digits"}})
    one, two = tmp_path / "one", tmp_path / "two"
    flags = "--num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port 0"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", *flags.split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    for out, command in ((one, [sys.executable]), (two, launch)):
        out.mkdir()
        command = [*command, __file__, str(tmp_path), str(out)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    drawn = [sorted(int(path.stem.split("-")[1]) for path in out.glob("drawn-*")) for out in (one, two)]
    assert drawn[0] == [N]
    assert sum(drawn[1]) == N
    assert drawn[1][0] >= N // 4, "a batch for a batch"
    expected, measured = (json.loads((out / "results.json").read_text())["measurements"] for out in (one, two))
    assert [identity(record) for record in measured] == [identity(record) for record in expected]
    assert any(record["checkpoint"] == "ddpm-digits" for record in expected)
    for record, same in zip(measured, expected, strict=True):
        for figures in (record["figures"], same["figures"]):
            figures.pop("samples_per_second", None)
        assert record["figures"] == pytest.approx(same["figures"], rel=1e-4)


def identity(record: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured."""
    return {key: value for key, value in record.items() if key != "figures"}
