"""A run that was finished before is not computed again, and says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.runtime import cache
from playground.runtime.paths import Paths
from playground.web import repeats
from playground.web.repeats import NOTICE, remember


class View:
    """View whose runs are counted, and write a file each."""

    def __init__(self, folder: Path):
        self.paths, self.runs = Paths(folder, folder), 0
        (folder / "model.safetensors").write_bytes(b"1")

    @remember
    def sample(self, seed: int) -> Iterator:
        self.runs += 1
        yield {"live": True}
        path = self.paths.weights / f"{self.runs}.png"
        path.touch()
        yield [{"id": "first", "strips": [{"sheets": [{"path": str(path)}]}], "notice": ""}, f"run {self.runs}"]


@pytest.fixture
def view(tmp_path: Path) -> View:
    repeats._results.clear()
    return View(tmp_path)


def last(view: View, seed: int) -> list:
    return [*view.sample(seed)][-1]


def test_the_same_request_is_answered_from_memory_and_says_so(view: View) -> None:
    assert last(view, 1)[0]["notice"] == ""
    (answer,) = view.sample(1)
    assert answer[1] == "run 1"
    assert answer[0]["notice"] == NOTICE
    assert answer[0]["id"] != "first", "the page ignores a value that it has"
    assert last(view, 2)[1] == "run 2", "another seed"


def test_another_checkpoint_or_a_file_that_has_gone_makes_it_anew(view: View) -> None:
    last(view, 1)
    (view.paths.weights / "model.safetensors").write_bytes(b"22")
    assert last(view, 1)[1] == "run 2"
    (view.paths.weights / "2.png").unlink()
    assert last(view, 1)[1] == "run 3"


def test_a_run_that_was_left_is_not_kept(view: View) -> None:
    run = view.sample(1)
    next(run)
    run.close()
    assert last(view, 1)[1] == "run 2"


def test_memory_has_bounds(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MAX_KEPT", 2)
    for seed in (1, 2, 1, 3):
        last(view, seed)
    assert len([*view.sample(1)]) == 1, "used lately"
    assert len([*view.sample(2)]) == 2, "left out"
    monkeypatch.setattr(cache, "store", cache.Store(1))
    last(view, 4)
    last(view, 5)
    assert len([*view.sample(4)]) == 2, "no room"
