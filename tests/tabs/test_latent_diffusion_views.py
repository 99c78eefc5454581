"""The views of text to image: what they keep of a run, the maps of words, what they refuse."""

import re
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from test_latent_diffusion import PROMPTS, make_random_model
from torch import Tensor

from playground.datasets import emoji
from playground.families import latent_diffusion
from playground.families.latent_diffusion import Model, Settings
from playground.nn.cost import Cost
from playground.runtime import cache, checkpoint, inference
from playground.runtime.paths import Paths
from playground.runtime.turns import Turns
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion import compare, grid, latent_space, latent_vs_pixel, recorder
from playground.tabs.latent_diffusion.draw import ChosenStrips, DrawView
from playground.tabs.latent_diffusion.latent_pictures import of_latents, principal, render_emoji
from playground.tabs.latent_diffusion.recorder import Recorder, Run
from playground.tabs.latent_diffusion.runs import GUIDANCE, SMOOTH, STRIP_KINDS, Attention, make_film, strips, words
from playground.web import controls, export, links
from playground.web.newest import Requests
from playground.web.stop import UnderWay, keep_run


@pytest.fixture
def model() -> Model:
    return make_random_model()


def recorded(model: Model, **settings: object) -> Run:
    params = Settings(prompt=PROMPTS[0], **settings)  # type: ignore[arg-type]
    recorder = Recorder(model, params)
    for moment in latent_diffusion.sample(model, params):
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
    monkeypatch.setattr(recorder, "MAX_FRAMES", 7)
    one = sum(layer[0].nbytes for layer in recorded(model, n=1, steps=1).attention)
    monkeypatch.setattr(recorder, "ATTENTION", 3 * one + 1)
    run = recorded(model, n=1, steps=30)
    assert run.steps == [0, 5, 10, 15, 20, 25, 30]
    assert [len(layer) for layer in run.attention] == [3] * len(run.attention)
    assert run.attention_index == [0, 0, 1, 1, 1, 2, 2]


def test_the_mean_of_the_maps_is_that_of_layers_and_heads(model: Model) -> None:
    run = recorded(model, n=2, steps=3)
    maps = words(run, Attention()).maps
    assert maps.shape == (5, len(run.words), 2, 4, 4), "four moments, and all of them"
    assert maps.max() == 255
    one = words(run, Attention(layer=0, head=1)).maps
    plain = run.attention[0][:, :, 1].transpose(0, 3, 1, 2).reshape(4, *one.shape[1:]).astype(float)  # (K, L, N, S, S)
    plain = np.concatenate([plain, plain.mean(0, keepdims=True)])
    brightest = plain.max((2, 3, 4), keepdims=True)
    assert np.abs(one - 255 * plain / brightest).max() <= 0.51


def test_principal_components_keep_the_order_of_what_varies(model: Model) -> None:
    z: Tensor = torch.zeros(1, 1, 4, 8, 8)
    z[0, 0, 2] = torch.linspace(-1, 1, 64).view(8, 8)  # all that varies is the third channel
    shown = principal(z, 16)[0, 0].astype(float)
    first = shown[::2, ::2, 0].ravel()
    assert abs(np.corrcoef(first, np.arange(64))[0, 1]) > 0.99
    assert np.ptp(shown[..., 1:]) <= 1


def test_every_choice_of_strips_is_shown(model: Model) -> None:
    run = recorded(model, n=1, steps=2)
    for shown in STRIP_KINDS:
        shown_strips = strips(model, run, shown)
        assert all(strip.frames.shape[:2] == (3, 1) for strip in shown_strips)
        assert len({strip.frames.shape for strip in shown_strips}) == 1
    without, given, difference = (strip.frames[0].astype(float) for strip in shown_strips[1:])
    assert np.abs(difference - (127.5 + (given - without) / 2)).max() <= 0.51
    assert shown_strips[1].name == "without the prompt"
    against = strips(model, recorded(model, n=1, steps=2, negative="rain"), GUIDANCE)[1]
    assert against.name == "with “rain”, to be avoided"


def test_an_emoji_that_the_font_has_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs = emoji.Glyphs(["pizza"], torch.zeros(1, 4, 64, 64, dtype=torch.uint8), "")
    monkeypatch.setattr(emoji, "load", lambda *_, **__: glyphs)
    paths = Paths(tmp_path, tmp_path)
    assert render_emoji(paths, "pizza", "blue").shape == (1, 3, 64, 64)
    with pytest.raises(UserError, match="no owl: choose another"):
        render_emoji(paths, "owl", "blue")


