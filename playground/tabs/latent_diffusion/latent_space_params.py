"""Parameters of the view of the latent space, and the link of what it shows."""

from dataclasses import dataclass, replace

from playground.datasets import emoji
from playground.datasets.scenes import BACKGROUNDS
from playground.families.latent_diffusion import Settings
from playground.runtime import validation
from playground.web import links
from playground.web.component import Value
from playground.web.newest import Requests

TAB = "latent_diffusion.latent_space"
EMOJI, DRAWING, UPLOAD = KINDS = ("Emoji", "Draw", "Upload")
STEPS = 20  # of a run from a picture


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the first controls. A link cannot hold a drawing or an upload."""

    model: str = ""
    kind: str = EMOJI
    name: str = "pizza"
    ground: str = "blue"
    to: str = "owl"
    to_ground: str = "yellow"
    prompt: str = "a big owl on a blue background"
    strength: float = 0.6
    w: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.check_choice("picture", self.kind, KINDS)
        for ground in (self.ground, self.to_ground):
            validation.check_choice("background", ground, BACKGROUNDS)
        for name in (self.name, self.to):
            validation.check_choice("emoji", name, emoji.CORE)
        settings = self.settings
        strength = validation.check_number("strength", self.strength, 0, 1)
        validation.set_frozen(self, strength=strength, w=settings.w, seed=settings.seed)

    @property
    def settings(self) -> Settings:
        """Return the settings of the pictures that are made from the first."""
        return Settings(4, self.prompt, steps=STEPS, w=self.w, seed=self.seed)


def linkable(params: ViewParams) -> ViewParams | None:
    """Return the parameters if a link can hold all that makes the pictures, which it cannot of a user's own."""
    return params if params.kind == EMOJI else None


class OnShow(Requests):
    """State of a visitor's view.

    Attributes:
        path, run: Parameters of the path and of the run on show, None for none.
    """

    path: ViewParams | None = None
    run: ViewParams | None = None

    def link_value(self, address: bool = True) -> Value:
        """Return the value of the button that copies the link of both, which is that of the run with the path's other
        end: a path from another picture is a change that the run has not followed yet."""
        params = self.run or self.path
        if params is None:
            return links.nothing(TAB)
        if self.path:
            params = replace(params, to=self.path.to, to_ground=self.path.to_ground)
        return links.value(TAB, linkable(params), address)
