"""Parameters of the inverse problems: what a link restores, and the picture with its missing pixels."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from playground.datasets.dataset import TEST_NUMBERS
from playground.families.score_matching.likelihood import LOW
from playground.runtime import validation
from playground.tabs.ddpm import forward
from playground.tabs.score_matching import digits

LEFT, LOWER, SQUARE, PAINTED = MASKS = ("Left half", "Lower half", "Square", "Paint")
SIDE = 32  # pixels
EMPTY = 4.0  # noise in which little is left to see
STEP_SIZE = 0.3  # of annealed Langevin dynamics, by the variance of the level
GRAIN = 0.1  # of the noise in the picture that is compared
N_REFERENCES = 4  # pictures beside the results
DENOISE, INPAINT, LIKELIHOOD = TASK_NAMES = ("Denoise", "Inpaint", "Likelihood")


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls. A link cannot hold a drawing or an upload."""

    model: str = ""  # the diffusion model's checkpoint
    task: str = DENOISE  # one of `TASK_NAMES`
    picture: str = forward.MODEL  # one of `forward.KINDS`
    number: int = 0  # of a test image
    mask: str = LEFT  # what is missing, for Inpaint
    noise: float = 1.5  # that is added, for Denoise
    n: int = 4  # results of the same picture, or probes of its likelihood
    evaluations: int = 120  # of the network for each
    digit: str = digits.ANY  # whose score is followed
    seed: int = 0  # of the noise

    def __post_init__(self) -> None:
        names = {"task": TASK_NAMES, "picture": forward.KINDS, "mask": MASKS, "digit": digits.DIGITS}
        for name, allowed in names.items():
            validation.check_choice(name, getattr(self, name), allowed)
        integers = {"number": TEST_NUMBERS, "n": (N_REFERENCES, 10), "evaluations": (10, 400),
                    "seed": (0, validation.MAX_SEED)}  # fmt: skip
        labels = validation.LABELS | {"n": "number of results"}
        validation.check_bounds(self, integers, {"noise": (2 * LOW, 5.0)}, labels)

    @property
    def painted(self) -> bool:
        """Return true if the user paints what is missing."""
        return (self.task, self.mask) == (INPAINT, PAINTED)


class Problem(NamedTuple):
    """A picture x0 (1, C, H, W), and where it is missing, bool (1, 1, H, W)."""

    x0: Tensor
    missing: Tensor
