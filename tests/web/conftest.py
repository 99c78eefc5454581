"""Fixture of a folder for checkpoints."""

from pathlib import Path

import pytest

from playground.runtime.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Make an empty folder of weights, and none of data."""
    (tmp_path / "weights").mkdir()
    return Paths(tmp_path / "weights", tmp_path / "data")
