"""Tests of recordings of runs."""

import pytest
import torch

from playground.runtime.recording import MAX_FRAMES, record, subsample
from playground.runtime.run import Frame


def frames(steps: int) -> list[Frame]:
    """x_t is the constant k / steps, x0_hat 0.5 everywhere and eps_hat a constant 2."""
    full = lambda value: torch.full((3, 1, 4, 4), float(value))  # noqa: E731
    return [Frame(k, steps - k, full(k / steps), {"x0_hat": full(0.5), "eps_hat": full(2)}) for k in range(steps + 1)]


def test_short_runs_are_recorded_completely() -> None:
    run = record(iter(frames(250)), 250)
    assert run.steps == list(range(251))
    assert run.x.shape == (251, 3, 4, 4, 1)
    assert (run.images == 255).all(), "the last frame is the picture"
    assert run.eps_rms == [2.0] * 251
    assert max(run.x0_change) == 0


def test_long_runs_are_recorded_as_an_even_subset_with_both_ends() -> None:
    run = record(iter(frames(1000)), 1000)
    assert len(run.steps) == MAX_FRAMES
    assert (run.steps[0], run.steps[-1]) == (0, 1000)
    assert {b - a for a, b in zip(run.steps, run.steps[1:], strict=False)} == {4}


@pytest.mark.parametrize(
    ("items", "n", "kept"),
    [("abcde", 3, "ace"), ("abcd", 3, "acd"), ("abc", 5, "abc"), ("a", 3, "a"), ("", 3, ""), ("abc", 1, "a")],
)
def test_a_subset_is_even_with_both_ends(items: str, n: int, kept: str) -> None:
    assert "".join(subsample(items, n)) == kept
