"""What all views share: a hint in a sentence or two, where a newcomer looks first, and the look of their choices."""

import gradio as gr
import pytest

import app
from playground.runtime.paths import Paths


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    folder = tmp_path_factory.mktemp("empty")
    return app.build_page(Paths(folder, folder))


def test_every_view_says_what_it_shows(page: gr.Blocks) -> None:
    views: dict[str, list[gr.Tab]] = {}
    for block in page.blocks.values():
        if isinstance(block, gr.Tab):
            views.setdefault(block.page, []).append(block)
    assert len(views) == 7, "all pages but the start page"
    for name, tabs in views.items():
        for tab in tabs:
            hint = tab.children[0]
            assert isinstance(hint, gr.Markdown), (name, tab.label)
            assert len(hint.value) > 30, (name, tab.label)


def test_choices_look_alike_in_every_view(page: gr.Blocks) -> None:
    choices = [block for block in page.blocks.values() if isinstance(block, gr.Radio)]
    assert len(choices) > 40
    assert {tuple(choice.elem_classes) for choice in choices} == {("chips",)}, [choice.label for choice in choices]
