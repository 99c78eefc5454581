"""Tests of the glyphs and names of the emoji font."""

import hashlib
from pathlib import Path

import pytest
import torch

from playground.datasets import emoji
from playground.datasets.download import DataError


def test_names_are_words_without_flags_and_skin_tones() -> None:
    names = emoji.emoji_names()
    assert names["🐶"] == "dog face"
    assert len(names) > 1500
    assert len(set(names.values())) == len(names)
    assert not any("skin tone" in name for name in names.values())
    assert "🇫🇷" not in names


def test_a_missing_or_damaged_font_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(emoji, "SYSTEM_FONTS", [])
    with pytest.raises(DataError, match="install fonts-noto-color-emoji"):
        emoji.load(tmp_path)
    (tmp_path / "NotoColorEmoji.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match="is damaged"):
        emoji.load(tmp_path)


def test_the_font_is_downloaded_once_and_checked_by_its_hash(tmp_path: Path, monkeypatch) -> None:
    source = tmp_path / "served.ttf"
    source.write_bytes(b"any file")
    monkeypatch.setattr(emoji, "SYSTEM_FONTS", [])
    monkeypatch.setattr(emoji, "URL", source.as_uri())
    font = tmp_path / "data" / "NotoColorEmoji.ttf"
    with pytest.raises(DataError, match=r"could not be fetched .* install fonts-noto-color-emoji"):
        emoji.load(font.parent, download=True)  # another hash
    assert not list(font.parent.iterdir())
    monkeypatch.setattr(emoji, "SHA256", hashlib.sha256(source.read_bytes()).hexdigest())
    with pytest.raises(DataError, match="is damaged"):
        emoji.load(font.parent, download=True)
    assert font.read_bytes() == b"any file"
    monkeypatch.setattr(emoji, "URL", (tmp_path / "nowhere").as_uri())
    font.unlink()
    with pytest.raises(DataError, match="could not be fetched"):
        emoji.load(font.parent, download=True)


@pytest.mark.skipif(not any(path.exists() for path in emoji.SYSTEM_FONTS), reason="the font is not installed")
def test_the_system_font_is_rendered() -> None:
    glyphs = emoji.load("nowhere")
    assert len(glyphs.names) == len(glyphs.colours) > 1000
    assert glyphs.colours.dtype == torch.uint8
    (dog,) = emoji.premultiply(glyphs.colours[glyphs.names.index("dog face")][None])
    assert dog[3].mean() > 0.3
    assert (dog[:3] <= dog[3:] + 1e-6).all()
    assert glyphs is emoji.load("nowhere")


def test_colours_are_multiplied_by_their_opacity() -> None:
    (rgba,) = emoji.premultiply(torch.tensor([255, 102, 0, 51], dtype=torch.uint8)[None, :, None, None])
    assert rgba.flatten().tolist() == pytest.approx([0.2, 0.08, 0, 0.2])


def test_core_emoji_are_unique_names_of_the_font() -> None:
    assert len(set(emoji.CORE)) == len(emoji.CORE) >= 250
    assert set(emoji.CORE) <= set(emoji.emoji_names().values())
