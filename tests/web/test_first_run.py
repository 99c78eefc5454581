"""First runs are made once for all visitors, and none waits for that of another model."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from playground.runtime.paths import Paths
from playground.web.once_per_model import OncePerModel


class Picker:
    """Choice of checkpoints that are all there."""

    def load(self, paths: Paths, name: object) -> None:
        """Find nothing wrong."""

    def path(self, paths: Paths, name: str) -> Path:
        return paths.weights / name


def test_a_run_is_made_once_and_others_do_not_wait_for_it(tmp_path: Path) -> None:
    for name in ("slow", "quick"):
        (tmp_path / name).touch()
    begun, go_on, made = threading.Event(), threading.Event(), list[str]()

    def make(_: Paths, name: str) -> str:
        made.append(name)
        if name == "slow":
            begun.set()
            assert go_on.wait(60)
        return name

    picker: Any = Picker()
    first, paths = OncePerModel(picker, make, limit=2), Paths(tmp_path, tmp_path)
    with ThreadPoolExecutor(3) as visitors:
        slow = [visitors.submit(first, paths, "slow") for _ in range(2)]
        assert begun.wait(60)
        quick = visitors.submit(first, paths, "quick")
        try:
            assert quick.result(timeout=60) == "quick"
        finally:
            go_on.set()
        assert [run.result() for run in slow] == ["slow", "slow"]
    assert sorted(made) == ["quick", "slow"]
