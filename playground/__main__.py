"""Command line: python -m playground sample NAME ... and python -m playground list."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import tyro
from tyro.conf import OmitArgPrefixes, UseAppendAction

from playground.export.read import read_metadata
from playground.pipeline import MAX_FIRST, Pipeline, Run, check_out, load, read_prompts
from playground.runtime import checkpoint, files, inference, validation
from playground.runtime.family import family_names, get_family
from playground.runtime.validation import NotFiniteError, UserError

HELP_FLAGS = {"-h", "--help"}

Settings = TypeVar("Settings")  # of a family
Command = Callable[[], None]
Device = Literal["cpu", "cuda"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 for success, 2 for a command that cannot be run, 1 for an error while it runs, each with one
        sentence, and 130 after Ctrl-C, by the convention of shells.
    """
    words = sys.argv[1:] if arguments is None else arguments
    status = 2
    try:
        command = _parse_command(words)
        status = 1
        command()
    except (UserError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 1 if isinstance(error, checkpoint.CheckpointError) else status
    except KeyboardInterrupt:
        return 130
    return 0


def main_sample() -> int:
    """Run `sample`, as a command of its own."""
    return main(["sample", *sys.argv[1:]])


def _parse_command(words: list[str]) -> Command:
    """Parse a command, and check all that can be checked before it runs; SystemExit ends a request for help."""
    if HELP_FLAGS.intersection(words[:1]):
        print(f"{__doc__}\n\nAdd --help to a command for its options.")
        sys.exit(0)
    parse = {"list": _prepare_list, "sample": _prepare_sample}
    return parse[validation.check_choice("the command", words[0] if words else None, parse)](words[1:])


@dataclass(frozen=True)
class ListOptions:
    """List the checkpoints with their provenance."""

    weights: Path = checkpoint.WEIGHTS  # folder of the checkpoints.


def _prepare_list(words: list[str]) -> Command:
    options = tyro.cli(ListOptions, prog="python -m playground list", args=words)
    return partial(list_checkpoints, validation.check_folder("--weights", options.weights))


def list_checkpoints(weights: Path) -> None:
    """Print one line for each checkpoint: name, family, size, and provenance."""
    for path in checkpoint.find(weights):
        try:
            header = checkpoint.read_header(path)
        except checkpoint.CheckpointError as error:
            print(f"{path.stem}  {error}")
            continue
        facts = [f"{key} {value}" for key, value in header.provenance.items() if not isinstance(value, (dict, list))]
        print(f"{path.stem}  {header.family}  {path.stat().st_size / 2**20:.1f} MiB  {', '.join(facts)}")


@dataclass(frozen=True)
class SampleOptions(Generic[Settings]):
    """Sample images from a model, and write them to a file."""

    out: Path  # file to write: .png for a grid, .npz for the arrays, .gif for the frames of a run that has steps.
    settings: OmitArgPrefixes[Settings]  # settings of the family.
    first: int = 0  # index of the first picture, to make a large set in parts: picture i depends on the seed and i.
    device: Device = "cpu"  # device that computes.
    weights: Path = checkpoint.WEIGHTS  # folder of the checkpoints.


@dataclass(frozen=True)
class SampleWithPromptsOptions(SampleOptions[Settings]):
    """Sample images from a model, and write them to a file."""

    # text file with a prompt on each line, for one image each, instead of --n images of --prompt.
    prompts: Path | None = None
    # prompt, as a line of that file; --line "a dog" --line "an owl" are two images.
    line: UseAppendAction[tuple[str, ...]] = ()


def _prepare_sample(words: list[str]) -> Command:
    path, flags = _find_checkpoint(_like(words))
    family = get_family(checkpoint.read_header(path).family)
    if family.sample is None:
        raise UserError(f"{path.stem} makes no pictures")
    kind: Any = SampleWithPromptsOptions if family.read_prompts else SampleOptions  # its parameter is a value
    options = tyro.cli(kind[family.Settings], prog=f"python -m playground sample {path.stem}", args=flags)
    inference.check_device(options.device)
    first = validation.check_integer("--first", options.first, 0, MAX_FIRST)
    prompts = _read_prompts(options.prompts, options.line, options.settings) if family.read_prompts else []
    settings = replace(options.settings, n=len(prompts)) if prompts else options.settings
    check_out(options.out, family, settings.n)
    settings, prompts = read_prompts(path, family, settings, prompts)
    run = partial(Run, settings=settings, first=first, prompts=prompts)
    return partial(sample_to_file, path, options.out, run, options.device)


def _like(words: list[str]) -> list[str]:
    """Put the arguments that made the file after --like, but for its name, before the others, which overrule them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--like", type=Path)
    options, overrides = parser.parse_known_args(words)
    if options.like is None:
        return words
    command = read_metadata(options.like).get("command", "")
    try:
        arguments = shlex.split(command.partition(" sample ")[2])
        return [*arguments[: arguments.index("--out")], *overrides]
    except ValueError:  # there is none, or somebody has edited it
        name = options.like.name
        raise UserError(f"no command makes {name} again: drop it on the page, which opens it or says why") from None


def _find_checkpoint(words: list[str]) -> tuple[Path, list[str]]:
    """Return the checkpoint named in the arguments of `sample`, whose family defines the flags; and the other words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--weights", type=Path, default=checkpoint.WEIGHTS)
    weights = validation.check_folder("--weights", parser.parse_known_args(words)[0].weights)
    names = [path.stem for path in checkpoint.find(weights)]
    position = next((i for i, word in enumerate(words) if word in names), 0)  # flags may come first
    name = words[position] if words else None
    if name in HELP_FLAGS:
        choices = ", ".join(_samplers(weights)) or "none yet"
        print(f"python -m playground sample NAME --out FILE ..., where NAME is one of: {choices}")
        print("python -m playground sample --like PICTURE --out FILE ... takes all from a picture that was made here")
        sys.exit(0)
    validation.check_choice("NAME", name, names)
    return weights / f"{name}.safetensors", words[:position] + words[position + 1 :]


def _samplers(weights: Path) -> list[str]:
    """Return the names of the checkpoints that can be read and make pictures."""
    headers, families = checkpoint.list_checkpoints(weights).headers, family_names()
    return [name for name, header in headers.items() if header.family in families and get_family(header.family).sample]


def _read_prompts(path: Path | None, lines: Sequence[str], settings: Any) -> list[str]:
    """Return prompts that the settings allow: the lines of a file, or those given."""
    if path is None and not lines:
        return []
    default = type(settings)()
    if (settings.n, settings.prompt) != (default.n, default.prompt) or (path and lines):
        raise UserError("--prompts or --line says what to draw and how many: leave out the other, --n and --prompt")
    return [replace(settings, prompt=line).prompt for line in (_read_lines(path) if path else lines)]


def _read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, at least one."""
    try:
        with files.os_errors_to_user_error(path, "read"):
            lines = path.read_text(encoding="utf-8-sig").splitlines()  # some editors write a mark before the text
    except UnicodeDecodeError:
        raise UserError(f"{path} must be text in UTF-8, a prompt a line") from None
    if not lines:
        raise UserError(f"{path} is empty: it needs a prompt a line")
    return lines


def sample_to_file(path: Path, out: Path, run: Callable[[Pipeline], Run], device: str) -> None:
    """Sample from a checkpoint, and write the images of the run that `run` makes of it to a file."""
    files.check_writable(out.parent)
    try:
        run(load(path, device)).save(out)
    except NotFiniteError as error:
        raise UserError(f"{path.stem}: {error}") from error
    print(out)


if __name__ == "__main__":
    sys.exit(main())
