"""Whatever is chosen on the page counts, though the answer to the choice before is still on its way."""

from collections import defaultdict
from typing import Any

import gradio as gr
import pytest

import app
from playground.runtime.paths import Paths
from playground.web.newest import Requests
from playground.web.stop import UnderWay

Event = Any  # event of a page as Gradio keeps it
STOPS = {"stop", "stop_run"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    folder = tmp_path_factory.mktemp("empty")
    return app.build_page(Paths(folder, folder))


def answers(page: gr.Blocks) -> list[Event]:
    """Return the events of the page that answer a choice of the user's: neither its opening nor a run, nor Stop."""
    return [
        event
        for event in page.fns.values()
        if event.fn and event.api_visibility == "private" and not event.cancels
        and event.concurrency_id != "model" and event.name not in STOPS
        and not any(name in ("load", "unload") for _, name in event.targets)
    ]  # fmt: skip


def test_no_choice_is_ignored_while_the_answer_to_another_is_on_its_way(page: gr.Blocks) -> None:
    """Gradio ignores an event of the mode "once" until its last answer has come."""
    events = answers(page)
    assert len(events) > 80
    assert {event.name for event in events if event.trigger_mode == "once"} == {"find_link"}, "another page opens"


def test_only_one_run_of_a_view_is_under_way(page: gr.Blocks) -> None:
    private = [event for event in page.fns.values() if event.api_visibility == "private"]
    runs = [event for event in private if event.concurrency_id == "model" or event.name in STOPS]
    assert {event.name for event in runs} > STOPS
    assert {event.trigger_mode for event in runs} == {"once"}


def test_the_page_learns_of_every_end_of_a_run(page: gr.Blocks) -> None:
    """Gradio does not call `then` after an error."""
    followers = defaultdict[tuple[int, bool], set[str]](set)
    for event in page.fns.values():
        before = page.fns.get(event.trigger_after)
        if before and before.fn and not event.fn and not event.trigger_only_on_success:
            followers[event.trigger_after, event.trigger_only_on_failure].add(event.js)
    assert len(followers) > 40
    for (run, _), scripts in followers.items():
        assert followers[run, True] == followers[run, False] == scripts, page.fns[run].name


NEWEST = (Requests, UnderWay)
DOWNLOAD = "-download"  # end of the ids of components that save a file at every press, whatever sets them


def test_events_that_share_an_output_drop_late_answers(page: gr.Blocks) -> None:
    """The answers of one event come in order, but not those of several."""
    events = defaultdict[int, list[Event]](list)
    for event in answers(page):
        for output in event.outputs:
            if not str(output.elem_id).endswith(DOWNLOAD):
                events[output._id].append(event)
    shared = [group for group in events.values() if len(group) > 1]
    assert len(shared) > 20
    for group in shared:
        states = [{block._id for block in event.inputs if isinstance(block.value, NEWEST)} for event in group]
        assert set.intersection(*states), [event.name for event in group]
