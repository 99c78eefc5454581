"""Emoji on coloured grounds, drawn from a font."""

import math
from pathlib import Path

import pytest
import torch

from playground.data import emoji
from playground.data.digits import DataError
from playground.data.emoji import GROUNDS, SIZE, Glyphs, Scenes
from playground.sampling import generator

# Two glyphs: a red square that fills its box, and a half-transparent blue one.
COLOURS = torch.zeros(2, 4, 64, 64)
COLOURS[0, 0], COLOURS[0, 3] = 1, 1
COLOURS[1, 2], COLOURS[1, 3] = 0.5, 0.5
FAKE = Glyphs(["red square", "blue glass"], COLOURS, "")


def scene(glyph: int, ground: str, side: float = 40.0, x: float = 32.0, y: float = 32.0) -> Scenes:
    values = (torch.tensor([float(value)]) for value in (side, x, y))
    return Scenes(torch.tensor([glyph]), torch.tensor([list(GROUNDS).index(ground)]), *values)


def test_an_emoji_lies_on_its_ground_at_its_place() -> None:
    x = emoji.draw(scene(0, "black", side=36, x=30, y=26), FAKE)
    assert x.shape == (1, 3, SIZE, SIZE)
    inside = (x[0, 0] + 1) / 2
    assert inside.sum().item() == pytest.approx(36**2, rel=0.01)
    grid = torch.arange(SIZE) + 0.5
    assert float((inside.sum(0) * grid).sum() / inside.sum()) == pytest.approx(30, abs=0.05)
    assert float((inside.sum(1) * grid).sum() / inside.sum()) == pytest.approx(26, abs=0.05)
    assert (x[0, 1:] == -1).all()


def test_glass_shows_half_of_the_ground() -> None:
    x = emoji.draw(scene(1, "white"), FAKE)
    torch.testing.assert_close(x[0, :, 32, 32], torch.tensor([0.0, 0.0, 1.0]), rtol=0, atol=1e-5)
    assert (x[0, :, 0, 0] == 1).all()


def test_scenes_keep_to_the_allowed_pairs_and_stay_whole() -> None:
    pairs = torch.zeros(2, len(GROUNDS), dtype=torch.bool)
    pairs[0, 3] = pairs[1, 5] = pairs[1, 6] = True
    scenes = emoji.sample(3000, generator(0), pairs)
    drawn = set(zip(scenes.glyph.tolist(), scenes.ground.tolist(), strict=True))
    assert drawn == {(0, 3), (1, 5), (1, 6)}
    assert (scenes.glyph == 0).float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    for place in (scenes.x, scenes.y):
        assert (place - scenes.side / 2).min() >= -1e-4
        assert (place + scenes.side / 2).max() <= SIZE + 1e-4


def test_the_held_out_pairs_are_few_and_always_the_same() -> None:
    names = [f"emoji {i}" for i in range(400)]
    out = emoji.held_out(names)
    assert out.float().mean().item() == pytest.approx(1 / emoji.HELD_OUT, abs=4 * math.sqrt(0.05 / 4800))
    assert torch.equal(out[7:9], emoji.held_out(names[7:9]))


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


@pytest.mark.skipif(not any(path.exists() for path in emoji.SYSTEM), reason="the font is not installed")
def test_the_font_of_the_system_is_drawn() -> None:
    glyphs = emoji.load("nowhere")
    assert len(glyphs.names) == len(glyphs.colours) > 1000
    dog = glyphs.colours[glyphs.names.index("dog face")]
    assert dog[3].mean() > 0.3
    assert (dog[:3] <= dog[3:] + 1e-6).all()
    assert glyphs is emoji.load("nowhere")
