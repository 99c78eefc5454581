"""Tests of the drawing pad: strokes become pixels on the server, whatever the browser does to its canvas."""

import json
import re

import numpy as np
import pytest

from playground.runtime.validation import UserError
from playground.web import drawing_pad


def test_a_stroke_is_as_wide_as_on_the_canvas() -> None:
    """22 of 280 pixels wide, with round ends: ends add half a width each."""
    ink = drawing_pad.decode(json.dumps([[[140, 60], [140, 220]]])).astype(float) / 255
    assert ink.shape == (28, 28)
    assert ink[14].sum() == pytest.approx(2.2, abs=0.15)
    assert ink.sum() == pytest.approx(16 * 2.2 + np.pi * 1.1**2, rel=0.05)
    assert (ink * np.arange(28)).sum() / ink.sum() == pytest.approx(13.5, abs=0.15)


def test_a_point_is_a_dot_and_strokes_add_up() -> None:
    dot, line = [[70, 70]], [[200, 30], [200, 250]]
    both, *single = (drawing_pad.decode(json.dumps(strokes)) for strokes in ([dot, line], [dot], [line]))
    assert (both == np.maximum(*single)).all()
    assert single[0].sum() / 255 == pytest.approx(np.pi * 1.1**2, rel=0.15)


@pytest.mark.parametrize("value", ["seven", "7", "[[7]]", "[[[1, 2, 3]]]", "[[[NaN, 1]]]", "[[[1e9, 1]]]", "{}x", 7,
                                   "[" * 100_000, "[[[0,0]]" + ",[[0,0]]" * 50_000 + "]"])  # fmt: skip
def test_what_no_pad_sends_is_one_sentence(value: object) -> None:
    with pytest.raises(UserError, match="list of strokes"):
        drawing_pad.decode(value)


@pytest.mark.parametrize("value", ["", None])
def test_a_blank_pad_says_so(value: object) -> None:
    with pytest.raises(UserError, match="blank"):
        drawing_pad.decode(value)


def test_the_scripts_send_no_pixels_of_a_canvas() -> None:
    scripts = {path.name: path.read_text(encoding="utf-8") for path in drawing_pad.component.WEB.rglob("*.js")}
    reading = {name for name, script in scripts.items() if re.search("getImageData|toDataURL|[tT]oBlob", script)}
    assert reading == {"lab.js"}, "which saves a picture of its planes, and sends none"
    script = scripts["drawing_pad.js"]
    assert f"SIDE = {drawing_pad.SIDE};" in script
    assert f"INK_WIDTH = {drawing_pad.INK_WIDTH};" in script
