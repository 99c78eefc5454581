"""The files of the export panel, and the command in each, which writes a file of that kind."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from playground.export import media
from playground.families import ddpm
from playground.pipeline import check_out
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.validation import UserError
from playground.web import export
from playground.web.export import ExportableRun

STRIP = np.arange(3 * 2 * 4 * 4, dtype=np.uint8).reshape(3, 2, 4, 4, 1)
ABOUT = media.build_metadata(WEIGHTS / "ddpm-digits.safetensors", ddpm.Settings(n=2, steps=2))
RUNS = {
    "steps": export.from_steps("run", ABOUT, [STRIP], [0, 1, 2], [999, 500, 0]),
    "one step": ExportableRun("run", ABOUT, [STRIP], [{"frame": ""}] * 3),
    "no command": ExportableRun("run", {"checkpoint": "mine"}, [STRIP], [{"frame": ""}] * 3),
}


def metadata(path: Path) -> dict[str, Any]:
    with Image.open(path) as image:
        return image.text if path.suffix == ".png" else json.loads(image.info["comment"])


@pytest.mark.parametrize("save", export.EXPORTS.values(), ids=list(export.EXPORTS))
@pytest.mark.parametrize("kind", RUNS)
def test_the_command_of_a_file_writes_a_file_of_its_name(
    kind: str, save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.download, "new_path", lambda name: tmp_path / name)
    path = Path(save(RUNS[kind], 1)["file"]["path"])
    if kind == "no command":
        assert "command" not in metadata(path)
        return
    *start, flag, out = shlex.split(metadata(path)["command"])
    assert [*start, flag] == shlex.split(ABOUT["command"])[:-1]
    assert out == ("run.gif" if (path.suffix, kind) == (".gif", "steps") else "run.png")
    check_out(Path(out), ddpm.FAMILY, 2)


@pytest.mark.parametrize("save", export.EXPORTS.values(), ids=list(export.EXPORTS))
def test_nothing_is_saved_of_a_run_under_way_or_no_longer_kept(save: Any) -> None:
    """The index of the frame is -1 while a run is under way, which need not be the one that is kept."""
    for run, index, sentence in ((RUNS["steps"], -1, "A run is in progress"), (None, 0, "it is no longer kept")):
        with pytest.raises(UserError, match=sentence):
            save(run, index)
