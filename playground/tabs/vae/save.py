"""Export: the picture and the traversal on show, and the way of Interpolate, as files that tell of their making."""

import json
from dataclasses import asdict
from functools import partial

import gradio as gr
import numpy as np

from playground.export import media
from playground.families import vae
from playground.runtime import checkpoint, pictures
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.vae import codes, interpolate
from playground.tabs.vae.codes import Settings
from playground.tabs.vae.session import ON_SHOW, Picture, Session
from playground.web import controls, download, links
from playground.web.component import Value
from playground.web.controls import user_errors_to_gradio

FROM_IMAGE = "# only pictures of codes from the prior come from the command line"
MOVED = "# this code was moved: no command draws it"


def build(paths: Paths, session: gr.State) -> gr.Code:
    """Build the panel; return the component for the command that draws the picture on show."""
    with gr.Accordion("Export", open=False):
        with gr.Row():
            picture = gr.Button("Picture (PNG)", size="sm")
            traversal = gr.Button("Traversal (PNG)", size="sm")
            interpolation = gr.Button("Interpolation (GIF)", size="sm")
        command = gr.Code(label="The same picture from the command line", language="shell", interactive=False)
        saving = download.build("vae-download")
        result = gr.Textbox(visible=False)
    buttons = {picture: save_picture, traversal: save_traversal, interpolation: save_path}
    for button, save in buttons.items():
        button.click(
            user_errors_to_gradio(partial(save, paths)), [result, session], saving, js=ON_SHOW, **controls.SLOW
        )
    return command


def save_picture(paths: Paths, text: object, session: Session) -> Value:
    """Save the picture on show."""
    picture = session.picture(paths, text)
    image = pictures.to_uint8(codes.decode(codes.load(paths, picture.model), picture.z[None]))[0]
    return _png(f"{picture.model}.png", image, about_picture(paths, session.selected, picture))


def save_traversal(paths: Paths, text: object, session: Session) -> Value:
    """Save the traversal at the code of the picture on show."""
    picture = session.picture(paths, text)
    image = codes.traversal(codes.load(paths, picture.model), picture.z)
    return _png(f"{picture.model}-traversal.png", image, about_picture(paths, session.selected, picture))


def save_path(paths: Paths, _: object, session: Session) -> Value:
    """Save the way on show."""
    choice = session.filled.get("interpolate") if session.selected == "interpolate" else None
    if choice is None:
        raise UserError("there is no way on show: open Interpolate")
    start = choice.start(paths)
    name, arc = start.settings.model, interpolate.ways(paths, start)["arc"]
    frames = pictures.to_uint8(codes.decode(codes.load(paths, name), arc))[:, None]
    path = download.new_path(f"{name}-interpolation.gif")
    media.write_gif(path, frames, about(paths, name) | describe("interpolate", start.settings))
    return download.pack_file(path)


def command(paths: Paths, settings: Settings | None) -> str:
    """Return the command that draws the picture of some settings; None for one whose code was moved."""
    if settings is None:
        return MOVED
    if settings.picture != codes.PRIOR:
        return FROM_IMAGE
    path = codes.CHECKPOINTS.path(paths, settings.model)
    return media.build_command(path, vae.Settings(n=1, seed=settings.seed), "picture.png")


def about_picture(paths: Paths, view: str, picture: Picture) -> dict[str, str]:
    """Return the metadata of a file of a picture: its code, and the settings and the command that give it."""
    settings, metadata = picture.settings, about(paths, picture.model, z=picture.z.tolist())
    if settings is None:
        return metadata
    return metadata | describe(view, settings) | {"command": command(paths, settings)}


def describe(view: str, settings: Settings) -> dict[str, str]:
    """Return settings as metadata, with the link that opens a view with them if one can."""
    return {"settings": json.dumps(asdict(settings))} | links.record(f"vae.{view}", linkable(settings))


def linkable(settings: Settings) -> Settings | None:
    """Return the settings if a link can hold all that makes the picture, which it cannot of a user's own."""
    return settings if settings.picture in codes.ENDS else None


def about(paths: Paths, name: str, **more: object) -> dict[str, str]:
    """Return the metadata of a file: the checkpoint with its provenance, and more."""
    provenance = checkpoint.read_header(codes.CHECKPOINTS.path(paths, name)).provenance
    return {"checkpoint": name, "provenance": json.dumps(provenance)} | {k: json.dumps(v) for k, v in more.items()}


def _png(name: str, image: np.ndarray, metadata: dict[str, str]) -> Value:
    path = download.new_path(name)
    media.write_png(path, image, metadata)
    return download.pack_file(path)
