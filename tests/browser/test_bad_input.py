"""Bad input through the real HTTP API: one clear sentence each, and the app goes on."""

import json
import struct
import sys
import threading
import uuid
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from server import LocalApp, Server

from playground.runtime import checkpoint

GOOD: dict[str, Any] = {
    "model": "",
    "label": "all",
    "n": 2,
    "sampler": "ddim",
    "steps": 3,
    "w": 1,
    "eta": 0,
    "seed": 0,
    "clip": True,
}


def call(address: str, name: str, values: list[Any]) -> tuple[str, Any]:
    """Trigger an event of the page's DDPM tab by its name, as the browser does; return the last message of its run, and
    its data or its error."""
    config = httpx.get(f"{address}config", params={"page": "ddpm"}, timeout=60).json()
    event = next(event for event in config["dependencies"] if event["api_name"] == name)
    states = {component["id"] for component in config["components"] if component["type"] == "state"}
    rest, session = iter(values), uuid.uuid4().hex
    data = [None if key in states else next(rest) for key in event["inputs"]]
    body = json.dumps({"fn_index": event["id"], "data": data, "session_hash": session})
    headers = {"content-type": "application/json"}
    httpx.post(f"{address}gradio_api/queue/join", content=body, headers=headers, timeout=60).raise_for_status()
    with httpx.stream("GET", f"{address}gradio_api/queue/data", params={"session_hash": session}, timeout=60) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ") or "{}")
            if message.get("msg") == "log":  # of an event that must not fail, see `Page.call_function`
                return message["level"], {"error": message["log"]}
            if message.get("msg") == "process_completed":
                output = message["output"]
                return ("complete", output["data"]) if message["success"] else ("error", output)
    raise AssertionError("the run has no end")


def sample(address: str, **changed: Any) -> tuple[str, Any]:
    return call(address, "ddpm", list((GOOD | changed).values()))


def test_good_input_is_sampled(address: str) -> None:
    event, data = sample(address)
    assert event == "complete"
    assert data[0]["frames"] == 4


NUMBERS = {"n": "number of pictures", "steps": "steps", "eta": "eta", "w": "guidance w", "seed": "seed"}
WRONG = [float("nan"), float("inf"), float("-inf"), 1e300, -1, "7", "many", None, [1], {}, True]


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_refuses_what_is_none(address: str, name: str, value: Any) -> None:
    event, data = sample(address, **{name: value})
    assert event == "error"
    assert data["error"].lower().startswith(f"{NUMBERS[name]} must be")
    assert len(data["error"]) < 160


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"n": 3.7}, "whole number"),
        ({"n": 65}, "from 1 to 64"),
        ({"w": 8.5}, "from 0 to 8"),
        ({"steps": 2.5}, "whole number"),
        ({"sampler": "euler"}, "must be one of ddim"),
        ({"sampler": ["ddim"]}, "must be one of ddim"),
        ({"sampler": "x" * 10_000}, "must be one of ddim"),
        ({"label": 10}, "no class 10"),
        ({"label": [1, 2, 3]}, "from 0 to 9999"),
        ({"label": "<script>"}, "from 0 to 9999"),
        ({"clip": "yes"}, "true or false"),
    ],
)
def test_each_mistake_gets_its_sentence(address: str, changed: dict[str, Any], sentence: str) -> None:
    event, data = sample(address, **changed)
    assert event == "error"
    assert sentence in data["error"]


