"""A run that was finished, left or begun before is not computed again, and one from memory says so."""

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from playground.runtime import cache, inference
from playground.runtime.cache import Recent
from playground.runtime.paths import Paths
from playground.web import live_run, repeats
from playground.web.live_run import LiveRun
from playground.web.repeats import NOTICE, remember
from playground.web.scrubber import Strip
from playground.web.stop import Unfinished

STEPS = 5


class View:
    """View whose evaluations of a network are counted, and whose runs write a file each."""

    def __init__(self, folder: Path):
        self.paths, self.runs, self.evaluations = Paths(folder, folder), 0, 0
        (folder / "model.safetensors").write_bytes(b"1")

    def frames(self, seed: int) -> Iterator[int]:
        for step in range(STEPS):
            yield step
            self.evaluations += 1
            if seed < 0:
                raise ArithmeticError
        yield STEPS

    @remember
    def sample(self, seed: float) -> LiveRun[int]:
        frames = list[int]()

        def finish() -> list[object]:
            self.runs += 1
            path = self.paths.weights / f"{self.runs}.png"
            path.touch()
            stage = {"id": "first", "strips": [{"sheets": [{"path": str(path)}]}], "notice": "", "frames": [*frames]}
            return [stage, f"run {self.runs}"]

        strip = Strip("", "", np.zeros((1, 1, 2, 2, 1), np.uint8))
        link = {"address": {"seed": f"{seed:g}"}}
        return LiveRun(self.frames(int(seed)), STEPS, frames.append, lambda _: [strip], finish, link)


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[View]:
    monkeypatch.setattr(live_run, "PAUSE", -1)  # every step is shown
    monkeypatch.setattr(repeats, "_results", Recent(9))
    monkeypatch.setattr(repeats, "_left", Recent(9))
    repeats._under_way.clear()
    yield View(tmp_path)
    assert inference.count_runs() == (0, 0), "nobody waits for a turn"


def last(view: View, seed: float) -> list:
    return [*view.sample(seed)][-1]


def leave(view: View, seed: float, step: int) -> None:
    """Follow a run to a step, and leave it as Gradio does when a page is closed."""
    run = view.sample(seed)
    while next(value["index"] for value in run if isinstance(value, dict) and "index" in value) < step:
        pass
    run.close()


def test_the_same_request_is_answered_from_memory_and_says_so(view: View) -> None:
    assert last(view, 1)[0]["notice"] == ""
    (answer,) = view.sample(1)
    assert answer[1] == "run 1"
    assert answer[0]["notice"] == NOTICE
    assert answer[0]["id"] != "first", "the page ignores a value that it has"
    assert last(view, 2)[1] == "run 2", "another seed"
    assert last(view, 2.0)[0]["notice"] == NOTICE, "as a link has it"


def test_another_checkpoint_or_a_file_that_has_gone_makes_it_anew(view: View) -> None:
    last(view, 1)
    (view.paths.weights / "model.safetensors").write_bytes(b"22")
    assert last(view, 1)[1] == "run 2"
    (view.paths.weights / "2.png").unlink()
    assert last(view, 1)[1] == "run 3"


def test_a_data_set_that_was_fetched_meanwhile_makes_it_anew(view: View) -> None:
    last(view, 1)
    for name in ("train", "test"):
        path = view.paths.data / "MNIST" / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        assert last(view, 1)[0]["notice"] == "", name
        assert last(view, 1)[0]["notice"] == NOTICE


def test_a_run_tells_its_address_at_once(view: View) -> None:
    visit, value, *_ = view.sample(3)
    assert isinstance(visit, Unfinished)
    assert value["address"] == {"seed": "3"}


def test_a_run_that_was_left_costs_nothing_and_goes_on_when_it_is_asked_for_again(view: View) -> None:
    leave(view, 1, step=2)
    assert view.evaluations == 2
    assert inference.count_runs() == (0, 0)
    shown = [*view.sample(1.0)]
    assert [value["index"] for value in shown if isinstance(value, dict) and "index" in value] == [3, 4, 5]
    assert shown[-1][0]["frames"] == [*range(STEPS + 1)], "with the frames from before"
    assert shown[-1][0]["notice"] == ""
    assert view.evaluations == STEPS, "nothing is computed twice"
    assert not repeats._left


def test_two_who_ask_for_the_same_follow_one_run(view: View) -> None:
    one, other = view.sample(1), view.sample(1)
    next(one)
    next(other)
    ends = [*one][-1], [*other][-1]
    assert view.evaluations == STEPS
    assert [end[0]["frames"] for end in ends] == [[*range(STEPS + 1)]] * 2


def test_stop_ends_a_run_for_one_of_two_alone(view: View) -> None:
    one, other = view.sample(1), view.sample(1)
    visit = next(one)
    next(other)
    while next(other).get("index") != 1:
        pass
    assert isinstance(visit, Unfinished)
    assert visit.stop()[0]["notice"] == "Stopped at step 1 of 5."
    assert not any("strips" in value for value in one), "no preview and no end"
    assert [*other][-1][0]["frames"] == [*range(STEPS + 1)]


def test_no_frame_is_kept_while_a_preview_is_made(view: View) -> None:
    """By another visitor who follows the same run: what is iterated over would change."""
    locked = list[bool]()

    def make_strips(_: int) -> list[Strip]:
        locked.append(run.lock.locked())
        return []

    run = LiveRun(iter(range(3)), 2, lambda _: None, make_strips, list, {"address": {}})
    assert [*live_run.follow(run)][-1] == []
    assert locked == [True] * 3


def test_a_run_that_failed_is_not_joined(view: View) -> None:
    one, other = view.sample(-1), view.sample(-1)
    next(one)
    next(other)
    for run in (one, other):
        with pytest.raises(ArithmeticError):
            list(run)
    assert view.evaluations == 1, "both learn of it"
    assert not repeats._under_way


def test_memory_has_bounds(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_results", Recent(2))
    for seed in (1, 2, 1, 3):
        last(view, seed)
    assert len([*view.sample(1)]) == 1, "used lately"
    assert len([*view.sample(2)]) > 1, "left out"
    monkeypatch.setattr(cache, "store", cache.Store(1))
    last(view, 4)
    last(view, 5)
    assert len([*view.sample(4)]) > 1, "no room"


def test_so_has_the_memory_of_runs_that_were_left(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_left", Recent(1))
    leave(view, 1, step=2)
    leave(view, 2, step=2)
    gc.collect()
    (newest,) = repeats._under_way
    assert repeats._left.get(newest)
    monkeypatch.setattr(cache, "store", cache.Store(1))
    leave(view, 3, step=2)
    leave(view, 4, step=2)
    view.evaluations = 0
    last(view, 3)
    assert view.evaluations == STEPS, "no room"
