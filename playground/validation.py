"""Checks of what comes from outside: each returns the clean value or raises UserError with one sentence."""

from collections.abc import Iterable

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


def _shown(value: object) -> str:
    """A short form of anything, fit for one line."""
    if value is None:
        return "empty"
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of many digits"
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:37] + "..."