def test_two_prompts_are_shown_beside_each_other(model: Model) -> None:
    params = compare.ViewParams(prompt=PROMPTS[0], edited_prompt=PROMPTS[1], n=2, steps=3)
    pair = compare.Pair(model, params)
    edit = params.edited_prompt, params.attention_share
    for frame in latent_diffusion.prompt_to_prompt(model, params.settings, *edit):
        pair.add(frame)
    left, right = pair.strips(np.stack(pair.frames))
    assert left.frames.shape == right.frames.shape == (4, 2, 16, 16, 3)
    assert (left.name, right.name) == tuple(PROMPTS)
    kept = pair.to_export({"checkpoint": "tiny"})
    assert kept.strips[0].shape == (4, 4, 16, 16, 3)
    assert [mark["t"] for mark in kept.marks] == [str(t) for t in pair.t], "a file says which frame it is"


def test_a_grid_fills_row_by_row(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "WEIGHTS", (0.0, 2.0))
    monkeypatch.setattr(grid, "COUNTS", (1, 2))

    class Made(dict):  # type: ignore[type-arg]
        def __setitem__(self, place: tuple[int, int], picture: np.ndarray) -> None:
            assert run.lock.locked(), "Stop keeps a picture and its number, or neither"
            super().__setitem__(place, picture)

    made = Made()
    run = grid.Filling(model, grid.ViewParams(prompt="<b>owl</b>", across="steps", columns=2), made)
    pictures = [(run.step, html) for html in map(run.show, run.items()) if isinstance(html, str)]
    counts, shown = zip(*pictures, strict=True)
    assert sorted(made) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [html.count("<img") for html in shown] == [*counts] == [1, 2, 3, 4]
    assert all('data-live="true"' in html for html in shown), "so that the page saves and links nothing of it"
    assert "<b>" not in shown[-1]
    assert not np.array_equal(made[0, 1], made[1, 1]), "guidance changes the picture"


