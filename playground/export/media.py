"""PNG, GIF and NPZ files of a run, and the metadata and command line in them that reproduce it."""

import dataclasses
import io
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import GifImagePlugin, Image
from PIL.PngImagePlugin import PngInfo

from playground.runtime import files, pictures
from playground.runtime.checkpoint import WEIGHTS, read_header

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# In double quotes, POSIX shells replace $, `, \ and !event; cmd replaces %NAME%, and ends them at an inner quote.
UNPORTABLE = re.compile(r'[$`\\\r\n]|!\S|%\w+%|".*[&|<>^]')
FINAL_PAUSE = 1500  # milliseconds that an animation rests at its end


def build_command(
    checkpoint: Path, settings: "DataclassInstance", out: str, prompts: Sequence[str] = (), first: int = 0
) -> str:
    """Return the command that samples the same images from a checkpoint.

    Args:
        settings: `Settings` of the checkpoint's family.
        out: The file to write.
        prompts: One for each image, instead of `n` times the one in the settings.
        first: Index of the first image.
    """
    words = ["python", "-m", "playground", "sample", checkpoint.stem]
    defaults = {field.name: field.default for field in dataclasses.fields(settings)}
    flags = {name: value for name, value in dataclasses.asdict(settings).items() if value != defaults[name]}
    if prompts:
        flags = {name: value for name, value in flags.items() if name not in ("n", "prompt")}
    if first:
        flags["first"] = first
    if checkpoint.parent.resolve() != WEIGHTS:
        flags["weights"] = checkpoint.parent.as_posix()
    for name, value in [*flags.items(), *(("line", prompt) for prompt in prompts), ("out", out)]:
        flag, text = name.replace("_", "-"), str(value)
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}={text}"] if text.startswith("-") else [f"--{flag}", text]
    return " ".join(map(quote, words))


def quote(word: str) -> str:
    """Quote a word of a command so that POSIX shells and Windows' cmd read the same.

    No quotes do that for a few words, such as those with a dollar sign: they have the quotes of POSIX shells.
    """
    if re.fullmatch(r"[\w@+=:,./-]+", word, re.ASCII):
        return word
    if UNPORTABLE.search(word):
        return shlex.quote(word)
    return '"' + word.replace('"', r"\"") + '"'


def build_metadata(
    checkpoint: Path, settings: "DataclassInstance", out: str = "grid.png", prompts: Sequence[str] = (), first: int = 0
) -> dict[str, str]:
    """Return the metadata of a file that a command reproduces; the arguments are those of `build_command`."""
    command = build_command(checkpoint, settings, out, prompts, first)
    metadata = {**build_origin(checkpoint, settings), "command": command}
    if prompts:
        fields = dataclasses.asdict(settings) | {"prompts": prompts}
        metadata["settings"] = json.dumps({key: value for key, value in fields.items() if key != "prompt"})
    return metadata


def change_out(metadata: dict[str, str], out: str) -> dict[str, str]:
    """Return metadata whose command, if there is one, writes another file."""
    command, *_ = metadata.get("command", "").rpartition(" --out ")
    return metadata | {"command": f"{command} --out {quote(out)}"} if command else metadata


def build_origin(checkpoint: Path, settings: "DataclassInstance") -> dict[str, str]:
    """Return the metadata of any file: the checkpoint with its provenance, and a dataclass of settings."""
    return {
        "checkpoint": checkpoint.stem,
        "settings": json.dumps(dataclasses.asdict(settings)),
        "provenance": json.dumps(read_header(checkpoint).provenance),
    }


def write_png(path: str | Path, image: np.ndarray, metadata: dict[str, str]) -> None:
    """Write an image, uint8 (H, W, C), magnified, with the metadata as text chunks."""
    info = PngInfo()
    for key, value in metadata.items():
        info.add_itxt(key, value)
    pictures.to_pil(pictures.magnify(image)).save(content := io.BytesIO(), "PNG", pnginfo=info)
    _write(path, content)


def frame_durations(n: int, seconds: float = 4.0) -> list[int]:
    """Return the milliseconds of each of n frames of an animation of so many seconds that rests on the last."""
    pause = max(20, round(1000 * seconds / n))  # browsers slow down anything faster than 20 ms a frame
    return [pause] * (n - 1) + [FINAL_PAUSE]


def write_gif(path: str | Path, frames: np.ndarray, metadata: dict[str, str], seconds: float = 4.0) -> None:
    """Write frames, uint8 (F, N, H, W, C), magnified, as an animation of so many seconds up to the last frame, with the
    metadata as its comment, in JSON."""
    durations = frame_durations(len(frames), seconds)
    content = io.BytesIO()
    for frame, duration in zip(frames, durations, strict=True):  # `Image.save` would merge equal frames
        image = pictures.to_pil(pictures.magnify(pictures.make_grid(frame)))
        image = image if image.mode == "L" else image.convert("P", palette=Image.Palette.ADAPTIVE)
        header, _ = GifImagePlugin.getheader(image, info={"loop": 0, "comment": json.dumps(metadata)})
        if not content.tell():
            content.writelines(header)
        content.writelines(GifImagePlugin.getdata(image, duration=duration, include_color_table=True))
    content.write(b";")  # the end of a GIF
    _write(path, content)


def write_npz(path: str | Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write named arrays, and the metadata as one string of JSON, "metadata"."""
    named = {"metadata": np.array(json.dumps(metadata)), **arrays}
    np.savez_compressed(content := io.BytesIO(), **named)  # type: ignore[arg-type]
    _write(path, content)


def _write(path: str | Path, content: io.BytesIO) -> None:
    with files.atomic_write(path) as file:
        file.write(content.getbuffer())
