"""Panel "How it works": an explanation, and the code of the function that ran, folded away."""

import functools
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path

import gradio as gr


def build(text: str, function: Callable[..., object]) -> gr.Code:
    """Build the panel; a handler that runs another function gives the returned component its `source`."""
    with gr.Accordion("How it works", open=False):
        gr.Markdown(text)
        path = Path(inspect.getfile(_unwrap(function)))
        file = "/".join(path.parts[path.parts.index("playground") :])
        return gr.Code(source(function), language="python", label=f"The function that ran, {file}")


def source(function: Callable[..., object]) -> str:
    """Return the code of a function, or of the function of a `partial`."""
    return textwrap.dedent(inspect.getsource(_unwrap(function)))


def _unwrap(function: Callable[..., object]) -> Callable[..., object]:
    function = function.func if isinstance(function, functools.partial) else function
    return inspect.unwrap(function)
