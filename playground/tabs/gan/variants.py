"""Trained GANs to compare: one of every loss; the shipped ones were all trained alike, on digits."""

from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

from playground.families import gan
from playground.families.gan import history
from playground.families.gan.history import History
from playground.families.gan.losses import Objective
from playground.runtime import checkpoint, validation
from playground.runtime.checkpoint import Header
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.web import palette
from playground.web.checkpoint_picker import CheckpointPicker, nested_value

SHIPPED = {  # short name of each
    "gan-digits-minimax": "GAN",
    "gan-digits-nonsaturating": "NS-GAN",
    "gan-digits-leastsquares": "LSGAN",
    "gan-digits-hinge": "SNGAN",
    "gan-digits-wasserstein-clip": "WGAN",
    "gan-digits-wasserstein-gp": "WGAN-GP",
    "gan-digits-r3gan": "R3GAN",
    "gan-digits-conditional": "conditional",
    "gan-digits-progressive": "ProGAN",
}
COLOURS = dict(zip(SHIPPED, palette.LINES, strict=True))  # of lines
TITLES = {
    "minimax": "Minimax",
    "nonsaturating": "Non-saturating",
    "leastsquares": "Least squares",
    "hinge": "Hinge",
    "wasserstein": "Wasserstein",
    "relativistic": "Relativistic",
}
_REAL, _FAKE = "D(x)", "D(G(z))"
_ENTROPY = f"E softplus(−{_REAL}) + E softplus({_FAKE})"
FORMULAS = {  # what D and G minimize by each loss, in the notation of `Formula`
    "minimax": (_ENTROPY, f"−E softplus({_FAKE})"),
    "nonsaturating": (_ENTROPY, f"E softplus(−{_FAKE})"),
    "leastsquares": (f"½ E ({_REAL} − 1)² + ½ E {_FAKE}²", f"½ E ({_FAKE} − 1)²"),
    "hinge": (f"E max(0, 1 − {_REAL}) + E max(0, 1 + {_FAKE})", f"−E {_FAKE}"),
    "wasserstein": (f"E {_FAKE} − E {_REAL}", f"−E {_FAKE}"),
    "relativistic": (f"E softplus({_FAKE} − {_REAL})", f"E softplus({_REAL} − {_FAKE})"),
}
WHERE = f"{_REAL}, {_FAKE}: logits of real and fake pictures · softplus(a) = ln(1 + e^(a)), so −ln of a probability"


@dataclass(frozen=True)
class About:
    """Description of a trained GAN by the header of its checkpoint."""

    name: str
    header: Header
    colour: str = palette.LINES[0]

    @property
    def objective(self) -> Objective | None:
        """Return the objective of the training, if the header names it."""
        try:
            return Objective(**nested_value(self.header.provenance, "flags", "objective"))
        except (TypeError, UserError):
            return None

    @property
    def short(self) -> str:
        """Return a name for legends."""
        return SHIPPED.get(self.name, self.name)

    @property
    def title(self) -> str:
        """Return the loss and what is put beside it, and the name if it is none of those shipped."""
        if not self.objective:
            return self.name
        objective, config = self.objective, self.header.config
        gradients = " and ".join(name.upper() for name in ("r1", "r2") if getattr(objective, name))
        extras = {
            "spectral norm": nested_value(config, "spectral"),
            "clipped": objective.clip,
            "gradient penalty": objective.gp,
            gradients: gradients,
            "class-conditional": self.classes,
            "progressive growing": nested_value(config, "progressive"),
        }
        title = ", ".join([TITLES[objective.loss], *(name for name, enabled in extras.items() if enabled)])
        return title if self.name in SHIPPED else f"{title} ({self.name})"

    @property
    def classes(self) -> bool:
        """Return true if the GAN is conditional on classes."""
        return bool(nested_value(self.header.config, "classes"))

    @property
    def caveat(self) -> str:
        """Return why the samples are poor, "" if they are not."""
        return "poor: clipped, D is too simple" if self.objective and self.objective.clip else ""

    @property
    def batch_size(self) -> int | None:
        """Return the pictures of a training step, if the header tells."""
        size = nested_value(self.header.provenance, "flags", "batch_size")
        return size if isinstance(size, int) else None


def formulas(objective: Objective) -> tuple[str, str]:
    """Return what D and G minimize, in the notation of `Formula`."""
    d, g = FORMULAS[objective.loss]
    for weight, term in (
        (objective.gp, "E (|∇D| − 1)²"),
        (objective.r1 / 2, f"E |∇{_REAL}|²"),
        (objective.r2 / 2, f"E |∇{_FAKE}|²"),
    ):
        d += f" + {'½' if weight == 0.5 else f'{weight:g}'} {term}" if weight else ""
    g += f" + {objective.matching:g} |E f(x) − E f(G(z))|²" if objective.matching else ""
    return d, g + (f", with D {objective.unroll} steps ahead" if objective.unroll else "")


CHECKPOINTS = CheckpointPicker[gan.Model](
    "gan", "gan-digits-r3gan", tuple(SHIPPED), lambda name, header: About(name, header).title
)


def describe_all(paths: Paths) -> dict[str, About]:
    """Return the description of each checkpoint by name, with a colour: those shipped always have the same."""
    headers = CHECKPOINTS.headers(paths)
    spare = cycle([colour for name, colour in COLOURS.items() if name not in headers] or palette.LINES)
    return {name: About(name, header, COLOURS.get(name) or next(spare)) for name, header in headers.items()}


class Training(NamedTuple):
    """Training of a GAN: its description, its objective and its history."""

    about: About
    objective: Objective
    history: History


def load_training(paths: Paths, name: str) -> Training:
    """Return the training of a checkpoint, or raise UserError if it is not known."""
    abouts = describe_all(paths)
    if name in SHIPPED and name not in abouts:
        checkpoint.read_header(paths.checkpoint(name))  # says what is wrong
    about = abouts[validation.check_choice("loss", name, abouts or SHIPPED)]
    path = paths.weights / f"{name}.history.npz"
    if not about.objective or (name not in SHIPPED and not path.exists()):
        missing = "its header does not name the loss" if not about.objective else f"{path.name} is not beside it"
        raise UserError(f"how {name} was trained is not known: {missing}")
    return Training(about, about.objective, history.load(path))
