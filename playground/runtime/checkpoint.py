"""Checkpoints that rebuild themselves: safetensors files whose header holds family, config and provenance as JSON.

A file contains no pickle and no code: it names a family in `playground.families` and gives numbers.
Reading a header reads no tensors.
"""

import contextlib
import copy
import dataclasses
import hashlib
import json
import textwrap
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, deserialize, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from playground.runtime import files
from playground.runtime.family import get_family
from playground.runtime.validation import UserError

_INSTALLED = Path(__file__).resolve().parents[1] / "weights"  # a wheel ships the weights inside the package
WEIGHTS = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parent.with_name("weights")
_lock = threading.RLock()  # reentrant, since a model may load its components while it is loaded


JSONObject = dict[str, Any]


class CheckpointError(UserError):
    """Error of a checkpoint that is missing, damaged or of the wrong family, in one sentence for the user."""


class Header(NamedTuple):
    """Header of a checkpoint."""

    family: str  # name of the family that rebuilds the model
    config: JSONObject  # fields of that family's `Config`
    provenance: JSONObject  # recipe, flags, seed, steps, data, date ..

    @property
    def flags(self) -> JSONObject:
        """Return the flags of the recipe, none if the file does not tell them."""
        flags = self.provenance.get("flags")
        return flags if isinstance(flags, dict) else {}


def save(path: str | Path, model: nn.Module, provenance: Mapping[str, object]) -> None:
    """Write a model with its `config` and provenance, serializable as JSON, to a file, which is never left half
    written; matrices are stored in half precision. Raise UserError if it cannot be written."""
    tensors = {
        name: tensor.detach().cpu().to(_storage_dtype(tensor)).contiguous()
        for name, tensor in model.state_dict().items()
    }
    metadata = {
        "family": type(model).__module__.split(".")[2],
        "config": json.dumps(dataclasses.asdict(cast(Any, model.config))),
        "provenance": json.dumps(provenance),
    }
    with files.atomic_write(path) as file:
        file.write(safetensors.torch.save(tensors, metadata))


