"""Settings in the page's address, so that a link restores a run."""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gradio as gr

Settings = TypeVar("Settings")

COPY = """async () => {
  try { await navigator.clipboard.writeText(location.href); }
  catch { window.prompt('Copy this link:', location.href); }
}"""


def query(tab: str, settings: Any) -> dict[str, str | None]:
    """Parameters of the address for a run's settings; None takes a parameter out.

    Args:
        tab: the tab's name, with ".VIEW" for a view that is not its first.
    """
    given = dataclasses.asdict(settings)
    return {"tab": tab} | {name: None if value is None else _written(value) for name, value in given.items()}


def restore(kind: type[Settings], tab: str, parameters: Mapping[str, str]) -> Settings | None:
    """The settings in an address, or None if it holds none for this tab.

    Raises:
        ValueError: a parameter is not what the settings allow.
    """
    if parameters.get("tab") != tab:
        return None
    types_of = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.name in parameters]  # type: ignore[arg-type]
    return kind(**{name: _read(name, types_of[name], parameters[name]) for name in names})


def view(tab: str, default: str) -> Callable[[gr.Request], Any]:
    """What selects the view of a tab that the address names as "TAB.VIEW"."""

    def select(request: gr.Request) -> Any:
        name, _, asked = request.query_params.get("tab", "").partition(".")
        return gr.Tabs(selected=asked or default) if name == tab else gr.skip()

    return select


def copy_button() -> gr.Button:
    """A button that copies the address, which holds the settings of the run on show."""
    button = gr.Button("Copy link", size="sm", elem_classes="link")
    button.click(None, None, None, js=COPY)
    return button


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _read(name: str, kind: Any, text: str) -> Any:
    if isinstance(kind, types.UnionType):  # such as int | None
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    if kind is bool:
        return text not in ("0", "false")
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"the link's {name} is no {kind.__name__}: {text[:40]!r}") from None
