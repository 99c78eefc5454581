"""Choice of a checkpoint: all of a family in the folder of the weights, whatever their names.

The parameters of a view's link name one of them as their first field, `model`; "" is the one shown first.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import gradio as gr
from torch import nn

from playground.datasets.dataset import Dataset
from playground.datasets.registry import dataset_of
from playground.runtime import checkpoint, validation
from playground.runtime.checkpoint import Header
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.web import controls, links
from playground.web.component import Value
from playground.web.controls import Control, error_sentence

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Model = TypeVar("Model", bound=nn.Module)
Settings = TypeVar("Settings", bound="DataclassInstance")


@dataclass(frozen=True)
class CheckpointPicker(Generic[Model]):
    """Choice of a checkpoint of a family, whose models are of one class. The folder is read each time, so that a new
    file shows when the page is opened again."""

    family: str  # name in `playground.families`
    default: str  # name of the shipped checkpoint that is shown first
    # Names of all shipped checkpoints in their order, if there are several; others come after them.
    shipped: tuple[str, ...] = ()
    # Function from a checkpoint's name and header to its title on the page.
    title: Callable[[str, Header], str] = lambda name, _: name

    def headers(self, paths: Paths) -> dict[str, Header]:
        """Return the headers of the checkpoints by name, in their order."""
        order = [*(self.shipped or [self.default])]

        def rank(name: str) -> tuple[int, str]:
            return order.index(name) if name in order else len(order), name

        headers = checkpoint.list_checkpoints(paths.weights).headers
        names = [name for name, header in headers.items() if header.family == self.family]
        return {name: headers[name] for name in sorted(names, key=rank)}

    def names(self, paths: Paths) -> list[str]:
        """Return the names of the checkpoints; the default's if there are none, so that loading says it is missing."""
        return list(self.headers(paths)) or [self.default]

    def first_name(self, paths: Paths) -> str:
        """Return the name of the checkpoint that is shown first."""
        names = self.names(paths)
        return self.default if self.default in names else names[0]

    def path(self, paths: Paths, name: object) -> Path:
        """Return the path of a checkpoint, or raise UserError if there is no file of this name."""
        if isinstance(name, str) and Path(name).name == name and os.path.isfile(path := paths.checkpoint(name)):
            return path  # without a look at the other files, since a slider asks many times a second
        return paths.checkpoint(self.resolve(paths, name))

    def resolve(self, paths: Paths, name: object) -> str:
        """Return a checkpoint's name after a check, the first one's for ""; raise UserError if there is none."""
        return validation.check_choice("model", self.first_name(paths) if name == "" else name, self.names(paths))

    def dataset(self, paths: Paths, name: object) -> Dataset:
        """Return the data set that a checkpoint was trained on, or raise UserError if its header names none of this
        project."""
        path = self.path(paths, name)
        dataset = dataset_of(checkpoint.read_header(path).provenance)
        if dataset is None:
            raise UserError(
                f"{path.stem} learned from images that are not here, since its header names no data set of this "
                "project: let the model draw, or choose another one"
            )
        return dataset

    def load(self, paths: Paths, name: object) -> Model:
        """Return the model of a checkpoint, or raise UserError if there is none or it cannot be loaded."""
        return cast(Model, checkpoint.load_shared(self.path(paths, name), family=self.family))

    # The control on the page.

    def choices(self, paths: Paths) -> list[tuple[str, str]]:
        """Return title and name of each checkpoint."""
        titles = [(self.title(name, header), name) for name, header in self.headers(paths).items()]
        return titles or [(self.default, self.default)]

    def build(self, paths: Paths, label: str = "Model", info: str = "The trained model to use.") -> Control:
        """Build the control, which is visible if there are several checkpoints."""
        return controls.radio(label=label, hint=info, **self._state(paths, ""))

    def update(self, paths: Paths, name: str = "") -> Value:
        """Return the update of the control to the present choices, with one of them selected."""
        return gr.update(**self._state(paths, name))

    def _state(self, paths: Paths, name: str) -> Value:
        choices = self.choices(paths)
        return {"choices": choices, "value": name or self.first_name(paths), "visible": len(choices) > 1}

    def settings_from_request(
        self, paths: Paths, settings_type: type[Settings], tab: str, request: gr.Request
    ) -> tuple[Settings, bool, str]:
        """Return the settings in the page's address, or the defaults; whether it has any; and an error of them."""
        linked_settings, wrong = links.read_request(settings_type, tab, request)
        settings: Any = linked_settings or settings_type()
        try:
            return replace(settings, model=self.resolve(paths, settings.model)), linked_settings is not None, wrong
        except UserError as error:
            defaults: Any = settings_type()
            return replace(defaults, model=self.first_name(paths)), False, error_sentence(error)

    def control_values(self, paths: Paths, values: Sequence[object]) -> list[object]:
        """Return the values of a view's controls, the first of which is the control of the model."""
        return [self.update(paths, str(values[0])), *values[1:]]


def nested_value(value: object, *keys: str) -> Any:
    """Return the value under a path of keys in any JSON; None if there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def settings_from(settings_type: type[Settings], params: object) -> Settings:
    """Return a family's settings from the parameters of a view, which have more fields."""
    names = [field.name for field in fields(settings_type)]
    return settings_type(**{name: getattr(params, name) for name in names})
