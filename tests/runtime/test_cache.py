"""What is kept stays within a budget, and what was not used for longest goes first."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from playground.runtime import cache
from playground.runtime.cache import Recent, Store, count_bytes
from playground.runtime.recording import Recorder


def array(megabytes: int) -> np.ndarray:
    return np.zeros(megabytes * 1_000_000, np.uint8)


def test_what_was_not_used_for_longest_makes_room() -> None:
    store = Store(3_500_000)
    first, second, third = (store.keep(array(1)) for _ in range(3))
    assert first.get() is not None, "a use"
    fourth = store.keep(array(1))
    assert second.get() is None
    assert [kept.get().nbytes for kept in (first, third, fourth)] == [1_000_000] * 3
    assert 3_000_000 < store.size <= store.budget


def test_values_by_key_have_bounds_of_number_and_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "store", Store(3_500_000))
    recent = Recent[np.ndarray](2)
    recent.put("a", array(1))
    recent.put("b", array(1))
    assert recent.get("a") is not None, "a use"
    recent.put("c", array(1))
    assert [recent.get(key) is None for key in "abc"] == [False, True, False]
    recent.put("c", array(3))
    assert recent.get("a") is None, "one that has grown takes its room"
    assert len(recent) == 1


def test_what_grows_meanwhile_can_be_measured() -> None:
    growing = dict[int, object]()

    class Part:
        def __sizeof__(self) -> int:
            growing[len(growing)] = "another"
            return 1_000_000

    growing[0] = Part()
    assert count_bytes(growing) > 1_000_000


def test_what_nobody_can_ask_for_takes_no_room() -> None:
    store = Store(3_500_000)
    first, second = store.keep(array(1)), store.keep(array(2))
    del second
    assert store.size == first.size
    third = store.keep(array(2))
    assert first.get() is not None
    assert third.get() is not None


def test_a_smaller_budget_counts_at_once_but_the_newest_stays() -> None:
    store = Store(10_000_000)
    values = [store.keep(array(1)) for _ in range(3)]
    store.budget = 10
    assert [kept.get() is None for kept in values] == [True, True, False]
    assert store.size == values[-1].size


def test_all_that_a_value_holds_is_counted_once() -> None:
    @dataclass
    class Run:
        strips: list[np.ndarray]
        z: torch.Tensor

    images = array(1)
    size = count_bytes((Run([images, images, images[:500_000]], torch.zeros(1000, 250)), {"text": "x" * 1000}))
    assert 2_500_000 < size < 2_510_000, "the array once, its part as if it were of its own, the tensor, and a little"


def test_what_keeps_the_frames_of_a_run_counts_with_them() -> None:
    recorder, images = Recorder(2), list[np.ndarray]()
    recorder._rows.append((array(1),))
    images.append(array(2))
    assert 3_000_000 < count_bytes((recorder.add, images.append)) < 3_010_000


def test_a_model_counts_only_while_it_trains() -> None:
    model = torch.nn.Linear(500, 500, bias=False)
    assert 4_000_000 < count_bytes([model]) < 4_010_000, "with its gradient and two moments of Adam"
    assert count_bytes([model.requires_grad_(False)]) < 1000, "many share it"
