"""How likely a flow finds images, with one draw of the dequantization noise that is always the same."""

from torch import Tensor

from playground.families.normalizing_flow.model import Dequantized, Model
from playground.runtime.rng import Noise


def dequantize(model: Model, x: Tensor) -> Dequantized:
    """Return images x (B, C, H, W) in [-1, 1] with a draw of u, always the same for the same place in a batch."""
    return model.dequantize(x, _eps(x))


def bits_per_dimension(model: Model, x: Tensor) -> Tensor:
    """Return bits per dimension (B,) of images x, by the draw of u that `dequantize` makes."""
    return model(x, _eps(x))


def _eps(x: Tensor) -> Tensor:
    return Noise(0, len(x))(x.shape[1:]).to(x)
