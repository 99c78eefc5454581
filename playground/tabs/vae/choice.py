"""What the controls choose, and what a view makes of it."""

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from typing import NamedTuple

import gradio as gr

from playground.runtime.paths import Paths
from playground.tabs.vae import codes
from playground.tabs.vae.codes import EncodedImage, ViewParams
from playground.web import component, image_picker
from playground.web.controls import Control, ControlValue
from playground.web.image_picker import NO_SOURCES, Sources

OWN_SETTINGS = {"interpolate": ("to", "to_number"), "gradients": ("a", "sigma", "samples")}  # of views, by their names


class Choice(NamedTuple):
    """Values of the controls in their order."""

    model: ControlValue
    picture: ControlValue
    number: ControlValue
    drawing: object
    upload: object
    correction: object
    seed: ControlValue
    to: ControlValue = ViewParams.to
    to_number: ControlValue = ViewParams.to_number
    a: ControlValue = ViewParams.a
    sigma: ControlValue = ViewParams.sigma
    samples: ControlValue = ViewParams.samples

    @classmethod
    def from_params(cls, params: ViewParams) -> "Choice":
        """Return the values of the controls for the parameters of a link, with nothing drawn or uploaded."""
        model, picture, number, *other_values = astuple(params)
        return cls(model, picture, number, *NO_SOURCES, *other_values)

    @property
    def params(self) -> ViewParams:
        """Return the values as parameters of a view, or raise UserError if one is not allowed."""
        return ViewParams(**{field.name: getattr(self, field.name) for field in fields(ViewParams)})

    def for_view(self, name: str) -> "Choice":
        """Return the part on which a view depends: settings of other views are as they were at first."""
        other_fields = [field for view, settings in OWN_SETTINGS.items() if view != name for field in settings]
        return self._replace(**{field: getattr(ViewParams, field) for field in other_fields})

    def encode(self, paths: Paths) -> EncodedImage:
        """Return the chosen image with its code, or raise UserError if there is none yet."""
        sources = Sources(self.drawing, self.upload, self.correction)
        image_picker.check_input(self.picture, sources)
        return codes.encode_choice(paths, self.params, sources)


def _message(text: str) -> list[object]:
    return [component.message(text, outdated=True)]


def message_without_plots(text: str) -> list[object]:
    """Return the values that show a text in place of the first component, and hide two plots."""
    return [text, gr.update(visible=False), gr.update(visible=False)]


@dataclass(frozen=True)
class ChoiceView:
    """View of a choice: one of those between which the tab switches."""

    title: str
    hint: str
    # Function that builds the components that an image fills, and controls of the view's own.
    build: Callable[[Paths], tuple[list[Control], list[Control]]]
    # Function that returns the values of the components for an image.
    show: Callable[[Paths, EncodedImage], list[object]]
    # Function that returns their values for a text, which fade what else they show.
    message: Callable[[str], list[object]] = _message
