"""Pixels: exact rounding, sheets whose every tile is where it belongs, and uploads."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from playground import pictures


def test_floats_become_the_nearest_of_256_levels():
    x = torch.tensor([-2.0, -1.0, -1 + 1.2 / 255, 0.0, 1 - 1.2 / 255, 1.0, 3.0]).view(1, 1, 1, 7)
    assert pictures.to_uint8(x)[0, 0, :, 0].tolist() == [0, 0, 1, 128, 254, 255, 255]


def test_every_level_survives_the_way_to_floats_and_back():
    levels = torch.arange(256).view(1, 1, 16, 16)
    assert (pictures.to_uint8(levels / 127.5 - 1)[0, ..., 0] == levels[0, 0].numpy()).all()


def test_channels_go_last():
    x = torch.zeros(2, 3, 4, 5)
    x[1, 2, 3, 4] = 1
    image = pictures.to_uint8(x)
    assert (image.shape, image.dtype) == ((2, 4, 5, 3), np.uint8)
    assert image[1, 3, 4].tolist() == [128, 128, 255]


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize(
    ("n", "columns", "shape"),
    [(1, None, (1, 1)), (4, None, (2, 2)), (5, None, (2, 3)), (10, 10, (1, 10)), (3, 2, (2, 2)), (2, 4, (1, 4))],
)
def test_tiles_lie_in_rows(n, columns, shape, gap):
    images = np.arange(1, n + 1, dtype=np.uint8)[:, None, None, None] * np.ones((4, 6, 3), np.uint8)
    rows, columns_made = shape
    sheet = pictures.grid(images, columns, gap)
    assert sheet.shape == (rows * (4 + gap) - gap, columns_made * (6 + gap) - gap, 3)
    covered = np.zeros(sheet.shape[:2], bool)
    for i in range(n):
        top, left = i // columns_made * (4 + gap), i % columns_made * (6 + gap)
        assert (sheet[top : top + 4, left : left + 6] == i + 1).all()
        covered[top : top + 4, left : left + 6] = True
    assert not sheet[~covered].any()


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp", "jpg"])
def test_uploads_become_grey(tmp_path, suffix):
    image = Image.new("RGB", (40, 30), (100, 100, 100))
    grey = pictures.open_grey(saved(tmp_path / f"a.{suffix}", image))
    assert (grey.shape, grey.dtype) == ((30, 40), np.uint8)
    assert np.abs(grey.astype(int) - 100).max() <= 2


def test_transparent_parts_are_white(tmp_path):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 2), (0, 0, 0, 255))
    grey = pictures.open_grey(saved(tmp_path / "a.png", image))
    assert grey[2, 1] == 0
    assert (grey == 255).sum() == 15


def test_the_middle_of_a_picture_keeps_its_colours(tmp_path):
    image = Image.new("RGB", (300, 100), (255, 0, 0))
    image.paste((0, 0, 255), (100, 0, 200, 100))
    colour = pictures.open_colour(saved(tmp_path / "a.png", image), 64)
    assert colour.shape == (64, 64, 3)
    assert (colour[4:-4, 4:-4] == (0, 0, 255)).all()


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_large_uploads_shrink_to_1024_pixels_a_side(tmp_path, suffix):
    assert pictures.open_grey(saved(tmp_path / f"a.{suffix}", Image.new("L", (2048, 1200), 7))).shape == (600, 1024)


def bomb(side: int) -> bytes:
    """A PNG that claims side x side pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def png() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG")
    return buffer.getvalue()


def animation() -> bytes:
    buffer, frames = io.BytesIO(), [Image.new("L", (8, 8), level) for level in (0, 100, 200)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


BAD = [
    ("empty", b"", "no picture"),
    ("text", b"seven", "no picture"),
    ("program", b"%!PS-Adobe-3.0 EPSF-3.0\n", "no picture"),
    ("truncated", png()[:1000], "no picture"),
    ("animated", animation(), "an animation"),
    ("huge", bomb(13_300), "13300 x 13300 pixels"),
    ("absurd", bomb(2**31 - 1), "pic"),
]


@pytest.mark.parametrize(("content", "reason"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_uploads_are_refused_in_one_sentence_and_little_memory(tmp_path, content, reason):
    (tmp_path / "a.png").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=reason) as caught:
            pictures.open_grey(tmp_path / "a.png")
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert str(caught.value)[:3] == "the"


def test_a_missing_upload_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no picture"):
        pictures.open_grey(tmp_path / "gone.png")