def upload(address: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        stored = httpx.post(f"{address}gradio_api/upload", files={"files": (path.name, file)}, timeout=60).json()[0]
    return {"path": stored, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def noise(
    address: str, kind: Any, number: Any = 0, drawing: Any = "", file: Any = None, correction: Any = None, seed: Any = 0
) -> tuple[str, Any]:
    return call(address, "ddpm_forward", ["", kind, number, drawing, file, correction, seed])


def bomb(path: Path, side: int = 13_300) -> Path:
    """Write a PNG of side x side black pixels, about 20 KiB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" * (1 + (side + 7) // 8)
    pixels = zlib.compress(row * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))
    return path


def peak_memory(pid: int) -> int:
    """Return the bytes of a process's resident set at its largest."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_a_huge_picture_is_refused_before_it_is_decoded(server: Server, tmp_path: Path) -> None:
    address, pid = server
    assert noise(address, "Model's sample")[0] == "complete"
    path = bomb(tmp_path / "bomb.png")
    assert path.stat().st_size < 64 * 1024
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # start the peak anew
    before = peak_memory(pid)
    event, data = noise(address, "Upload", file=upload(address, path))
    assert event == "error"
    assert "13300 x 13300 pixels" in data["error"]
    assert peak_memory(pid) - before < 100e6


def broken_files(folder: Path) -> dict[str, Path]:
    whole = folder / "whole.png"
    Image.effect_noise((64, 64), 50).save(whole)
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "truncated.png").write_bytes(whole.read_bytes()[:1000])
    Image.new("L", (20, 20), 90).save(folder / "blank.png")
    return {path.stem: path for path in folder.glob("*.*")}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("text", "is not a picture that can be read"),
        ("empty", "is not a picture that can be read"),
        ("truncated", "is not a picture that can be read"),
        ("phone", "is a HEIC picture"),
        ("blank", "is blank"),
    ],
)
def test_broken_uploads(address: str, tmp_path: Path, name: str, sentence: str) -> None:
    event, data = noise(address, "Upload", file=upload(address, broken_files(tmp_path)[name]))
    assert event == "error"
    assert sentence in data["error"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kind": "Draw"}, "draw on the pad"),
        ({"kind": "Draw", "drawing": "not base64!"}, "list of strokes"),
        ({"kind": "Draw", "drawing": "AAAA"}, "list of strokes"),
        ({"kind": "Draw", "drawing": 7}, "list of strokes"),
        ({"kind": "Upload"}, "choose a picture to upload"),
        ({"kind": "Photograph"}, "must be one of"),
        ({"kind": None}, "must be one of"),
        ({"kind": "Test image", "number": 10_000}, "from 0 to 9999"),
        ({"kind": "Test image", "number": "first"}, "from 0 to 9999"),
        ({"kind": "Model's sample", "seed": float("nan")}, "seed must be"),
        ({"kind": "Model's sample", "number": None}, "from 0 to 9999"),
    ],
)
def test_bad_pictures(address: str, arguments: dict[str, Any], sentence: str) -> None:
    event, data = noise(address, **arguments)
    assert event == "error"
    assert sentence.lower() in data["error"].lower()


def test_other_visitors_notice_nothing(address: str) -> None:
    """A visitor samples while another sends nonsense."""
    nonsense = threading.Thread(target=lambda: [sample(address, steps="many") for _ in range(5)])
    nonsense.start()
    assert sample(address)[0] == "complete"
    nonsense.join()


@pytest.mark.parametrize("damage", ["missing", "truncated", "no header", "wrong family", "wrong shape", "NaN"])
def test_a_bad_checkpoint_is_one_sentence_and_the_page_opens(damage: str, local_app: LocalApp) -> None:
    """A repaired file works without a restart."""
    url, shipped = local_app.address, checkpoint.WEIGHTS / "ddpm-digits.safetensors"
    path = local_app.paths.weights / "ddpm-digits.safetensors"
    damaged(path, damage, shipped)
    assert httpx.get(url).status_code == 200
    event, data = sample(url)
    assert event == "error"
    assert "ddpm-digits" in data["error"]
    assert len(data["error"]) < 300
    stroke = "[[[120, 10], [120, 270]]]"
    event, data = noise(url, kind="Draw", drawing=stroke)
    assert event == "error"
    assert "ddpm-digits" in data["error"].lower(), "drawings are prepared as the data that its header names"
    path.unlink(missing_ok=True)
    path.write_bytes(shipped.read_bytes())
    assert sample(url)[0] == "complete"


def damaged(path: Path, damage: str, shipped: Path) -> None:
    """Write a damaged checkpoint, or none."""
    from safetensors.torch import load_file, save_file

    whole = shipped.read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "no header":
        save_file(load_file(shipped), path)
    elif damage == "NaN":
        header, tensors = checkpoint.read_header(shipped), load_file(shipped)
        tensors["net.stem.weight"].view(-1)[0] = float("nan")
        save_file(tensors, path, {"family": "ddpm", "config": json.dumps(header.config), "provenance": "{}"})
    elif damage in ("wrong family", "wrong shape"):
        header = checkpoint.read_header(shipped)
        config = json.dumps(header.config | {"width": 32})
        name = "judge" if damage == "wrong family" else "ddpm"
        save_file(load_file(shipped), path, {"family": name, "config": config, "provenance": "{}"})
