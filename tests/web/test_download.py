"""Temporary files take a bounded number of bytes."""

from pathlib import Path

import pytest

from playground.web.download import TemporaryFiles


def test_the_oldest_files_make_room(tmp_path: Path) -> None:
    files = TemporaryFiles(2500)
    paths = [tmp_path / str(i) / "frames.png" for i in range(4)]
    for path in paths:
        path.parent.mkdir()
        files.add(path)
        path.write_bytes(bytes(1000))
    files.add(tmp_path / "next" / "frames.png")
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert not paths[0].parent.exists()


def test_a_file_that_is_deleted_while_it_is_measured_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio clears its folder at any moment."""
    files, path, stat = TemporaryFiles(2500), tmp_path / "a.png", Path.stat
    files.add(path)
    path.write_bytes(b"a")

    def stat_and_delete(self: Path, **options: bool) -> object:
        try:
            return stat(self, **options)
        finally:
            if self == path:
                self.unlink(missing_ok=True)

    monkeypatch.setattr(Path, "stat", stat_and_delete)
    files.add(tmp_path / "b.png")
    files.add(tmp_path / "c.png")
