"""Invisible component through which a function gives the browser a file to save."""

import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec

import gradio as gr
from gradio.data_classes import FileData

from playground.runtime import files
from playground.web import component
from playground.web.component import Value

Parameters = ParamSpec("Parameters")

MAX_BYTES = 1_000_000_000  # of all files together; the browser has long since loaded those that are deleted


class TemporaryFiles:
    """Files of at most so many bytes together, each in a folder of its own: the oldest are deleted."""

    def __init__(self, max_bytes: int):
        self._max_bytes, self._bytes, self._lock = max_bytes, 0, threading.Lock()
        self._unmeasured: list[Path] = []  # they may still be written
        self._files: deque[tuple[Path, int]] = deque()  # with their sizes, the oldest first

    def add(self, path: Path) -> None:
        """Add the path of a file that is to be written; delete old files in its favour."""
        with self._lock:
            sizes = {file: version[1] for file in self._unmeasured if (version := files.version(file))}
            self._unmeasured = [*(file for file in self._unmeasured if file not in sizes), path]
            self._files.extend(sizes.items())
            self._bytes += sum(sizes.values())
            while self._bytes > self._max_bytes:
                file, size = self._files.popleft()
                self._bytes -= size
                shutil.rmtree(file.parent, ignore_errors=True)


_files = TemporaryFiles(MAX_BYTES)


def build(elem_id: str) -> gr.HTML:
    """Build the component; the browser saves the file of each new value of `save`."""
    return component.build("download", elem_id=elem_id)


def new_path(name: str) -> Path:
    """Return the path for a new file of this name in the folder that Gradio serves and clears after an hour; old ones
    are deleted sooner if there are too many bytes of them."""
    folder = Path(gr.utils.get_upload_folder())
    with files.os_errors_to_user_error(name):
        folder.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=folder)) / name
    _files.add(path)
    return path


def save(
    name: str, write: Callable[Concatenate[Path, Parameters], None], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Value:
    """Write a file of this name by a function of its path and more; return the value with which the browser saves
    it."""
    path = new_path(name)
    write(path, *args, **kwargs)
    return {"file": FileData(path=str(path), orig_name=name).model_dump(), "name": name}
