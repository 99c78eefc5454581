"""Checks of what comes from outside: each returns the clean value or raises UserError with one sentence."""

from collections.abc import Iterable, Mapping
from typing import Any

MAX_SEED = 2**32 - 1


class UserError(ValueError):
    """Something that the user can mend; the message is one sentence that says what to do."""


def number(name: str, value: object, low: float, high: float) -> float:
    """A finite float in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise UserError(f"{name} must be a number from {low:g} to {high:g}, not {_shown(value)}")
    return float(value)


def integer(name: str, value: object, low: int, high: int) -> int:
    """A whole number in [low, high]; 3.0 is one, 3.7 is not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high or value % 1 != 0:
        raise UserError(f"{name} must be a whole number from {low} to {high}, not {_shown(value)}")
    return int(value)


def flag(name: str, value: object) -> bool:
    """True or false, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        raise UserError(f"{name} must be true or false, not {_shown(value)}")
    return value


def choice(name: str, value: object, allowed: Iterable[str]) -> str:
    """One of the allowed names."""
    names = list(allowed)
    if not isinstance(value, str) or value not in names:
        raise UserError(f"{name} must be one of {', '.join(names)}, not {_shown(value)}")
    return value


def keep(settings: Any, **clean: Any) -> None:
    """Write clean values back into a frozen dataclass, as it is made."""
    for name, value in clean.items():
        object.__setattr__(settings, name, value)


def bound(
    settings: Any,
    whole: Mapping[str, tuple[int, int]],
    real: Mapping[str, tuple[float, float]] | None = None,
    called: Mapping[str, str] | None = None,
) -> None:
    """Check numbers of a frozen dataclass against their bounds, by name, and write their clean values back.

    Args:
        whole, real: the bounds of whole and of other numbers.
        called: what the page calls them, where that is not their name.
    """
    for check, bounds in ((integer, whole), (number, real or {})):
        for name, ends in bounds.items():
            words = (called or {}).get(name, name)
            keep(settings, **{name: check(words, getattr(settings, name), *ends)})  # type: ignore[operator]


def levelled(config: Any, bounds: Mapping[str, tuple[int, int]], groups: int) -> None:
    """Check the config (a frozen dataclass) of a network of levels, and write its clean values back.

    Args:
        bounds: of each of its whole numbers.
        groups: of its group normalisations, which must divide the width.
    """
    bound(config, bounds)
    if not isinstance(config.multipliers, (list, tuple)) or not 1 <= len(config.multipliers) <= 6:
        raise UserError("multipliers must be a list of 1 to 6 whole numbers")
    multipliers = tuple(integer("multipliers", m, 1, 16) for m in config.multipliers)
    keep(config, multipliers=multipliers)
    for name, factor in (("width", groups), ("size", config.patch * 2 ** (len(multipliers) - 1))):
        if getattr(config, name) % factor:
            raise UserError(f"{name} must be a multiple of {factor}, not {getattr(config, name)}")


def _shown(value: object) -> str:
    """A short form of anything, fit for one line."""
    if value is None:
        return "empty"
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of many digits"
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:37] + "..."
