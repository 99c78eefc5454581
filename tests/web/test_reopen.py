"""A saved file opens the view that made it, with the settings that made it."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from playground.export import media
from playground.runtime.validation import UserError
from playground.web.reopen import find_link


def write(path: Path, metadata: Mapping[str, str]) -> str:
    media.write_png(path, np.zeros((8, 8, 1), np.uint8), {"settings": "{}", **metadata})
    return str(path)


def test_a_link_comes_back(tmp_path: Path) -> None:
    link = "latent_diffusion?prompt=a+dog+%26+%C3%A9&seed=3"
    assert find_link(write(tmp_path / "x.png", {"link": link})) == link


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({}, "no tab can open x.png: it shows a drawing, an upload or a moved code"),
        ({"command": "python -m playground sample y"}, "no tab can open x.png: the command line makes it: python -m"),
        ({"link": "https://elsewhere.org/vae?seed=3"}, "no tab can open x.png: it shows"),
        ({"link": "javascript:alert(1)"}, "no tab can open x.png: it shows"),
    ],
)
def test_what_no_tab_can_open_says_why(tmp_path: Path, metadata: dict[str, str], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        find_link(write(tmp_path / "x.png", metadata))
