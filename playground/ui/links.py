"""Settings in the page's address, so that a link restores a run."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import gradio as gr

from playground.ui import component
from playground.ui.controls import sentence
from playground.validation import UserError

Settings = TypeVar("Settings")

EXPECTED = {int: "a whole number", float: "a number", bool: "0 or 1"}


def build() -> gr.HTML:
    """A button that copies the link in its value; while it can be seen, the page's address is that of its tab.

    Its event `select` tells that it has a value and is seen for the first time.
    """
    return component.build("link")


def value(tab: str, settings: Any, address: bool = True, copied: str = "Copied") -> dict[str, Any]:
    """The value of the button for a run's settings; None if no link can hold the run.

    Args:
        tab: the tab's name, with ".VIEW" for a view that is not its first.
        address: put them into the page's address, so that a reload restores the run; else only the tab.
        copied: what the button says when it was pressed.
    """
    whole = query(tab, settings) if settings else None
    return {"link": whole, "address": whole if whole and address else {"tab": tab}, "copied": copied}


def query(tab: str, settings: Any) -> dict[str, str]:
    """Parameters of the address for a run's settings.

    Args:
        tab: the tab's name, with ".VIEW" for a view that is not its first.
    """
    given = dataclasses.asdict(settings)
    return {"tab": tab} | {name: _written(value) for name, value in given.items() if value is not None}


def restore(kind: type[Settings], tab: str, parameters: Mapping[str, str]) -> Settings | None:
    """The settings in an address, or None if it holds none for this tab, or nothing but the tab.

    Raises:
        UserError: a parameter is not what the settings allow.
    """
    if parameters.get("tab") != tab:
        return None
    types_of = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.name in parameters]  # type: ignore[arg-type]
    return kind(**{name: _read(name, types_of[name], parameters[name]) for name in names}) if names else None


def asked(kind: type[Settings], tab: str, request: gr.Request) -> tuple[Settings | None, str]:
    """What `restore` gives for the page's address, and what is wrong with it, a sentence."""
    try:
        return restore(kind, tab, request.query_params), ""
    except UserError as error:
        return None, sentence(error)


def select(page: gr.Blocks, tabs: gr.Tabs, tab: str = "") -> None:
    """When the page is opened, select the tab that its address names, or the view within `tab` as "TAB.VIEW"; what is
    not there is passed by."""
    known = {child.id for child in tabs.children if isinstance(child, gr.Tab)}

    def selected(request: gr.Request) -> Any:
        named, _, view = request.query_params.get("tab", "").partition(".")
        wanted = named if not tab else view if named == tab else ""
        return gr.Tabs(selected=wanted) if wanted in known else gr.skip()

    page.load(selected, None, tabs, queue=False, api_visibility="private")


def _written(value: Any) -> str:
    return str(int(value) if isinstance(value, bool) else value)


def _read(name: str, kind: Any, text: str) -> Any:
    if isinstance(kind, types.UnionType):  # such as int | None
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    try:
        return {"0": False, "1": True}[text] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise UserError(f"the link's {name} must be {EXPECTED[kind]}, not {text[:40]!r}") from None
