"""Checks of values from outside; each returns the clean value or raises UserError with one sentence."""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

MAX_SEED = 2**32 - 1
MAX_TEXT = 300  # characters of a prompt
# What messages call the fields of settings that the page calls otherwise.
LABELS = {"n": "number of pictures", "w": "guidance w", "number": "number of the test image",
          "to_number": "number of the other end"}  # fmt: skip


class UserError(ValueError):
    """Error that the user can fix; its message is one sentence that says what to do."""


class NotFiniteError(UserError):
    """Error of a run that reached infinite numbers or NaN; its message says where."""


class UsageError(UserError):
    """Error in the arguments of a command, which ends with the exit code 2."""


def check_number(name: str, value: object, low: float, high: float) -> float:
    """Return a number as a float, if it is finite and lies in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise UserError(f"{name} must be a number from {low:g} to {high:g}, not {_shorten(value)}")
    return float(value)


def check_integer(name: str, value: object, low: int, high: int) -> int:
    """Return a whole number as an int, if it lies in [low, high]; 3.0 is a whole number, 3.7 is not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high or value % 1 != 0:
        raise UserError(f"{name} must be a whole number from {low} to {high}, not {_shorten(value)}")
    return int(value)


def check_flag(name: str, value: object) -> bool:
    """Return a boolean, but no number or text that merely looks like one."""
    if not isinstance(value, bool):
        raise UserError(f"{name} must be true or false, not {_shorten(value)}")
    return value


def check_choice(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return a name, if it is one of the allowed ones."""
    names = list(allowed)
    if not isinstance(value, str) or value not in names:
        matches = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
        suggestion = f": did you mean {matches[0]}?" if matches else ""
        if not names:
            raise UserError(f"{name} must be one that exists, and there is none, so not {_shorten(value)}")
        raise UserError(f"{name} must be one of {', '.join(names)}, not {_shorten(value)}{suggestion}")
    return value


def check_text(name: str, value: object) -> str:
    """Return text of at most `MAX_TEXT` characters, without unpaired surrogates, which JSON allows and UTF-8 cannot
    encode."""
    if not isinstance(value, str) or len(value) > MAX_TEXT or value.encode(errors="ignore").decode() != value:
        raise UserError(f"{name} must be text of at most {MAX_TEXT} characters")
    return value


def check_folder(name: str, value: Path) -> Path:
    """Return the path of a folder, if it exists and can be read."""
    if not os.path.isdir(value):  # unlike Path.is_dir, without an error where a folder above cannot be read
        raise UserError(f"{name} must be a folder, and there is no folder {value}")
    if not os.access(value, os.R_OK | os.X_OK):
        raise UserError(f"{name} must be a folder that can be read, and {value} cannot")
    return value


def set_frozen(settings: object, **values: object) -> None:
    """Set fields of a frozen dataclass in its `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(settings, name, value)


class Bounds(NamedTuple):
    """Lowest and highest value of each field of settings that must be a whole number, and of each that may be any."""

    integers: Mapping[str, tuple[int, int]]
    floats: Mapping[str, tuple[float, float]] = {}


def check_bounds(
    settings: object,
    integers: Mapping[str, tuple[int, int]],
    floats: Mapping[str, tuple[float, float]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Check numbers of a frozen dataclass against their bounds, and replace them by their clean values.

    Args:
        settings: Frozen dataclass, in its `__post_init__`; a field that is None by default may be None.
        integers: Lowest and highest value of each field that must be a whole number.
        floats: Lowest and highest value of each field that may be any number.
        labels: Names for the messages, of fields that the page calls otherwise.
    """
    for name in (*integers, *(floats or {})):
        value, label = getattr(settings, name), (labels or {}).get(name, name)
        if value is None and getattr(type(settings), name, 0) is None:
            continue
        if name in integers:
            set_frozen(settings, **{name: check_integer(label, value, *integers[name])})
        elif floats:
            set_frozen(settings, **{name: check_number(label, value, *floats[name])})


def _shorten(value: object) -> str:
    """Return a short representation of any value, on one line."""
    if value is None:
        return "empty"
    if isinstance(value, int) and abs(value) >= 10**40:
        return "a number of many digits"
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:37] + "..."
