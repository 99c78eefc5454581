"""The views of text to image: what they keep of a run, the maps of words, what they refuse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_text_to_image import PROMPTS, TINY, build
from torch import Tensor, nn

from playground.data import captions, emoji
from playground.models import text_to_image
from playground.models.text_to_image import Model, Settings
from playground.tabs import Places
from playground.tabs.text_to_image import compare, draw, grid, inside, runs, why
from playground.tabs.text_to_image.runs import Recorder, Run
from playground.validation import UserError


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    made = build(TINY)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def recorded(model: Model, **settings: object) -> Run:
    asked = Settings(prompt=PROMPTS[0], **settings)  # type: ignore[arg-type]
    recorder = Recorder(model, asked)
    for moment in text_to_image.sample(model, asked):
        recorder.add(moment)
    return recorder.run()


def test_a_run_is_kept_frame_by_frame(model: Model) -> None:
    run = recorded(model, n=2, steps=5)
    assert run.steps == list(range(6))
    assert run.t[-1] == 0
    assert run.z.shape == (6, 2, 4, 4, 4)
    assert run.x0_hat.shape == (6, 2, 16, 16, 3)
    assert [word.text for word in run.words][1:4] == ["a", "small", "pizza"]
    assert all(layer.shape[0] == 6 and layer.shape[-1] == len(run.words) for layer in run.attention)
    shares = np.concatenate([layer.sum(-1).astype(float).ravel() / 255 for layer in run.attention])
    assert np.abs(shares - 1).max() < 0.05, "the attention of every place is shared out among the words"


def test_long_runs_keep_few_frames_and_less_attention(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MAX_FRAMES", 7)
    one = sum(layer[0].nbytes for layer in recorded(model, n=1, steps=1).attention)
    monkeypatch.setattr(runs, "ATTENTION", 3 * one + 1)
    run = recorded(model, n=1, steps=30)
    assert run.steps == [0, 5, 10, 15, 20, 25, 30]
    assert [len(layer) for layer in run.attention] == [3] * len(run.attention)
    assert run.kept == [0, 0, 1, 1, 1, 2, 2]


def test_the_mean_of_the_maps_is_that_of_layers_and_heads(model: Model) -> None:
    run = recorded(model, n=2, steps=3)
    words = runs.words(run)
    assert words.maps.shape == (4, len(run.words), 2, 4, 4)
    assert words.maps.max() == 255
    one = runs.words(run, layer=0, head=1).maps
    plain = run.attention[0][:, :, 1].transpose(0, 3, 1, 2).reshape(one.shape).astype(float)  # (K, L, N, S, S)
    brightest = plain.max((2, 3, 4), keepdims=True)
    assert np.abs(one - 255 * plain / brightest).max() <= 0.51


def test_principal_components_keep_the_order_of_what_varies(model: Model) -> None:
    z: Tensor = torch.zeros(1, 1, 4, 8, 8)
    z[0, 0, 2] = torch.linspace(-1, 1, 64).view(8, 8)  # all that varies is the third channel
    shown = runs.principal(z, 16)[0, 0].astype(float)
    first = shown[::2, ::2, 0].ravel()
    assert abs(np.corrcoef(first, np.arange(64))[0, 1]) > 0.99
    assert np.ptp(shown[..., 1:]) <= 1


def test_every_choice_of_strips_is_shown(model: Model) -> None:
    run = recorded(model, n=1, steps=2)
    for shown in runs.SHOWN:
        strips = runs.strips(model, run, shown)
        assert all(strip.frames.shape[:2] == (3, 1) for strip in strips)
        assert len({strip.frames.shape for strip in strips}) == 1
    without, given, difference = (strip.frames[0].astype(float) for strip in strips[1:])
    assert np.abs(difference - (127.5 + (given - without) / 2)).max() <= 0.51
    assert strips[1].name == "without the prompt"
    against = runs.strips(model, recorded(model, n=1, steps=2, negative="rain"), runs.GUIDANCE)[1]
    assert against.name == "with “rain”, to be avoided"


def test_an_emoji_that_the_font_has_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emoji, "load", lambda *_, **__: emoji.Glyphs(["pizza"], torch.zeros(1, 4, 64, 64), ""))
    places = Places(tmp_path, tmp_path)
    assert inside.scene(places, "pizza", "blue").shape == (1, 3, 64, 64)
    with pytest.raises(UserError, match="no owl: choose another"):
        inside.scene(places, "owl", "blue")


def test_what_there_is_to_say_of_a_prompt(model: Model) -> None:
    assert "Not known to the model: zeppelin qwertz 犬." in runs.notices(model, "a zeppelin, qwertz owl 犬 zeppelin")
    assert "empty prompt" in runs.notices(model, "")
    assert "Only the first 10 tokens" in runs.notices(model, "owl " * 40)
    assert runs.notices(model, PROMPTS[0]) == ""


def test_a_random_prompt_names_an_emoji() -> None:
    called = {name.lower() for each in captions.words(emoji.CORE) for name in each}
    for _ in range(20):
        prompt = draw.random_prompt().lower()
        assert any(name in prompt for name in called)


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"prompt": "x" * 10_000}, "at most 300 characters"),
        ({"prompt": None}, "must be text"),
        ({"n": 1000}, "number of pictures"),
        ({"steps": 0}, "steps"),
        ({"w": float("nan")}, "guidance w"),
        ({"guidance": "up"}, "guidance must be one of"),
        ({"seed": -1}, "seed"),
        ({"negative": ["a"]}, "must be text"),
    ],
)
def test_what_no_control_sends_is_refused(changed: dict[str, object], wrong: str) -> None:
    values = dict(zip(draw.NAMES, draw.values_of(runs.FIRST), strict=True)) | changed
    with pytest.raises(UserError, match=wrong):
        draw.settings_of(values.values())


@pytest.mark.parametrize("asked", [compare.Asked, grid.Asked, inside.Asked])
def test_the_other_views_refuse_alike(asked: type) -> None:
    for changed in ({"prompt": 7}, {"seed": 1e300}, {"prompt": "x" * 301}):
        with pytest.raises(UserError):
            asked(**changed)


def test_two_prompts_are_shown_beside_each_other(model: Model) -> None:
    asked = compare.Asked(prompt=PROMPTS[0], other=PROMPTS[1], n=2, steps=3)
    pair = compare.Pair(model, asked)
    for moment in text_to_image.edited(model, asked.settings, asked.other, asked.kept):
        pair.add(moment)
    left, right = pair.strips(np.stack(pair.frames))
    assert left.frames.shape == right.frames.shape == (4, 2, 16, 16, 3)
    assert (left.name, right.name) == tuple(PROMPTS)
    kept = pair.kept({"checkpoint": "tiny"})
    assert kept.strips[0].shape == (4, 4, 16, 16, 3)
    assert [mark["t"] for mark in kept.marks] == [str(t) for t in pair.t], "a file says which frame it is"


def test_a_grid_fills_row_by_row(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "WEIGHTS", (0.0, 2.0))
    monkeypatch.setattr(grid, "COUNTS", (1, 2))
    made: dict[tuple[int, int], np.ndarray] = {}
    shown = list(grid.draw(model, grid.Asked(prompt="<b>owl</b>", across="steps"), made))
    assert sorted(made) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [html.count("<img") for html in shown] == [1, 2, 3, 4]
    assert "<b>" not in shown[-1]
    assert not np.array_equal(made[0, 1], made[1, 1]), "guidance changes the picture"


def test_costs_are_those_of_the_shapes() -> None:
    conv = nn.Conv2d(TINY.channels, 8, 3, padding=1)
    cost = why.cost(conv, conv, TINY)
    assert cost.shape == (4, 4, 4)
    assert cost.operations == 2 * conv.weight.numel() * 4 * 4, "a multiplication and an addition each"
    assert cost.numbers == 8 * 4 * 4
    assert why.cost(conv, conv, replace(TINY, size=8)).operations == 4 * cost.operations


def test_the_way_begins_and_ends_with_the_two_pictures(model: Model) -> None:
    torch.manual_seed(0)
    x, other = torch.rand(2, 1, 3, 16, 16) * 2 - 1
    value = inside.way(model, inside.Asked(), x, other)
    assert value["frames"] == inside.FRAMES
    assert "PSNR" in value["following"]


def test_a_run_from_a_picture_counts_its_own_steps(model: Model) -> None:
    settings = Settings(n=1, prompt=PROMPTS[0], steps=10)
    recorder = Recorder(model, settings, strength=0.3)
    for moment in text_to_image.varied(model, settings, torch.zeros(1, 4, 4, 4), 0.3):
        recorder.add(moment)
    run = recorder.run()
    assert run.times == run.t == text_to_image.times(model, settings)[7:]
    assert "step 3 of 3" in runs.describe(model, run)["following"]


def test_colours_of_noise_are_those_of_the_latents(model: Model) -> None:
    z = torch.randn(1, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    strips = runs.of_latents(np.zeros((1, 1, 16, 16, 3), np.uint8), z, z)
    assert np.array_equal(strips[1].frames, strips[2].frames), "the same numbers have the same colours"
    flipped = runs.of_latents(np.zeros((1, 1, 16, 16, 3), np.uint8), z, -z)[2].frames
    assert not np.array_equal(flipped, strips[1].frames)


def test_a_prompt_that_just_fits_is_read_as_a_whole(model: Model) -> None:
    length = model.attached().encoder.tokenize([""]).shape[1]
    just, longer = (runs.notices(model, " ".join(["dog"] * n)) for n in (length - 2, length - 1))
    assert "Only the first" not in just
    assert f"Only the first {length - 2} tokens of the prompt are read." in longer
