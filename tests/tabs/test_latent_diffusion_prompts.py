"""The prompts of the views of text to image: how they are read, typed, and refused."""

from dataclasses import astuple, replace
from pathlib import Path

import gradio as gr
import pytest
import torch
from test_latent_diffusion import TINY, build, make_random_model

from playground.datasets import captions, emoji
from playground.datasets.scenes import BACKGROUNDS
from playground.families.latent_diffusion import Model
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion import clip_captions, compare, grid, latent_space
from playground.tabs.latent_diffusion.draw import DrawView
from playground.tabs.latent_diffusion.draw_controls import NAMES, random_prompt
from playground.tabs.latent_diffusion.prompt_line import PromptLine
from playground.tabs.latent_diffusion.runs import FIRST, STRIP_KINDS
from playground.web import links


@pytest.fixture
def model() -> Model:
    return make_random_model()


@pytest.fixture
def paths(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """The folder of a model that reads only the words it knows."""
    monkeypatch.setattr(Model, "parts", model.components())
    checkpoint.save(tmp_path / "text-to-image-emoji.safetensors", model, {"flags": {"core": True}})
    return Paths(tmp_path, tmp_path)


def test_the_line_under_a_prompt_says_how_it_is_read(paths: Paths) -> None:
    with gr.Blocks():
        line = PromptLine(paths, gr.Textbox("", elem_id="some"))
        optional = PromptLine(paths, gr.Textbox("", elem_id="other"), optional=True)
    value = line.read("", "two dogs on gray")
    assert value["sentence"].startswith("Read as a dog face, on a grey background; *dogs* is read as *dog*")
    assert {"label": "gray → grey", "prompt": "two dogs on grey"} in value["fixes"]
    assert line.read("", "")["sentence"].startswith("An empty prompt")
    assert optional.read("", "")["sentence"] == ""
    assert "names an emoji or a background" in optional.read("", "zeppelin")["sentence"]
    assert line.read("", "x" * 301)["sentence"] == "The prompt must be text of at most 300 characters."
    assert "must be text" in line.read("", None)["sentence"]
    assert "Model must be one of" in line.read("other", "a dog")["sentence"]


def test_every_view_draws_a_prompt_as_it_is_read(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = list[str]()
    encode = Model.encode_text
    monkeypatch.setattr(Model, "encode_text", lambda self, texts: drawn.extend(texts) or encode(self, texts))
    monkeypatch.setattr(latent_space, "picture", lambda *_: torch.zeros(1, 3, 16, 16))
    monkeypatch.setattr(grid, "WEIGHTS", (1.0,))
    typed, read = "two pizzas on gray", "a pizza on a grey background"
    with gr.Blocks():
        views = DrawView(paths), compare.CompareView(paths), grid.GridView(paths), latent_space.LatentSpaceView(paths)
    draw_values = DrawView.values_of(replace(FIRST, n=1, steps=1, prompt=typed, negative=typed))
    pair_params, on_show = compare.ViewParams(prompt=typed, edited_prompt=typed, n=1, steps=1), latent_space.OnShow()
    for view, values, expected in (
        (views[0], (STRIP_KINDS[0], *draw_values), [read]),
        (views[1], astuple(pair_params), [read, ""]),
        (views[2], (None, *astuple(grid.ViewParams(prompt=typed))), [read, ""]),
        (views[3], (on_show, None, None, None, *astuple(latent_space.ViewParams(prompt=typed))), [read, ""]),
    ):  # fmt: skip
        drawn.clear()
        list(view.sample(*values))
        assert set(drawn) == set(expected), view
    with pytest.raises(gr.Error, match="No word of “zeppelin”"):
        list(views[1].sample(*astuple(replace(pair_params, edited_prompt="zeppelin"))))


def test_a_run_of_another_wording_is_saved_in_the_words_of_the_model(paths: Paths) -> None:
    with gr.Blocks():
        view = DrawView(paths)
    params = replace(FIRST, n=1, steps=1, prompt="a pizza and un chien")
    *_, outputs = view.sample(STRIP_KINDS[0], *DrawView.values_of(params))
    assert '--prompt "a pizza to the left of a dog"' in outputs[3]
    assert outputs[5]["link"]["prompt"] == "a pizza and un chien", "a link restores what was typed"
    assert '"model"' not in outputs[1].about["settings"]


def test_an_example_overwrites_no_prompt_that_is_typed_while_it_is_drawn(paths: Paths) -> None:
    with gr.Blocks():
        view = DrawView(paths)
    _, prompt, *values = DrawView.values_of(replace(FIRST, n=1, steps=2))
    _, *answers = view.sample_example(["an owl"], STRIP_KINDS[0], "", prompt, *values)
    assert len(answers) > 1
    assert [answer[-1] for answer in answers] == ["an owl", *[gr.skip()] * (len(answers) - 1)]


def test_a_press_puts_an_emoji_or_a_background_into_the_prompt(paths: Paths) -> None:
    with gr.Blocks() as page:
        DrawView(paths)
    (event,) = [event for event in page.fns.values() if event.name == "_put_into_prompt"]
    names = [name for (name,) in event.inputs[0].raw_samples]
    assert event.fn(names.index("owl"), "a pizza on blue") == "an owl on a blue background"
    assert event.fn(names.index("red"), "a pizza on blue") == "a pizza on a red background"


def test_a_random_prompt_names_an_emoji() -> None:
    called = {name.lower() for each in captions.list_synonyms(emoji.CORE) for name in each}
    for _ in range(20):
        prompt = random_prompt().lower()
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
    values = dict(zip(NAMES, DrawView.values_of(FIRST), strict=True)) | changed
    with pytest.raises(UserError, match=wrong):
        DrawView.params_of(values.values())


@pytest.mark.parametrize("params", [compare.ViewParams, grid.ViewParams, latent_space.ViewParams])
def test_the_other_views_refuse_alike(params: type) -> None:
    for changed in ({"prompt": 7}, {"seed": 1e300}, {"prompt": "x" * 301}):
        with pytest.raises(UserError):
            params(**changed)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    """All views of the tab, without models."""
    with gr.Blocks() as blocks:
        folder = tmp_path_factory.mktemp("empty")
        for view in (DrawView, compare.CompareView, grid.GridView, latent_space.LatentSpaceView):
            view.build(blocks, Paths(folder, folder))
    return blocks


def test_no_text_box_cuts_what_is_typed(page: gr.Blocks) -> None:
    """The browser would cut it without a word; the settings refuse it with one."""
    boxes = [block for block in page.blocks.values() if isinstance(block, gr.Textbox)]
    assert len(boxes) == 6
    assert all(box.max_length is None for box in boxes)


def test_enter_in_a_prompt_does_not_mark_its_own_run_as_stale(page: gr.Blocks) -> None:
    """Gradio's text box fires `input` at every key, Enter included, but at no paste and no deletion."""
    boxes = {block._id for block in page.blocks.values() if isinstance(block, gr.Textbox)}
    targets = {target for fn in page.fns.values() if "settings-changed" in str(fn.js) for target in fn.targets}
    assert not {(box, "input") for box in boxes} & targets
    assert len({(box, "change") for box in boxes} & targets) == 5, "all but the grid's, which marks nothing"


def test_an_error_leaves_the_grid_before(paths: Paths) -> None:
    with gr.Blocks():
        view = grid.GridView(paths)
    params = grid.ViewParams(prompt="zeppelin")
    before = grid.Grid(grid.ViewParams(), {}, grid.ViewParams())
    for result, link in ((None, links.nothing(grid.TAB)), (before, before.link)):
        run = view.sample(result, *astuple(params))
        html, *others = next(run)
        assert "No word of" in html
        assert ("The previous run is shown." in html) == ("<table>" in html) == bool(result)
        assert ("<div data-stale>" in html) == bool(result), "it is of other settings than those of the controls"
        assert others == [result, link]
        with pytest.raises(gr.Error):
            next(run)


def test_an_error_beside_a_path_marks_it_as_outdated(paths: Paths) -> None:
    with gr.Blocks():
        view = latent_space.LatentSpaceView(paths)
    values = [*astuple(latent_space.ViewParams())[:-1], -1]
    on_show = latent_space.OnShow()
    on_show.path = latent_space.ViewParams()
    stage, link = view.show_path(on_show, None, None, None, *values)
    assert (stage["outdated"], link["copied"]) == (True, links.NOTHING)
    on_show.run = latent_space.ViewParams(seed=7)
    _, link = view.show_path(on_show, None, None, None, *values)
    assert link["link"]["seed"] == "7", "the pictures made of another are still there"


def test_clip_compares_with_captions_of_the_kind_that_was_asked_for() -> None:
    texts = clip_captions.pair_captions("a ROBOT and a cactus, yellow background")
    n = len(emoji.CORE)
    assert len(texts) == len(set(texts)) == 2 * (4 * (n - 1) - 2), "both emoji with all others, in four directions"
    assert all(text.endswith(" on a yellow background") for text in texts)
    for text in ("a robot to the left of a cactus", "a cactus to the left of a robot", "a cactus above a robot",
                 "a kiwi fruit to the left of a cactus"):  # fmt: skip
        assert f"{text} on a yellow background" in texts
    assert "an owl above a guitar" in clip_captions.pair_captions("owl over guitar")
    assert "an owl above a blue heart" in clip_captions.pair_captions("a blue heart under an owl")
    assert clip_captions.pair_captions("a robot on a yellow background") == []
    assert len(clip_captions.single_captions()) == n * len(BACKGROUNDS)


def test_clip_compares_with_the_prompt_itself() -> None:
    encoder = build(TINY).components().encoder
    for prompt, other in (("a robot and a cactus", "a robot to the left of a cactus"),
                          ("a dog face on a red background", "a dog face on a blue background")):  # fmt: skip
        texts, embeddings = clip_captions.encode_candidates(encoder, prompt)
        assert texts[0] == prompt
        assert other in texts
        assert len(texts) == len(set(texts)) == len(embeddings)
        some = torch.tensor([0, len(texts) // 2, -1])
        expected = encoder.encode_text(encoder.tokenize([texts[i] for i in some]))
        torch.testing.assert_close(embeddings[some], expected, rtol=1e-4, atol=1e-5)
    told = clip_captions.nearest(torch.eye(3)[0], ["mine", "<i>a</i>", "b"], torch.eye(3))
    assert told.startswith("1.00 <b>the prompt</b><br>")
    assert "<i>" not in told
