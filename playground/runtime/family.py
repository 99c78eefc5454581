"""Families of models as objects: checkpoints, the command line and the evaluation read them by name."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from playground.runtime.run import Frame, RunSettings
from playground.runtime.validation import UserError


def frame_x(model: object, frame: Frame) -> Tensor:
    """Return the state of a frame, in families whose state is the images themselves."""
    return frame.x


@dataclass(frozen=True)
class Family:
    """Family of generative models; a field that a family does not offer is None."""

    name: str  # name of its package in `playground.families`, stored in checkpoints
    title: str  # name for people
    Config: type  # frozen dataclass that rebuilds a model
    Model: Callable[[Any], nn.Module]  # network, built by `Model(config)`
    # Frozen dataclass of the settings of a run, which checks its values.
    Settings: Callable[..., RunSettings] | None = None
    # `sample(model, settings, first=0)`, a generator of frames; the last one holds the images first ... first + n - 1.
    sample: Callable[..., Iterator[Frame]] | None = None
    # `labels(model, settings, first=0)`, the classes of these images (n,), or None if there are none.
    labels: Callable[..., Tensor | None] | None = None
    # `to_images(model, frame)`, the images of a frame (B, C, H, W) in [-1, 1].
    to_images: Callable[[Any, Frame], Tensor] = frame_x
    # `read_prompts(settings, provenance)`, the settings with their prompts in the words that the model of a checkpoint
    # knows, and a sentence on how they were read; `sample` then takes a prompt for each image, as `prompts`.
    read_prompts: Callable[[Any, Mapping[str, Any]], tuple[Any, str]] | None = None
    has_steps: bool = False  # True if `Settings.steps` is the number of steps of a run, whose frames make an animation
    # True if a model needs others from the folder of its checkpoint, which it loads by its attribute `load_component`.
    has_components: bool = False


def family_names() -> list[str]:
    """Return the names of all families: the packages of `playground.families`."""
    package = importlib.import_module("playground.families")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def get_family(name: str) -> Family:
    """Return a family by its name, or raise UserError if there is none."""
    if name not in family_names():
        raise UserError(f"there is no model family {name!r} (there are {', '.join(family_names())})")
    return importlib.import_module(f"playground.families.{name}").FAMILY
