"""The endpoints that sample take turns with the runs of the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.api import sampling
from playground.runtime import inference
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths


@pytest.mark.parametrize(
    ("family", "values"),
    [("normalizing_flow", {}), ("vae", {"checkpoint": "vae-digits-2d"}), ("ddpm", {"steps": 2})],
)
def test_a_call_takes_as_many_turns_as_it_announces(family, values, tmp_path, monkeypatch) -> None:
    announced, taken = list[int](), list[int]()

    def in_turns(items: Iterator[object], steps: int, patience: float | None = None) -> Iterator[object]:
        computed = list(items)
        announced.append(steps)
        taken.append(len(computed))
        return iter(computed)

    monkeypatch.setattr(inference, "in_turns", in_turns)
    endpoint = sampling.endpoints(Paths(WEIGHTS, Path("nowhere")), lambda name: tmp_path / name)[family]
    *_, (out, about) = endpoint.run(**endpoint.check({"n": 1, **values}))
    assert out.exists()
    assert about["shape"][0] == 1
    assert taken == announced
