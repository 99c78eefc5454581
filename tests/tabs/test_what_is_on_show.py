"""What belongs to the pictures on show: it comes with them, and never with others."""

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import gradio as gr
import pytest
import torch
from test_latent_diffusion import PROMPTS, make_random_model

from playground.families.latent_diffusion import Model
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.tabs.compare import drawing
from playground.tabs.ddpm import forward
from playground.tabs.latent_diffusion import latent_space
from playground.tabs.latent_diffusion.draw import ChosenStrips, DrawView
from playground.tabs.latent_diffusion.runs import FIRST, GUIDANCE, SMOOTH, STRIP_KINDS
from playground.tabs.score_matching import restoration
from playground.web import image_picker, links
from playground.web.image_picker import NO_SOURCES
from playground.web.stop import Run, UnderWay, Unfinished, keep_run, newest_run_only


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """The folder of a tiny model of text to image."""
    model = make_random_model()
    monkeypatch.setattr(Model, "parts", model.components())
    checkpoint.save(tmp_path / "text-to-image-emoji.safetensors", model, {"flags": {"core": True}})
    return Paths(tmp_path, tmp_path)


def test_strips_and_words_name_the_run_that_they_belong_to(paths: Paths) -> None:
    with gr.Blocks():
        view = DrawView(paths)
    *_, outputs = view.sample(STRIP_KINDS[0], *DrawView.values_of(replace(FIRST, n=1, steps=1)))
    again = next(iter(view.sample(STRIP_KINDS[0], *DrawView.values_of(replace(FIRST, n=1, steps=1)))))
    for stage, _, on_show, *_ in (outputs, again):
        chosen = ChosenStrips()
        for kind, attention, other_strips in (
            (STRIP_KINDS[0], (0, 0, SMOOTH), False),
            (GUIDANCE, (0, 0, SMOOTH), True),
            (GUIDANCE, (-1, -1, SMOOTH), False),
            (STRIP_KINDS[0], (-1, -1, SMOOTH), True),
        ):
            value = view.show_inside(chosen, on_show, kind, *attention)
            assert value["of"] == stage["run"]
            assert value.get("run") == (stage["run"] if other_strips else None), "or only other words"
    assert outputs[0]["id"] != again[0]["id"], "it came from memory"


def test_captions_that_come_after_another_run_are_dropped() -> None:
    under_way, other = UnderWay(), Unfinished(Run(1), list)

    def after(change: Callable[[], object]) -> object:
        return newest_run_only(lambda: change() or "captions")(under_way)

    assert after(lambda: None) == "captions"
    run = keep_run(lambda: iter([other, ["values"]]))(under_way)
    assert after(lambda: next(run) and None) == gr.skip(), "a run has begun"
    assert after(lambda: [*run] and None) == gr.skip(), "a run has ended"
    under_way.set(other)
    assert after(lambda: under_way.stop() and None) == gr.skip(), "a run was stopped"


def test_the_link_of_the_latent_space_is_that_of_both_pictures_on_show() -> None:
    def params_of(**changed: str) -> latent_space.ViewParams:
        return replace(latent_space.ViewParams(), **changed)

    on_show = latent_space.OnShow()
    on_show.path = params_of(prompt="typed", to="robot")
    assert on_show.link_value()["link"]["prompt"] == "typed", "no run is on show"
    on_show.run = params_of(prompt="drawn", to="owl")
    on_show.path = params_of(prompt="typed later", to="cactus")
    link = on_show.link_value()["link"]
    assert (link["prompt"], link["to"]) == ("drawn", "cactus")
    on_show.run = params_of(kind=latent_space.DRAWING)
    assert on_show.link_value()["link"] is None


def test_a_run_in_the_latent_space_keeps_the_end_of_the_path_on_show(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latent_space, "picture", lambda *_: torch.zeros(1, 3, 16, 16))
    with gr.Blocks():
        view = latent_space.LatentSpaceView(paths)
    on_show, values = latent_space.OnShow(), astuple(latent_space.ViewParams(prompt=PROMPTS[0], to="owl"))
    run = view.sample(on_show, None, None, None, *values)
    begun = next(run)
    on_show.path = replace(latent_space.ViewParams(), to="cactus")  # chosen meanwhile
    *_, (_, _, link) = run
    assert isinstance(begun, Unfinished)
    (_, _, stopped), ((_, _, remembered),) = begun.finish(), view.sample(on_show, None, None, None, *values)
    for value in (link, stopped, remembered):
        assert (value["link"]["prompt"], value["link"]["to"]) == (PROMPTS[0], "cactus")
    other = latent_space.OnShow()
    ((_, _, link),) = view.sample(other, None, None, None, *values)
    assert (other.run.prompt, link["link"]["to"]) == (PROMPTS[0], "owl"), "what another visitor has on show"


def test_what_a_user_draws_or_uploads_marks_the_run_on_show_as_stale() -> None:
    folder = Paths(Path(), Path())
    with gr.Blocks() as page:
        views = [restoration.RestorationView(folder), drawing.DrawingView(folder), latent_space.LatentSpaceView(folder)]
        draw = DrawView(folder)
        for view in (*views, draw):
            view.bind(page)
    targets = {target for event in page.fns.values() if "settings-changed" in str(event.js) for target in event.targets}
    pads = [*views[0].drawings, *views[1].image.inputs[2:], *views[2].sources]
    assert len(pads) == 10
    for control in pads:
        assert (control._id, "upload" if isinstance(control, gr.UploadButton) else "input") in targets
    *_, to, to_ground = views[2].path_inputs
    for control in (draw.strip_kind, to, to_ground):
        assert (control._id, "input") not in targets, "the pictures of the run do not depend on it"


def test_a_slider_that_is_dragged_begins_no_run() -> None:
    with gr.Blocks() as page:
        view = drawing.DrawingView(Paths(Path(), Path()))
        view.bind(page)
    number = view.image.inputs[1]
    events = {name for event in page.fns.values() if event.concurrency_id == "model" for key, name in event.targets
              if key == number._id}  # fmt: skip
    assert events == {"release"}


def test_a_picture_that_cannot_be_noised_leaves_that_of_another_outdated_and_without_a_link(tmp_path: Path) -> None:
    with gr.Blocks():
        view = forward.ForwardView(Paths(tmp_path, tmp_path))
    for kind, number in ((image_picker.UPLOAD, 0), (image_picker.TEST_IMAGE, -1)):
        stage, link = next(view.noise("", kind, number, *NO_SOURCES, 0))
        assert (stage["outdated"], link["link"], link["copied"]) == (True, None, links.NOTHING)
