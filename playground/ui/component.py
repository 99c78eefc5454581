"""Components of our own: gr.HTML, from the HTML, the style and the scripts that lie beside this file."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).parent


def build(stem: str, scripts: Sequence[str] = (), words: dict[str, str] | None = None, **properties: Any) -> gr.HTML:
    """The component of `<stem>.html`, `<stem>.css` and `<stem>.js`; buttons and such look alike (`component.css`).

    Args:
        scripts: others that its script stands on, perhaps with a style of their own; they come first.
        words: what replaces words of its HTML in capitals.
        properties: of gr.HTML.
    """
    html = _read(f"{stem}.html")
    for word, text in (words or {}).items():
        html = html.replace(word, text)
    return gr.HTML(
        html_template=html,
        css_template="".join(_read(f"{style}.css") for style in ("component", *scripts, stem) if _has(f"{style}.css")),
        js_on_load="".join(_read(f"{script}.js") for script in (*scripts, stem)),
        apply_default_css=False,
        **properties,
    )


def message(text: str) -> dict[str, Any]:
    """The value of any of them that says something, and leaves what is shown."""
    return {"id": uuid.uuid4().hex, "message": text}


def _has(name: str) -> bool:
    return (_HERE / name).exists()


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
