"""Exports, commands and links of the picture on show."""

import json
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from tiny_vae import choice
from torch import Tensor

from playground.__main__ import main
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.vae import VIEWS, VAETab, codes, elbo_terms, interpolate, nearest, save
from playground.tabs.vae.codes import EncodedImage, ViewParams
from playground.tabs.vae.session import Session
from playground.web import image_picker, links
from playground.web.image_picker import NO_SOURCES


def stage_text(z: Tensor, model: str = "vae-digits") -> str:
    """Return what the browser tells of a stage that shows a code."""
    return json.dumps({"ready": "1", "code": json.dumps({"model": model, "z": z.tolist()})})


def exported(value: dict) -> Image.Image:
    with Image.open(value["file"]["path"]) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("view", ["traverse", "map"])
def test_exports_command_and_link_are_of_the_picture_on_show(tab: VAETab, paths: Paths, view: str) -> None:
    """Open a view, change the seed, move the code, and move it back."""
    session = Session()
    tab.show(session, *choice(0))
    tab.turn(view, session, *choice(0))
    outputs = tab.show(session, *choice(5))
    z = codes.from_prior(codes.CHECKPOINTS.load(paths, "vae-digits"), 5)[0]
    picture = exported(save.save_picture(paths, stage_text(z), session))
    assert json.loads(picture.text["z"]) == z.tolist()
    assert picture.text["command"] == outputs[tab.outputs.index(tab.command)]
    assert "--seed 5" in picture.text["command"]
    stage = outputs[tab.outputs.index(tab.components[view][0])]
    assert stage["z"] == z.tolist(), "what the view draws first is what the command draws"

    moved = stage_text(z + 0.5)
    code = json.loads(moved)["code"]
    link, command = tab.on_move(view, code, session)
    assert (command, "without the moved code" in link["copied"]) == (save.AFTER_MOVE, True)
    picture = exported(save.save_picture(paths, moved, session))
    assert json.loads(picture.text["z"]) == (z + 0.5).tolist()
    assert not {"command", "link"} & picture.text.keys()
    assert json.loads(picture.text["settings"]) == {"model": "vae-digits", "z": (z + 0.5).tolist()}
    tab.turn("beta", session, *choice(5))
    outputs = tab.turn(view, session, *choice(5))
    assert outputs[tab.outputs.index(tab.command)] == save.AFTER_MOVE, "it is found as it was left"
    link, command = tab.on_move(view, json.loads(stage_text(z))["code"], session)
    assert ("--seed 5" in command, link["copied"]) == (True, "Copied")


@pytest.mark.parametrize("view", VIEWS)
def test_an_error_leaves_neither_link_nor_command_of_the_picture_before(tab: VAETab, view: str) -> None:
    session = Session()
    tab.show(session, *choice(0))
    tab.turn(view, session, *choice(0))
    outputs = tab.show(session, *choice(0)._replace(picture=image_picker.DRAWING))
    link, command = (outputs[tab.outputs.index(part)] for part in (tab.link, tab.command))
    assert (link["link"], link["copied"], command) == (None, links.NOTHING, "")


def test_only_a_picture_that_a_command_draws_has_a_command(tab: VAETab, paths: Paths) -> None:
    session, z = Session(), codes.from_prior(codes.CHECKPOINTS.load(paths, "vae-digits"), 0)[0]
    tab.show(session, *choice(0))
    assert "command" in exported(save.save_picture(paths, stage_text(z), session)).text
    assert "command" not in exported(save.save_traversal(paths, stage_text(z), session)).text
    drawn = choice(0)._replace(picture=image_picker.DRAWING, drawing="[[[50, 120], [200, 120]]]")
    outputs = tab.show(session, *drawn)
    assert outputs[tab.outputs.index(tab.command)] == save.FROM_IMAGE
    drawing = exported(save.save_picture(paths, stage_text(drawn.encode(paths).z), session)).text
    assert not {"command", "link"} & drawing.keys()
    assert json.loads(drawing["settings"])["picture"] == image_picker.DRAWING


def test_a_path_is_saved_as_it_is_shown(tab: VAETab, paths: Paths) -> None:
    session = Session()
    tab.show(session, *choice(2))
    with pytest.raises(UserError, match="no interpolation is shown: open Interpolate first"):
        save.save_path(paths, "", session)
    outputs = tab.turn("interpolate", session, *choice(2, to_number=3))
    assert outputs[tab.outputs.index(tab.command)] == save.INTERPOLATION
    tab.turn("traverse", session, *choice(2, to_number=3))
    outputs = tab.turn("interpolate", session, *choice(2, to_number=3))
    assert outputs[tab.outputs.index(tab.command)] == save.INTERPOLATION, "it is found as it was left"
    frame = session.picture(paths, json.dumps({"ready": "1", "index": "10"}))
    path_ends = choice(2, to_number=3).encode(paths)
    torch.testing.assert_close(frame.z, interpolate.latent_paths(paths, path_ends)["arc"][10])
    with Image.open(save.save_path(paths, "", session)["file"]["path"]) as animation:
        assert animation.n_frames == interpolate.FRAMES


