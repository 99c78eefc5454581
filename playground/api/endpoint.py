"""What an endpoint is: a function with a name, a description, and parameters that check themselves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.runtime import checkpoint, validation
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError

Facts = dict[str, Any]  # values of JSON
Answer = tuple[Path | None, Facts]  # a file, None while the job is under way, and what there is to say of it
NewPath = Callable[[str], Path]  # function of a file's name that returns the path to write it to
REQUIRED = object()  # default of a parameter without one
JSON_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}


@dataclass(frozen=True)
class Parameter:
    """Parameter of an endpoint.

    Attributes:
        name: Its name.
        type: int, float, bool or str, or Path for a file of the caller.
        default: Its default; one of None allows null.
        meaning: What it says, in a sentence.
        bounds: Lowest and highest number.
        choices: Function that returns the texts that are allowed.
    """

    name: str
    type: type
    default: object = REQUIRED
    meaning: str = ""
    bounds: tuple[float, float] | None = None
    choices: Callable[[], Sequence[str]] | None = None

    def check(self, value: object) -> object:
        """Return a clean value, or raise UserError; the caller has to check a file."""
        if value is None and self.default is None:
            return None
        if self.choices:
            return validation.check_choice(self.name, value, self.choices())
        if self.type is bool:
            return validation.check_flag(self.name, value)
        if self.type is str:
            return validation.check_text(self.name, value)
        if self.bounds and self.type is int:
            return validation.check_integer(self.name, value, *map(int, self.bounds))
        return validation.check_number(self.name, value, *self.bounds) if self.bounds else value

    def schema(self) -> Facts:
        """Return the JSON schema of a value that is no file."""
        schema: Facts = {"type": JSON_TYPES[self.type]}
        if self.bounds:
            schema |= dict(zip(("minimum", "maximum"), map(self.type, self.bounds), strict=True))
        if self.choices:
            schema["enum"] = list(self.choices())
        elif self.type is str:
            schema["maxLength"] = validation.MAX_TEXT
        return {"oneOf": [{"type": "null"}, schema]} if self.default is None else schema


@dataclass(frozen=True)
class Endpoint:
    """Endpoint of the API.

    Attributes:
        name: Its name.
        description: What it does, for people and language models.
        parameters: Its parameters.
        run: Function that does the job, with keyword arguments of these names; the last answer counts, and those before
            tell how far it is.
        has_file: True if the answer has a file.
        uses_model: True if a model computes, so that the job has to wait for others of that kind.
    """

    name: str
    description: str
    parameters: Sequence[Parameter]
    run: Callable[..., Iterator[Answer]]
    has_file: bool = False
    uses_model: bool = True

    def check(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return clean values of all parameters, or raise UserError: a name is not known, or a value is missing or not
        allowed."""
        for name in values:
            validation.check_choice("a parameter", name, [parameter.name for parameter in self.parameters])
        for parameter in self.parameters:
            if parameter.default is REQUIRED and parameter.name not in values:
                raise UserError(f"{parameter.name} is missing: {self.name} needs it")
        return {
            parameter.name: parameter.check(values.get(parameter.name, parameter.default))
            for parameter in self.parameters
        }


def checkpoint_names(paths: Paths, family: str) -> list[str]:
    """Return the names of a family's checkpoints."""
    headers = checkpoint.list_checkpoints(paths.weights).headers
    return [name for name, header in headers.items() if header.family == family]


def checkpoint_parameter(paths: Paths, family: str) -> Parameter:
    """Return the parameter that chooses a checkpoint of a family, the first by name by default."""

    def choices() -> list[str]:
        return checkpoint_names(paths, family)

    default = min(choices(), default="")
    return Parameter("checkpoint", str, default, "Name of the checkpoint, see list_checkpoints.", choices=choices)
