"""A visitor follows digits through every family, in a real browser, with small models that learned nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from server import in_process
from visitor import caption, nameless, next_value, open_again, pixels, ready, saved, set_control

from playground.families import ddpm, gan, normalizing_flow, vae
from playground.runtime import checkpoint
from playground.runtime.paths import Paths

TAB = "compare?view=scoreboard"  # of the shipped app, which computes nothing
DRAWING, PATHS, LIKELIHOODS = "#compare-drawing", "#compare-interpolations", "#compare-likelihoods"


@pytest.fixture(scope="module")
def compare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the tab in an app of its own, without a data set."""
    paths = Paths(tmp_path_factory.mktemp("weights"), tmp_path_factory.mktemp("data"))
    torch.manual_seed(0)
    flow = normalizing_flow.Config(steps=(1, 1), widths=(8, 8), bins=3, noise_steps=1, noise_width=8)
    models = {
        "vae-digits": vae.Model(vae.Config(latent=3, width=8, multipliers=(1,))),
        "gan-digits-r3gan": gan.Model(gan.Config(latent=4, widths=(8, 8, 8))),
        "ddpm-digits": ddpm.Model(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=8)),
        "flow-digits": normalizing_flow.Model(flow),
    }
    for name, model in models.items():
        checkpoint.save(paths.weights / f"{name}.safetensors", model, {})
    with in_process(paths) as address:
        yield f"{address}compare"


def test_a_digit_goes_through_every_family(page: Page, compare: str, tmp_path: Path) -> None:
    page.goto(f"{compare}?view=drawing&number=3")
    before = ready(page, DRAWING)
    rows = page.locator(f"{DRAWING} .strips:visible figure")
    expect(rows).to_have_count(5)
    expect(rows.nth(1)).to_contain_text("to noise and back: no pixel is off by")
    expect(page.locator(f"{DRAWING} .caption")).to_contain_text("The training digits are not here")
    picture = pixels(page, f"{DRAWING} .strips canvas", 1)
    assert np.abs(picture[:, :32].astype(int) - picture[:, 32:64]).max() <= 1, "the flow brings it back"
    page.locator(f"{DRAWING} .position").fill("0")
    expect(page.locator(f"{DRAWING} .caption")).to_contain_text("0% of the way")
    assert not nameless(page)
    page.get_by_role("button", name="Export").locator("visible=true").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="This frame (PNG)").locator("visible=true").click()
    file = saved(download.value)
    assert file.height == 4 * (5 * 33 - 1)
    assert "GAN: projection" in json.loads(file.text["results"])  # type: ignore[attr-defined]
    open_again(page, download.value, tmp_path)
    assert ready(page, DRAWING) != before
    page.set_viewport_size({"width": 1280, "height": 640})  # the pictures fill it
    page.locator("label").filter(has_text="Draw").locator("visible=true").click()
    expect(page.locator(f"{DRAWING} .caption")).not_to_be_in_viewport()
    page.locator("#compare-drawing-sample").click()
    expect(page.locator(f"{DRAWING} .caption")).to_have_text("The drawing pad is blank: draw something on it.")
    expect(page.locator(f"{DRAWING} .caption")).to_be_in_viewport()


def test_the_paths_and_the_likelihoods_are_shown(page: Page, compare: str) -> None:
    page.goto(f"{compare}?view=interpolations&number=1&to_number=2")
    before = ready(page, PATHS)
    assert "50% of the way" in caption(page, PATHS)
    expect(page.locator(f"{PATHS} .strips:visible figure")).to_have_count(5)
    set_control(page, "To test image", "5")
    page.locator("#compare-interpolations-sample").click()
    next_value(page, before, PATHS)
    page.wait_for_url("**to_number=5**")
    page.goto(f"{compare}?view=likelihoods&n=2&evaluations=10")
    ready(page, LIKELIHOODS)
    table = page.locator("#compare-likelihoods-table")
    expect(table.locator("tbody tr")).to_have_count(4)
    expect(table).to_contain_text("Likeliest to the VAE")
    assert not nameless(page)
