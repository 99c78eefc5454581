"""The history of a training of adversarial networks."""

from pathlib import Path

import numpy as np
import pytest

from playground.families.gan import history
from playground.runtime.validation import UserError
from train.evaluation import gan_history


def test_moments_lie_at_equal_ratios() -> None:
    steps = gan_history.moments(9_360)
    assert len(steps) >= gan_history.N_MOMENTS
    assert (steps[0], steps[-1]) == (1, 9_360)
    late = np.diff(np.log(steps[-15:]))
    assert late.max() / late.min() < 1.05
    assert gan_history.moments(7) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_damaged_history_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "gan-digits-hinge.history.npz"
    if damage == "cut":
        path.write_bytes(b"PK\x03\x04nothing")
    if damage == "other":
        np.savez(path, steps=np.arange(3))
    with pytest.raises(UserError, match=r"python -m train gan-digits-hinge`"):
        history.load(path)
