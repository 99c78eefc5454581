"""Who meets in the arena: the networks of every loss, all trained alike on digits."""

from typing import NamedTuple, cast

from playground import checkpoint, history, validation
from playground.history import History
from playground.models import gan
from playground.tabs import Places
from playground.ui import palette


class About(NamedTuple):
    """A network of the arena.

    Attributes:
        title, short: of its loss.
        colour: of its lines.
        loss: in `adversarial.LOSSES`.
        d, g: what D and G minimise, as HTML.
        caveat: why it is poor, if it is.
    """

    title: str
    short: str
    colour: str
    loss: str
    d: str
    g: str
    caveat: str = ""


_REAL, _FAKE = "D(x)", "D(G(z))"
_ENTROPY = f"E softplus(−{_REAL}) + E softplus({_FAKE})"
_RELATIVE = f"E softplus({_FAKE} − {_REAL}) + ½ E |∇D(x)|² + ½ E |∇D(G(z))|²"
_RELATIVE_G = f"E softplus({_REAL} − {_FAKE})"
_CRITIC, _RAISE = f"E {_FAKE} − E {_REAL}", f"−E {_FAKE}"
_PENALTY = _CRITIC + " + 10 E (|∇D| − 1)²"
_CAVEATS = {
    "wasserstein-clip": "poor: clipped, D is too simple",
}
MODELS = {
    f"gan-digits-{variant}": About(title, short, colour, loss, d, g, _CAVEATS.get(variant, ""))
    for colour, (variant, title, short, loss, d, g) in zip(
        palette.LINES,
        (
            ("minimax", "Minimax", "Minimax", "minimax", _ENTROPY, f"−E softplus({_FAKE})"),
            ("nonsaturating", "Non-saturating", "NS-GAN", "nonsaturating", _ENTROPY, f"E softplus(−{_FAKE})"),
            ("leastsquares", "Least squares", "LSGAN", "leastsquares", f"½ E ({_REAL} − 1)² + ½ E {_FAKE}²",
             f"½ E ({_FAKE} − 1)²"),
            ("hinge", "Hinge, spectral norm", "SNGAN", "hinge",
             f"E max(0, 1 − {_REAL}) + E max(0, 1 + {_FAKE})", _RAISE),
            ("wasserstein-clip", "Wasserstein, clipped", "WGAN", "wasserstein", _CRITIC, _RAISE),
            ("wasserstein-gp", "Wasserstein, gradient penalty", "WGAN-GP", "wasserstein", _PENALTY, _RAISE),
            ("r3gan", "Relativistic, R1 and R2", "R3GAN", "relativistic", _RELATIVE, _RELATIVE_G),
            ("conditional", "Relativistic, of classes", "conditional", "relativistic", _RELATIVE, _RELATIVE_G),
            ("progressive", "Wasserstein, growing", "ProGAN", "wasserstein", _PENALTY, _RAISE),
        ),
        strict=True,
    )
}  # fmt: skip


def load(places: Places, name: object) -> gan.Model:
    """A model of the arena."""
    name = validation.choice("model", name, MODELS)
    return cast(gan.Model, checkpoint.load(places.weights / f"{name}.safetensors", expect="gan"))


def seen(places: Places, name: str) -> History:
    """How its training went."""
    return history.load(places.weights / f"{name}.history.npz")


def offered(places: Places) -> list[str]:
    """The names of the models whose checkpoints are there, or of all if none is."""
    found = {path.stem for path in checkpoint.find(places.weights)}
    return [name for name in MODELS if name in found] or list(MODELS)