def test_a_grid_that_is_stopped_stays_as_far_as_it_came(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "WEIGHTS", (0.0, 2.0))
    monkeypatch.setattr(grid, "COUNTS", (1, 2))
    monkeypatch.setattr(grid, "load_model", lambda *_: model)
    checkpoint.save(tmp_path / "text-to-image-emoji.safetensors", model, {})
    with gr.Blocks():
        view = grid.GridView(Paths(tmp_path, tmp_path))
    under_way, values = UnderWay(), astuple(grid.ViewParams(across="steps", columns=2))
    run = keep_run(view.sample)(under_way, None, *values)
    begun = next(run)[2]
    assert begun["address"]["across"] == "steps", "a reload goes on with it"
    assert (begun["link"], begun["copied"]) == (None, links.NOTHING), "as long as nothing is on show"
    while "3 of 4" not in next(run)[0]:
        pass
    run.close()  # as Gradio cancels it
    html, stopped, link = view.stop_run(under_way, None, *values)
    assert html.count("<img") == 3
    assert "Stopped at picture 3 of 4." in html
    assert link["copied"] == "Copied: the link makes the whole run"
    assert view.values(stopped)[2] == link, "also below an error"
    saved = Image.open(view.save(stopped)["file"]["path"])
    assert saved.text["stopped"] == "stopped at picture 3 of 4"
    corner = np.asarray(saved)[saved.height // 2 + 8 :, saved.width // 2 + 8 :]
    assert not corner.any(), "black where there is no picture yet"
    _, *filled, (html, whole, link) = keep_run(view.sample)(under_way, None, *values)
    assert [text for text, *_ in filled if "4 of 4" in text], "the fourth alone was missing"
    assert not [text for text, *_ in filled if "1 of 4" in text]
    assert "Stopped" not in html
    assert "From memory" not in html
    assert html.count("<img") == 4
    *_, (again, *_) = view.sample(None, *values)
    assert "From memory" in again
    assert 'data-live="false"' in html
    assert whole.stop_note == ""
    assert link == links.value(grid.TAB, grid.ViewParams(*values)), "that of the run"
    assert view.stop_run(under_way, whole, *values) == view.values(whole), "it has ended"
    monkeypatch.setattr(inference, "PATIENCE", 0.01)
    monkeypatch.setattr(inference, "_turns", turns := Turns(1))
    with turns.start_run(1) as other:
        assert other.wait(0)
        others = astuple(grid.ViewParams(across="steps", columns=2, seed=1))
        run = keep_run(view.sample)(under_way, whole, *others)
        begun = next(run)[2]
        assert (begun["link"]["seed"], begun["address"]["seed"]) == ("0", "1"), "the link is of what is on show"
        assert "Waiting for the model" in next(run)[0]
        run.close()
        html, *rest = view.values(whole)
        assert view.stop_run(under_way, whole, *others) == [f"<div data-stale>{html}</div>", *rest], "nothing new"
    monkeypatch.setattr(cache, "store", cache.Store(1))
    for seed in (1, 2, 1):
        *_, (anew, *_) = view.sample(None, *astuple(grid.ViewParams(across="steps", columns=2, seed=seed)))
        assert "From memory" not in anew, "no room"


def test_a_measurement_that_fails_says_so_in_its_place_alone(tmp_path: Path) -> None:
    with gr.Blocks():
        measure = latent_vs_pixel.CostView(Paths(tmp_path, tmp_path)).measure("")
    assert "Measuring" in next(measure)
    assert "is missing" in next(measure)
    with pytest.raises(gr.Error) as raised:
        next(measure)
    assert not raised.value.visible


def test_another_model_takes_the_bars_of_the_one_before_away(tmp_path: Path) -> None:
    with gr.Blocks() as page:
        latent_vs_pixel.CostView.build(page, Paths(tmp_path, tmp_path))
    chosen = next(event for event in page.fns.values() if any(name == "input" for _, name in event.targets))
    costs, link = chosen.fn(Requests(), "mine")
    assert "<table" not in costs
    assert "Measuring" in costs
    assert link["link"] == {"view": "latent_vs_pixel", "model": "mine"}
    follows = [event for event in page.fns.values() if event.trigger_after == chosen._id]
    assert [event.trigger_mode for event in follows] == ["always_last"], "it is measured, whatever is under way"


def test_bars_of_the_costs_are_as_long_as_their_numbers() -> None:
    latent = Cost((4, 16, 16), 0.010, 1e9, 10)
    pixels = Cost((3, 64, 64), 0.160, 2e10, 320)
    assert "U-Net on the pixels" in latent_vs_pixel.show([latent]), "what is being measured"
    html = latent_vs_pixel.show([latent, pixels])
    assert "16.0 times as long, 20.0 times the operations and 32.0 times the numbers in its feature maps" in html
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", html)]
    assert widths == [6.2, 100, 8.3, 100], "10 ms of 160, and 1,024 numbers of 12,288"
    for text in ("10.0 ms", "160.0 ms", "1,024", "12,288"):
        assert text in html


def test_the_way_begins_and_ends_with_the_two_pictures(model: Model) -> None:
    torch.manual_seed(0)
    x, other = torch.rand(2, 1, 3, 16, 16) * 2 - 1
    film = latent_space.make_film(model, latent_space.ViewParams(), x, other)
    assert ["PSNR" in caption for caption in film.captions] == [True, *[False] * (latent_space.FRAMES - 2), True]


def test_a_run_from_a_picture_counts_its_own_steps(model: Model) -> None:
    settings = Settings(n=1, prompt=PROMPTS[0], steps=10)
    recorder = Recorder(model, settings, strength=0.3)
    for moment in latent_diffusion.sdedit(model, settings, torch.zeros(1, 4, 4, 4), 0.3):
        recorder.add(moment)
    run = recorder.run()
    assert run.times == run.t == latent_diffusion.timesteps(model, settings)[7:]
    assert "step 3 of 3" in make_film(model, run).captions[-1]


def test_colours_of_noise_are_those_of_the_latents(model: Model) -> None:
    z = torch.randn(1, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    strips = of_latents(np.zeros((1, 1, 16, 16, 3), np.uint8), z, z)
    assert np.array_equal(strips[1].frames, strips[2].frames), "the same numbers have the same colours"
    flipped = of_latents(np.zeros((1, 1, 16, 16, 3), np.uint8), z, -z)[2].frames
    assert not np.array_equal(flipped, strips[1].frames)


@pytest.mark.parametrize(
    "ask",
    [
        lambda view: DrawView.show_inside(view, ChosenStrips(), None, GUIDANCE, -1, -1, SMOOTH),
        lambda view: DrawView.find_captions(view, None),
        lambda view: grid.GridView.save(view, None),
        *(lambda _, save=save: controls.user_errors_to_gradio(save)(None, 0) for save in export.EXPORTS.values()),
    ],
)
def test_a_run_that_was_dropped_after_an_hour_says_so(ask: Callable[[object], object]) -> None:
    with pytest.raises(gr.Error, match="it is no longer kept: begin one"):
        ask(None)


def test_every_view_has_an_address(tmp_path: Path) -> None:
    with gr.Blocks() as page:
        latent_vs_pixel.CostView.build(page, Paths(tmp_path, tmp_path))
    on_load = next(each.fn for each in page.fns.values() if any(event == "load" for _, event in each.targets))
    _, link, _ = on_load(gr.Request(headers={}, query_params={}))
    assert link["address"] == {"view": "latent_vs_pixel"}


def test_a_link_makes_pictures_and_a_first_visit_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gr.Blocks():
        view = latent_space.LatentSpaceView(Paths(tmp_path, tmp_path))
    monkeypatch.setattr(view, "sample", lambda *values: iter([values]))
    values = astuple(latent_space.ViewParams(seed=4))
    assert list(view.sample_linked(True, None, None, *values)) == [(None, None, *values)]
    assert list(view.sample_linked(False, None, None, *values)) == [[gr.skip()] * 3]
    monkeypatch.setattr(view, "_path", lambda *_: ({}, latent_space.ViewParams(seed=4)))
    for is_linked, seed in ((True, "4"), (False, None)):
        _, link = view.show_first(latent_space.OnShow(), is_linked, "", None, None, None, *values)
        assert link["link"]["seed"] == "4"
        assert link["address"].get("seed") == seed, "a reload asks for a run only if the address did"
