"""The examples of the README, run as they are written but for the number of steps and pictures, and the address."""

import asyncio
import base64
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from server import in_process

import playground
from playground.runtime import checkpoint
from playground.runtime.paths import Paths

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:python|sh|json)\n(.*?)```", README, re.DOTALL)
ADDRESS = "http://127.0.0.1:7860/"


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


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app, with tools for language models where the package is there."""
    has_mcp = importlib.util.find_spec("mcp") is not None
    with in_process(Paths(checkpoint.WEIGHTS, tmp_path_factory.mktemp("data")), mcp_server=has_mcp) as url:
        yield url


def at(address: str, word: str) -> str:
    """Return the example in which a word occurs, for an app at this address."""
    return example(word).replace(ADDRESS.rstrip("/"), address.rstrip("/")).replace('"steps": 20', '"steps": 2')


def test_the_app_is_called_from_python(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict = {}
    exec(at(address, "gradio_client"), names)
    with np.load(names["arrays"]) as arrays:
        assert arrays["frames"].shape == (3, 4, 32, 32, 1)
    assert "--label 7" in Image.open(names["seven"]).text["command"]
    assert "'class': '7'" in capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("curl"), reason="the example needs curl")
def test_the_app_is_called_by_curl(address: str, tmp_path: Path) -> None:
    subprocess.run(["sh", "-c", at(address, "xargs curl")], cwd=tmp_path, check=True)
    picture = Image.open(tmp_path / "sevens.png")
    assert picture.size == (256, 256)
    assert "--label 7" in picture.text["command"]


def test_a_language_model_finds_the_tools_and_calls_one(address: str) -> None:
    pytest.importorskip("mcp")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    (server,) = json.loads(at(address, "mcpServers"))["mcpServers"].values()

    async def use() -> tuple:
        async with streamablehttp_client(server["url"]) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            good = await session.call_tool("sample_vae", {"n": 1, "seed": 3})
            return tools, good, await session.call_tool("sample_ddpm", {"label": 10, "steps": 1})

    with ThreadPoolExecutor() as pool:  # Playwright may run an event loop in this thread
        tools, good, bad = pool.submit(asyncio.run, use()).result()
    assert "Sample pictures from a checkpoint of the family: Variational autoencoder" in tools["sample_vae"].description
    n = tools["sample_vae"].inputSchema["properties"]["n"]
    assert (n["minimum"], n["maximum"], n["description"]) == (1, 64, "Number of images.")
    assert "required" not in tools["sample_vae"].inputSchema
    picture = Image.open(BytesIO(base64.b64decode(good.content[0].data)))
    assert picture.size == (112, 112)
    assert bad.isError
    assert "no class 10" in bad.content[0].text
