"""A saved file opens the view that made it, with the settings that made it."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from playground.export import media
from playground.families import vae
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.vae import save
from playground.tabs.vae.choice import Choice
from playground.tabs.vae.codes import ViewParams
from playground.tabs.vae.session import Session
from playground.web import image_picker
from playground.web.reopen import find_link

PATHS = Paths(WEIGHTS, WEIGHTS)
STROKES = json.dumps([[[50, 120], [200, 120]]])
DRAWN = Choice.from_params(ViewParams(picture=image_picker.DRAWING))._replace(drawing=STROKES)
SAMPLED = Choice.from_params(ViewParams(seed=5, to_number=6))
NO_LINK = r"^no tab can open .*\.(png|gif): it shows a drawing, an upload or a moved code$"


def write(path: Path, metadata: Mapping[str, str]) -> str:
    media.write_png(path, np.zeros((8, 8, 1), np.uint8), metadata)
    return str(path)


def save_from_page(save_file: Callable[..., dict], view: str, choice: Choice, moved_by: float = 0) -> str:
    """Save a file from a view of the VAE tab that shows a choice, or a code beside it; return its path."""
    session = Session()
    session.selected = view
    session.fill(view, choice.for_view(view))
    encoded = choice.encode(PATHS)
    code = {"model": encoded.params.model, "z": (encoded.z + moved_by).tolist()}
    stage = json.dumps({"code": json.dumps(code), "index": "10"})
    return save_file(PATHS, stage, session)["file"]["path"]


def test_a_link_comes_back(tmp_path: Path) -> None:
    link = "latent_diffusion?prompt=a+dog+%26+%C3%A9&seed=3"
    assert find_link(write(tmp_path / "x.png", {"settings": "{}", "link": link})) == link


def test_a_file_of_the_command_line_says_so(tmp_path: Path) -> None:
    metadata = media.build_metadata(WEIGHTS / "vae-digits.safetensors", vae.Settings(n=1, seed=3))
    sentence = "no tab can open x.png: the command line makes it: python -m playground sample vae-digits"
    with pytest.raises(UserError, match=re.escape(sentence)):
        find_link(write(tmp_path / "x.png", metadata))


@pytest.mark.parametrize("link", ["https://elsewhere.org/vae?seed=3", "javascript:alert(1)"])
def test_no_file_opens_an_address_elsewhere(tmp_path: Path, link: str) -> None:
    with pytest.raises(UserError, match=NO_LINK):
        find_link(write(tmp_path / "x.png", {"settings": "{}", "link": link}))


@pytest.mark.parametrize("save_file", [save.save_picture, save.save_traversal])
@pytest.mark.parametrize(("choice", "moved_by"), [(SAMPLED, 0.5), (DRAWN, 0), (DRAWN, 0.5)])
def test_what_no_tab_can_open_says_why(save_file: Callable[..., dict], choice: Choice, moved_by: float) -> None:
    with pytest.raises(UserError, match=NO_LINK):
        find_link(save_from_page(save_file, "traverse", choice, moved_by))


def test_an_interpolation_from_a_drawing_says_why() -> None:
    with pytest.raises(UserError, match=NO_LINK):
        find_link(save_from_page(save.save_path, "interpolate", DRAWN))


@pytest.mark.parametrize(
    ("save_file", "view", "to_number"),
    [
        (save.save_picture, "traverse", 1),
        (save.save_traversal, "map", 1),
        (save.save_picture, "interpolate", 6),
        (save.save_traversal, "interpolate", 6),
        (save.save_path, "interpolate", 6),
    ],
)
def test_a_file_of_a_code_from_the_prior_opens_its_view(save_file: Callable[..., dict], view: str, to_number) -> None:
    link = find_link(save_from_page(save_file, view, SAMPLED))
    assert link == (
        f"vae?view={view}&model=vae-digits&picture=From+the+prior&number=0&seed=5&to=From+the+prior&to_number={to_number}"
        "&a=2.0&sigma=1.0&samples=1"
    )