def _storage_dtype(tensor: Tensor) -> torch.dtype:
    """Return half precision for float matrices; vectors are small and may be measurements, so they keep theirs."""
    return torch.half if tensor.is_floating_point() and tensor.dim() > 1 else tensor.dtype


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a checkpoint's bytes, in hexadecimal digits, or raise CheckpointError if it is missing."""
    with _errors_to_checkpoint_error(path):
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a checkpoint's family, config and tensors, in hexadecimal digits.

    The order of the tensors and the provenance do not matter: a model that is loaded and saved again has the same
    digest.

    Raises:
        CheckpointError: Missing, damaged, or not a checkpoint of this project.
    """
    return _digest(Path(path), files.version(path))


@lru_cache(maxsize=32)
def _digest(path: Path, version: tuple[int, ...]) -> str:
    header = read_header(path)
    hasher = hashlib.sha256(json.dumps([header.family, header.config], sort_keys=True).encode())
    with _errors_to_checkpoint_error(path):
        tensors = dict(deserialize(path.read_bytes()))
    for name, tensor in sorted(tensors.items()):
        hasher.update(json.dumps([name, tensor["dtype"], tensor["shape"]]).encode())
        hasher.update(tensor["data"])
    return hasher.hexdigest()


def find(weights: str | Path = WEIGHTS) -> list[Path]:
    """Return the paths of the checkpoints in a folder, sorted by name."""
    return sorted(Path(weights).glob("*.safetensors"))


def read_header(path: str | Path) -> Header:
    """Read the header of a checkpoint, or raise CheckpointError if it is missing, damaged, or not of this project; what
    is no object in place of its provenance is left out."""
    with _errors_to_checkpoint_error(path), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    try:
        config, provenance = (json.loads(metadata[key]) for key in ("config", "provenance"))
        return Header(metadata["family"], config, provenance if isinstance(provenance, dict) else {})
    except (KeyError, ValueError, RecursionError):
        raise CheckpointError(
            f"the file {Path(path).name} is not a checkpoint of this project: its header names no model"
        ) from None


@contextlib.contextmanager
def _errors_to_checkpoint_error(path: str | Path) -> Iterator[None]:
    """Turn the errors of reading a file into a CheckpointError."""
    try:
        yield
    except FileNotFoundError:
        name = Path(path).stem
        raise CheckpointError(f"the checkpoint {name} is missing: `python -m train {name}` makes it") from None
    except (SafetensorError, OSError, KeyError) as error:  # KeyError: a data type that torch does not have
        raise CheckpointError(f"the checkpoint {Path(path).name} is damaged ({error})") from None


class Listing(NamedTuple):
    """Checkpoints in a folder."""

    headers: dict[str, Header]  # headers of the readable checkpoints by name
    unreadable: list[CheckpointError]  # errors of the files that are damaged or not checkpoints of this project


def list_checkpoints(weights: str | Path = WEIGHTS) -> Listing:
    """Read the headers of all checkpoints in a folder."""
    listing = Listing({}, [])
    for path in find(weights):
        header = _header_or_error(path, files.version(path))
        if isinstance(header, Header):
            listing.headers[path.stem] = header
        else:
            listing.unreadable.append(header)
    return listing


@lru_cache(maxsize=256)
def _header_or_error(path: Path, version: tuple[int, ...]) -> Header | CheckpointError:
    """Return the header of a file or its error, cached until the file changes, since every view asks for it."""
    try:
        return read_header(path)
    except CheckpointError as error:
        return error


def load(path: str | Path, family: str | None = None, device: torch.device | str = "cpu") -> nn.Module:
    """Rebuild a model in single precision, in evaluation mode, on a device; it belongs to the caller. Raise
    CheckpointError if it is missing, damaged, not of the family that it must belong to, or if its tensors do not fit
    its config or are not finite."""
    return copy.deepcopy(load_shared(path, family)).to(device)


def load_shared(path: str | Path, family: str | None = None) -> nn.Module:
    """Return the one model of a checkpoint that all callers share, on the CPU and without gradients: do not change it.

    It is cached until the file changes; arguments and errors are those of `load`.
    """
    path = Path(path)
    header = read_header(path)
    if family is not None and header.family != family:
        raise CheckpointError(f"the checkpoint {path.name} holds a model of the family {header.family}, not {family}")
    with _lock:  # so that two visitors at once load a model once
        return _load(path, files.version(path))


# Tensor operations of spectral normalization's constructor, replaced by functions that only return the right shape.
_SHAPE_FUNCTIONS: dict[Callable[..., object], Callable[..., Tensor]] = {
    Tensor.normal_: lambda x, *_: x,
    F.normalize: lambda x, **_: x,
    torch.mv: lambda a, b: a.new_empty(len(a)),
    torch.vdot: lambda a, b: a.new_empty(()),
    Tensor.div: lambda a, b: a,
}


class _SkipInit(TorchFunctionMode):
    """Mode that builds modules on `meta` without initialization, which would import torch._dynamo (1.5 s)."""

    def __torch_function__(
        self,
        function: Callable[..., object],
        types: Collection[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if getattr(function, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        on_meta = args and isinstance(args[0], Tensor) and args[0].is_meta
        return (_SHAPE_FUNCTIONS.get(function, function) if on_meta else function)(*args, **kwargs)


@lru_cache(maxsize=32)
def _load(path: Path, version: tuple[int, ...]) -> nn.Module:
    header, tensors = read_header(path), _read_tensors(path)
    try:
        family = get_family(header.family)
    except UserError as error:
        raise CheckpointError(f"the checkpoint {path.name} cannot be rebuilt: {error}") from None
    try:
        with torch.device("meta"), _SkipInit():  # shapes only: an absurd config costs no memory
            model = family.Model(family.Config(**header.config))
        model.load_state_dict(tensors, assign=True)
    except (TypeError, KeyError, ValueError, RuntimeError) as error:
        reason = textwrap.shorten(str(error).strip().splitlines()[-1], 160, placeholder=" ...")
        raise CheckpointError(f"the checkpoint {path.name} does not fit its own config ({reason})") from None
    if family.has_components:
        cast(Any, model).load_component = partial(_load_component, path.parent, path.stem)
    return model.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # faster, even at batch size 1


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file in single precision, copied into memory.

    A memory-mapped file would crash the process when it is truncated, and change the model when it is overwritten.
    """
    with _errors_to_checkpoint_error(path):
        tensors = safetensors.torch.load(path.read_bytes())
    tensors = {name: x.float() if x.is_floating_point() else x for name, x in tensors.items()}
    for name, x in tensors.items():
        if not np.isfinite(x.numpy()).all():  # twenty times as fast as torch's
            raise CheckpointError(f"the checkpoint {path.name} is damaged: {name} holds numbers that are not finite")
    return tensors


def _load_component(folder: Path, owner: str, name: str, family: str, expected_digest: str) -> nn.Module:
    """Load another model that a model needs, from the same folder, or raise CheckpointError if it is not the one that
    the owner was trained with."""
    path = folder / f"{name}.safetensors"
    model = load_shared(path, family)
    if digest(path) != expected_digest:
        raise CheckpointError(f"{owner} was trained with another {name}: take both from the same place")
    return model
