"""Button that opens the tab and the settings of a picture that was saved here."""

import re
from pathlib import Path

import gradio as gr

from playground.export.read import read_metadata
from playground.runtime.validation import UserError
from playground.web.controls import Control, user_errors_to_gradio


def build() -> None:
    """Build the button; page.js gives it the file that is dropped anywhere on the page."""
    label, types = "Open a saved picture", [".png", ".gif", ".npz"]
    button: Control = gr.UploadButton(label, file_types=types, size="sm", elem_id="reopen", scale=0)
    button.preprocess = lambda payload: payload and payload.path
    link = gr.Textbox(visible=False)
    upload = button.upload(user_errors_to_gradio(find_link), button, link, queue=False)
    upload.success(None, link, None, js="(link) => { location.href = link }")


def find_link(path: str) -> str:
    """Return the link, "TAB?...", that opens a page as it was when a file was saved.

    Raises:
        UserError: The file is none of this page's, or no link holds all that made it.
    """
    metadata = read_metadata(Path(path))
    link, command = metadata.get("link", ""), metadata.get("command", "")
    if re.match(r"\w+\?", link):  # no address elsewhere
        return link
    reason = f"the command line makes it: {command}" if command else "it shows a drawing, an upload or a moved code"
    raise UserError(f"no tab can open {Path(path).name}: {reason}")
