"""Export: the picture and the traversal on show, and the path of Interpolate, as files that tell of their making."""

import json
from dataclasses import dataclass
from functools import partial

import gradio as gr

from playground.export import media
from playground.families import vae
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.vae import codes, interpolate
from playground.tabs.vae.codes import ViewParams
from playground.tabs.vae.session import ON_SHOW, Picture, Session
from playground.web import controls, download, links
from playground.web.component import Value
from playground.web.controls import user_errors_to_gradio

FROM_IMAGE = "# only pictures of codes from the prior come from the command line"
AFTER_MOVE = "# this code was moved: no command draws it"
INTERPOLATION = "# an interpolation is made on the page only"


@dataclass(frozen=True)
class MovedCode:
    """Settings of a picture whose code was moved, which no parameters of a view give."""

    model: str
    z: list[float]


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
    image = pictures.to_uint8(codes.decode(codes.CHECKPOINTS.load(paths, picture.model), picture.z[None]))[0]
    command = build_command(paths, session.selected, picture.params)
    metadata = describe(paths, session.selected, picture) | ({"command": command} if command else {})
    return download.save(f"{picture.model}.png", media.write_png, image, metadata)


def save_traversal(paths: Paths, text: object, session: Session) -> Value:
    """Save the traversal at the code of the picture on show, which no command draws."""
    picture = session.picture(paths, text)
    image = codes.traversal(codes.CHECKPOINTS.load(paths, picture.model), picture.z)
    about = describe(paths, session.selected, picture)
    return download.save(f"{picture.model}-traversal.png", media.write_png, image, about)


def save_path(paths: Paths, _: object, session: Session) -> Value:
    """Save the path on show, as pictures along its arc."""
    choice = session.filled.get("interpolate") if session.selected == "interpolate" else None
    if choice is None:
        raise UserError("no interpolation is shown: open Interpolate first")
    encoded = choice.encode(paths)
    name, arc = encoded.params.model, interpolate.latent_paths(paths, encoded)["arc"]
    frames = pictures.to_uint8(codes.decode(codes.CHECKPOINTS.load(paths, name), arc))[:, None]
    origin = media.build_origin(codes.CHECKPOINTS.path(paths, name), encoded.params)
    about = origin | record_link("interpolate", encoded.params)
    return download.save(f"{name}-interpolation.gif", media.write_gif, frames, about)


def build_command(paths: Paths, view: str, params: ViewParams | None) -> str:
    """Return the command that draws the picture on show in a view; "" if there is none, since only codes from the prior
    have one.

    Args:
        params: Parameters of the view; None if the code was moved.
    """
    if view == "interpolate" or params is None or params.picture != codes.PRIOR:
        return ""
    path = codes.CHECKPOINTS.path(paths, params.model)
    return media.build_command(path, vae.Settings(n=1, seed=params.seed), "picture.png")


def command_text(paths: Paths, view: str, params: ViewParams | None) -> str:
    """Return the result of `build_command`, or instead of "" a comment that says why there is no command."""
    why_none = INTERPOLATION if view == "interpolate" else FROM_IMAGE if params else AFTER_MOVE
    return build_command(paths, view, params) or why_none


def describe(paths: Paths, view: str, picture: Picture) -> dict[str, str]:
    """Return the metadata of any file of a picture: its checkpoint, settings and code, with the link that opens it if
    one can."""
    z = picture.z.tolist()
    settings: ViewParams | MovedCode = picture.params or MovedCode(picture.model, z)
    origin = media.build_origin(codes.CHECKPOINTS.path(paths, picture.model), settings)
    return origin | {"z": json.dumps(z)} | record_link(view, picture.params)


def record_link(view: str, params: ViewParams | None) -> dict[str, str]:
    """Return the metadata by which a file opens its view; none if no link can."""
    return links.record(f"vae.{view}", linkable(params))


def linkable(params: ViewParams | None) -> ViewParams | None:
    """Return parameters if a link can hold all that makes the picture, which it cannot of a user's own."""
    return params if params and params.picture in codes.ENDS else None
