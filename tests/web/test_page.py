"""The page does no work that nobody needs, and otherwise what Gradio's does."""

import asyncio
from collections.abc import Iterator

import gradio as gr
import numpy as np
import pytest
from gradio.state_holder import StateHolder

from playground.runtime import cache
from playground.runtime.validation import UserError
from playground.web import controls
from playground.web.page import Page


@pytest.fixture
def page() -> Page:
    """A page with an event of three outputs."""
    with Page(analytics_enabled=False) as page:
        box, text, state = gr.Textbox("a", elem_id="box"), gr.Textbox("b"), gr.State(1, time_to_live=3600)
        box.submit(lambda _: None, box, [box, text, state])
    page.queue()
    return page


def answer(page: Page, holder: StateHolder, *values: object) -> list[object]:
    """Return what the browser gets for the values of the outputs."""
    (function,) = page.fns.values()
    return asyncio.run(page.postprocess_data(function, list(values), holder["visitor"]))


def test_an_output_that_stays_gets_no_new_component(page: Page) -> None:
    holder = StateHolder()
    holder.set_blocks(page)
    box, text, state = next(iter(page.fns.values())).outputs
    assert answer(page, holder, gr.skip(), "new", 2) == [gr.skip(), "new", None]
    session = holder["visitor"]
    assert session[box._id] is box, "no copy was made"
    assert session[state._id] == 2
    assert answer(page, holder, gr.update(label="B"), gr.skip(), gr.skip())[0]["label"] == "B"
    assert session[box._id].label == "B", "an update is kept for the visitor"
    assert session[state._id] == 2
    assert session[text._id] is text


def test_a_session_keeps_no_configuration(page: Page) -> None:
    holder = StateHolder()
    holder.set_blocks(page)
    answer(page, holder, "x" * 100_000, "new", gr.skip())
    assert "x" not in repr(holder["visitor"].config_values)
    assert not any(holder["visitor"].config_values.values())


def test_a_run_is_kept_while_there_is_room(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = StateHolder()
    holder.set_blocks(page)
    state = next(iter(page.fns.values())).outputs[2]
    monkeypatch.setattr(cache, "store", cache.Store(150_000))
    answer(page, holder, gr.skip(), gr.skip(), np.ones(100_000, np.uint8))
    assert holder["visitor"][state._id].sum() == 100_000
    holder["other"][state._id] = np.ones(100_000, np.uint8)
    with pytest.raises(UserError, match="it is no longer kept: begin one"):
        controls.check_kept(holder["visitor"][state._id])
    assert controls.check_kept(holder["other"][state._id]).sum() == 100_000


@pytest.mark.parametrize(
    ("clicked", "expected"), [("state", ["run", 7, 1]), ("tab", ["run", 7, 1]), ("model", ["run", None, 1]),
                              ("go", [None, None, None])]
)  # fmt: skip
def test_a_late_first_picture_overwrites_no_choice(clicked: str, expected: list[object]) -> None:
    with Page(analytics_enabled=False) as page:
        stage, model, seed, go, seen = gr.Textbox(), gr.Number(), gr.Number(), gr.Button("go"), gr.State()
        page.load(lambda: None, None, [stage, model, seed])
        seen.change(lambda _: None, seen, [stage, model])  # comes by itself, too
        with gr.Tab() as tab:
            tab.select(lambda _: None, seed, [stage, model])  # comes when the page opens, and changes nothing then
        model.input(lambda _: None, model, model)
        go.click(lambda *_: None, [model, seed], stage)
    page.queue()
    holder = StateHolder()
    holder.set_blocks(page)
    first, *others = page.fns.values()
    values = {"state": ["seen", 8], "tab": [gr.skip(), gr.skip()], "model": 8, "go": "newer"}
    event = dict(zip(values, others, strict=True))[clicked]
    asyncio.run(page.postprocess_data(event, values[clicked], holder["visitor"]))
    data = asyncio.run(page.postprocess_data(first, ["run", 7, 1], holder["visitor"]))
    assert [None if value == gr.skip() else value for value in data] == expected
    assert asyncio.run(page.postprocess_data(first, ["run", 7, 1], holder["other"])) == ["run", 7, 1]


@pytest.mark.parametrize(("trigger", "data"), [(0, [gr.skip()] * 2), (1, ["first", gr.skip()])])
def test_a_choice_counts_though_its_event_also_follows_values_of_ours(trigger: int, data: list[object]) -> None:
    with Page(analytics_enabled=False) as page:
        choice, pad, stage, other = gr.Textbox(), gr.Textbox(), gr.Textbox(), gr.Textbox()
        page.load(lambda: ["first", gr.skip()], None, [stage, other])
        gr.on([choice.input, pad.change], lambda: ["newer", gr.skip()], None, [stage, other])
    page.queue()
    holder = StateHolder()
    holder.set_blocks(page)

    async def call(event: int, target: gr.Textbox | None) -> list[object]:
        output = await page.process_api(event, [], state=holder["visitor"], event_data=gr.EventData(target, None))
        return output["data"]

    asyncio.run(call(1, (choice, pad)[trigger]))
    assert asyncio.run(call(0, None)) == data


def end(page: Page, event: int, event_id: str = "event") -> tuple[list[object], list[tuple[object, ...]]]:
    """Run an event to its end; return its last data, and the messages that it sent meanwhile."""
    messages = list[tuple[object, ...]]()
    page._queue.log_message = lambda *message: messages.append(message)

    async def run() -> list[object]:
        output = await page.process_api(event, [], event_id=event_id)
        while output["is_generating"]:
            output = await page.process_api(event, [], iterator=output["iterator"], event_id=event_id)
        return output["data"]

    return asyncio.run(run()), messages


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("n_answers", [0, 1, 2])
def test_an_error_is_an_answer_if_another_event_may_wait_for_it(n_outputs: int, n_answers: int) -> None:
    """After an error Gradio forgets the event that was deferred meanwhile."""

    def fail() -> Iterator[object]:
        for _ in range(n_answers):
            yield "new" if n_outputs == 1 else ["new", gr.skip()]
        raise UserError("this is wrong")

    with Page(analytics_enabled=False) as page:
        button, boxes = gr.Button(), [gr.Textbox("a"), gr.Textbox("b")]
        for settings in (controls.LIGHT, controls.MODEL):
            button.click(controls.user_errors_to_gradio(fail), None, boxes[:n_outputs], **settings)
    page.queue()
    data, messages = end(page, 0)
    assert data == [gr.skip()] * n_outputs
    assert messages == [("event", "This is wrong.", "Error", "error", 10, True)]
    with pytest.raises(gr.Error, match="This is wrong"):
        end(page, 1)


def test_an_error_of_our_own_comes_without_details(capsys: pytest.CaptureFixture[str]) -> None:
    with Page(analytics_enabled=False) as page:
        gr.Button().click(lambda: 1 // 0, **controls.LIGHT)
    page.queue()
    data, messages = end(page, 0)
    assert data == []
    assert messages == [("event", "Something broke on our side; please try again.", "Error", "error", 10, True)]
    assert "ZeroDivisionError" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        end(page, 0, event_id=None)
