"""Files of a run, with all that reproduces it inside them: PNG, GIF, NPZ, and the command line."""

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from PIL.PngImagePlugin import PngInfo

from playground import pictures


def command_line(name: str, settings: Any, out: str) -> str:
    """The command that makes the pictures of these settings (a family's `Settings`) from the checkpoint `name`."""
    words = ["python", "-m", "playground", "sample", name]
    for field, value in dataclasses.asdict(settings).items():
        flag = field.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            text = repr(value) if isinstance(value, float) else str(value)
            words += [f"--{flag}={text}"] if text.startswith("-") else [f"--{flag}", text]
    return shlex.join([*words, "--out", out])


def metadata(name: str, settings: Any, provenance: dict[str, Any]) -> dict[str, str]:
    """What a file says of its making, if a command makes it again."""
    return {**origin(name, settings, provenance), "command": command_line(name, settings, "grid.png")}


def origin(name: str, settings: Any, provenance: dict[str, Any]) -> dict[str, str]:
    """What a file says of its making: the checkpoint, and a dataclass of settings."""
    return {
        "checkpoint": name,
        "settings": json.dumps(dataclasses.asdict(settings)),
        "provenance": json.dumps(provenance),
    }


def png(path: str | Path, image: np.ndarray, about: dict[str, str]) -> None:
    """Write uint8 (H, W, C), magnified, with text chunks."""
    info = PngInfo()
    for key, value in about.items():
        info.add_itxt(key, value)
    pictures.image(pictures.magnified(image)).save(path, "PNG", pnginfo=info)


def gif(path: str | Path, frames: np.ndarray, about: dict[str, str], seconds: float = 4.0) -> None:
    """Write uint8 (F, N, H, W, C), magnified, as an animation of so many seconds that rests at its end."""
    images = (pictures.image(pictures.magnified(pictures.grid(frame))) for frame in frames)  # one at a time
    pause = max(20, round(1000 * seconds / len(frames)))  # browsers slow down anything faster than 20 ms a frame
    durations = [pause] * (len(frames) - 1) + [1500]
    comment = json.dumps(about)
    next(images).save(path, "GIF", save_all=True, append_images=images, duration=durations, loop=0, comment=comment)


def npz(path: str | Path, arrays: dict[str, np.ndarray], about: dict[str, str]) -> None:
    """Write named arrays, and `about` as one string of JSON."""
    np.savez_compressed(path, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
