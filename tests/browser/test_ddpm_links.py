"""Links, addresses and exports of the diffusion tab, in a real browser."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from visitor import caption, control, later, open_again, ready, saved, strip

TAB = "ddpm"
SCRUBBER = "#ddpm-scrubber"
FORWARD = "#ddpm-forward-scrubber"


def test_the_copied_link_is_that_of_the_view(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ready(page, SCRUBBER)

    def copied() -> str:
        page.get_by_role("button", name="Copy link").locator("visible=true").click()
        page.get_by_role("button", name="Copied").wait_for()
        return page.evaluate("navigator.clipboard.readText()")

    assert "/ddpm?n=10" in copied()
    page.get_by_role("tab", name="Forward").click()
    ready(page, FORWARD)
    assert "/ddpm?view=forward&" in copied()
    page.get_by_role("tab", name="Reverse").click()
    assert "/ddpm?n=" in copied()


def test_the_address_is_that_of_what_is_shown(page: Page) -> None:
    ready(page, SCRUBBER)
    assert page.url.endswith("/ddpm")
    page.get_by_role("tab", name="Forward").click()
    ready(page, FORWARD)
    expect(page).to_have_url(re.compile(r"/ddpm\?view=forward$"))
    control(page, "Draw").click()
    expect(page.locator(f"{FORWARD} .caption")).to_contain_text("Draw on the pad")
    page.get_by_role("button", name="Clear").click()
    later(page, 300)
    expect(page.locator(f"{FORWARD} .caption")).to_contain_text("Draw on the pad")
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    page.get_by_role("link", name="VAE").click()
    expect(page).to_have_url(re.compile(r"/vae\?view=traverse$"))
    page.get_by_role("link", name="Diffusion").click()
    expect(page).to_have_url(re.compile(r"/ddpm\?view=forward$"))
    ready(page, FORWARD)
    page.get_by_role("tab", name="Forward").press("ArrowLeft")
    expect(page.get_by_role("tab", name="Reverse")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/ddpm$"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/ddpm\?view=forward$"))
    expect(page.locator(FORWARD)).to_be_visible()
    page.go_forward()
    expect(page).to_have_url(re.compile(r"/ddpm$"))
    expect(page.locator(SCRUBBER)).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile(r"/vae\?view=traverse$"))


def test_a_link_restores_its_run(page: Page, address: str) -> None:
    link = f"{address}ddpm?n=3&label=4&sampler=dpm-solver%2B%2B&steps=7&eta=0.5&w=2.5&clip=0&seed=11"
    page.goto(link)
    ready(page, SCRUBBER)
    assert "step 7 of 7" in caption(page, SCRUBBER)
    first = strip(page, SCRUBBER, 0)
    assert control(page, "number input for Steps").input_value() == "7"
    assert control(page, "number input for Guidance w").input_value() == "2.5"
    assert control(page, "Seed").input_value() == "11"
    page.goto(link)
    ready(page, SCRUBBER)
    assert np.abs(strip(page, SCRUBBER, 0).astype(int) - first).mean() < 2, (
        "the same pictures, but for the sheets' encoding"
    )


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("steps=many", "The link's steps must be a whole number, not 'many'"),
        ("n=100", "must be a whole number from 1 to 64"),
    ],
)
def test_a_bad_link_says_so(page: Page, address: str, asked: str, sentence: str) -> None:
    page.goto(f"{address}ddpm?{asked}")
    expect(page.locator(f"{SCRUBBER} .caption")).to_contain_text(sentence)
    assert strip(page, SCRUBBER, 0).shape == (64, 160), "the first run is there all the same"


def test_exports_hold_their_settings(page: Page, tmp_path: Path) -> None:
    ready(page, SCRUBBER)
    shown = strip(page, SCRUBBER, 0)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Pictures (PNG)").click()
    picture = saved(download.value)
    assert picture.size == (4 * 160, 4 * 64)
    assert json.loads(picture.text["settings"])["steps"] == 20
    assert picture.text["command"] == "python -m playground sample ddpm-digits --seed 8 --out ddpm-digits-seed8.png"
    page.get_by_role("button", name="First frame").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="This frame (PNG)").click()
    assert saved(download.value).text["t"] == "1000"
    assert download.value.suggested_filename == "ddpm-digits-seed8-frame0.png"
    frame = download.value
    with page.expect_download() as download:
        page.get_by_role("button", name="Animation (GIF)").click()
    assert saved(download.value).n_frames == 21
    open_again(page, frame, tmp_path)
    ready(page, SCRUBBER)
    assert np.array_equal(strip(page, SCRUBBER, 0), shown)
