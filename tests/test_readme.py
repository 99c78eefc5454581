"""The examples of the README for Python, run as they are written but for the number of steps and pictures."""

import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import playground

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def example(word: str) -> str:
    """The example in which a word occurs, with fewer steps."""
    (block,) = (block for block in BLOCKS if word in block)
    return block.replace("steps=20", "steps=2").replace("n=64", "n=4")


def run_apart(code: str, folder: Path) -> None:
    """Run code in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_checkpoint_is_loaded_sampled_walked_through_and_saved(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(example("for frame in run"), names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["0", "1000"], ["1", "500"], ["2", "0"]]
    assert names["images"].shape == (4, 32, 32, 1)
    picture = Image.open("sevens.png")
    assert np.array_equal(np.asarray(picture)[:128:4, :128:4], names["images"][0, :, :, 0])
    assert "--label 7" in picture.text["command"]
    with Image.open(BytesIO(names["run"]._repr_png_())) as figure:  # four rows of three frames, and gaps
        assert figure.size == (4 * (3 * 32 + 2), 4 * (4 * 32 + 3))


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a compiler")
def test_a_compiled_network_makes_the_same_pictures(tmp_path) -> None:
    run_apart(example("compile()"), tmp_path)
    pictures = playground.load("ddpm-digits").sample(n=4, steps=2)
    pictures.save(tmp_path / "expected.png")
    compiled, expected = (np.asarray(Image.open(tmp_path / f"{name}.png"), float) for name in ("digits", "expected"))
    assert np.abs(compiled - expected).mean() < 1


def test_the_network_is_exported_to_onnx(tmp_path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    run_apart(example("onnx.export"), tmp_path)
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(tmp_path / "ddpm-digits.onnx")
    x, t, y = torch.randn(3, 1, 32, 32), torch.tensor([10, 400, 900]), torch.tensor([1, 2, 10])
    (v,) = session.run(["v"], {"xt": x.numpy(), "t": t.numpy(), "y": y.numpy()})
    expected = playground.load("ddpm-digits").model(x, t, y)
    torch.testing.assert_close(torch.from_numpy(v), expected, rtol=1e-3, atol=1e-3)
