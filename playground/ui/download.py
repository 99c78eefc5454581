"""One invisible component through which a function hands the browser a file to save."""

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from playground.ui import component


def build(elem_id: str) -> gr.HTML:
    """The component; give it the value of `file` and the browser saves it."""
    return component.build("download", elem_id=elem_id)


def path(name: str) -> Path:
    """A new file of this name in the folder that Gradio serves from and clears."""
    folder = Path(gr.utils.get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder)) / name


def file(path: Path) -> dict[str, Any]:
    """The value that saves a file under its name."""
    return {"file": FileData(path=str(path), orig_name=path.name).model_dump(), "name": path.name}
