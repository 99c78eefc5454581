"""Temporary files take a bounded number of bytes."""

from pathlib import Path

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
