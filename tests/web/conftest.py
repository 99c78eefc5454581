"""Fixtures of a folder for checkpoints, and of an app with those that are shipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from server import in_process

from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an app in this process, which takes seconds to build."""
    with in_process(Paths(WEIGHTS, tmp_path_factory.mktemp("data"))) as url:
        yield url


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Make an empty folder of weights, and none of data."""
    (tmp_path / "weights").mkdir()
    return Paths(tmp_path / "weights", tmp_path / "data")
