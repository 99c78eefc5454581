"""Tests of images: rounding, grids and uploaded files."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from playground.runtime import pictures


def test_floats_become_the_nearest_of_256_levels():
    x = torch.tensor([-2.0, -1.0, -1 + 1.2 / 255, 0.0, 1 - 1.2 / 255, 1.0, 3.0]).view(1, 1, 1, 7)
    assert pictures.to_uint8(x)[0, 0, :, 0].tolist() == [0, 0, 1, 128, 254, 255, 255]


def test_conversion_to_floats_and_back_is_exact():
    levels = torch.arange(256).view(1, 1, 16, 16)
    assert (pictures.to_uint8(levels / 127.5 - 1)[0, ..., 0] == levels[0, 0].numpy()).all()


def test_channels_go_last():
    x = torch.zeros(2, 3, 4, 5)
    x[1, 2, 3, 4] = 1
    image = pictures.to_uint8(x)
    assert (image.shape, image.dtype) == ((2, 4, 5, 3), np.uint8)
    assert image[1, 3, 4].tolist() == [128, 128, 255]


def test_a_compressor_needs_few_bits_for_a_blank_picture_and_all_for_noise():
    noise = torch.randint(256, (1, 1, 64, 64), generator=torch.Generator().manual_seed(0)) / 127.5 - 1
    blank_bits, noise_bits = pictures.compressed_bits(torch.cat([torch.zeros_like(noise), noise])).tolist()
    assert blank_bits < 0.1
    assert noise_bits == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize(
    ("n", "columns", "shape"),
    [
        (1, None, (1, 1)),
        (4, None, (2, 2)),
        (5, None, (2, 3)),
        (10, None, (2, 5)),
        (3, None, (1, 3)),
        (10, 10, (1, 10)),
        (3, 2, (2, 2)),
        (2, 4, (1, 4)),
    ],
)
def test_tiles_lie_in_rows(n, columns, shape, gap):
    images = np.arange(1, n + 1, dtype=np.uint8)[:, None, None, None] * np.ones((4, 6, 3), np.uint8)
    rows, n_columns = shape
    sheet = pictures.make_grid(images, columns, gap)
    assert sheet.shape == (rows * (4 + gap) - gap, n_columns * (6 + gap) - gap, 3)
    covered = np.zeros(sheet.shape[:2], bool)
    for i in range(n):
        top, left = i // n_columns * (4 + gap), i % n_columns * (6 + gap)
        assert (sheet[top : top + 4, left : left + 6] == i + 1).all()
        covered[top : top + 4, left : left + 6] = True
    assert not sheet[~covered].any()


def save_image(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp", "jpg"])
def test_uploads_become_grey(tmp_path, suffix):
    image = Image.new("RGB", (40, 30), (100, 100, 100))
    grey = pictures.open_grey(save_image(tmp_path / f"a.{suffix}", image))
    assert (grey.shape, grey.dtype) == ((30, 40), np.uint8)
    assert np.abs(grey.astype(int) - 100).max() <= 2


def test_transparent_parts_are_white(tmp_path):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 2), (0, 0, 0, 255))
    grey = pictures.open_grey(save_image(tmp_path / "a.png", image))
    assert grey[2, 1] == 0
    assert (grey == 255).sum() == 15


def test_the_middle_of_a_picture_keeps_its_colours(tmp_path):
    image = Image.new("RGB", (300, 100), (255, 0, 0))
    image.paste((0, 0, 255), (100, 0, 200, 100))
    colour = pictures.open_square(save_image(tmp_path / "a.png", image), 64)
    assert colour.shape == (64, 64, 3)
    assert (colour[4:-4, 4:-4] == (0, 0, 255)).all()


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_large_uploads_shrink_to_1024_pixels_a_side(tmp_path, suffix):
    assert pictures.open_grey(save_image(tmp_path / f"a.{suffix}", Image.new("L", (2048, 1200), 7))).shape == (
        600,
        1024,
    )


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
    ("empty", b"", "not a picture"),
    ("text", b"seven", "not a picture"),
    ("program", b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
    ("truncated", png()[:1000], "not a picture"),
    ("phone", b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
    ("huge", bomb(13_300), "13300 x 13300 pixels"),
    ("absurd", bomb(2**31 - 1), "pic"),
]


@pytest.mark.parametrize(("content", "reason"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_uploads_are_rejected_in_one_sentence_and_little_memory(tmp_path, content, reason):
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


@pytest.mark.parametrize(("low", "high"), [(0, 65_535), (1_000, 30_000)])
def test_grey_values_of_16_bits_keep_their_order(tmp_path, low, high):
    ramp = np.linspace(low, high, 256).round().astype(np.uint16)
    Image.fromarray(np.tile(ramp, (4, 1))).save(tmp_path / "a.png")
    grey = pictures.open_grey(tmp_path / "a.png")
    assert np.abs(grey[0].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((255, 240, 0), (255, 255, 255)), ((200, 40, 40), (60, 95, 210)), ((40, 160, 60), (205, 60, 230)),
     ((30, 30, 30), (250, 240, 225)), ((240, 240, 240), (20, 60, 30))],
)  # fmt: skip
def test_ink_of_any_colour_differs_from_its_ground(tmp_path, ink, paper):
    image = Image.new("RGB", (40, 40), paper)
    image.paste(ink, (10, 10, 20, 30))
    grey = pictures.open_grey(save_image(tmp_path / "a.png", image)).astype(int)
    assert abs(grey[20, 15] - grey[0, 0]) > 100
    is_dark = sum(ink) < sum(paper)
    assert (grey[20, 15] < grey[0, 0]) == is_dark


@pytest.mark.parametrize("colour", [(255, 255, 255), (253, 255, 254), (245, 240, 235)])
def test_white_ink_on_transparency_is_seen(tmp_path, colour):
    image = Image.new("RGBA", (40, 40), (*colour, 0))
    image.paste((*colour, 255), (10, 10, 20, 30))
    grey = pictures.open_grey(save_image(tmp_path / "a.png", image))
    assert (grey[10:30, 10:20] == 0).all()
    assert (grey == 255).sum() == 1600 - 200


def test_a_jpeg_of_24_megapixels_is_read_small(tmp_path):
    path = save_image(tmp_path / "a.jpg", Image.linear_gradient("L").resize((6000, 4000)))
    grey = pictures.open_grey(path)
    assert grey.shape == (683, 1024)
    assert np.abs(grey[:, 500].astype(float) - np.linspace(0, 255, 683)).max() < 4


OLD_PILLOW = tuple(map(int, PIL.__version__.split(".")[:2])) < (11, 1)
MPO = pytest.param("mpo", 1, marks=pytest.mark.skipif(OLD_PILLOW, reason="Pillow 11.0 writes no MPO that it can read"))


@pytest.mark.parametrize(("suffix", "frames"), [("gif", 3), ("webp", 3), MPO])
def test_of_several_pictures_the_first_is_read(tmp_path, suffix, frames):
    first, *others = (Image.new("RGB", (32, 32), (level,) * 3) for level in (90, 0, 255))
    path = save_image(tmp_path / f"a.{suffix}", first, save_all=True, append_images=others)
    assert np.abs(pictures.open_grey(path).astype(int) - 90).max() <= 2
    assert pictures.count_frames(path) == frames


XYZ_D50 = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)  # of sRGB
DISPLAY_P3 = np.array([[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]])


def profile(colorants: np.ndarray, gamma: float) -> bytes:
    """Return an ICC profile of a display (ICC.1:2001) of a matrix from RGB to XYZ and a gamma."""

    def xyz(values) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(v) * 65_536) for v in values))

    text = b"display\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"desc": description, b"wtpt": xyz([0.9642, 1, 0.8249]), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    tags |= {name: xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants.T, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    size = start + len(body)
    head = struct.pack(">I4s4s4s4s4s12s4s4sIII", size, b"none", b"\x02\x10\0\0", b"mntr", b"RGB ", b"XYZ ", bytes(12),
                       b"acsp", bytes(4), 0, 0, 0) + bytes(12)  # fmt: skip
    head = head[:68] + xyz([0.9642, 1, 0.8249])[8:] + bytes(48)
    return head[:128] + table + body


def test_colours_are_converted_by_their_profile(tmp_path):
    """Against the formulas: linear light, the matrices of both spaces, and the curve of sRGB (IEC 61966-2-1)."""
    levels = np.stack(np.meshgrid(*[[60, 120, 180]] * 3), -1).reshape(1, 27, 3).astype(np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(levels.repeat(4, 0)).save(path, icc_profile=profile(DISPLAY_P3, 2.2))
    linear = (levels / 255) ** 2.2 @ DISPLAY_P3.T @ np.linalg.inv(XYZ_D50).T
    linear = linear.clip(0, 1)
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    read = np.asarray(pictures._open(path, "RGB"))[0]
    assert np.abs(read - expected[0]).max() <= 2
    assert np.abs(levels[0].astype(int) - read).max() > 5, "the profile matters here"


def test_a_damaged_profile_has_no_effect(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), (10, 200, 30)).save(path, icc_profile=b"no profile")
    assert (np.asarray(pictures._open(path, "RGB")) == (10, 200, 30)).all()


def test_a_missing_upload_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="not a picture"):
        pictures.open_grey(tmp_path / "missing.png")
