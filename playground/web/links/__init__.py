"""Link of a view: its settings in the page's address, so that a link restores a run."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import gradio as gr

from playground.runtime.validation import UserError
from playground.web import component
from playground.web.component import Value
from playground.web.controls import error_sentence

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")

COPIED = "Copied"
WHOLE_RUN = "Copied: the link makes the whole run"  # of one that was stopped
OWN_PICTURE = "A link cannot hold a drawing or an upload"
NOTHING = "Nothing is shown that a link could open"
DESCRIPTIONS = {int: "a whole number", float: "a number", bool: "0 or 1"}


def build() -> gr.HTML:
    """Build a button that copies the link in its value; while it is visible, the page's address is its tab's.

    Its event `select` fires when it is visible with a value for the first time.
    """
    return component.build("links")


def value(
    tab: str,
    settings: "DataclassInstance | None",
    address: bool = True,
    copied: str = COPIED,
    why_none: str = OWN_PICTURE,
) -> Value:
    """Return the value of the button.

    Args:
        tab: Name of the tab, with ".VIEW" for a view that is not its first.
        settings: Dataclass of the run's settings; None if no link can restore the run.
        address: Put the settings into the page's address, so that a reload restores the run; otherwise only the tab.
        copied, why_none: Text of the button after a press, with a link and without one.
    """
    link = query(tab, settings) if settings else None
    return {"link": link, "address": link if link and address else query(tab), "copied": copied if link else why_none}


def api_name(tab: str) -> str:
    """Return the name of the endpoint that makes what a view shows."""
    return tab.replace(".", "_")


def nothing(tab: str) -> Value:
    """Return the value of the button while an error stands where the run was."""
    return value(tab, None, why_none=NOTHING)


def record(tab: str, settings: "DataclassInstance | None") -> dict[str, str]:
    """Return the metadata by which a file opens its tab with its settings; none if no link can restore them."""
    return {"link": f"{tab.partition('.')[0]}?{urlencode(query(tab, settings))}"} if settings else {}


def query(tab: str, settings: "DataclassInstance | None" = None) -> dict[str, str]:
    """Return the view in `tab`, if it names one, and settings as parameters of the address of its page; None, and texts
    that are "" by default, are left out."""
    _, _, view = tab.partition(".")
    parameters = {"view": view} if view else {}
    for field in dataclasses.fields(settings) if settings else []:
        value = getattr(settings, field.name)
        if value is not None and not value == field.default == "":
            parameters[field.name] = _format(value)
    return parameters


def restore(settings_type: type[Settings], tab: str, parameters: Mapping[str, str]) -> Settings | None:
    """Return the settings in an address of a tab's page, None if it holds none of this view's; raise UserError if one
    is not allowed."""
    if parameters.get("view", "") != tab.partition(".")[2]:
        return None
    types_of_fields = typing.get_type_hints(settings_type)
    names = [field.name for field in dataclasses.fields(settings_type) if field.name in parameters]
    values = {name: _parse(name, types_of_fields[name], parameters[name]) for name in names}
    return settings_type(**values) if values else None


def read_request(settings_type: type[Settings], tab: str, request: gr.Request) -> tuple[Settings | None, str]:
    """Return the result of `restore` for the page's address, and its error as a sentence, "" for none."""
    try:
        return restore(settings_type, tab, request.query_params), ""
    except UserError as error:
        return None, error_sentence(error)


def _format(value: object) -> str:
    return str(int(value) if isinstance(value, bool) else value)


def _parse(name: str, kind: Any, text: str) -> Any:
    if typing.get_origin(kind) is typing.Literal:
        return text  # the settings check the choices themselves
    if isinstance(kind, types.UnionType):  # such as int | None
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    try:
        return {"0": False, "1": True}[text] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise UserError(f"the link's {name} must be {DESCRIPTIONS[kind]}, not {text[:40]!r}") from None
