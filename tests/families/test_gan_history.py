"""The history of a training of adversarial networks."""

import io
from pathlib import Path

import numpy as np
import pytest

from playground.families.gan import history
from playground.families.gan.history import History
from playground.runtime import pictures
from playground.runtime.validation import UserError
from train.evaluation import gan_history

MOMENTS, PICTURES = 3, 4


def sheet(side: int) -> bytes:
    """Four pictures of so many pixels a side: black, two greys, white."""
    greys = np.array([0, 85, 170, 255], np.uint8).repeat(side * side).reshape(4, side, side, 1)
    pictures.to_pil(pictures.make_grid(greys, columns=2)).save(file := io.BytesIO(), "WEBP", lossless=True)
    return file.getvalue()


def make_history() -> History:
    """Return three moments of a training whose pictures grow."""
    noise = np.random.default_rng(0)
    counts = np.array([[200, *[0] * 9], [100, 97, 2, 1, *[0] * 6], [20] * 10], np.uint16)
    return History(
        steps=np.array([1, 10, 100], np.int32),
        pictures=[sheet(side) for side in (4, 8, 8)],
        columns=2,
        real=noise.normal(2, 1, (MOMENTS, 200)).astype(np.float16),
        fake=noise.normal(-2, 1, (MOMENTS, 200)).astype(np.float16),
        slopes=noise.uniform(0.1, 10, (MOMENTS, 200)).astype(np.float16),
        classes=counts,
        frechet=np.array([90.0, 40.0, 5.0], np.float32),
        curve_steps=np.array([20, 40, 60, 80, 100], np.int32),
        curves=np.arange(20, dtype=np.float32).reshape(4, 5),
    )


@pytest.fixture
def seen() -> History:
    return make_history()


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


def test_pictures_of_a_growing_network_are_shown_at_one_size(seen: History) -> None:
    shown = history.decode_pictures(seen)
    assert shown.shape == (MOMENTS, PICTURES, 8, 8, 1)
    for moment in shown:
        assert moment.mean(axis=(1, 2, 3)).tolist() == [0, 85, 170, 255]


def test_curves_are_averaged_since_the_moment_before(seen: History) -> None:
    """Nothing is recorded up to step 10, and all five points up to step 100."""
    found = history.average_curves(seen)
    assert tuple(found) == history.CURVES
    assert found["discriminator"].tolist() == [0, 0, 2]
    assert found["generator_gradient"].tolist() == [15, 15, 17]
    late = seen._replace(steps=np.array([20, 60, 100], np.int32))
    assert history.average_curves(late)["discriminator"].tolist() == [0, 1.5, 3.5]


def test_a_class_counts_as_covered_from_one_in_a_hundred_on(seen: History) -> None:
    """Of 200 samples the third class has two, and the fourth one."""
    assert history.count_covered_classes(seen).tolist() == [1, 3, 10]


def test_a_history_is_read_again_when_its_file_has_changed(tmp_path: Path, seen: History) -> None:
    path = history.save(tmp_path / "gan.history.npz", seen)
    assert history.load(path) is history.load(path)
    history.save(path, seen._replace(frechet=np.ones(MOMENTS, np.float32)))
    assert history.load(path).frechet.tolist() == [1, 1, 1]
