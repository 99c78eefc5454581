"""The emoji of a font."""

import hashlib
from pathlib import Path

import pytest

from playground.data import emoji
from playground.data.digits import DataError


def test_names_are_words_without_flags_and_skin_tones() -> None:
    found = emoji.names()
    assert found["🐶"] == "dog face"
    assert len(found) > 1500
    assert len(set(found.values())) == len(found)
    assert not any("skin tone" in name for name in found.values())
    assert "🇫🇷" not in found


def test_a_missing_or_damaged_font_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(emoji, "SYSTEM", [])
    with pytest.raises(DataError, match="install fonts-noto-color-emoji"):
        emoji.load(tmp_path)
    (tmp_path / "NotoColorEmoji.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match="is damaged"):
        emoji.load(tmp_path)


def test_the_font_is_fetched_once_and_only_if_it_is_the_right_one(tmp_path: Path, monkeypatch) -> None:
    served = tmp_path / "served.ttf"
    served.write_bytes(b"any file")
    monkeypatch.setattr(emoji, "SYSTEM", [])
    monkeypatch.setattr(emoji, "ADDRESS", served.as_uri())
    own = tmp_path / "data" / "NotoColorEmoji.ttf"
    with pytest.raises(DataError, match=r"could not be fetched .* install fonts-noto-color-emoji"):
        emoji.load(own.parent, download=True)  # another hash
    assert not list(own.parent.iterdir())
    monkeypatch.setattr(emoji, "SHA256", hashlib.sha256(served.read_bytes()).hexdigest())
    with pytest.raises(DataError, match="is damaged"):
        emoji.load(own.parent, download=True)
    assert own.read_bytes() == b"any file"
    monkeypatch.setattr(emoji, "ADDRESS", (tmp_path / "nowhere").as_uri())
    own.unlink()
    with pytest.raises(DataError, match="could not be fetched"):
        emoji.load(own.parent, download=True)


@pytest.mark.skipif(not any(path.exists() for path in emoji.SYSTEM), reason="the font is not installed")
def test_the_font_of_the_system_is_drawn() -> None:
    glyphs = emoji.load("nowhere")
    assert len(glyphs.names) == len(glyphs.colours) > 1000
    dog = glyphs.colours[glyphs.names.index("dog face")]
    assert dog[3].mean() > 0.3
    assert (dog[:3] <= dog[3:] + 1e-6).all()
    assert glyphs is emoji.load("nowhere")


def test_the_core_is_in_the_font_once_each() -> None:
    assert len(set(emoji.CORE)) == len(emoji.CORE) >= 250
    assert set(emoji.CORE) <= set(emoji.names().values())
