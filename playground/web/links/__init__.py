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
from playground.web.controls import PRIVATE, error_sentence

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")

DESCRIPTIONS = {int: "a whole number", float: "a number", bool: "0 or 1"}


def build() -> gr.HTML:
    """Build a button that copies the link in its value; while it is visible, the page's address is its tab's.

    Its event `select` fires when it is visible with a value for the first time.
    """
    return component.build("links")


def value(tab: str, settings: "DataclassInstance | None", address: bool = True, copied: str = "Copied") -> Value:
    """Return the value of the button.

    Args:
        tab: name of the tab, with ".VIEW" for a view that is not its first.
        settings: dataclass of the run's settings; None if no link can restore the run.
        address: put the settings into the page's address, so that a reload restores the run; otherwise only the tab.
        copied: text of the button after a press.
    """
    link = query(tab, settings) if settings else None
    return {"link": link, "address": link if link and address else {"tab": tab}, "copied": copied}


def record(tab: str, settings: "DataclassInstance | None") -> dict[str, str]:
    """Return the metadata by which a file opens its tab with its settings; none if no link can restore them."""
    return {"link": f"?{urlencode(query(tab, settings))}"} if settings else {}


def query(tab: str, settings: "DataclassInstance") -> dict[str, str]:
    """Return settings as parameters of an address of a tab, or of a view as "TAB.VIEW"; None, and texts that are "" by
    default, are left out."""
    parameters = {"tab": tab}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value is not None and not value == field.default == "":
            parameters[field.name] = _format(value)
    return parameters


def restore(settings_type: type[Settings], tab: str, parameters: Mapping[str, str]) -> Settings | None:
    """Return the settings in an address, None if it holds none of this tab's; raise UserError if one is not allowed."""
    if parameters.get("tab") != tab:
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


def select(page: gr.Blocks, tabs: gr.Tabs, tab: str = "") -> None:
    """Select the tab in the page's address when the page is opened, or the view within `tab` as "TAB.VIEW"; unknown
    names are ignored."""
    names = {child.id for child in tabs.children if isinstance(child, gr.Tab)}

    def select_tab(request: gr.Request) -> object:
        tab_name, _, view = request.query_params.get("tab", "").partition(".")
        name = tab_name if not tab else view if tab_name == tab else ""
        return gr.Tabs(selected=name) if name in names else gr.skip()

    page.load(select_tab, None, tabs, queue=False, **PRIVATE)


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
