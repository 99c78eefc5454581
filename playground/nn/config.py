"""Checks of the configs of U-Nets, and of encoders and decoders with the same levels."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from playground.nn.blocks import GROUPS
from playground.runtime.validation import UserError, check_bounds, check_integer, set_frozen


class UNetConfig(Protocol):
    """Config of a network that halves its resolution from level to level.

    Attributes:
        size: Height and width of the input, in pixels.
        patch: Pixels a side that the stem folds into one position.
        width: Number of channels at the first level.
        multipliers: Width of each level, as a multiple of `width`.
    """

    @property
    def size(self) -> int: ...
    @property
    def patch(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def multipliers(self) -> Sequence[int]: ...


def check_unet_config(config: UNetConfig, bounds: Mapping[str, tuple[int, int]]) -> None:
    """Check the config of a U-Net, and replace its numbers by their clean values.

    Args:
        config: Frozen dataclass, in its `__post_init__`.
        bounds: Lowest and highest value of each field that must be a whole number.

    Raises:
        UserError: A number is out of bounds, or width or size is not divisible as the network needs.
    """
    check_bounds(config, bounds)
    if not isinstance(config.multipliers, (list, tuple)) or not 1 <= len(config.multipliers) <= 6:
        raise UserError("multipliers must be a list of 1 to 6 whole numbers")
    multipliers = tuple(check_integer("multipliers", m, 1, 16) for m in config.multipliers)
    set_frozen(config, multipliers=multipliers)
    for name, factor in (("width", GROUPS), ("size", config.patch * 2 ** (len(multipliers) - 1))):
        if getattr(config, name) % factor:
            raise UserError(f"{name} must be a multiple of {factor}, not {getattr(config, name)}")
