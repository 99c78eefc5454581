"""The forward process of the diffusion tab, in a real browser."""

import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect
from visitor import control, next_value, pixels, ready, strip, upload

TAB = "ddpm"
FORWARD = "#ddpm-forward-scrubber"


def test_forward_noises_a_drawing_and_an_upload(page: Page, broken_picture: Path, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Forward").click()
    before = ready(page, FORWARD)
    control(page, "Draw").click()
    pad = page.locator("#ddpm-forward-pad canvas")
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 220, steps=5)
    page.mouse.up()
    next_value(page, before, FORWARD)
    page.locator(f"{FORWARD} .position").press("Home")
    drawn = strip(page, FORWARD, 0)
    assert drawn[:, 15:17].max() == 255, "one stroke, centred"
    assert drawn[:, :8].max() == 0

    before = ready(page, FORWARD)
    page.get_by_label("Upload", exact=True).locator("visible=true").click()
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    ink = np.full((60, 60), 255, np.uint8)
    ink[10:50, 25:35] = 0
    Image.fromarray(ink).save(tmp_path / "one.png")
    upload(page, tmp_path / "one.png")
    next_value(page, before, FORWARD)
    page.locator(f"{FORWARD} .position").press("Home")
    assert strip(page, FORWARD, 0)[:, 15:17].max() == 255, "dark ink on white is inverted"
    upload(page, broken_picture)
    expect(page.locator(f"{FORWARD} .caption")).to_contain_text("is not a picture that can be read")
    expect(page.locator(f"{FORWARD} canvas").first).to_have_css("opacity", "0.15")  # it belongs to the picture before


def test_a_digit_is_drawn_with_the_keys(page: Page, address: str) -> None:
    page.goto(f"{address}ddpm?view=forward")
    before = ready(page, FORWARD)
    control(page, "Draw").click()
    pad = page.get_by_label(re.compile("Drawing pad")).locator("visible=true")
    for key in ["ArrowUp"] * 5 + ["Enter"] + ["ArrowDown"] * 10 + ["Enter"]:
        pad.press(key)
    next_value(page, before, FORWARD)
    page.locator(f"{FORWARD} [data-do=first]").click()
    drawn = pixels(page, f"{FORWARD} .strips canvas", 0)
    columns = np.flatnonzero((drawn > 128).any(0))
    rows = np.flatnonzero((drawn > 128).any(1))
    assert len(rows) > 2 * len(columns), "a vertical stroke"
