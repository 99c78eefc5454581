"""Fixture that lets each test decide anew on what Accelerate runs."""

from collections.abc import Iterator

import pytest
from accelerate.state import AcceleratorState
from tiny_run import TINY

from train import ddpm as recipe


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def tiny(tmp_path) -> recipe.Recipe:
    return recipe.Recipe(name="ddpm-tiny", steps=12, cycles=1, batch_size=8, warmup=3, ema=0.3, precision="no",
                         log_every=1, save_every=5, config=TINY, out=tmp_path / "weights",
                         runs=tmp_path / "runs")  # fmt: skip
