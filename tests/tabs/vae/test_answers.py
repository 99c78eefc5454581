"""What the browser may ask of the server."""

import math
from dataclasses import replace

import pytest
import torch
from tiny_vae import CONFIG

from playground.datasets import emoji
from playground.families import vae
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.tabs.vae import answers, codes
from playground.tabs.vae.codes import ViewParams
from playground.web import answers as ui_answers
from playground.web.image_picker import NO_SOURCES

GOOD = {"model": "vae-digits", "z": [0.0, 0.0, 0.0]}
BAD = [
    (None, "one object"),
    ("vae-digits", "one object"),
    ({}, "Model must be one of"),
    ({**GOOD, "model": "../judge-digits"}, "Model must be one of"),
    ({**GOOD, "model": ["vae-digits"]}, "Model must be one of"),
    ({**GOOD, "z": None}, "list of 3 numbers"),
    ({**GOOD, "z": [0.0] * 4}, "list of 3 numbers"),
    ({**GOOD, "z": [0.0] * 1_000_000}, "list of 3 numbers"),
    *(
        ({**GOOD, "z": [0.0, value, 0.0]}, "Z2 must be a number")
        for value in (math.nan, math.inf, 11.0, "1", None, [1])
    ),
]


@pytest.mark.parametrize(("request_", "sentence"), BAD)
@pytest.mark.parametrize("function", [answers.decode, answers.traverse])
def test_a_bad_question_is_answered_with_a_sentence(paths: Paths, function, request_, sentence: str) -> None:
    answer = answers.answering(paths, "ask", function)(request_)
    assert sentence in answer["error"]
    assert len(answer["error"]) < 200


def test_a_question_waits_for_its_turn_and_is_then_turned_away(paths: Paths, monkeypatch) -> None:
    monkeypatch.setattr(ui_answers, "SLOT_TIMEOUT", 0.01)
    with ui_answers._slots, ui_answers._slots:
        assert "the server is busy" in answers.answering(paths, "decode", answers.decode)(GOOD)["error"].lower()
    with ui_answers.TRAINING_SLOTS, ui_answers.TRAINING_SLOTS:
        assert "pixels" in answers.answering(paths, "decode", answers.decode)(GOOD), "no slider waits for a training"


def test_a_missing_checkpoint_names_its_recipe(paths: Paths) -> None:
    (paths.weights / "vae-digits.safetensors").unlink()
    assert "vae-digits" in answers.answering(paths, "decode", answers.decode)(GOOD)["error"]


@pytest.mark.parametrize("dataset", ["shapes", "emoji"])
def test_a_model_of_colour_reads_no_drawings(paths: Paths, dataset: str, monkeypatch) -> None:
    glyphs = emoji.Glyphs([f"emoji {i}" for i in range(40)], torch.full((40, 4, 64, 64), 180, dtype=torch.uint8), "")
    monkeypatch.setattr(emoji, "load", lambda root, download: glyphs)
    torch.manual_seed(0)
    config = replace(CONFIG, size=64, channels=3, patch=16)
    checkpoint.save(paths.weights / "mine.safetensors", vae.Model(config), {"flags": {"dataset": dataset}})
    params = ViewParams(model="mine", picture="Draw")
    with pytest.raises(ValueError, match="reads no drawings"):
        codes.encode_choice(paths, params, NO_SOURCES)
    one, same, other = (
        codes.encode_choice(paths, replace(params, picture="Test image", number=number), NO_SOURCES).x
        for number in (3, 3, 4)
    )
    assert one.shape == (1, 3, 64, 64)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
