"""The same jobs without a browser: python -m playground sample NAME ... and python -m playground list."""

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, make_dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from torch import Tensor
from tqdm import tqdm

from playground import checkpoint, exports, pictures
from playground.recording import film
from playground.sampling import BATCH, finished
from playground.validation import UserError

KINDS = (".png", ".npz", ".gif")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 0, or 1 after one sentence on what went wrong."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words[:1] == ["list"]:
            return list_checkpoints(words[1:])
        if words[:1] == ["sample"]:
            return sample(words[1:])
    except (UserError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    print(f"{__doc__}\n\nAdd --help to a command for its options.")
    return 0 if words in ([], ["--help"], ["-h"]) else 2


@dataclass(frozen=True)
class List:
    """Show the checkpoints with their provenance.

    Attributes:
        weights: the folder of the checkpoints.
    """

    weights: Path = checkpoint.WEIGHTS


def list_checkpoints(words: list[str]) -> int:
    """One line a checkpoint: name, family, size, and what its header tells of its making."""
    options = tyro.cli(List, prog="python -m playground list", args=words)
    for path in checkpoint.find(options.weights):
        try:
            header = checkpoint.header(path)
        except checkpoint.CheckpointError as error:
            print(f"{path.stem}  {error}")
            continue
        made = ", ".join(f"{key} {value}" for key, value in header.provenance.items() if not isinstance(value, dict))
        print(f"{path.stem}  {header.family}  {path.stat().st_size / 2**20:.1f} MiB  {made}")
    return 0


def sample(words: list[str]) -> int:
    """Sample from a checkpoint; its family's `Settings` are the flags."""
    if not words or words[0].startswith("-"):
        names = ", ".join(path.stem for path in checkpoint.find()) or "none yet"
        print(f"python -m playground sample NAME --out FILE ..., where NAME is one of: {names}")
        return 0 if words else 2
    name, *flags = words
    place = _place(flags)
    path = place / f"{name}.safetensors"
    family = checkpoint.family(checkpoint.header(path).family)
    if not hasattr(family, "sample"):
        raise UserError(f"{name} makes no pictures")
    prompted = "prompts" in inspect.signature(family.sample).parameters
    options = tyro.cli(_options(family.Settings, prompted), prog=f"python -m playground sample {name}", args=flags)
    if options.out.suffix not in KINDS:
        raise UserError(f"--out must end in {', '.join(KINDS)}, not {options.out.name!r}")
    model, settings, told = checkpoint.load(path), options.settings, dict[str, Any]()
    run = partial(family.sample, model)
    if prompted and options.prompts:
        told["prompts"] = _prompts(options.prompts, settings)
        settings, run = replace(settings, n=len(told["prompts"])), partial(run, **told)
    elif hasattr(family, "labels") and (labels := family.labels(model, settings)) is not None:
        told["labels"] = labels.numpy()
    shown = partial(family.shown, model) if hasattr(family, "shown") else attrgetter("x")
    write(options.out, run, shown, settings, told, exports.metadata(name, settings, checkpoint.header(path).provenance))
    print(options.out)
    return 0


def _prompts(path: Path, settings: Any) -> list[str]:
    """The lines of a file, each a prompt that the settings allow."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path} must be text in UTF-8, a prompt a line") from None
    if not lines:
        raise UserError(f"{path} is empty: it needs a prompt a line")
    return [replace(settings, prompt=line).prompt for line in lines]


def _place(flags: list[str]) -> Path:
    """The folder of the checkpoints, needed before the other flags can be known."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--weights", type=Path, default=checkpoint.WEIGHTS)
    return parser.parse_known_args(flags)[0].weights


def _options(settings: Any, prompted: bool) -> Any:
    """The flags of `sample`: a family's settings, the file to write, the folder of the checkpoints; and a file with a
    prompt a line, one for each picture, where there are prompts."""
    fields: list[Any] = [
        ("out", Path),
        ("settings", tyro.conf.OmitArgPrefixes[settings], settings()),  # type: ignore[misc]
        ("weights", Path, checkpoint.WEIGHTS),
    ]
    return make_dataclass("Options", fields + [("prompts", Path | None, None)] * prompted, frozen=True)


def write(
    out: Path,
    sample: Callable[..., Iterator[Any]],
    shown: Callable[[Any], Tensor],
    settings: Any,
    told: dict[str, Any],
    about: dict[str, str],
) -> None:
    """Sample, and write a grid (PNG), the arrays (NPZ, with what was `told` for each picture) or the frames (GIF), each
    of them as it is `shown`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".gif":
        if not hasattr(settings, "steps"):
            raise UserError("the pictures of this family come in one step: choose .png or .npz")
        if settings.n > BATCH:
            raise UserError(f"an animation has at most {BATCH} pictures; more fit into .npz or .png")
        exports.gif(out, film(tqdm(sample(settings), unit="frame"), settings.steps, shown), about)
        return
    images = sampled(sample, settings)
    if out.suffix == ".png":
        exports.png(out, pictures.grid(images), about)
        return
    exports.npz(out, {"images": images} | {name: np.asarray(values) for name, values in told.items()}, about)


def sampled(sample: Callable[..., Iterator[Any]], settings: Any) -> np.ndarray:
    """The finished pictures, uint8 (N, H, W, C), made in batches under a progress bar."""
    parts = []
    with tqdm(total=settings.n, unit="picture") as bar:
        for x in finished(sample, settings):
            parts.append(pictures.to_uint8(x))
            bar.update(len(x))
    return np.concatenate(parts)


if __name__ == "__main__":
    sys.exit(main())