def test_nearest_searches_for_the_picture_of_the_chosen_image_only(tab: VAETab, paths: Paths, monkeypatch) -> None:
    monkeypatch.setattr(nearest, "find_neighbours", lambda paths, name, z: f"{name} {z.tolist()}")
    session, code = Session(), json.dumps({"model": "vae-digits", "z": [0.0, 0.0, 0.0]})
    tab.show(session, *choice(0))
    tab.turn("nearest", session, *choice(0))
    assert tab.search(code, session, *choice(0)) == "vae-digits [0.0, 0.0, 0.0]"
    tab.show(session, *choice(1))
    assert "Traverse shows another picture" in tab.search(code, session, *choice(1))
    assert tab.search(code, session, *choice(0)) == gr.skip(), "the view shows the neighbours of another"


def test_a_code_of_the_image_before_moves_nothing(tab: VAETab, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    session, z = Session(), codes.from_prior(codes.CHECKPOINTS.load(paths, "vae-digits"), 0)[0]
    tab.show(session, *choice(0))
    read = session.decoded_picture

    def fill_and_read(*values: object) -> object:
        tab.show(session, *choice(5))
        return read(*values)

    monkeypatch.setattr(session, "decoded_picture", fill_and_read)
    assert tab.on_move("traverse", json.loads(stage_text(z + 0.5))["code"], session) == [gr.skip()] * 2
    assert session.moved == set()


def test_a_code_that_was_moved_just_before_its_view_was_left_stays_moved(tab: VAETab, paths: Paths) -> None:
    session, z = Session(), codes.from_prior(codes.CHECKPOINTS.load(paths, "vae-digits"), 0)[0]
    tab.show(session, *choice(0))
    tab.turn("map", session, *choice(0))
    assert tab.on_move("traverse", json.loads(stage_text(z + 0.5))["code"], session) == [gr.skip()] * 2
    assert session.moved == {"traverse"}
    outputs = tab.turn("traverse", session, *choice(0))
    assert outputs[tab.outputs.index(tab.command)] == save.AFTER_MOVE


@pytest.mark.parametrize("text", ["", None, "[]", "1", '{"ready": "1"}', '{"code": "[]"}', "[" * 100_000])
def test_no_code_on_show_says_so(paths: Paths, text: object) -> None:
    with pytest.raises(ValueError, match="no picture on show"):
        Session().picture(paths, text)


def test_a_late_answer_changes_nothing(tab: VAETab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow view that was left is answered after the one that was selected then."""
    session, late = Session(), []
    tab.show(session, *choice(0))
    slow_show = elbo_terms.show

    def show_and_turn(paths: Paths, encoded: EncodedImage) -> list[object]:
        late.append(tab.turn("map", session, *choice(7)))
        return slow_show(paths, encoded)

    monkeypatch.setitem(VIEWS, "elbo", replace(VIEWS["elbo"], show=show_and_turn))
    assert tab.turn("elbo", session, *choice(7)) == tab.unchanged
    assert late[0][tab.outputs.index(tab.link)]["link"]["view"] == "map"
    assert (session.selected, session.filled.get("elbo")) == ("map", None)
    outputs = tab.show(session, *choice(8))
    assert outputs[tab.outputs.index(tab.link)]["link"]["seed"] == "8"
    assert session.filled["map"] == choice(8), "a further seed moves the map"


def test_the_command_draws_the_chosen_code_from_the_prior(paths: Paths, capsys, tmp_path: Path) -> None:
    params = ViewParams(seed=5)
    words = save.build_command(paths, "traverse", params).split()[3:-1]
    out = tmp_path / "one.npz"
    assert main([*words, str(out)]) == 0
    shown = codes.encode_choice(paths, params, NO_SOURCES).x
    assert np.array_equal(np.load(out)["images"], pictures.to_uint8(shown))
    assert save.command_text(paths, "traverse", replace(params, picture="Test image")) == save.FROM_IMAGE


def test_a_path_ends_at_the_code_of_the_other_end(paths: Paths, encoded: EncodedImage) -> None:
    for path in interpolate.latent_paths(paths, encoded).values():
        torch.testing.assert_close(path[0], encoded.z)
        torch.testing.assert_close(path[-1], codes.encode_path_end(paths, encoded.params))
