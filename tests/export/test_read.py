"""The settings inside a file come back, and other files say why they have none."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from playground.export import media, read
from playground.export.read import read_metadata
from playground.runtime.validation import UserError

ABOUT = {"settings": '{"seed": 3}', "command": 'python -m playground sample x --prompt "é"', "link": "vae?seed=3"}
PIXELS = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8, 1)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".npz"])
def test_metadata_come_back_from_each_kind_of_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    if suffix == ".png":
        media.write_png(path, PIXELS[0, 0], ABOUT)
    elif suffix == ".gif":
        media.write_gif(path, PIXELS, ABOUT)
    else:
        media.write_npz(path, {"x": PIXELS}, ABOUT)
    metadata = read_metadata(path)
    assert {key: metadata[key] for key in ABOUT} == ABOUT


def stripped() -> bytes:
    Image.new("L", (8, 8)).save(content := io.BytesIO(), "PNG")
    return content.getvalue()


def foreign() -> bytes:
    return commented(b"[1, 2")


def commented(comment: bytes) -> bytes:
    Image.new("L", (8, 8)).save(content := io.BytesIO(), "GIF", comment=comment)
    return content.getvalue()


def arrays() -> bytes:
    np.savez_compressed(content := io.BytesIO(), metadata=np.asarray('{"settings": "' + "seed 3" * 20 + '"}'))
    return content.getvalue()


def changed(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


@pytest.mark.parametrize(
    "content",
    [b"", b"text", stripped(), stripped()[:40], foreign(), commented(b"[" * 5000), b"PK\x05\x06" + bytes(18)],
)
def test_a_file_without_settings_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"^other\.png holds no settings of this app: another program made it, or"):
        read_metadata(path)


def test_a_small_file_of_huge_metadata_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    media.write_npz(path, {}, ABOUT)
    monkeypatch.setattr(read, "MAX_METADATA", 100)
    with pytest.raises(UserError, match="holds no settings of this app"):
        read_metadata(path)


def test_a_damaged_file_of_arrays_is_read_or_refused_in_one_sentence(tmp_path: Path) -> None:
    path, whole, refused = tmp_path / "x.npz", arrays(), 0
    for at in range(len(whole)):
        path.write_bytes(changed(whole, at))
        try:
            assert read_metadata(path)
        except UserError:
            refused += 1
    assert refused > len(whole) / 3


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read: No such file"):
        read_metadata(tmp_path / "none.png")
