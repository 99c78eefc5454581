"""An upload that is read wrongly is corrected by the user: a frame around the digit, ink and paper swapped."""

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect
from visitor import control, eventually, later, nameless, pixels, ready, upload

TAB = "ddpm?view=forward"
STAGE = "#ddpm-forward-scrubber"
ORIGINAL = "#ddpm-forward-photograph .original"


def is_upright(page: Page) -> bool:
    """Return true if the picture on show is a stroke from top to bottom, as wide as a pen's."""
    ink = pixels(page, f"{STAGE} canvas")[:32, :32] > 128
    return bool(ink[10:22, 15:17].all() and not ink[:, :10].any() and not ink[:, 22:].any())


def drag(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """Drag a frame on the original; corners in shares of its sides."""
    page.locator(f"{ORIGINAL} img").evaluate("(image) => image.decode()")  # until then it has another size
    box = page.locator(ORIGINAL).bounding_box()
    page.mouse.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], box["y"] + bottom * box["height"], steps=4)
    page.mouse.up()


def test_an_upload_is_framed_and_swapped(page: Page, tmp_path: Path) -> None:
    """A stroke on the left of a sheet beside a square, and then a light stroke on a dark label."""
    ready(page, STAGE)
    page.locator(f"{STAGE} .position").press("Home")
    control(page, "Upload").click()
    expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()
    expect(page.locator(ORIGINAL)).to_be_hidden()
    grey = np.full((300, 600), 240, np.uint8)
    grey[80:220, 130:150] = grey[80:220, 400:540] = 20
    Image.fromarray(grey).save(tmp_path / "two.png")
    upload(page, tmp_path / "two.png")
    expect(page.locator(ORIGINAL)).to_be_visible()
    expect(page.get_by_alt_text("what the model sees of it")).to_be_visible()
    assert not is_upright(page)
    drag(page, 0.02, 0.05, 0.5, 0.95)
    eventually(page, lambda: is_upright(page))
    assert not nameless(page)
    control(page, "Model's sample").click()
    expect(page.locator(ORIGINAL)).to_be_hidden()
    control(page, "Upload").click()
    frame = page.locator(f"{ORIGINAL} i")
    eventually(page, lambda: 40 < frame.evaluate("(frame) => parseFloat(frame.style.width)") < 60)  # it stays
    page.get_by_role("button", name="Whole picture").click()
    eventually(page, lambda: not is_upright(page))

    grey = np.full((300, 300), 240, np.uint8)
    grey[60:240, 60:240] = 20
    grey[90:210, 142:158] = 230
    Image.fromarray(grey).save(tmp_path / "label.png")
    upload(page, tmp_path / "label.png")
    expect(page.get_by_text("now label.png")).to_be_visible()
    eventually(page, lambda: not is_upright(page))
    control(page, "Swap ink and paper").click()
    eventually(page, lambda: is_upright(page))
    page.locator(ORIGINAL).press("Shift+ArrowLeft")
    assert frame.evaluate("(frame) => frame.style.width") == "98%"


def test_a_drawing_stays_while_another_picture_is_chosen(page: Page) -> None:
    ready(page, STAGE)
    control(page, "Draw").click()
    pad = "#ddpm-forward-pad canvas"
    page.locator(pad).click()
    eventually(page, lambda: bool(pixels(page, pad).any()))
    drawing = pixels(page, pad)
    later(page, 300)  # until it is sent
    control(page, "Model's sample").click()
    expect(page.locator(pad)).to_be_hidden()
    control(page, "Draw").click()
    expect(page.locator(pad)).to_be_visible()
    eventually(page, lambda: np.array_equal(pixels(page, pad), drawing))
