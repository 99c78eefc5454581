"""How it works: the words, and the code of the function that ran, folded away."""

import functools
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr


def build(text: str, function: Callable[..., Any]) -> gr.Code:
    """The panel; a handler that runs another function gives the code `source` of that one."""
    with gr.Accordion("How it works", open=False):
        gr.Markdown(text)
        path = Path(inspect.getfile(_whole(function)))
        file = "/".join(path.parts[path.parts.index("playground") :])
        return gr.Code(source(function), language="python", label=f"The function that ran, {file}")


def source(function: Callable[..., Any]) -> str:
    """The code of a function, or of the one that is partly applied."""
    return textwrap.dedent(inspect.getsource(_whole(function)))


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    function = function.func if isinstance(function, functools.partial) else function
    return inspect.unwrap(function)
