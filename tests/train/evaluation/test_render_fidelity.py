"""The difference of pictures from the renders that were asked for: exact for renders, larger for what is worse."""

import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from playground.datasets import emoji, scenes
from playground.datasets.scenes import Scenes
from playground.runtime.rng import make_rng
from train.evaluation import emoji_sheet, prompt_sets
from train.evaluation.recognition import Recognizer
from train.evaluation.render_fidelity import crop_error, fit_renders, nearest_glyph


@pytest.fixture(scope="module")
def glyphs() -> emoji.Glyphs:
    if not any(path.exists() for path in emoji.SYSTEM_FONTS):
        pytest.skip("the font Noto Color Emoji is not installed")
    core = emoji.load_training_glyphs("nowhere", core=True)
    return core._replace(names=core.names[:20], colours=core.colours[:20])


@pytest.fixture(scope="module")
def recognizer(glyphs: emoji.Glyphs) -> Recognizer:
    return Recognizer(glyphs)


@pytest.fixture(scope="module")
def real(glyphs: emoji.Glyphs) -> Scenes:
    return scenes.sample(12, make_rng(0), scenes.training_combinations(glyphs.names).backgrounds)


def test_a_render_is_found_at_its_size_and_position(recognizer: Recognizer, glyphs: emoji.Glyphs, real: Scenes) -> None:
    centred = real._replace(side=torch.full_like(real.side, 40))  # somewhere else than the render
    fitted = fit_renders(scenes.render(real, glyphs), centred, recognizer, glyphs)
    for name in ("side", "x", "y"):
        torch.testing.assert_close(getattr(fitted, name), getattr(real, name), atol=0.6, rtol=0)


def test_a_blurred_render_is_worse_and_another_emoji_worse_still(
    recognizer: Recognizer, glyphs: emoji.Glyphs, real: Scenes
) -> None:
    x = scenes.render(real, glyphs)

    def error(pictures: torch.Tensor) -> float:
        fitted = fit_renders(pictures, real, recognizer, glyphs)
        return float(crop_error(pictures, scenes.render(fitted, glyphs), fitted).median())

    other = scenes.render(real._replace(glyph=(real.glyph + 1) % len(glyphs.names)), glyphs)
    errors = [error(x), error(gaussian_blur(x, [5, 5], [1.0, 1.0])), error(gaussian_blur(x, [9, 9], [2.0, 2.0]))]
    assert errors == sorted(errors)
    assert errors[0] < 0.2 * errors[1]
    assert errors[2] < error(other)


def test_the_error_is_the_mean_over_the_square_of_the_emoji() -> None:
    placed = Scenes(*(torch.tensor([[value]]) for value in (0, 0, 10.0, 20.0, 40.0)))
    x = torch.zeros(1, 3, 64, 64)
    x[:, :, 35:45, 15:25] = 2.0  # rows around y, columns around x
    torch.testing.assert_close(crop_error(x, torch.zeros_like(x), placed), torch.tensor([2.0]))
    x[:, :, 35:45, 15:20] = 0.0
    torch.testing.assert_close(crop_error(x, torch.zeros_like(x), placed), torch.tensor([2.0]).sqrt())


def test_the_nearest_emoji_is_found_a_little_beside_its_place(glyphs: emoji.Glyphs, real: Scenes) -> None:
    shifted = real._replace(x=real.x + 1, y=real.y - 1, side=real.side + 1)
    assert nearest_glyph(scenes.render(real, glyphs), shifted, glyphs).equal(real.glyph[:, 0])


def test_every_emoji_is_asked_for_once_on_a_background_of_the_training(glyphs: emoji.Glyphs) -> None:
    prompt_set = prompt_sets.every_emoji(glyphs)
    assert prompt_set.scenes.glyph[:, 0].tolist() == list(range(len(glyphs.names)))
    allowed = scenes.training_combinations(glyphs.names).backgrounds
    assert allowed[prompt_set.scenes.glyph[:, 0], prompt_set.scenes.background].all()
    assert len(prompt_set.scenes.background.unique()) == len(scenes.BACKGROUNDS)
    assert all(name in prompt for name, prompt in zip(glyphs.names, prompt_set.prompts, strict=True))


def test_the_sheet_shows_each_picture_left_of_its_render_and_the_worst_first() -> None:
    grey = torch.linspace(-1, 1, 6)[:, None, None, None].expand(6, 3, 64, 64)
    sheet = emoji_sheet.lay_out(grey[:3], grey[3:], errors=torch.tensor([1.0, 3.0, 2.0]))
    side = emoji_sheet.SIDE
    levels = [int(sheet[0, i * (2 * side + emoji_sheet.GAP) + half * side, 0]) for i in range(3) for half in range(2)]
    expected = ((grey[[1, 4, 2, 5, 0, 3], 0, 0, 0] + 1) * 127.5).round().int().tolist()
    assert levels == expected
