"""What the page of one visitor shows: the selected view, the choice that fills each view, and the picture on show."""

import json
from typing import NamedTuple

from torch import Tensor

from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.vae import answers, codes, interpolate
from playground.tabs.vae.choice import Choice
from playground.tabs.vae.codes import ViewParams
from playground.web.newest import Requests

FIRST, UNOPENED = "traverse", ""  # names of the first view, and of none while the page opens
MOVABLE = ("traverse", "map")  # views whose code can be moved
# JavaScript that puts the state of the visible view's stage in the browser first among the inputs, see `picture`.
ON_SHOW = """(...values) => values.with(0, JSON.stringify({
  ...[...document.querySelectorAll('[id^=vae-] [data-ready]')].find((stage) => stage.offsetParent)?.dataset}))"""


class Picture(NamedTuple):
    """Picture on show: what the decoder of a model draws of a code."""

    model: str
    z: Tensor  # the code (Z,)
    params: ViewParams | None  # parameters with which its view shows it, None if its code was moved


class Session(Requests):
    """State of a visitor's page.

    Attributes:
        selected: Name of the selected view.
        filled: The choice that each view shows; None after an error.
        moved: Names of the views whose code was moved since they were filled.
        has_chosen_model: Whether the visitor, or a link, chose a model; until then each view has its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.selected = UNOPENED
        self.filled: dict[str, Choice | None] = {}
        self.moved: set[str] = set()
        self.has_chosen_model = False

    def fill(self, name: str, choice: Choice | None) -> None:
        """Note what a view shows from now on."""
        self.filled[name] = choice
        self.moved.discard(name)

    def picture(self, paths: Paths, text: object) -> Picture:
        """Return the picture on show.

        Args:
            text: Data of the visible stage as JSON: its "code", if that can be moved, or the "index" of its frame.

        Raises:
            UserError: There is none.
        """
        choice, stage = self.filled.get(self.selected), parse(text)
        if self.selected in MOVABLE:
            return self.decoded_picture(paths, self.selected, stage.get("code"))
        if choice is None:
            raise UserError("there is no picture on show: choose one, or open Traverse")
        encoded = choice.encode(paths)
        if self.selected != "interpolate":
            return Picture(encoded.params.model, encoded.z, encoded.params)
        text = str(stage.get("index"))
        index = validation.check_integer("frame", int(text) if text.isdecimal() else text, 0, interpolate.FRAMES - 1)
        return Picture(encoded.params.model, interpolate.latent_paths(paths, encoded)["arc"][index], encoded.params)

    def decoded_picture(self, paths: Paths, name: str, text: object) -> Picture:
        """Return the picture of a view whose code can be moved, as `read_code` reads it from a text."""
        choice, (model, z) = self.filled.get(name), read_code(paths, text)
        encoded = choice.encode(paths) if choice else None
        if encoded and encoded.params.model == model and z.equal(encoded.z.clamp(-codes.LIMIT, codes.LIMIT)):
            return Picture(model, z, encoded.params)
        return Picture(model, z, None)


def code_js(name: str) -> str:
    """Return JavaScript that puts the code on show in a view first among the inputs, see `read_code`."""
    return f"""(...values) =>
      values.with(0, document.querySelector('#vae-{name} [data-code]')?.dataset.code ?? '')"""


def read_code(paths: Paths, text: object) -> tuple[str, Tensor]:
    """Return the model and the code (Z,) on show in a view whose code can be moved, or raise UserError if there is
    none."""
    params = parse(text)
    model = str(params.get("model"))
    return model, answers.parse_code(codes.CHECKPOINTS.load(paths, model), params.get("z"))


def parse(text: object) -> dict[str, object]:
    """Return the object in a JSON text, or raise UserError if it holds none."""
    try:
        value = json.loads(str(text))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UserError("there is no picture on show yet: wait until one is there")
    return value
