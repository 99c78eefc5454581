"""Checkpoints for the tests of what is offered: shipped ones under other names, and tiny ones."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import torch

from playground.families import ddpm
from playground.runtime import checkpoint
from playground.runtime.paths import Paths

SHIPPED = checkpoint.WEIGHTS


def request(**parameters: str) -> Any:
    """Return the request of a page with parameters in its address."""
    return SimpleNamespace(query_params=parameters)


def put(paths: Paths, shipped: str, name: str) -> Path:
    """Copy a shipped checkpoint into the folder under another name."""
    return Path(shutil.copy(SHIPPED / f"{shipped}.safetensors", paths.weights / f"{name}.safetensors"))


def tiny_ddpm(paths: Paths, name: str, **config: Any) -> None:
    torch.manual_seed(0)
    model = ddpm.Model(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=8, **config))
    checkpoint.save(paths.weights / f"{name}.safetensors", model, {"recipe": name})


def view(build: Callable[[gr.Blocks, Paths], Any], paths: Paths, api_name: str) -> Callable[..., Any]:
    """Return the function behind an endpoint of a view, with the states of a visitor."""
    with gr.Blocks() as page:
        build(page, paths)
    event = next(event for event in page.fns.values() if event.api_name == api_name)
    return partial(event.fn, *(block.value for block in event.inputs if isinstance(block, gr.State)))
