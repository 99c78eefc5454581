"""Checkpoints that rebuild themselves: safetensors files whose header holds family, config and provenance as JSON.

No pickle and no code: a file names a family among those in `playground.models`, and gives numbers.
Reading the header reads no tensors.
"""

import dataclasses
import hashlib
import importlib
import json
import pkgutil
import textwrap
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import playground.models
from playground.validation import UserError

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
_lock = threading.RLock()  # a model may ask for its parts while it is used


class CheckpointError(UserError):
    """A checkpoint is missing, damaged or of the wrong kind; the message is one sentence for the user."""


class Header(NamedTuple):
    """What a checkpoint says of itself.

    Attributes:
        family: the module in `playground.models` that rebuilds it.
        config: the fields of that family's `Config`.
        provenance: recipe, flags, seed, steps, data, date ...
    """

    family: str
    config: dict[str, Any]
    provenance: dict[str, Any]


def families() -> list[str]:
    """The names of the model families: the modules of `playground.models`."""
    return sorted(module.name for module in pkgutil.iter_modules(playground.models.__path__))


def family(name: str) -> ModuleType:
    """The module of a family: `Config`, `Model`, its losses, `Settings`, `sample`."""
    if name not in families():
        raise CheckpointError(f"there is no model family {name!r} (there are {', '.join(families())})")
    return importlib.import_module(f"playground.models.{name}")


def save(path: str | Path, model: nn.Module, provenance: dict[str, Any]) -> None:
    """Write a model, its matrices in half precision, with `config` and provenance in the header; never half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.detach().cpu().to(_kept(tensor)).contiguous() for name, tensor in model.state_dict().items()
    }
    metadata = {
        "family": type(model).__module__.rpartition(".")[2],
        "config": json.dumps(dataclasses.asdict(cast(Any, model.config))),
        "provenance": json.dumps(provenance),
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def _kept(tensor: Tensor) -> torch.dtype:
    """The precision in a file: half, but for whole numbers, and for vectors: small, and perhaps measurements."""
    return torch.half if tensor.is_floating_point() and tensor.dim() > 1 else tensor.dtype


def sha256(path: str | Path) -> str:
    """What tells one file from another of the same name."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def find(weights: str | Path = WEIGHTS) -> list[Path]:
    """The checkpoints in a folder, by name."""
    return sorted(Path(weights).glob("*.safetensors"))


def header(path: str | Path) -> Header:
    """Read what a checkpoint says of itself.

    Raises:
        CheckpointError: missing, damaged, or not a checkpoint of this project.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return Header(metadata["family"], json.loads(metadata["config"]), json.loads(metadata["provenance"]))
    except FileNotFoundError:
        name = Path(path).stem
        raise CheckpointError(f"the checkpoint {name} is missing: `python -m train {name}` makes it") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"the checkpoint {Path(path).name} is damaged ({error})") from None
    except (KeyError, ValueError, RecursionError):
        raise CheckpointError(
            f"the file {Path(path).name} is not a checkpoint of this project: its header names no model"
        ) from None


def load(path: str | Path, expect: str | None = None) -> nn.Module:
    """Rebuild a model, in single precision on the CPU, ready to sample; kept until the file changes.

    Args:
        expect: the family it must be of.

    Raises:
        CheckpointError: missing, damaged, of another family, or its tensors do not fit its config.
    """
    path = Path(path)
    found = header(path)
    if expect is not None and found.family != expect:
        raise CheckpointError(f"the checkpoint {path.name} holds a model of the family {found.family}, not {expect}")
    with _lock:  # two visitors at once load a model once
        return _load(path, path.stat().st_mtime_ns)


# What a spectral norm computes as it is made, by shape alone.
_SHAPES: dict[Any, Callable[..., Tensor]] = {
    Tensor.normal_: lambda x, *_: x,
    F.normalize: lambda x, **_: x,
    torch.mv: lambda a, b: a.new_empty(len(a)),
    torch.vdot: lambda a, b: a.new_empty(()),
    Tensor.div: lambda a, b: a,
}


class _Uninitialised(TorchFunctionMode):
    """Modules built in it leave parameters as they are: to compute them on `meta` imports torch._dynamo for 1.5 s."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        made = _SHAPES.get(function) if args and getattr(args[0], "is_meta", False) else None
        return (made or function)(*args, **kwargs)


@lru_cache(maxsize=32)
def _load(path: Path, mtime_ns: int) -> nn.Module:
    found = header(path)
    module = family(found.family)
    try:
        with torch.device("meta"), _Uninitialised():  # shapes only: an absurd config costs no memory
            model = module.Model(module.Config(**found.config))
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        tensors = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        model.load_state_dict(tensors, assign=True)
    except (TypeError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        reason = textwrap.shorten(str(error).strip().splitlines()[-1], 160, placeholder=" ...")
        raise CheckpointError(f"the checkpoint {path.name} does not fit its own config ({reason})") from None
    if hasattr(model, "find"):
        model.find = partial(_part, path.parent, path.stem)
    return model.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # faster, even one at a time


def _part(folder: Path, owner: str, name: str, expect: str, digest: str) -> nn.Module:
    """Another model that one stands on, from the same folder.

    Raises:
        CheckpointError: it cannot be loaded, or is not the one that the owner was trained with.
    """
    path = folder / f"{name}.safetensors"
    model = load(path, expect)
    if sha256(path) != digest:
        raise CheckpointError(f"{owner} was trained with another {name}: take both from the same place")
    return model
