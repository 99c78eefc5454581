"""Invisible component through which a function gives the browser a file to save."""

import tempfile
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData

from playground.runtime import files
from playground.web import component
from playground.web.component import Value


def build(elem_id: str) -> gr.HTML:
    """Build the component; the browser saves the file of each new value of `pack_file`."""
    return component.build("download", elem_id=elem_id)


def new_path(name: str) -> Path:
    """Return the path for a new file of this name in the folder that Gradio serves and clears."""
    folder = Path(gr.utils.get_upload_folder())
    with files.os_errors_to_user_error(name):
        folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=folder)) / name


def pack_file(path: Path) -> Value:
    """Return the value that saves a file under its name."""
    return {"file": FileData(path=str(path), orig_name=path.name).model_dump(), "name": path.name}
