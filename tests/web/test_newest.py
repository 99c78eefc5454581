"""Late answers are dropped."""

from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import pytest

from playground.runtime.paths import Paths
from playground.tabs.gan import ask_discriminator, loss_comparison
from playground.tabs.latent_diffusion import latent_space
from playground.web.newest import Requests, newest_only


def test_an_answer_that_comes_after_a_newer_request_changes_nothing() -> None:
    requests, answers = Requests(), []

    def answer(name: str) -> str:
        if name == "slow":
            answers.append(ask(requests, "quick"))
        return name

    ask = newest_only(answer)
    assert ask(requests, "slow") == gr.skip()
    assert answers == ["quick"]
    assert ask(Requests(), "other visitor") == "other visitor"


def test_the_rest_of_a_late_answer_is_dropped_too() -> None:
    def answer(name: str) -> Iterator[str]:
        yield from (f"{name} 1", f"{name} 2")

    requests, ask = Requests(), newest_only(answer)
    slow = ask(requests, "slow")
    assert next(slow) == "slow 1"
    assert list(ask(requests, "quick")) == ["quick 1", "quick 2"]
    assert list(slow) == []


def test_a_request_is_about_its_last_values() -> None:
    requests, show = Requests(), newest_only(lambda *values: values)
    assert requests.is_newest(("model", 1)), "none has begun"
    for notice in ((), ("The seed is wrong.",)):
        show(requests, *notice, "model", 1)
        assert requests.is_newest(("model", 1))
        assert not requests.is_newest(("model", 2))


class Overtaken(Requests):
    """Requests of a visitor who asks again before each is answered."""

    def next_number(self, values: tuple[object, ...] | None = None) -> int:
        number = super().next_number(values)
        super().next_number()
        return number


class OvertakenOnShow(Overtaken, latent_space.OnShow):
    """The same of the view of the latent space."""


@pytest.mark.parametrize(
    ("build", "name", "overtaken"),
    [
        (ask_discriminator.AskView.build, "ask", Overtaken),
        (loss_comparison.LossView.build, "on_choice", Overtaken),
        (latent_space.LatentSpaceView.build, "show_path", OvertakenOnShow),
    ],
)
def test_views_drop_late_answers(
    build: Callable[[gr.Blocks, Paths], None], name: str, overtaken: type[Requests], tmp_path: Path
) -> None:
    """Each answer is an error, since there is no checkpoint."""
    with gr.Blocks() as page:
        build(page, Paths(tmp_path, tmp_path))
    events = [event for event in page.fns.values() if event.name == name]
    assert events
    for event in events:
        requests, *values = (component.value for component in event.inputs)
        assert isinstance(event.fn(requests, *values), (list, tuple))
        assert event.fn(overtaken(), *values) == gr.skip()
