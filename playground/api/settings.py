"""Settings of a family as parameters of an endpoint, by their types, bounds, and the comments beside them."""

import dataclasses
import inspect
import re
from functools import partial
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from playground.api.endpoint import Parameter
from playground.runtime.family import Family

# A call must not keep others waiting for minutes. For more there is the command line.
LIMITS = {"n": 64, "steps": 100}
MAX_EVALUATIONS = 1280  # pictures times steps
FIELD = re.compile(r"    (\w+): [^#]+(?:# (.*))?")


def settings_parameters(family: Family) -> list[Parameter]:
    """Return a parameter for each field of a family's settings."""
    settings_type: Any = family.Settings  # a dataclass
    hints, meanings = get_type_hints(settings_type), field_comments(settings_type)
    bounds = {**settings_type.BOUNDS.integers, **settings_type.BOUNDS.floats}
    parameters = []
    for field in dataclasses.fields(settings_type):
        low_high = bounds.get(field.name)
        if low_high and field.name in LIMITS:
            low_high = low_high[0], min(low_high[1], LIMITS[field.name])
        hint, meaning = hints[field.name], meanings.get(field.name, "")
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        (kind,) = (str,) if choices else [member for member in get_args(hint) or [hint] if member is not NoneType]
        parameters.append(
            Parameter(field.name, kind, field.default, meaning, low_high, partial(list, choices) if choices else None)
        )
    return parameters


def field_comments(settings_type: type) -> dict[str, str]:
    """Return the comment of each field of a dataclass: beside it, or in the lines above it."""
    comments, above = {}, list[str]()
    for line in inspect.getsource(settings_type).splitlines():
        if line.startswith("    # "):
            above.append(line.removeprefix("    # "))
            continue
        if match := FIELD.fullmatch(line):
            comments[match[1]] = match[2] or " ".join(above)
        above.clear()
    return comments
