"""Changes to checkpoint files, and limits of time and memory for reading them."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from playground.families import ddpm
from playground.runtime import checkpoint

TINY = ddpm.Config(size=8, classes=3, width=8, blocks=1, emb_dim=16)
PROVENANCE = {
    "recipe": "ddpm",
    "flags": {"lr": 1e-3, "config": {"multipliers": [1, 2]}},
    "seed": 3,
    "date": "2025-01-01",
}


def rewrite(path: Path, tensors: dict[str, Tensor] | None = None, **changes: str | None) -> None:
    """Write a checkpoint again with other tensors, or with changes to its metadata; None deletes an entry."""
    header = checkpoint.read_header(path)
    metadata = {
        "family": header.family,
        "config": json.dumps(header.config),
        "provenance": json.dumps(header.provenance),
    }
    metadata = {key: value for key, value in (metadata | changes).items() if value is not None}
    save_file(load_file(path) if tensors is None else tensors, path, metadata)


def change_config(path: Path, **changes: object) -> None:
    """Change fields of the config in the header."""
    rewrite(path, config=json.dumps({**checkpoint.read_header(path).config, **changes}))


def change_tensors(path: Path, change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint with one of them changed."""
    tensors = load_file(path)
    return {**tensors, "net.stem.weight": change(tensors["net.stem.weight"])}


def drop_tensor(path: Path) -> None:
    """Delete a tensor."""
    tensors = load_file(path)
    tensors.popitem()
    rewrite(path, tensors)


def crop_tensor(path: Path) -> None:
    """Change the shape of a tensor."""
    rewrite(path, change_tensors(path, lambda x: x[:4].contiguous()))


def number_writer(tensor: str, number: float) -> Callable[[Path], None]:
    """Return a function that writes a number into a tensor of a checkpoint."""

    def write(path: Path) -> None:
        tensors = load_file(path)
        tensors[tensor].view(-1)[-1] = number
        rewrite(path, tensors)

    return write


def truncator(share: float) -> Callable[[Path], object]:
    """Return a function that truncates a file to a share of its length."""
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def replace_by_folder(path: Path) -> None:
    """Put a folder in place of a file."""
    path.unlink()
    path.mkdir()


class limited_resources:
    """Context manager that fails if its block takes more than 5 s of processor time or 200 MB."""

    def __enter__(self) -> None:
        self.seconds, self.peak = time.thread_time(), self.memory()

    def __exit__(self, *error: object) -> None:
        assert time.thread_time() - self.seconds < 5
        assert self.memory() - self.peak < 200

    @staticmethod
    def memory() -> float:
        """Return the peak memory of this process in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
